package safety

import (
	"math"
	"slices"
	"unicode"

	"github.com/ragify/ragify/internal/document"
)

// hidden marks text that leaves no mark on the page.
func (s *Screener) hidden(c *document.Content, on Filters, paint Painter, found *findings) error {
	s.areas.read(c)
	j := judge{content: c, on: on, found: found, paint: paint}
	runs(c, func(r run) {
		if found.marked(r.from) {
			return
		}
		r.signs = s.signsOf(c, &r)
		g := &c.Glyphs[r.from]
		if t := textOf(c, g); t != nil {
			r.layer = t.Layer
		}
		switch {
		case r.signs == 0 && r.layer != 0:
			j.clean = append(j.clean, r)
		case r.signs == 0:
		case !on.HiddenText, (r.signs == signMode || g.Color&0xFF < 0xFF-opaque) && s.pictured(&r, math.MinInt32):
		case r.signs == signMode && g.Mode == modeInvisible && len(j.echoes(g.Object)) == 0:
			for i := r.from; i < r.to; i++ {
				found.mark(i, InvisibleMode)
			}
		case r.signs&signCovered != 0 && s.pictured(&r, g.Object):
			j.scanned = append(j.scanned, r)
		default:
			j.doubts = append(j.doubts, r)
		}
	})
	if !s.scan(c, j.scanned) {
		j.doubts = append(j.doubts, j.scanned...)
	}
	if err := j.decide(); err != nil {
		return err
	}
	found.findTwins()
	return nil
}

// pictured reports whether images painted after a text object cover half of where a run stands, so that the run may be
// what OCR read in them. Shapes of the height of a line count as well: some programs draw letters as such, and text that
// nothing paints with them, to be searched.
func (s *Screener) pictured(r *run, after int32) bool {
	near, _ := s.areas.near(r.box, s.near)
	s.near = near
	sum := 0.0
	for _, i := range near {
		n := &s.areas.list[i]
		switch {
		case n.after <= after:
			continue
		case n.kind == raster:
		case n.kind == shape && n.box.Height() <= 2*r.size:
		default:
			continue
		}
		b := n.box.Intersect(r.box)
		sum += b.Width() * b.Height()
	}
	return sum >= 0.5*r.box.Width()*r.box.Height()
}

// scan reports whether the given runs, which lie under images, are the text of a scanned page: they are at least half of
// the page's text, and images cover at least half of the page.
func (s *Screener) scan(c *document.Content, covered []run) bool {
	under, all, images := 0, 0, 0.0
	for i := range covered {
		under += covered[i].to - covered[i].from
	}
	if under == 0 {
		return false
	}
	for i := range c.Glyphs {
		if inked(&c.Glyphs[i]) {
			all++
		}
	}
	page := document.Box{Right: c.Width, Bottom: c.Height}
	for i := range c.Images {
		b := c.Images[i].Box.Intersect(page)
		images += b.Width() * b.Height()
	}
	return 2*under >= all && 2*images >= c.Width*c.Height
}

// leastDifference is the colour difference (ΔE) that a glyph must make somewhere to be seen. Type of #F0F0F0 on white
// makes 5.2, #111111 on black 5: found only by who looks for it; #EEEEEE makes 5.9. The limit has room on both sides: public
// documents give the same text with 4 and with 8.
const leastDifference = 5.5

// judge decides about runs in doubt by painting them.
type judge struct {
	content *document.Content
	on      Filters
	paint   Painter
	found   *findings
	doubts  []run
	scanned []run  // in doubt because images lie over them
	clean   []run  // those that can be invisible only with the layer that they stand in
	unseen  []bool // by glyph; nil while none was painted
	spoken  []bool // the text objects that have glyphs; nil until echoes is asked
}

// echoes gives the text objects that may show the text of the given one again. PDFium leaves out the characters of a text
// object that repeats one of the five before it at the same place: but that one may be seen where the first is not.
func (j *judge) echoes(object int32) (list []int32) {
	const window, most = 5, 20
	if j.spoken == nil {
		j.spoken = make([]bool, len(j.content.Texts))
		for i := range j.content.Glyphs {
			if o := int(j.content.Glyphs[i].Object); o >= 0 && o < len(j.spoken) {
				j.spoken[o] = true
			}
		}
	}
	for o, last := object+1, object; o >= 0 && int(o) < len(j.spoken) && o <= last+window && len(list) < most; o++ {
		if !j.spoken[o] {
			list, last = append(list, o), o
		}
	}
	return list
}

