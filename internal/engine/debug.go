package engine

import (
	"image"
	"path/filepath"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/layout"
	"github.com/ragify/ragify/internal/pdfium"
	"github.com/ragify/ragify/internal/workbench"
)

// A drawer draws what the layout does, page by page. The nil drawer, which is there when nobody asked, does
// nothing.
type drawer struct {
	file *pdfium.File
	book *workbench.Book
	last layout.Trace
}

// newDrawer draws file into dir; nil for "".
func newDrawer(file *pdfium.File, dir string) (*drawer, error) {
	if dir == "" {
		return nil, nil
	}
	book, err := workbench.New(dir, filepath.Base(dir))
	if err != nil {
		return nil, err
	}
	return &drawer{file: file, book: book}, nil
}

// trace is what the layout calls for each page.
func (d *drawer) trace() func(layout.Trace) {
	if d == nil {
		return nil
	}
	return func(t layout.Trace) { d.last = t }
}

// page draws page n, which the layout has just seen.
func (d *drawer) page(n int) error {
	if d == nil {
		return nil
	}
	// Enough to read small print on a screen; posters get fewer pixels.
	const dpi, longest, inch = 110, 2400, 72 // pixels an inch, pixels, points
	scale := min(dpi, longest*inch/max(d.last.Width, d.last.Height, 1))
	var picture image.Image
	if img, err := d.file.Render(n, scale); err == nil { // a page that cannot be shown is drawn without its picture
		picture = img
	}
	return d.book.Page(d.last, picture)
}

// finish adds what became of the pages in the whole document.
func (d *drawer) finish(doc *document.Document) error {
	if d == nil {
		return nil
	}
	return d.book.Finish(doc)
}
