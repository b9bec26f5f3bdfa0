package stamp

import (
	"slices"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"github.com/ragify/ragify/internal/document"
)

// A slot is a place in the structure where marked content goes: what a reader meets there, without interruption by
// another element.
type slot struct {
	owner *node
	marks []markedContent
	next  int32 // order of the next span
}

// markedContent is one stretch of a stream between BDC and EMC.
type markedContent struct {
	order int32 // in which the stretches of a slot are read
	id    int32
	// form is the stream that it is in, nil for the page itself.
	form *types.IndirectRef
}

// A claim says that glyphs of a text object, from up to to, belong to a slot.
type claim struct {
	slot     *slot
	from, to int32
	order    int32
}

// A segment is a part of a text object that goes to one slot: character codes from up to to.
type segment struct {
	slot     *slot
	from, to int32
	// order is its place among what the slot has, up to last.
	order, last int32
}

// claims are those of a page, by text object; owners those of its images.
type claims struct {
	text   *PageText
	texts  [][]claim
	images []*slot
	// recognised are claims for letters of PageText.Recognised, in the order of the document.
	recognised []claim
}

func newClaims(p *PageText) *claims {
	return &claims{text: p, texts: make([][]claim, p.Texts), images: make([]*slot, p.Pictures)}
}

// add gives spans to a slot, in reading order.
func (c *claims) add(s *slot, spans []document.Span) {
	for _, span := range spans {
		if n := int32(len(c.text.Recognised)); span.Object < 0 && span.From >= 0 && span.From < span.To && span.To <= n {
			c.recognised = append(c.recognised, claim{s, span.From, span.To, s.next})
			s.next++
		}
		if span.Object < 0 || int(span.Object) >= len(c.texts) {
			continue
		}
		c.texts[span.Object] = append(c.texts[span.Object], claim{s, span.From, span.To, s.next})
		s.next++
	}
}

// blank reports whether a text object shows nothing that could be read.
func (c *claims) blank(object int32) bool {
	return int(object) >= len(c.text.Glyphs) || c.text.Glyphs[object].Visible == 0
}

// whole gives the slot that a text object goes to undivided, nil for nobody's, and from where to where in the slot's
// order; false where it belongs to several slots, or to places of one that do not follow each other.
func (c *claims) whole(object int32) (s *slot, from, to int32, ok bool) {
	list := c.texts[object]
	if len(list) == 0 {
		return nil, 0, 0, true
	}
	if !slices.IsSortedFunc(list, byGlyph) {
		return nil, 0, 0, false
	}
	for i := 1; i < len(list); i++ {
		if !list[i-1].leadsTo(&list[i]) {
			return nil, 0, 0, false
		}
	}
	return list[0].slot, list[0].order, list[len(list)-1].order, true
}

func byGlyph(a, b claim) int { return int(a.from - b.from) }

// leadsTo reports whether next is what a reader of the slot meets after k.
func (k *claim) leadsTo(next *claim) bool { return k.slot == next.slot && k.order+1 == next.order }

// segments divides a text object that shows these character codes; nil where they are not known. Where it cannot be
// divided, the slot with most glyphs has it all.
func (c *claims) segments(object int32, codes []uint32) []segment {
	end := int32(len(codes))
	if s, from, to, ok := c.whole(object); ok {
		if s == nil {
			return nil
		}
		return []segment{{s, 0, end, from, to}}
	}
	places := c.align(object, codes)
	if places == nil {
		return []segment{c.largest(c.texts[object], end)}
	}
	list := slices.Clone(c.texts[object])
	for i := range list {
		list[i].from, list[i].to = min(places[list[i].from], places[list[i].to-1]), max(places[list[i].from], places[list[i].to-1])+1
	}
	slices.SortStableFunc(list, byGlyph)
	var out []segment
	for i, k := range list {
		n := len(out)
		if n > 0 && list[i-1].leadsTo(&k) {
			out[n-1].to, out[n-1].last = k.to, k.order
			continue
		}
		if n > 0 {
			out[n-1].to = k.from // what nobody claims, such as spaces, goes with what is before it
		}
		out = append(out, segment{k.slot, k.from, k.to, k.order, k.order})
	}
	out[0].from, out[len(out)-1].to = 0, end
	return slices.DeleteFunc(out, func(s segment) bool { return s.to <= s.from })
}

// align finds the character code that each glyph of a text object is of. PDFium leaves out some, spaces mostly, and
// turns the glyphs of scripts that run from right to left round. nil when the codes are others.
func (c *claims) align(object int32, codes []uint32) []int32 {
	if int(object) >= len(c.text.Glyphs) {
		return nil
	}
	g := c.text.Glyphs[object]
	glyphs := c.text.Codes[g.First : g.First+g.All]
	for _, k := range c.texts[object] {
		if k.from < 0 || k.from >= k.to || int(k.to) > len(glyphs) {
			return nil
		}
	}
	places := make([]int32, len(glyphs))
	at := 0
	for i, code := range codes {
		if at < len(glyphs) && glyphs[at] == code {
			places[at] = int32(i)
			at++
		}
	}
	if at == len(glyphs) {
		return places
	}
	at = len(glyphs)
	for i, code := range codes {
		if at > 0 && glyphs[at-1] == code {
			at--
			places[at] = int32(i)
		}
	}
	if at > 0 {
		return nil
	}
	return places
}

// largest is the whole text object for the slot that claims most of it.
func (c *claims) largest(list []claim, codes int32) segment {
	var best segment
	most := int32(-1)
	for i, k := range list {
		sum := int32(0)
		for _, o := range list {
			if o.slot == k.slot {
				sum += o.to - o.from
			}
		}
		if sum > most {
			most, best = sum, segment{k.slot, 0, codes, k.order, k.order}
		}
		const enough = 64 // claims looked at: the cost is their number squared
		if i == enough {
			break
		}
	}
	return best
}

// inForm finds out for whom a form paints: nobody, one slot, of which it shows the places first to last, or several
// (mixed), for which it has to be taken apart.
func (c *claims) inForm(text, image int32, counts formCounts) (s *slot, first, last int32, mixed bool) {
	artifacts := false
	take := func(o *slot, from, to int32) {
		switch {
		case o == nil:
			artifacts = true
		case s == nil:
			s, first, last = o, from, to
		case s != o, from > last+1:
			mixed = true
		default:
			last = to
		}
	}
	for i := text; i < text+counts.texts && !mixed; i++ {
		if len(c.texts[i]) == 0 && c.blank(i) {
			continue
		}
		o, from, to, whole := c.whole(i)
		if mixed = mixed || !whole; whole {
			take(o, from, to)
		}
	}
	for i := image; i < image+counts.images && !mixed; i++ {
		if c.images[i] != nil {
			take(c.images[i], 0, 0)
		}
	}
	return s, first, last, mixed || s != nil && artifacts
}
