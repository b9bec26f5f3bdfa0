package engine

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"image"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/pdfium"
)

// imagesFormat names the archive of pictures among the outputs.
const imagesFormat option.Format = "images"

// Bounds of what is made for one document, far above what honest ones hold: they keep one file from filling a disk, or
// a child busy for hours.
const (
	maxPictures      = 5_000
	maxPictureBytes  = 256 << 20
	maxPicturePixels = 1 << 30 // painted and encoded in some two minutes
)

// An album holds the pictures of a document's figures as files, while its results are written.
type album struct {
	dir     string // "" when nobody wants pictures
	jpeg    bool
	once    bool // the outputs hold a picture once, however many figures show it
	known   map[[sha256.Size]byte]*document.Picture
	files   []*document.Picture // in the order of the document
	pixels  int64
	bytes   int64
	given   int
	skipped []int // pages with figures that got none, for want of room or because they are broken
	painted *image.RGBA
	encoded bytes.Buffer
}

// pictures gives the figures of doc that show something their pictures, when the options ask for them. Call remove on
// the album when the results are written. A picture that cannot be made is left out: the text is worth having without.
func (c *conversion) pictures(doc *document.Document) (a *album, err error) {
	defer fault.Op(&err, "engine.pictures()")
	a = &album{jpeg: c.options.ImageFormat == "jpeg", once: c.options.ImageOutput == "external"}
	if !wantsPictures(&c.options) {
		return a, nil
	}
	if a.dir, err = os.MkdirTemp(c.request.OutDir, ".pictures-"); err != nil {
		return nil, err
	}
	a.known = make(map[[sha256.Size]byte]*document.Picture)
	for i := range doc.Pages {
		p := &doc.Pages[i]
		figures := figuresIn(p.Elements, nil)
		if len(figures) == 0 {
			continue
		}
		giveAltTexts(figures, c.altTexts[p.Number])
		err := a.page(c.file, p, figures)
		if fault.KindOf(err) == fault.Invalid { // PDFium cannot show this page, or not any more
			a.skip(p.Number)
		} else if err != nil {
			return nil, errors.Join(err, a.remove())
		}
	}
	if len(a.skipped) > 0 {
		doc.Warnings = append(doc.Warnings, document.Warning{
			Code:    "images_skipped",
			Message: "Some pictures of these pages were left out: they cannot be shown, or the document has more than can be extracted.",
			Pages:   a.skipped,
		})
	}
	return a, nil
}

// wantsPictures reports whether any output of a job holds pictures.
func wantsPictures(o *option.Options) bool {
	switch o.ImageOutput {
	case "external":
		return true
	case "embedded":
		return slices.ContainsFunc(o.Format, func(f option.Format) bool {
			return f == option.Markdown || f == option.HTML || f == option.JSON
		})
	}
	return false
}

// figuresIn appends the figures among elements and in running heads to list.
func figuresIn(elements []document.Element, list []*document.Element) []*document.Element {
	for i := range elements {
		switch e := &elements[i]; e.Kind {
		case document.Figure:
			list = append(list, e)
		case document.Header, document.Footer:
			list = figuresIn(e.Children, list)
		}
	}
	return list
}

func (a *album) skip(page int) {
	if !slices.Contains(a.skipped, page) {
		a.skipped = append(a.skipped, page)
	}
}

// page makes the pictures of one page.
func (a *album) page(file *pdfium.File, p *document.Page, figures []*document.Element) error {
	view, err := file.View(p.Number)
	if err != nil {
		return err
	}
	defer view.Close()
	whole := document.Box{Right: p.Width, Bottom: p.Height}
	for _, e := range figures {
		box := e.Box.Intersect(whole)
		tiny := box.Width() < leastFigure || box.Height() < leastFigure
		if box.Empty() || tiny && box != whole || isBackground(box, p) {
			continue
		}
		if err := a.picture(view, p, e, box); err != nil {
			return err
		}
	}
	return nil
}

// leastFigure is the least width and height in points of a figure that gets a picture: smaller ones are ornaments.
const leastFigure = 12.0

// isBackground reports whether the page's text is printed over a figure, which is the paper for it then: at least a
// fifth of its area is lines of text that are not its own. A caption or title on a photograph takes less, a column of
// text more than half of its own.
func isBackground(box document.Box, p *document.Page) bool {
	const share = 0.2
	area := 0.0
	eachLine(p.Elements, func(line document.Box) {
		b := line.Intersect(box)
		area += b.Width() * b.Height()
	})
	return area >= share*box.Width()*box.Height()
}

