package pdfium

import (
	"math"

	"github.com/ragify/ragify/internal/document"
)

// thin is the width in points below which a filled rectangle is a line: thicker rules than this are
// rare in print, and thinner coloured areas carry no text.
const thin = 2.5

// straight is how far, in points, the ends of a horizontal or vertical line may be off its axis.
const straight = 0.6

// maxSegments bounds the segments of one path that are looked at one by one; a path with more is a
// drawing, of which only the extent matters.
const maxSegments = 20_000

// A path segment in the module's memory, as PDFium's CFX_Path::Point lies there: two floats, the type,
// and whether the segment closes its figure. TestPathMemory checks this against PDFium's accessors,
// which take four calls a segment.
const (
	segmentSize  = 12
	segmentType  = 8
	segmentClose = 9
)

// PDFium's segment types.
const (
	segmentLine   = 0
	segmentBezier = 1
	segmentMove   = 2
)

// point is one path segment: where it ends, and how it gets there.
type point struct {
	x, y   float64
	kind   uint8
	closes bool
}

// paint is how a path is painted.
type paint struct {
	fill, stroke bool
	pattern      bool // the fill is one: its colour is unknown
	fillColor    uint32
	strokeColor  uint32
	width        float64 // of the stroke, in points on the page
}

// path splits a path object into its figures and records each as a rule; m maps the path's own space to
// page coordinates.
func (w *walker) path(object uint64, m matrix) {
	p, visible := w.paintOf(object, m)
	if !visible {
		return
	}
	w.mcid = -1
	if w.structured {
		w.mcid = w.markOf(object).mcid
	}
	if !w.readPoints(object, m) {
		w.curve(w.extent(object, m), p)
		return
	}
	var drawing bounds // all figures that are neither lines nor rectangles
	for start := 0; start < len(w.points); {
		end := start + 1
		for end < len(w.points) && w.points[end].kind != segmentMove {
			end++
		}
		if !w.figure(w.points[start:end], p) {
			for _, q := range w.points[start:end] {
				drawing.add(q.x, q.y)
			}
		}
		start = end
	}
	if drawing.set {
		w.curve(drawing.box(), p)
	}
}

// paintOf reads how a path is painted; not visible when it only clips or is fully transparent.
func (w *walker) paintOf(object uint64, m matrix) (p paint, visible bool) {
	i := w.inst
	if !i.ok(fnPathGetDrawMode, object, i.at(0), i.at(4)) {
		return p, false
	}
	b := i.out(0, 8)
	p.fill, p.stroke = u32(b) != 0, u32(b[4:]) != 0
	if p.fill {
		c, ok := i.color(fnPageObjGetFillColor, object)
		if !ok {
			c, p.pattern = black, true // or never set
		}
		p.fillColor, p.fill = c, c&0xFF != 0
	}
	if p.stroke {
		c, ok := i.color(fnPageObjGetStrokeColor, object)
		if !ok {
			c = black
		}
		p.strokeColor, p.stroke = c, c&0xFF != 0
		if i.ok(fnPageObjGetStrokeWidth, object, i.at(0)) {
			p.width = f32(i.out(0, 4)) * m.scale()
		}
	}
	return p, p.fill || p.stroke
}

// readPoints puts the path's segments, in page coordinates, into w.points; not ok for huge paths.
func (w *walker) readPoints(object uint64, m matrix) bool {
	i := w.inst
	n := i.num(fnPathCountSegments, object)
	if n > maxSegments {
		return false
	}
	w.points = w.points[:0]
	if n <= 0 {
		return true
	}
	first := uint32(i.ptr(fnPathGetPathSegment, object, 0))
	if first == 0 {
		return false
	}
	b := i.read(first, n*segmentSize)
	for k := range n {
		s := b[k*segmentSize:]
		x, y := m.point(f32(s), f32(s[4:]))
		w.points = append(w.points, point{x, y, s[segmentType], s[segmentClose] != 0})
	}
	return true
}

