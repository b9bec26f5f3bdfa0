package layout

import (
	"math"
	"unicode"
	"unicode/utf8"

	"github.com/ragify/ragify/internal/document"
)

// A glyph is a character that will be part of the text, in an upright frame (see orient).
type glyph struct {
	r           rune
	extra       string // what follows r when one glyph stands for several characters
	left, right float64
	base        float64 // y of the baseline
	box         document.Box
	size        float64 // points
	font        int32
	object      int32
	index       int32 // within the object
	mcid        int32 // marked content
	artifact    bool  // marked as no part of the text
	color       uint32
	angle       float64
	turned      bool // the baseline is not horizontal in the frame: left, right and base are along it
	space       bool // white space: separates words, leaves no text
	hyphen      bool
}

// invalidRune stands for a glyph without a known character until the writers replace it.
const invalidRune = unicode.ReplacementChar

// maxGlyphs bounds the work on one page. Dense newspaper pages have 20,000 glyphs.
const maxGlyphs = 300_000

// cleanGlyphs makes text of what a page shows: ligatures become letters, glyphs printed twice count
// once, characters that print nothing are dropped, unmapped ones become invalidRune.
func cleanGlyphs(c *document.Content, f frame) []glyph {
	out := make([]glyph, 0, min(len(c.Glyphs), maxGlyphs))
	seen := newGlyphSet(min(len(c.Glyphs), maxGlyphs))
	marks := false
	for i := range c.Glyphs {
		if len(out) == maxGlyphs {
			break
		}
		g, ok := cleanGlyph(&c.Glyphs[i], f)
		if ok && (g.space || !seen.duplicate(&g)) {
			out = append(out, g)
			marks = marks || placedMark(g.r)
		}
	}
	if marks {
		out = attachMarks(out)
	}
	return out
}

// placedMark reports whether r is a combining mark that stands over or under its letter: those of scripts that run
// from right to left, and those of no script. The marks of Indic and Southeast Asian scripts take room of their own,
// and come in the order in which they are read.
func placedMark(r rune) bool {
	return r >= 0x300 && unicode.Is(unicode.Mn, r) &&
		unicode.In(r, unicode.Inherited, unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana)
}

// attachMarks makes combining marks part of the letters that they are printed over, whichever comes first in the file.
func attachMarks(glyphs []glyph) []glyph {
	const (
		reach = 4   // glyphs before and after: a letter may have three marks
		near  = 0.3 // ems from the middle of the mark to the letter
	)
	attached := make([]bool, len(glyphs))
	for i := range glyphs {
		m := &glyphs[i]
		if !placedMark(m.r) {
			continue
		}
		best, host := near*m.size, -1
		for k := max(0, i-reach); k <= min(len(glyphs)-1, i+reach); k++ {
			g := &glyphs[k]
			if g.space || placedMark(g.r) || g.turned != m.turned || math.Abs(g.base-m.base) > m.size {
				continue
			}
			x := (m.left + m.right) / 2
			if !m.turned {
				x = (m.box.Left + m.box.Right) / 2
			}
			if d := max(g.left-x, x-g.right, 0); d < best || d == best && k < i {
				best, host = d, k
			}
		}
		if host >= 0 {
			glyphs[host].extra += string(m.r)
			attached[i] = true
		}
	}
	out := glyphs[:0]
	for i := range glyphs {
		if !attached[i] {
			out = append(out, glyphs[i])
		}
	}
	return out
}

func cleanGlyph(src *document.Glyph, f frame) (g glyph, ok bool) {
	if !finite(src) {
		return g, false
	}
	loose := f.box(src.Loose)
	g = glyph{
		r: src.Rune, extra: src.Extra, right: loose.Right, box: f.box(src.Box), size: src.Size,
		font: src.Font, object: src.Object, index: src.Index, mcid: src.MCID, artifact: src.Artifact, color: src.Color, hyphen: src.Hyphen,
	}
	g.left, g.base = f.point(src.OriginX, src.OriginY)
	if f.mirrored {
		g.left, g.right = loose.Left, g.left
	}
	if g.size <= 0 {
		g.size = max(loose.Height(), g.box.Height(), 1)
	}
	if angle := f.angle(src.Angle); angle > 1.5 && angle < 358.5 {
		g.turned, g.angle = true, angle
		g.along(angle, loose, f)
	} else if loose.Empty() || g.right <= g.left {
		g.left, g.right = g.box.Left, g.box.Right
	}
	if src.Box.Empty() {
		g.box = document.Box{Left: g.left, Top: g.base - 0.7*g.size, Right: g.right, Bottom: g.base}
		if g.turned {
			g.box = loose
		}
	}
	switch {
	case g.hyphen || g.r == 0xAD:
		g.r = '-'
	case src.Invalid && g.r == 0, g.r == 0:
		g.r = invalidRune
	case unicode.IsSpace(g.r):
		g.space = true
	case unicode.Is(unicode.Cc, g.r):
		g.r = invalidRune
	case unicode.Is(unicode.Cf, g.r), g.r == 0xFFFE, g.r == 0xFFFF:
		return g, false // zero-width and directional marks print nothing
	}
	if form := plainForm(g.r); form != "" {
		first, n := utf8.DecodeRuneInString(form)
		g.r, g.extra = first, form[n:]+g.extra
	}
	if !unicode.IsPrint(g.r) && !g.space && !unicode.Is(unicode.Co, g.r) {
		g.r = invalidRune
	}
	return g, true
}

func finite(g *document.Glyph) bool {
	sum := g.OriginX + g.OriginY + g.Size + g.Box.Left + g.Box.Top + g.Box.Right + g.Box.Bottom +
		g.Loose.Left + g.Loose.Top + g.Loose.Right + g.Loose.Bottom + g.Angle
	return !math.IsNaN(sum) && math.Abs(sum) < 1e7
}