// eachLine calls do for the box of every line of text that is no part of a figure.
func eachLine(elements []document.Element, do func(document.Box)) {
	lines := func(list []document.Line) {
		for i := range list {
			do(list[i].Box)
		}
	}
	for i := range elements {
		e := &elements[i]
		if e.Kind == document.Figure {
			continue
		}
		lines(e.Lines)
		eachLine(e.Children, do)
		if e.Grid != nil {
			for k := range e.Grid.Cells {
				lines(e.Grid.Cells[k].Lines)
			}
		}
	}
}

// picture makes the picture of figure e, which is in box on page p.
func (a *album) picture(view *pdfium.View, p *document.Page, e *document.Element, box document.Box) error {
	s := subjectOf(e, box, view)
	if !s.pure {
		s.box = withLabels(s.box, p)
	}
	size, original := s.size()
	if !a.takes(size) {
		a.skip(e.Page)
		return nil
	}
	img := a.canvas(size)
	if err := view.Render(s.box, img); err != nil {
		return err
	}
	if seen, err := shows(view, s.box, img); err != nil || !seen {
		return err
	}
	a.encoded.Reset()
	if !a.jpeg || original == nil || !a.passOn(view.JPEG(*original, maxOriginal), img) {
		if err := a.encode(img); err != nil {
			return err
		}
	}
	return a.keep(e, size)
}

// takes reports whether there is room for another picture, of the given size, and counts its pixels.
func (a *album) takes(size image.Point) bool {
	a.pixels += int64(size.X) * int64(size.Y)
	return a.given < maxPictures && a.pixels <= maxPicturePixels && a.bytes <= maxPictureBytes
}

// canvas is an image of the given size, whose pixels are those of the one before it.
func (a *album) canvas(size image.Point) *image.RGBA {
	need := 4 * size.X * size.Y
	if a.painted == nil || len(a.painted.Pix) < need {
		a.painted = image.NewRGBA(image.Rectangle{Max: size})
	}
	return &image.RGBA{Pix: a.painted.Pix[:need], Stride: 4 * size.X, Rect: image.Rectangle{Max: size}}
}

// keep files what was encoded as the picture of e, once where several figures look the same.
func (a *album) keep(e *document.Element, size image.Point) error {
	a.given++
	hash := sha256.Sum256(a.encoded.Bytes())
	known := a.known[hash]
	if known == nil || !a.once {
		a.bytes += int64(a.encoded.Len())
	}
	if known != nil {
		e.Picture = known
		return nil
	}
	p := &document.Picture{Type: "image/png", Name: "images/" + e.ID + ".png", Width: size.X, Height: size.Y}
	if a.jpeg {
		p.Type, p.Name = "image/jpeg", "images/"+e.ID+".jpg"
	}
	p.Path = filepath.Join(a.dir, filepath.Base(p.Name))
	if err := os.WriteFile(p.Path, a.encoded.Bytes(), 0o600); err != nil {
		return err
	}
	a.known[hash], e.Picture = p, p
	a.files = append(a.files, p)
	return nil
}

// archive writes the pictures into one file and adds it to the outputs, when they are to be apart from the texts. The
// same pictures make the same bytes. There is an archive also when there are no pictures.
func (c *conversion) archive(a *album, outputs []Output) (_ []Output, err error) {
	if c.options.ImageOutput != "external" {
		return outputs, nil
	}
	out := Output{Format: imagesFormat, Name: c.request.Stem + "_images.zip", Type: "application/zip"}
	defer fault.Op(&err, "engine.archive(%s)", out.Name)
	file, err := os.OpenFile(filepath.Join(c.request.OutDir, out.Name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	w := zip.NewWriter(file)
	for _, p := range a.files {
		if err = addFile(w, p); err != nil {
			break
		}
	}
	err = errors.Join(err, w.Close())
	if info, statErr := file.Stat(); statErr == nil {
		out.Size = info.Size()
	} else {
		err = errors.Join(err, statErr)
	}
	return append(outputs, out), errors.Join(err, file.Close())
}

// addFile adds a picture as it is: it is compressed already.
func addFile(w *zip.Writer, p *document.Picture) error {
	src, err := os.Open(p.Path)
	if err != nil {
		return err
	}
	defer src.Close()
	// The earliest time that the format knows: when the picture was made says nothing, and would make every archive
	// another one.
	dst, err := w.CreateHeader(&zip.FileHeader{Name: p.Name, Method: zip.Store, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return err
}

// remove deletes the files, which must not be needed any more.
func (a *album) remove() error {
	if a.dir == "" {
		return nil
	}
	return os.RemoveAll(a.dir)
}
