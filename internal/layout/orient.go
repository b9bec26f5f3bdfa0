package layout

import (
	"math"
	"unicode"

	"github.com/ragify/ragify/internal/document"
)

// A frame is the page turned so that most of its text runs from left to right: pages with a wide table
// are often printed sideways without saying so. All stages work in the frame; results are turned back.
//
// Pages of right-to-left text are mirrored in it, so that what is read first is on the left on them as well (see bidi).
type frame struct {
	quarter       int // clockwise quarter turns of the text on the page
	width, height float64
	bidi          bool // some letters are read from right to left
	mirrored      bool // most are; after the quarter turns
	spans         bool // pieces shall say which glyphs they are made of
}

// findFrame chooses the direction of most glyphs.
func findFrame(c *document.Content) frame {
	var count [4]int
	right, left := 0, 0 // letters read from right to left, and others
	for i := range c.Glyphs {
		g := &c.Glyphs[i]
		if q, ok := quarterOf(g.Angle); ok {
			count[q]++
		}
		switch {
		case rtl(g.Rune):
			right++
		case g.Rune > '9' && unicode.IsLetter(g.Rune):
			left++
		}
	}
	f := frame{width: c.Width, height: c.Height, bidi: right > 0, mirrored: right > left}
	for q := 1; q < 4; q++ {
		if 2*count[q] > len(c.Glyphs) {
			f.quarter = q
		}
	}
	if f.quarter%2 == 1 {
		f.width, f.height = f.height, f.width
	}
	return f
}

// quarterOf gives the number of quarter turns that an angle in degrees is, within a degree and a half:
// scanned pages with a text layer are seldom quite straight.
func quarterOf(angle float64) (int, bool) {
	q := math.Round(angle / 90)
	return int(q) & 3, math.Abs(angle-q*90) < 1.5
}

// point turns a point of the page into the frame.
func (f frame) point(x, y float64) (float64, float64) {
	switch f.quarter {
	case 1: // text runs down: the page's right edge is the frame's top
		x, y = y, f.height-x
	case 2:
		x, y = f.width-x, f.height-y
	case 3:
		x, y = f.width-y, x
	}
	if f.mirrored {
		x = f.width - x
	}
	return x, y
}

// box turns a box of the page into the frame.
func (f frame) box(b document.Box) document.Box {
	x0, y0 := f.point(b.Left, b.Top)
	x1, y1 := f.point(b.Right, b.Bottom)
	return document.Box{Left: min(x0, x1), Top: min(y0, y1), Right: max(x0, x1), Bottom: max(y0, y1)}
}

// back turns a box of the frame into the page.
func (f frame) back(b document.Box) document.Box {
	if f.mirrored {
		b.Left, b.Right = f.width-b.Right, f.width-b.Left
	}
	inverse := frame{quarter: (4 - f.quarter) & 3, width: f.width, height: f.height}
	if f.quarter%2 == 1 {
		inverse.width, inverse.height = f.height, f.width
	}
	return inverse.box(b)
}

// angle turns a direction of the page into the frame as it is before mirroring: upright text is upright in both.
func (f frame) angle(a float64) float64 {
	return math.Mod(a-float64(f.quarter)*90+720, 360)
}

// An upright glyph keeps its coordinates; along turns the others so that their baseline is horizontal and
// they read from left to right, or in a mirrored frame what is read from right to left does. Their ink box stays where it is on the page.
func (g *glyph) along(angle float64, loose document.Box, f frame) {
	sin, cos := math.Sincos(angle * math.Pi / 180)
	x, y := g.left, g.base
	if f.mirrored {
		x = f.width - g.right
	}
	g.left, g.base = x*cos+y*sin, y*cos-x*sin
	// The advance is the loose box's extent along the baseline.
	g.right = g.left + math.Max(math.Abs(loose.Width()*cos), math.Abs(loose.Height()*sin))
	if f.mirrored {
		g.left, g.right = -g.right, -g.left
	}
}

// settleTurned sets short turned texts, such as the labels below the columns of a chart, upright on the middle of
// their boxes, so that they take part in the rows and columns around them. Longer ones stay turned.
func settleTurned(upright, turned []fragment) (flowing, rest []fragment) {
	const longest = 6.0 // ems
	for _, f := range turned {
		if math.Max(f.box.Height(), f.box.Width()) > longest*f.size {
			rest = append(rest, f)
			continue
		}
		f.base = (f.box.Top+f.box.Bottom)/2 + 0.3*f.size
		for i := range f.pieces {
			f.pieces[i].base = f.base
		}
		f.settle()
		upright = append(upright, f)
	}
	return upright, rest
}

// turnedLines counts the lines of the paragraph that the first of some turned fragments begins.
func turnedLines(frags []fragment) int {
	const least, most = 0.8, 2.2 // ems between the lines of a paragraph
	n := 1
	for ; n < len(frags); n++ {
		a, b := &frags[n-1], &frags[n]
		d := (b.base - a.base) / b.size
		overlap := math.Min(a.box.Bottom, b.box.Bottom) - math.Max(a.box.Top, b.box.Top)
		if math.Mod(a.angle, 180) == 0 {
			overlap = math.Min(a.box.Right, b.box.Right) - math.Max(a.box.Left, b.box.Left)
		}
		if a.angle != b.angle || math.Abs(a.size-b.size) > 0.1*b.size || d < least || d > most || overlap <= 0 {
			break
		}
	}
	return n
}
