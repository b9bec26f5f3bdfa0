// Package workbench draws what the layout saw and made of a PDF, for people who look for an error: a picture of
// each page under the boxes of every stage, as SVG, and a page of HTML that leads through them. What it writes
// needs nothing from anywhere else.
package workbench

import (
	"bufio"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/layout"
)

// IndexName is the file to open in a browser.
const IndexName = "index.html"

// PageName is the name of the SVG of page n (1-based).
func PageName(n int) string { return fmt.Sprintf("page-%04d.svg", n) }

// A Book holds the drawings of one document. Page is called for each of its pages, then Finish. Every page is
// written at once, so that a long document takes no more memory than a short one.
type Book struct {
	dir, title string
	sheets     []sheet
}

// A sheet is a page that is drawn up to its blocks.
type sheet struct {
	number        int
	width, height float64
}

// New begins a book in dir, which is made when it is missing. Pages of an earlier book are written over.
func New(dir, title string) (*Book, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return &Book{dir: dir, title: title}, nil
}

// Page draws what the stages of one page have told. picture is the page as a reader sees it, in any resolution;
// nil when it cannot be shown.
func (b *Book) Page(t layout.Trace, picture image.Image) error {
	s := sheet{t.Page, t.Width, t.Height}
	b.sheets = append(b.sheets, s)
	return b.write(PageName(t.Page), os.O_TRUNC, func(w *bufio.Writer) error {
		return drawStages(w, s, fmt.Sprintf("%s, page %d", b.title, t.Page), t.Boxes, picture)
	})
}

// Finish adds the elements of the finished document and writes the index.
func (b *Book) Finish(d *document.Document) error {
	for i, p := range d.Pages {
		err := b.write(PageName(p.Number), os.O_APPEND, func(w *bufio.Writer) error {
			drawElements(w, b.sheets[i], p.Elements)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return b.write(IndexName, os.O_TRUNC, func(w *bufio.Writer) error { return writeIndex(w, b, d) })
}

// write writes a file of the book with do; how is os.O_TRUNC or os.O_APPEND.
func (b *Book) write(name string, how int, do func(*bufio.Writer) error) error {
	file, err := os.OpenFile(filepath.Join(b.dir, name), os.O_CREATE|os.O_WRONLY|how, 0o644)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(file, 64<<10)
	err = do(w)
	return errors.Join(err, w.Flush(), file.Close())
}
