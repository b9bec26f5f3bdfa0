package pdfium

import (
	"math"

	"github.com/ragify/ragify/internal/document"
)

// PDFium's annotation types that are told apart. The appearance of free text, stamps and widgets (form fields) is text that
// belongs to the page. Of the others, those from link to popup cover nothing.
const (
	annotNote      = 1
	annotLink      = 2
	annotFreeText  = 3
	annotHighlight = 9
	annotUnderline = 10
	annotSquiggly  = 11
	annotStrikeOut = 12
	annotStamp     = 13
	annotPopup     = 16
	annotWidget    = 20
)

// Annotation flags, ISO 32000-2 table 167.
const (
	flagHidden = 1 << 1
	flagNoView = 1 << 5
)

// maxAnnotations bounds the annotations looked at on a page.
const maxAnnotations = 10_000

// flatten makes form fields, stamps and free text part of the page's content, for a reader sees no
// difference; PDFium does not count them as text otherwise. It changes the file in memory, not on disk, and
// takes the annotations off the page. It gives the page to go on with, which may have been loaded anew. Where it
// has nothing to do, annotations that may cover text are added to the covers.
func (f *File) flatten(n int, page uint64, g geometry, into *document.Content) (uint64, error) {
	i := f.inst
	written := false
	for k := range min(i.num(fnPageGetAnnotCount, page), maxAnnotations) {
		annot := i.ptr(fnPageGetAnnot, page, uint64(k))
		if annot == 0 {
			continue
		}
		switch i.num(fnAnnotGetSubtype, annot) {
		case annotFreeText, annotStamp, annotWidget:
			flags := i.num(fnAnnotGetFlags, annot)
			if flags&flagNoView != 0 { // flattening would show it
				flags |= flagHidden
				i.call(fnAnnotSetFlags, annot, uint64(flags))
			}
			written = written || flags&flagHidden == 0
		case annotNote, annotLink, annotHighlight, annotUnderline, annotSquiggly, annotStrikeOut, annotPopup:
		default:
			if box, ok := f.annotBox(annot, g); ok && len(into.Covers) < maxCovers {
				into.Covers = append(into.Covers, document.Cover{Box: box, After: math.MaxInt32})
			}
		}
		i.call(fnPageCloseAnnot, annot)
	}
	const asOnScreen, done = 0, 1
	if !written || i.num(fnPageFlatten, page, asOnScreen) != done {
		return page, f.crashed()
	}
	into.Covers, into.Flattened = into.Covers[:0], true // they are content now
	i.call(fnClosePage, page)
	return f.loadPage(n)
}

// annotBox is an annotation's rectangle in page coordinates.
func (f *File) annotBox(annot uint64, g geometry) (document.Box, bool) {
	i := f.inst
	if !i.ok(fnAnnotGetRect, annot, i.at(0)) {
		return document.Box{}, false
	}
	b := i.out(0, 16)
	box := g.toPage.box(f32(b), f32(b[4:]), f32(b[8:]), f32(b[12:]))
	return box, finite(box) && !box.Empty()
}
