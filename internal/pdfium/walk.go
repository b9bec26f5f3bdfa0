package pdfium

import (
	"math"

	"github.com/ragify/ragify/internal/document"
)

// PDFium's page object types.
const (
	objectText    = 1
	objectPath    = 2
	objectImage   = 3
	objectShading = 4
	objectForm    = 5
)

// maxDepth bounds forms within forms; PDFium itself stops at about 12 while parsing.
const maxDepth = 16

// maxObjects bounds the page objects looked at, whatever their kind.
const maxObjects = 400_000

// walker goes through a page's objects in painting order: it numbers the text objects and collects
// rules and images.
type walker struct {
	inst       *instance
	into       *document.Content
	structured bool             // also find out which rules and artifacts the marked content has
	objects    map[uint32]place // of the text objects, by address
	form       *place           // of the form on the page that is being visited, nil outside of forms
	visited    int
	images     int32
	points     []point // of the path at hand, in page coordinates
	mcid       int32   // of the path at hand
	inner      innerMarks
	sight      sight // what the page's text objects may be hidden by
}

// place is where an object stands in the page's content.
type place struct {
	ordinal  int32 // of a text object among those of the page
	inForm   bool  // what follows is that of the form: ids within forms count for themselves
	mcid     int32
	artifact bool
	// Of text in a form that is in no marked content itself: the id that it has within the form, plus one, and the form.
	own, container int32
}

// innerMarks tells apart the ids of marked content in the forms of a page, which may count for themselves: an id says
// something about the page's structure where only one of them has it, for PDFium does not tell whose id it means.
type innerMarks struct {
	of      map[int32]int32 // the container that has an id; ambiguous for several
	current int32           // container, 0 for the page
	last    int32
}

const ambiguous = -1

// enter begins a form; what it gives ends it.
func (m *innerMarks) enter() func() {
	before := m.current
	m.last++
	m.current = m.last
	return func() { m.current = before }
}

// markText notes the id of a text object.
func (w *walker) markText(object uint64, p *place) {
	id := int32(w.inst.num(fnPageObjGetMarkedContentID, object))
	if id < 0 || id == math.MaxInt32 {
		return
	}
	m := &w.inner
	if m.of == nil {
		m.of = make(map[int32]int32)
	}
	if c, known := m.of[id]; known && c != m.current {
		m.of[id] = ambiguous
	} else if !known {
		m.of[id] = m.current
	}
	if p.inForm && p.mcid < 0 && !p.artifact {
		p.own, p.container = id+1, m.current
	}
}

// page visits all objects of a loaded page.
func (w *walker) page(page uint64, toPage matrix) {
	for k, n := 0, w.inst.num(fnPageCountObjects, page); k < n && w.more(); k++ {
		w.object(w.inst.ptr(fnPageGetObject, page, uint64(k)), toPage, 0)
	}
}

// more reports whether the limits allow another object; if not, the content is marked as truncated.
func (w *walker) more() bool {
	if w.visited >= maxObjects || len(w.into.Rules) >= maxRules {
		w.into.Truncated = true
		return false
	}
	w.visited++
	return w.inst.err == nil
}

// object visits one object; m maps the space of its container to page coordinates.
func (w *walker) object(object uint64, m matrix, depth int) {
	i := w.inst
	if object == 0 {
		return
	}
	switch i.num(fnPageObjGetType, object) {
	case objectText:
		p := place{mcid: -1}
		if w.form != nil {
			p = *w.form
		}
		p.ordinal = w.painted()
		if w.structured {
			w.markText(object, &p)
		}
		w.objects[uint32(object)] = p
		w.into.Texts = append(w.into.Texts, w.textOf(object, m))
	case objectPath:
		w.path(object, w.matrixOf(object).then(m))
	case objectImage:
		w.image(object, m)
	case objectShading:
		w.shading(object, m)
	case objectForm:
		if depth >= maxDepth {
			w.into.Truncated = true
			return
		}
		if w.form == nil {
			p := w.markOf(object)
			p.inForm = true
			w.form = &p
			defer func() { w.form = nil }()
		}
		defer w.inner.enter()()
		inner := w.matrixOf(object).then(m)
		outer := w.sight.container
		w.sight.container = w.containerOf(object, m)
		defer func() { w.sight.container = outer }()
		for k, n := 0, i.num(fnFormObjCountObjects, object); k < n && w.more(); k++ {
			w.object(i.ptr(fnFormObjGetObject, object, uint64(k)), inner, depth+1)
		}
	}
}

// painted is the number of text objects before the one at hand.
func (w *walker) painted() int32 { return int32(len(w.objects)) }

// placeOf gives the place of a text object that the walk has passed.
func (w *walker) placeOf(object uint32) place {
	p, ok := w.objects[object]
	if ok && p.inForm {
		if p.own > 0 && w.inner.of[p.own-1] == p.container { // of no other form and not of the page
			p.mcid = p.own - 1
		}
		return p
	}
	mark := w.markOf(uint64(object))
	mark.ordinal = p.ordinal
	return mark
}

// markOf reads the marked content that an object belongs to; that of the form when it stands in one.
func (w *walker) markOf(object uint64) place {
	if w.form != nil {
		return *w.form
	}
	p := place{mcid: int32(w.inst.num(fnPageObjGetMarkedContentID, object))}
	if w.structured && p.mcid < 0 {
		p.artifact = w.isArtifact(object)
	}
	return p
}

func (w *walker) matrixOf(object uint64) matrix {
	if !w.inst.ok(fnPageObjGetMatrix, object, w.inst.at(0)) {
		return identity
	}
	return readMatrix(w.inst.out(0, 24))
}

// image records an image object: the unit square under its matrix, as far as clips leave it. m is as in object.
func (w *walker) image(object uint64, m matrix) {
	i := w.inst
	mark := w.markOf(object)
	box := overlap(w.matrixOf(object).then(m).box(0, 0, 1, 1), w.clipOf(object, m).box)
	if around := &w.sight.container; around.within {
		box = overlap(box, around.clip.box)
	}
	img := document.Image{Box: box, Object: w.images, MCID: mark.mcid, Artifact: mark.artifact, After: w.painted()}
	w.images++
	if i.ok(fnImageObjGetImagePixelSize, object, i.at(0), i.at(4)) {
		b := i.out(0, 8)
		img.Width, img.Height = int(u32(b)), int(u32(b[4:]))
	}
	if finite(img.Box) {
		w.into.Images = append(w.into.Images, img)
	}
}

func finite(b document.Box) bool {
	sum := b.Left + b.Top + b.Right + b.Bottom
	return !math.IsNaN(sum) && !math.IsInf(sum, 0)
}
