package safety

import (
	"github.com/ragify/ragify/internal/document"
)

// A run is a stretch of glyphs of one text object on one line, indices into document.Content.Glyphs.
type run struct {
	from, to int          // [from, to)
	box      document.Box // around the ink
	size     float64      // of the type in points
	layer    int32        // as document.Text's
	signs    signs
	blends   bool // painted: it has the colour of what lies behind it
}

// signs are reasons to doubt that a run can be seen.
type signs uint16

const (
	signMode     signs = 1 << iota // a render mode that paints nothing
	signFaint                      // transparent, or with a look that its colour does not tell
	signContrast                   // its colour may be that of what lies behind it
	signCovered                    // something may lie over it
	signClipped                    // clipping paths may leave nothing of it
)

// gap ends a run: the distance between the origins of two glyphs, in font sizes. The widest advances are below 2.
const gap = 3.0

// reason is what the signs of a run that is not seen say about why.
func (r *run) reason() string {
	switch {
	case r.signs&signMode != 0:
		return InvisibleMode
	case r.signs&signContrast != 0 && r.blends:
		return LowContrast
	case r.signs&signClipped != 0:
		return Clipped
	case r.signs&signCovered != 0:
		return Covered
	case r.signs&signFaint != 0:
		return Transparent
	default:
		return LowContrast
	}
}

// runs calls visit for each run of a page that has ink.
func runs(c *document.Content, visit func(run)) {
	for from := 0; from < len(c.Glyphs); {
		first := &c.Glyphs[from]
		r := run{from: from, to: from + 1, size: first.Size}
		if inked(first) {
			r.box = first.Box
		}
		for r.to < len(c.Glyphs) && follows(&c.Glyphs[r.to-1], &c.Glyphs[r.to]) {
			if g := &c.Glyphs[r.to]; inked(g) {
				r.box = r.box.Union(g.Box)
			}
			r.to++
		}
		if r.box != (document.Box{}) {
			visit(r)
		}
		from = r.to
	}
}

// follows reports whether b continues the run of a.
func follows(a, b *document.Glyph) bool {
	dx, dy, most := a.OriginX-b.OriginX, a.OriginY-b.OriginY, gap*max(a.Size, 1)
	return a.Object == b.Object && dx*dx+dy*dy <= most*most
}

// inked reports whether a glyph has something to show. Letters that PDFium has no outline for are lines without height.
func inked(g *document.Glyph) bool {
	const flat = 0.001 // of the font size; hairlines, such as dashes, are thicker
	return g.Rune != ' ' && min(g.Box.Width(), g.Box.Height()) > flat*g.Size
}

// Render modes that paint nothing (ISO 32000-2, table 104).
const (
	modeInvisible = 3
	modeClip      = 7
)

// signsOf is the cheap test of a run.
func (s *Screener) signsOf(c *document.Content, r *run) signs {
	g := &c.Glyphs[r.from]
	if g.Mode == modeInvisible || g.Mode == modeClip {
		return signMode
	}
	var found signs
	if t := textOf(c, g); t != nil {
		if t.Unsure || g.Color&0xFF < opaque {
			found |= signFaint
		}
		if r.box.Left < t.Clip.Left || r.box.Right > t.Clip.Right || r.box.Top < t.Clip.Top || r.box.Bottom > t.Clip.Bottom {
			found |= s.clipSign(c, r, t.Clip)
		}
	}
	color := s.colorOf(g.Color)
	near, ok := s.areas.near(r.box, s.near)
	s.near = near
	if !ok {
		return found | signContrast | signCovered
	}
	if s.blends(g.Object, color, r, near) {
		found |= signContrast
	}
	if s.covered(g.Object, r, near) {
		found |= signCovered
	}
	return found
}

// clipSign looks for a glyph that lies wholly outside of a clip.
func (s *Screener) clipSign(c *document.Content, r *run, clip document.Box) signs {
	for i := r.from; i < r.to; i++ {
		if g := &c.Glyphs[i]; inked(g) && (g.Box.Right <= clip.Left || g.Box.Left >= clip.Right || g.Box.Bottom <= clip.Top || g.Box.Top >= clip.Bottom) {
			return signClipped
		}
	}
	return 0
}

// doubtful is the colour difference below which a picture of the page has to decide: twice that of what counts as hidden.
const doubtful = 2 * leastDifference

// white is the paper.
var white = labOf(0xFFFFFFFF)

// blends reports whether something that is painted before a run can have its colour, or has unknown colours.
func (s *Screener) blends(object int32, color lab, r *run, near []int32) bool {
	// The last rectangle that lies under all of the run hides what was painted before.
	base, ground := -1, white
	slack := 0.1 * r.size
	for _, i := range near {
		if n := &s.areas.list[i]; n.after <= object && n.kind == solid && holds(n.box, r.box, slack) {
			base, ground = int(i), n.color
		}
	}
	if color.distance(ground) < doubtful {
		return true
	}
	for _, i := range near {
		n := &s.areas.list[i]
		switch {
		case n.after > object || int(i) == base:
		case n.kind == solid || n.kind == shape:
			if int(i) > base && color.distance(n.color) < doubtful {
				return true
			}
		case base < 0 || n.after >= s.areas.list[base].after:
			if touches(n.box, r.box, slack) {
				return true
			}
		}
	}
	return false
}

// A cover counts when it is wide and high enough to hide a letter: this share of the font size; or when with others it
// covers this share of the run.
const (
	coveringSize  = 0.4
	coveringShare = 0.3
)

// covered reports whether what is painted after a run may hide some of it.
func (s *Screener) covered(object int32, r *run, near []int32) bool {
	sum := 0.0
	for _, i := range near {
		n := &s.areas.list[i]
		if n.after <= object {
			continue
		}
		b := n.box.Intersect(r.box)
		if least := min(coveringSize*r.size, 0.8*r.box.Width(), 0.8*r.box.Height()); b.Width() >= least && b.Height() >= least {
			return true
		}
		sum += b.Width() * b.Height()
	}
	return sum >= coveringShare*r.box.Width()*r.box.Height()
}

// holds reports whether outer has all of inner in it, but for a rim.
func holds(outer, inner document.Box, rim float64) bool {
	return outer.Left <= inner.Left+rim && outer.Top <= inner.Top+rim && outer.Right >= inner.Right-rim && outer.Bottom >= inner.Bottom-rim
}

// touches reports whether two boxes overlap by more than a rim.
func touches(a, b document.Box, rim float64) bool {
	o := a.Intersect(b)
	return o.Width() > min(rim, b.Width()/2) && o.Height() > min(rim, b.Height()/2)
}

// textOf gives the text object of a glyph, nil when nothing is known of it.
func textOf(c *document.Content, g *document.Glyph) *document.Text {
	if int(g.Object) >= len(c.Texts) || g.Object < 0 {
		return nil
	}
	return &c.Texts[g.Object]
}

// colorOf is labOf that remembers the last colour: most of a page has one.
func (s *Screener) colorOf(rgba uint32) lab {
	if rgba != s.last.rgba || !s.last.known {
		s.last.rgba, s.last.lab, s.last.known = rgba, labOf(rgba), true
	}
	return s.last.lab
}
