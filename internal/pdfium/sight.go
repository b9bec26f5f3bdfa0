package pdfium

import "github.com/ragify/ragify/internal/document"

// sight is what the walker keeps to tell of each text object what may hide it.
type sight struct {
	container container
	clips     map[uint32]clip  // by the address of PDFium's shared clip data: many objects have the same
	marks     map[uint32]bool  // whether a mark is one of optional content, by address
	layers    map[uint32]int32 // document.Text.Layer by the address of its mark or form
}

// container is what holds for all that a form shows; the zero container is the page.
type container struct {
	within bool // a form
	clip   clip
	layer  int32
}

// clip is what clipping paths leave.
type clip struct {
	box    document.Box // in page coordinates
	shaped bool         // not a rectangle: less than the box may be left
}

var unclipped = clip{box: document.Everywhere}

// and is what both clips leave.
func (c clip) and(d clip) clip {
	return clip{box: overlap(c.box, d.box), shaped: c.shaped || d.shaped}
}

// overlap is Intersect that keeps an empty overlap where it is, so that it lies in no other box.
func overlap(a, b document.Box) document.Box {
	r := document.Box{Left: max(a.Left, b.Left), Top: max(a.Top, b.Top), Right: min(a.Right, b.Right), Bottom: min(a.Bottom, b.Bottom)}
	r.Right, r.Bottom = max(r.Left, r.Right), max(r.Top, r.Bottom)
	return r
}

// textOf tells what decides about the visibility of a text object, but for what its characters know. m is as in object.
func (w *walker) textOf(object uint64, m matrix) document.Text {
	c := w.clipOf(object, m)
	t := document.Text{Layer: w.layerOf(object), Unsure: c.shaped || w.inst.ok(fnPageObjHasTransparency, object)}
	if w.sight.container.within {
		around := &w.sight.container
		c = c.and(around.clip)
		t.Unsure = t.Unsure || c.shaped
		if t.Layer == 0 {
			t.Layer = around.layer
		}
	}
	t.Clip = c.box
	return t
}

// containerOf is what holds for all that the given form shows.
func (w *walker) containerOf(form uint64, m matrix) container {
	c := container{within: true, clip: w.clipOf(form, m), layer: w.layer(uint32(form))}
	if around := &w.sight.container; around.within {
		c.clip = c.clip.and(around.clip)
	}
	return c
}

// shading records the area that a shading paints.
func (w *walker) shading(object uint64, m matrix) {
	i := w.inst
	if !i.ok(fnPageObjGetBounds, object, i.at(0), i.at(4), i.at(8), i.at(12)) || len(w.into.Covers) >= maxCovers {
		return
	}
	b := i.out(0, 16)
	box := m.box(f32(b), f32(b[4:]), f32(b[8:]), f32(b[12:]))
	if finite(box) {
		w.into.Covers = append(w.into.Covers, document.Cover{Box: box, After: w.painted()})
	}
}

// maxCovers bounds the shadings of a page that are recorded.
const maxCovers = 10_000

// layerOf gives the number of the section of optional content that an object stands in, 0 when there is none.
func (w *walker) layerOf(object uint64) int32 {
	const most = 16 // marks on one object; more are nested without sense
	section := uint32(0)
	for k := range uint64(most) {
		mark := uint32(w.inst.ptr(fnPageObjGetMark, object, k))
		if mark == 0 {
			break
		}
		optional, known := w.sight.marks[mark]
		if !known {
			if w.sight.marks == nil {
				w.sight.marks = make(map[uint32]bool)
			}
			optional = w.markName(uint64(mark)) == "OC"
			w.sight.marks[mark] = optional
		}
		if optional {
			section = mark
		}
	}
	if section == 0 {
		return 0
	}
	return w.layer(section)
}

// layer numbers the sections of optional content and the forms of a page, by their addresses.
func (w *walker) layer(address uint32) int32 {
	n, ok := w.sight.layers[address]
	if !ok {
		if w.sight.layers == nil {
			w.sight.layers = make(map[uint32]int32)
		}
		n = int32(len(w.sight.layers)) + 1
		w.sight.layers[address] = n
	}
	return n
}

// markName is the tag of a mark, "" when it is long.
func (w *walker) markName(mark uint64) string {
	i := w.inst
	const outLength, outText, room = 0, 16, 64
	if !i.ok(fnMarkGetName, mark, i.at(outText), room, i.at(outLength)) {
		return ""
	}
	return utf16LE(i.out(outText, int(min(u32(i.out(outLength, 4)), room))))
}

// clipOf reads the clipping paths of an object; m maps the space that it stands in to page coordinates.
func (w *walker) clipOf(object uint64, m matrix) clip {
	i := w.inst
	handle := i.ptr(fnPageObjGetClipPath, object)
	if handle == 0 {
		return unclipped
	}
	data := u32(i.read(uint32(handle), 4)) // a CPDF_ClipPath is a pointer to data that objects share
	if data == 0 {
		return unclipped
	}
	if c, ok := w.sight.clips[data]; ok {
		return c
	}
	c := unclipped
	const most = 64 // more are not looked at one by one
	n := i.num(fnClipPathCountPaths, handle)
	c.shaped = n > most
	for k := range min(n, most) {
		c = c.and(w.clipPath(handle, uint64(k), m))
	}
	if w.sight.clips == nil {
		w.sight.clips = make(map[uint32]clip)
	}
	w.sight.clips[data] = c
	return c
}

// clipPath reads one of the paths of a clip.
func (w *walker) clipPath(handle, index uint64, m matrix) clip {
	i := w.inst
	n := i.num(fnClipPathCountPathSegments, handle, index)
	if n > maxSegments {
		return clip{box: document.Everywhere, shaped: true}
	}
	first := uint32(0)
	if n > 0 {
		first = uint32(i.ptr(fnClipPathGetPathSegment, handle, index, 0))
	}
	if first == 0 {
		return clip{} // an empty path leaves nothing
	}
	segments := i.read(first, n*segmentSize)
	var b bounds
	c := clip{shaped: n > 5}
	var last point
	for k := range n {
		s := segments[k*segmentSize:]
		x, y := m.point(f32(s), f32(s[4:]))
		q := point{x, y, s[segmentType], false}
		c.shaped = c.shaped || k > 0 && (q.kind != segmentLine || !axial(last, q))
		b.add(x, y)
		last = q
	}
	c.box = b.box()
	return c
}
