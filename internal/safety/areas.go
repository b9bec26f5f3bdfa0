package safety

import (
	"slices"

	"github.com/ragify/ragify/internal/document"
)

// An area is something painted that can lie behind text or over it.
type area struct {
	box   document.Box
	after int32 // as document.Rule's
	kind  areaKind
	color lab
	seen  int // the last query that met it
}

type areaKind uint8

const (
	solid  areaKind = iota // a rectangle of one opaque colour
	shape                  // of one opaque colour, somewhere in its box
	vague                  // of unknown colours
	raster                 // an image
)

// areas finds what is painted near a place: each row of the page lists what touches it.
type areas struct {
	list    []area
	rows    [rowCount][]int32
	height  float64 // of a row, in points
	queries int
	work    int // areas looked at on this page
}

const rowCount = 64

// mostWork bounds the areas looked at on a page, some 20 ms; ordinary pages need a few thousand.
const mostWork = 3_000_000

// thinnest is the thickness in points that a line must have to count: thinner ones neither carry text nor cover it.
const thinnest = 1.0

// thick is the thickness in points from which on a stroke without filling can cover text; outlines and curves of charts
// are thinner.
const thick = 4.0

// opaque is the least alpha, of 255, at which nothing shines through that could be told from noise.
const opaque = 250

// read takes up a page.
func (a *areas) read(c *document.Content) {
	a.list, a.queries, a.work = a.list[:0], 0, 0
	for i := range c.Rules {
		r := &c.Rules[i]
		n := area{box: r.Box, after: r.After}
		color := r.Fill
		if r.Kind == document.RuleLine {
			if min(r.Box.Width(), r.Box.Height()) < thinnest {
				continue
			}
			color = r.Color
		}
		switch {
		case color == 0 && r.Width < thick:
			continue
		case color == 0 || r.Pattern || color&0xFF < opaque:
			n.kind = vague
		case r.Kind == document.RuleCurve:
			n.kind = shape
		}
		n.color = labOf(color)
		a.list = append(a.list, n)
	}
	for i := range c.Images {
		a.list = append(a.list, area{box: c.Images[i].Box, after: c.Images[i].After, kind: raster})
	}
	for i := range c.Covers {
		a.list = append(a.list, area{box: c.Covers[i].Box, after: c.Covers[i].After, kind: vague})
	}
	if len(a.list) == 0 {
		return
	}
	for i := range a.rows {
		a.rows[i] = a.rows[i][:0]
	}
	a.height = max(c.Height, 1) / rowCount
	for i := range a.list {
		first, last := a.span(a.list[i].box)
		for row := first; row <= last; row++ {
			a.rows[row] = append(a.rows[row], int32(i))
		}
	}
}

// span gives the rows that a box touches.
func (a *areas) span(b document.Box) (first, last int) {
	row := func(y float64) int {
		if !(y > 0) { // also what is no number
			return 0
		}
		return int(min(y/a.height, rowCount-1))
	}
	return row(b.Top), row(b.Bottom)
}

// near gives the indices of the areas that overlap a box by more than nothing, ascending, in room. It is incomplete when
// the page's work is used up: ok is false then.
func (a *areas) near(b document.Box, room []int32) (found []int32, ok bool) {
	found = room[:0]
	if len(a.list) == 0 {
		return found, true
	}
	a.queries++
	first, last := a.span(b)
	for row := first; row <= last; row++ {
		if a.work += len(a.rows[row]); a.work > mostWork {
			return found, false
		}
		for _, i := range a.rows[row] {
			n := &a.list[i]
			if n.seen != a.queries && n.box.Left < b.Right && b.Left < n.box.Right && n.box.Top < b.Bottom && b.Top < n.box.Bottom {
				n.seen = a.queries
				found = append(found, i)
			}
		}
	}
	slices.Sort(found)
	return found, true
}
