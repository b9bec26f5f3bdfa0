package layout

import (
	"math"
	"slices"

	"github.com/ragify/ragify/internal/document"
)

// East Asian text may run from top to bottom, in columns from right to left. PDFs show it with fonts that write
// downwards or place upright glyphs below each other; either way the glyphs are upright, and only their places tell. They
// are made glyphs of a text that is turned clockwise by a quarter, as the Latin words in such columns are: then the
// page's frame is turned (see orient), and columns are lines like any other.

// A verticalRun is a range of glyphs below each other.
type verticalRun struct {
	first, last int // glyphs, inclusive
	steps       int // from one ideograph or sign down to the next
	beside      int // digits beside the one before: numbers of two or three digits stand upright in one place
	middle      float64
}

// turnColumns turns the glyphs of vertical text. It gives glyphs as they are when there is none. Its cost is linear.
func turnColumns(glyphs []document.Glyph) []document.Glyph {
	const fewest = 3 // glyphs below each other; two are a heading over a narrow column
	var out []document.Glyph
	for i := 0; i < len(glyphs); {
		r := readColumn(glyphs, i)
		if r.steps+1 >= fewest && r.steps > r.beside {
			if out == nil {
				out = slices.Clone(glyphs)
			}
			turnRun(out[r.first:r.last+1], r.middle/float64(r.steps+1))
		}
		i = r.last + 1
	}
	if out == nil {
		return glyphs
	}
	return out
}

// readColumn follows the glyphs from first on downwards.
func readColumn(glyphs []document.Glyph, first int) verticalRun {
	r := verticalRun{first: first, last: first}
	prev := &glyphs[first]
	if !cjk(prev.Rune) || prev.Angle != 0 || prev.Size <= 0 {
		return r
	}
	r.middle = columnMiddle(prev)
	spaces := 0.0
	for k := first + 1; k < len(glyphs); k++ {
		g := &glyphs[k]
		if g.Rune == ' ' {
			spaces++
			continue
		}
		switch {
		case g.Angle != 0 || math.Abs(g.Size-prev.Size) > 0.05*prev.Size:
			return r
		case below(prev, g, spaces):
			r.steps++
			r.middle += columnMiddle(g)
		case beside(prev, g):
			r.beside++
		default:
			return r
		}
		r.last, prev, spaces = k, g, 0
	}
	return r
}

// below reports whether g stands under prev as the next character of a column does. Rows of a table stand farther
// apart than 1.2 times the font size.
func below(prev, g *document.Glyph, spaces float64) bool {
	const (
		nearest, farthest = 0.8, 1.2 // ems from baseline to baseline
		aside             = 0.3      // ems; half-width digits are centred by a quarter
	)
	d := (g.OriginY - prev.OriginY) / g.Size
	return (cjk(prev.Rune) || cjk(g.Rune)) && d >= nearest && d <= farthest+spaces &&
		math.Abs(columnMiddle(g)-columnMiddle(prev)) <= aside*g.Size
}

// beside reports whether g is a further digit or letter in the place of prev.
func beside(prev, g *document.Glyph) bool {
	d := (g.OriginX - prev.OriginX) / g.Size
	return !cjk(prev.Rune) && !cjk(g.Rune) && math.Abs(g.OriginY-prev.OriginY) <= 0.1*g.Size && d > 0 && d <= 0.8
}

// columnMiddle is the x of the middle of a glyph's advance. Fonts that write downwards give no width, but ideographs
// are square.
func columnMiddle(g *document.Glyph) float64 {
	if cjk(g.Rune) {
		return g.OriginX + g.Size/2
	}
	return (g.Loose.Left + g.Loose.Right) / 2
}

// turnRun turns the glyphs of a column around its middle. Glyphs beside each other share a place.
func turnRun(run []document.Glyph, middle float64) {
	const (
		top  = 0.88 // ems from the baseline to the top of the square: Adobe's and everybody's CJK fonts
		foot = 0.38 // ems from the middle of a line to the baseline of the Latin words that are turned
	)
	for i := 0; i < len(run); {
		end := i + 1
		for end < len(run) && beside(&run[end-1], &run[end]) {
			end++
		}
		size := run[i].Size
		y, step := run[i].OriginY-top*size, size/float64(end-i)
		for k := i; k < end; k++ {
			g := &run[k]
			if g.Rune == ' ' && k > 0 {
				y = run[k-1].OriginY + size
			}
			g.Angle, g.OriginX, g.OriginY = 90, middle-foot*size, y+float64(k-i)*step
			g.Loose = document.Box{Left: middle - size/2, Top: g.OriginY, Right: middle + size/2, Bottom: g.OriginY + step}
			if !g.Box.Empty() {
				g.Box = g.Loose
			}
		}
		i = end
	}
}