// decide marks the runs that cannot be seen. Of each layer one letter is looked at, and all of it if that is not seen.
func (j *judge) decide() error {
	asked := slices.Clone(j.doubts)
	layers := 0
	for i := range j.clean {
		layers = max(layers, int(j.clean[i].layer))
	}
	sampled := make([]bool, layers+1)
	for i := range j.clean {
		if r := &j.clean[i]; !sampled[r.layer] {
			sampled[r.layer] = true
			asked = append(asked, j.sample(r))
		}
	}
	if len(asked) == 0 {
		return nil
	}
	if err := j.look(asked); err != nil {
		return err
	}
	shown := make([]bool, layers+1)
	for i := range asked {
		if l := int(asked[i].layer); l <= layers && j.sees(&asked[i]) {
			shown[l] = true
		}
	}
	for i := range j.doubts {
		r := &j.doubts[i]
		switch dark := r.layer != 0 && int(r.layer) <= layers && !shown[r.layer]; {
		case dark && j.on.HiddenLayers:
			j.mark(r, HiddenLayer)
		case dark: // its layer may be what hides it, which is allowed
		default:
			j.mark(r, asked[i].reason())
		}
	}
	rest := slices.DeleteFunc(j.clean, func(r run) bool { return shown[r.layer] })
	if !j.on.HiddenLayers || len(rest) == 0 {
		return nil
	}
	if err := j.look(rest); err != nil {
		return err
	}
	for i := range rest {
		j.mark(&rest[i], HiddenLayer)
	}
	return nil
}

// sample is the first letter of a run, or whatever is first of its ink.
func (j *judge) sample(r *run) run {
	s := *r
	s.to = s.from
	for i := r.from; i < r.to; i++ {
		g := &j.content.Glyphs[i]
		letter := unicode.IsLetter(g.Rune) || unicode.IsDigit(g.Rune)
		if inked(g) && (letter || s.to == s.from) {
			s.from, s.to, s.box = i, i+1, g.Box
		}
		if inked(g) && letter {
			break
		}
	}
	return s
}

// sees reports whether any of a run is seen.
func (j *judge) sees(r *run) bool {
	for i := r.from; i < r.to; i++ {
		if inked(&j.content.Glyphs[i]) && !j.unseen[i] {
			return true
		}
	}
	return false
}

// few is the number of glyphs in a row that can be unseen by accident among others that are seen: where marks or lines of
// the page run through them.
const few = 3

// mark notes the reason against the glyphs of a run that are not seen, and the spaces between them.
func (j *judge) mark(r *run, reason string) {
	glyphs := j.content.Glyphs
	all := !j.sees(r)
	for from := r.from; from < r.to; {
		if !j.unseen[from] {
			from++
			continue
		}
		to, ink := from, 0
		for ; to < r.to && (j.unseen[to] || !inked(&glyphs[to])); to++ {
			if inked(&glyphs[to]) {
				ink++
			}
		}
		if all {
			from, to = r.from, r.to
		}
		if all || ink >= few {
			for i := j.wordEnd(from, to); i < to; i++ {
				j.found.mark(i, reason)
			}
		}
		from = to
	}
}

// wordEnd is where the glyphs [from, to), which are not seen, leave the word that the glyphs before them begin: a table's
// cell may cut its last word, which is better whole.
func (j *judge) wordEnd(from, to int) int {
	const (
		space = 0.15 // font sizes, at least between words
		long  = 20   // letters; more than words have are none
	)
	glyphs := j.content.Glyphs
	at, begin := from, from
	for begin > 0 && j.unseen[begin-1] && !j.found.marked(begin-1) { // letters of the word that are objects of their own
		begin--
	}
	for at > 0 && at < to && !j.found.marked(at-1) {
		a, b := &glyphs[at-1], &glyphs[at]
		apart := math.Hypot(max(b.Loose.Left-a.Loose.Right, a.Loose.Left-b.Loose.Right, 0), max(b.Loose.Top-a.Loose.Bottom, a.Loose.Top-b.Loose.Bottom, 0))
		if apart > space*b.Size || !unicode.IsLetter(a.Rune) || !unicode.IsLetter(b.Rune) || a.Angle != b.Angle || a.Size != b.Size {
			break
		}
		if at++; at-begin > long {
			return from
		}
	}
	return at
}
