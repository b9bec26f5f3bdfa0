// Package safety finds what a page holds but does not show: text that a reader of the page never sees, but a program that
// reads the file does, and may obey (prompt injection).
//
// A page goes through cheap tests of places, sizes and colours first; most pages pass all of them. Where those leave a
// doubt, the page itself decides: the places in doubt are painted twice, with the text in doubt and without it, and text
// that makes no difference is not seen. So it does not matter by which means it was hidden, and text that some reader
// could see stays.
package safety

import (
	"image"
	"math"
	"slices"
	"unicode"

	"github.com/ragify/ragify/internal/document"
)

// Filters are what is looked for.
type Filters struct {
	HiddenText   bool // text that leaves no mark on the page
	OffPage      bool // text and images that lie beside the page
	Tiny         bool // text of at most a point
	HiddenLayers bool // text in optional content that is not shown
}

// The reasons for which something is left out.
const (
	InvisibleMode = "invisible_mode" // a render mode that paints nothing, and no image that shows the text
	Transparent   = "transparent"    // painted with hardly any opacity, or blended, masked or clipped by a shape until nothing is left
	LowContrast   = "low_contrast"   // of the colour of what lies behind it
	Covered       = "covered"        // something opaque lies over it
	Clipped       = "clipped"        // clipping paths leave nothing of it
	HiddenLayer   = "hidden_layer"   // in optional content that is not shown
	OffPage       = "off_page"       // beside the page
	Tiny          = "tiny"           // at most a point high or wide
)

// A Painter paints parts of the page that is screened, on white, as a reader sees it: into whole, unless that is nil, as it
// is, into bare without the given text objects (Glyph.Object). Each part fills its pictures.
type Painter func(parts []document.Box, whole, bare []*image.RGBA, without []int32) error

// Screener screens pages. The zero Screener is ready; it keeps its buffers from page to page.
type Screener struct {
	areas areas
	near  []int32
	last  struct {
		rgba  uint32
		lab   lab
		known bool
	}
}

// Screen takes out of c what the filters are meant for, and tells where it was: one place for each stretch of a line.
// paint is called for pages with text in doubt only, several times at most. Its error ends the screening with nothing taken out.
func (s *Screener) Screen(c *document.Content, on Filters, paint Painter) ([]document.Place, error) {
	if on == (Filters{}) {
		return nil, nil
	}
	found := &findings{content: c}
	if on.OffPage {
		found.offPage()
		c.Images = slices.DeleteFunc(c.Images, func(i document.Image) bool { return off(i.Box, c) })
	}
	if on.Tiny {
		runs(c, found.tiny)
	}
	if on.HiddenText || on.HiddenLayers {
		if err := s.hidden(c, on, paint, found); err != nil {
			return nil, err
		}
	}
	return found.takeOut(), nil
}

// findings are what is to be taken out of a page.
type findings struct {
	content *document.Content
	reasons []string // by glyph, "" for those that stay; nil while all of them do
	silent  []bool   // by glyph: it is there a second time, to be seen; nil while there is none
}

// mark notes a reason against a glyph, unless there is one already.
func (f *findings) mark(glyph int, reason string) {
	if f.reasons == nil {
		f.reasons = make([]string, len(f.content.Glyphs))
	}
	if f.reasons[glyph] == "" {
		f.reasons[glyph] = reason
	}
}

// marked reports whether a glyph goes.
func (f *findings) marked(glyph int) bool { return f.reasons != nil && f.reasons[glyph] != "" }

// off reports whether a box lies wholly beside the page.
func off(b document.Box, c *document.Content) bool {
	return b.Right <= 0 || b.Bottom <= 0 || b.Left >= c.Width || b.Top >= c.Height
}

// offPage marks glyphs that no reader sees because they lie beside the page. They are left over from cut pages, or
// hidden there on purpose.
func (f *findings) offPage() {
	for i := range f.content.Glyphs {
		g := &f.content.Glyphs[i]
		if off(g.Loose, f.content) || inked(g) && off(g.Box, f.content) {
			f.mark(i, OffPage)
		}
	}
}

// tiniest is the size in points up to which type is not there to be read: its letters are less than the width of a rule
// high. The smallest print that people use is 3 points.
const tiniest = 1.0

// tiny marks runs whose type is tiny as it is drawn: by its size, unless the font draws letters larger than that says, as
// Type 3 fonts do; or because its letters are next to nothing in one direction, as those of small or squeezed type are.
func (f *findings) tiny(r run) {
	const (
		words = 5             // letters; fewer can be narrow ones
		slim  = 0.5 * tiniest // the width of letters of that size
		tall  = 1.5 * tiniest // more than any letter of that size measures
	)
	letters, width, extent := 0, 0.0, 0.0
	for i := r.from; i < r.to; i++ {
		g := &f.content.Glyphs[i]
		if !inked(g) {
			continue
		}
		extent = max(extent, g.Box.Width(), g.Box.Height())
		if unicode.IsLetter(g.Rune) || unicode.IsDigit(g.Rune) {
			letters++
			width = max(width, min(g.Box.Width(), g.Box.Height()))
		}
	}
	if r.size <= tiniest && extent <= tall || letters >= words && width <= slim {
		for i := r.from; i < r.to; i++ {
			f.mark(i, Tiny)
		}
	}
}

// takeOut removes what is marked and tells where it was.
func (f *findings) takeOut() []document.Place {
	if f.reasons == nil {
		return nil
	}
	places := f.places()
	kept := f.content.Glyphs[:0]
	for i := range f.content.Glyphs {
		if f.reasons[i] == "" {
			kept = append(kept, f.content.Glyphs[i])
		}
	}
	f.content.Glyphs = kept
	return places
}

// farthest is the distance from the page's corner, in points, to which places are told: the largest page that PDF allows
// (ISO 32000-2, annex C).
const farthest = 14_400

// places joins marked glyphs that follow each other on a line.
func (f *findings) places() (places []document.Place) {
	c := f.content
	last := -1 // the glyph before, when it went into the last place
	for i := range c.Glyphs {
		g := &c.Glyphs[i]
		if f.reasons[i] == "" || f.silent != nil && f.silent[i] || g.Rune == ' ' && last < 0 {
			last = -1
			continue
		}
		box := g.Box
		if !inked(g) {
			box = g.Loose
		}
		if last < 0 || f.reasons[last] != f.reasons[i] || !sameLine(&c.Glyphs[last], g) {
			places = append(places, document.Place{Page: c.Number, BBox: sides(box), Reason: f.reasons[i]})
		} else if g.Rune != ' ' {
			b := &places[len(places)-1].BBox
			*b = sides(document.Box{Left: b[0], Top: b[1], Right: b[2], Bottom: b[3]}.Union(box))
		}
		last = i
	}
	return places
}

// sameLine reports whether b goes on where a ends, be it in another text object.
func sameLine(a, b *document.Glyph) bool {
	dx, dy := b.OriginX-a.OriginX, b.OriginY-a.OriginY
	size := max(a.Size, b.Size, 1)
	if a.Angle == 90 || a.Angle == 270 {
		dx, dy = dy, dx
	}
	return a.Angle == b.Angle && max(dx, -dx) <= gap*size && (max(dy, -dy) <= size/2 || a.Object == b.Object)
}

func sides(b document.Box) [4]float64 {
	return [4]float64{bounded(b.Left), bounded(b.Top), bounded(b.Right), bounded(b.Bottom)}
}

// bounded is a coordinate that can be told: not farther than farthest, a number, in hundredths of a point as all boxes are.
func bounded(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return math.Round(min(max(v, -farthest), farthest)*100) / 100
}
