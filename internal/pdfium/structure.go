package pdfium

import (
	"math"

	"github.com/ragify/ragify/internal/document"
)

// Limits of what is read of the structure tree for one page, against cycles and absurd files. The densest real pages
// have some 3,000 elements (a table with a paragraph in each cell); documents whose root has 50,000 kids exist.
const (
	maxStructElements = 20_000
	maxStructKids     = 200_000 // looked at, on the page or not
	maxStructDepth    = 64
	maxStructText     = 1 << 20 // bytes of all alternative and actual texts
	maxSpan           = 1000    // rows or columns of a cell
)

// structReader reads the structure tree of a page.
type structReader struct {
	file     *File
	page     geometry
	names    map[string]uint32 // attribute names in the module's memory
	elements int
	kids     int
	text     int
}

// readStructure gives the elements at the top of the structure tree that have content on a loaded page. Elements of
// content within forms are not among them: PDFium does not look for them there.
func (f *File) readStructure(page uint64, g geometry) []document.StructKid {
	i := f.inst
	tree := i.ptr(fnStructTreeGetForPage, page)
	if tree == 0 {
		return nil
	}
	defer i.call(fnStructTreeClose, tree)
	r := structReader{file: f, page: g, names: make(map[string]uint32)}
	defer r.free()
	var top []document.StructKid
	for k, n := 0, i.num(fnStructTreeCountChildren, tree); k < n && r.more(); k++ {
		if e := r.element(i.ptr(fnStructTreeGetChildAtIndex, tree, uint64(k)), 1); e != nil {
			top = append(top, document.StructKid{Index: k, Element: e, MCID: -1})
		}
	}
	return top
}

// free gives the names' memory back.
func (r *structReader) free() {
	for _, p := range r.names {
		r.file.inst.free(p)
	}
}

// more counts a kid and reports whether the limits allow to look at it.
func (r *structReader) more() bool {
	r.kids++
	return r.kids <= maxStructKids && r.file.inst.err == nil
}

// element reads an element and all below it that is on the page; nil where there is nothing.
func (r *structReader) element(handle uint64, depth int) *document.StructElement {
	if handle == 0 || depth > maxStructDepth || r.elements >= maxStructElements {
		return nil
	}
	r.elements++
	i := r.file.inst
	e := &document.StructElement{
		Role: clean(i.text16(fnStructElementGetType, handle)),
		Alt:  r.words(fnStructElementGetAltText, handle), ActualText: r.words(fnStructElementGetActualText, handle),
		Lang: r.words(fnStructElementGetLang, handle), RowSpan: 1, ColSpan: 1,
	}
	r.attributes(handle, e)
	for k, n := 0, i.num(fnStructElementCountChildren, handle); k < n && r.more(); k++ {
		index := uint64(k)
		if id := i.num(fnStructElementGetChildMarkedContentID, handle, index); id >= 0 {
			e.Kids = append(e.Kids, document.StructKid{Index: k, MCID: int32(id)})
		} else if kid := r.element(i.ptr(fnStructElementGetChildAtIndex, handle, index), depth+1); kid != nil {
			e.Kids = append(e.Kids, document.StructKid{Index: k, Element: kid, MCID: -1})
		}
	}
	return e
}

// words reads a text of an element, as long as there is room for texts.
func (r *structReader) words(f function, element uint64) string {
	if r.text >= maxStructText {
		return ""
	}
	s := clean(r.file.inst.text16(f, element))
	r.text += len(s)
	return s
}

// attributes reads those attributes that say something about e, given what it is. An element may have several lists
// of them; the last one that names an attribute holds.
func (r *structReader) attributes(handle uint64, e *document.StructElement) {
	i := r.file.inst
	const most = 16 // lists; one for each owner of attributes: Layout, Table, List, …
	for k, n := 0, min(i.num(fnStructElementGetAttributeCount, handle), most); k < n; k++ {
		list := i.ptr(fnStructElementGetAttributeAtIndex, handle, uint64(k))
		if list == 0 {
			continue
		}
		switch e.Role {
		case "TH", "TD":
			e.RowSpan = max(e.RowSpan, r.span(list, "RowSpan"))
			e.ColSpan = max(e.ColSpan, r.span(list, "ColSpan"))
			if s := r.name(list, "Scope"); s != "" {
				e.Scope = s
			}
		case "Figure", "Formula", "Table":
			if b, ok := r.box(list); ok {
				e.Box = b
			}
		}
	}
}

// value finds an attribute; 0 when the list does not have it.
func (r *structReader) value(list uint64, name string) uint64 {
	p, ok := r.names[name]
	if !ok {
		p = r.file.inst.cstring(name)
		r.names[name] = p
	}
	return r.file.inst.ptr(fnStructAttrGetValue, list, uint64(p))
}

// number reads a numeric value; not ok when it is none.
func (r *structReader) number(value uint64) (v float64, ok bool) {
	i := r.file.inst
	if value == 0 || !i.ok(fnStructAttrGetNumberValue, value, i.at(0)) {
		return 0, false
	}
	v = f32(i.out(0, 4))
	return v, !math.IsNaN(v) && !math.IsInf(v, 0)
}

// span reads a number of rows or columns, 1 when there is none.
func (r *structReader) span(list uint64, name string) int {
	v, ok := r.number(r.value(list, name))
	if !ok {
		return 1
	}
	return int(min(max(v, 1), maxSpan))
}

// name reads a value that is a name; "" when it is none.
func (r *structReader) name(list uint64, name string) string {
	i := r.file.inst
	value := r.value(list, name)
	const outLength, outText, room = 0, 16, 64
	if value == 0 || !i.ok(fnStructAttrGetStringValue, value, i.at(outText), room, i.at(outLength)) {
		return ""
	}
	return clean(utf16LE(i.out(outText, int(min(u32(i.out(outLength, 4)), room)))))
}

// box reads the attribute BBox: left, bottom, right, top in user space.
func (r *structReader) box(list uint64) (b document.Box, ok bool) {
	i := r.file.inst
	value := r.value(list, "BBox")
	const sides = 4
	if value == 0 || i.num(fnStructAttrCountChildren, value) != sides {
		return b, false
	}
	var v [sides]float64
	for k := range v {
		if v[k], ok = r.number(i.ptr(fnStructAttrGetChildAtIndex, value, uint64(k))); !ok {
			return b, false
		}
	}
	b = r.page.toPage.box(v[0], v[1], v[2], v[3])
	return b, !b.Empty()
}

// isArtifact reports whether an object is marked as no part of the page's text.
func (w *walker) isArtifact(object uint64) bool {
	i := w.inst
	const most = 16 // marks on one object; more are nested without sense
	for k, n := 0, min(i.num(fnPageObjCountMarks, object), most); k < n; k++ {
		if mark := i.ptr(fnPageObjGetMark, object, uint64(k)); mark != 0 && w.markName(mark) == "Artifact" {
			return true
		}
	}
	return false
}