// extent is the bounding box of a path's segments; m as in path.
func (w *walker) extent(object uint64, m matrix) document.Box {
	i := w.inst
	n := i.num(fnPathCountSegments, object)
	first := uint32(i.ptr(fnPathGetPathSegment, object, 0))
	var b bounds
	if first == 0 || n <= 0 {
		return b.box()
	}
	segments := i.read(first, n*segmentSize)
	for k := range n {
		b.add(m.point(f32(segments[k*segmentSize:]), f32(segments[k*segmentSize+4:])))
	}
	return b.box()
}

// figure records one figure of a path when it consists of lines along the axes; false when it is
// anything else.
func (w *walker) figure(q []point, p paint) bool {
	closed := q[len(q)-1].closes
	// A line back to the start says the same as closing.
	if n := len(q); n > 2 && near(q[0], q[n-1]) && q[n-1].kind == segmentLine {
		q, closed = q[:n-1], true
	}
	for k := 1; k < len(q); k++ {
		if q[k].kind != segmentLine || !axial(q[k-1], q[k]) {
			return false
		}
	}
	switch {
	case len(q) == 1:
		return true // a bare move paints nothing
	case len(q) == 4 && axial(q[3], q[0]) && (closed || p.fill):
		w.rectangle(q, p)
	case p.fill && len(q) > 2:
		return false // an L or a comb: an area, but no rectangle
	case p.stroke:
		for k := 1; k < len(q); k++ {
			w.line(q[k-1], q[k], p)
		}
		if closed && len(q) > 2 {
			if !axial(q[len(q)-1], q[0]) {
				return false
			}
			w.line(q[len(q)-1], q[0], p)
		}
	}
	return true
}

// rectangle records four corners.
func (w *walker) rectangle(q []point, p paint) {
	var b bounds
	for _, c := range q {
		b.add(c.x, c.y)
	}
	box := b.box()
	flat := min(box.Width(), box.Height()) < thin && max(box.Width(), box.Height()) >= thin
	switch {
	case flat && p.stroke:
		w.rule(document.Rule{Kind: document.RuleLine, Box: grown(box, p.width/2), Width: p.width, Color: p.strokeColor}, p)
	case flat:
		w.rule(document.Rule{Kind: document.RuleLine, Box: box, Color: p.fillColor}, p)
	case p.stroke:
		w.rule(document.Rule{Kind: document.RuleStroke, Box: box, Width: p.width, Color: p.strokeColor}, p)
	default:
		w.rule(document.Rule{Kind: document.RuleFill, Box: box, Color: p.fillColor}, p)
	}
}

// line records a stroked line along an axis.
func (w *walker) line(a, b point, p paint) {
	var box bounds
	box.add(a.x, a.y)
	box.add(b.x, b.y)
	r := box.box()
	if r.Width() >= r.Height() {
		r.Top, r.Bottom = r.Top-p.width/2, r.Bottom+p.width/2
	} else {
		r.Left, r.Right = r.Left-p.width/2, r.Right+p.width/2
	}
	w.rule(document.Rule{Kind: document.RuleLine, Box: r, Width: p.width, Color: p.strokeColor}, p)
}

// curve records a drawing by its extent.
func (w *walker) curve(box document.Box, p paint) {
	r := document.Rule{Kind: document.RuleCurve, Box: box, Color: p.fillColor}
	if p.stroke {
		r.Width, r.Color = p.width, p.strokeColor
	}
	w.rule(r, p)
}

// rule appends r unless it lies wholly off the page or nowhere.
func (w *walker) rule(r document.Rule, p paint) {
	b := r.Box
	if !finite(b) || b.Right < 0 || b.Bottom < 0 || b.Left > w.into.Width || b.Top > w.into.Height {
		return
	}
	r.MCID, r.After = w.mcid, w.painted()
	if p.fill {
		r.Fill, r.Pattern = p.fillColor, p.pattern
	}
	w.into.Rules = append(w.into.Rules, r)
}

// axial reports whether the line from a to b is horizontal or vertical.
func axial(a, b point) bool {
	return math.Abs(a.x-b.x) <= straight || math.Abs(a.y-b.y) <= straight
}

func near(a, b point) bool { return math.Abs(a.x-b.x) <= 0.01 && math.Abs(a.y-b.y) <= 0.01 }

func grown(b document.Box, by float64) document.Box {
	return document.Box{Left: b.Left - by, Top: b.Top - by, Right: b.Right + by, Bottom: b.Bottom + by}
}
