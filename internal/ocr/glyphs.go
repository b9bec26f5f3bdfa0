package ocr

import (
	"math"
	"unicode"

	"github.com/ragify/ragify/internal/document"
)

// FontName is the name of the font of recognised text, by which it can be told from the page's own.
const FontName = "OCR"

// invisible is the text render mode of recognised text, as in the text layer of a scan (PDF 32000-1, table 106): what
// shows it is the picture.
const invisible = 3

// black is opaque black, 0xRRGGBBAA.
const black = 0x000000FF

// point is a point's share of an inch.
const point = 72

// AppendTo adds what was read to the content of the page whose picture it was, as characters with the font FontName, and
// the rules of the picture. skip,
// when not nil, says which places on the page are not wanted: each word is asked for.
func (t *Text) AppendTo(c *document.Content, skip func(document.Box) bool) {
	p := placer{text: t, into: c, skip: skip, scale: point / t.dpi, regular: -1, bold: -1}
	for i := range t.lines {
		p.line(&t.lines[i])
	}
	t.appendRules(c)
}

// Boxes are the places of the words on a page of the given size in points.
func (t *Text) Boxes(width, height float64) []document.Box {
	p := placer{text: t, into: &document.Content{Width: width, Height: height}, scale: point / t.dpi}
	var boxes []document.Box
	for _, l := range t.lines {
		for _, w := range l.words {
			boxes = append(boxes, p.box(w.box))
		}
	}
	return boxes
}

// A placer makes characters of words.
type placer struct {
	text          *Text
	into          *document.Content
	skip          func(document.Box) bool
	scale         float64 // points per pixel
	regular, bold int32   // fonts in the content, -1 before they are needed
}

// line adds a line. Between its words are spaces, as a person would type them.
func (p *placer) line(l *line) {
	// To half a point: text of one size on two pages is measured a little differently.
	size := math.Max(math.Round(2*emShare*l.size*p.scale)/2, 1)
	var before *word
	for i := range l.words {
		w := &l.words[i]
		if p.skip != nil && p.skip(p.box(w.box)) {
			before = nil
			continue
		}
		if before != nil && spaced(before, w) {
			gap := document.Box{Left: before.box.Right, Top: w.box.Top, Right: math.Max(w.box.Left, before.box.Right), Bottom: w.box.Bottom}
			p.glyph(' ', gap, l, size, w.bold)
		}
		p.word(w, l, size)
		before = w
	}
}

// spaced reports whether there is a space between two words: not between ideographs, each of which Tesseract may take
// for a word.
func spaced(a, b *word) bool {
	last, first := []rune(a.text), []rune(b.text)
	return !ideograph(last[len(last)-1]) || !ideograph(first[0])
}

func ideograph(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) || r >= 0x3000 && r <= 0x303F || r >= 0xFF00 && r <= 0xFF60
}

// word adds the characters of a word, spread over its box by how wide they usually are. Words in letters that run from
// right to left are spread from the right.
func (p *placer) word(w *word, l *line, size float64) {
	total, right, left := 0.0, 0, 0
	runes := []rune(w.text)
	for _, r := range runes {
		total += advance(r)
		switch {
		case unicode.In(r, unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana):
			right++
		case unicode.IsLetter(r):
			left++
		}
	}
	if total == 0 {
		return
	}
	at, unit := w.box.Left, w.box.Width()/total
	if right > left {
		at, unit = w.box.Right, -unit
	}
	for _, r := range runes {
		end := at + unit*advance(r)
		p.glyph(r, document.Box{Left: math.Min(at, end), Top: w.box.Top, Right: math.Max(at, end), Bottom: w.box.Bottom}, l, size, w.bold)
		at = end
	}
}

// advance is the usual width of a character in ems, of the means of text fonts.
func advance(r rune) float64 {
	switch {
	case ideograph(r), r == 'W' || r == 'M' || r == 'm' || r == '@' || r == '%' || r == '—':
		return 0.9
	case unicode.Is(unicode.Mn, r):
		return 0
	case r == 'i' || r == 'j' || r == 'l' || r == 'I' || unicode.IsPunct(r):
		return 0.3
	case r == 't' || r == 'f' || r == 'r':
		return 0.36
	case unicode.IsUpper(r), r == 'w':
		return 0.7
	}
	return 0.5
}

// glyph adds a character whose advance, and as much of its ink as is known, is a box in the picture.
func (p *placer) glyph(r rune, b document.Box, l *line, size float64, bold bool) {
	const ascent, descent = 0.93, 0.22 // of the font size
	loose := document.Box{Left: b.Left, Top: l.base - ascent*size/p.scale, Right: b.Right, Bottom: l.base + descent*size/p.scale}
	// A word's box may hold grain above and below its letters.
	b.Top, b.Bottom = math.Max(b.Top, loose.Top), math.Min(b.Bottom, loose.Bottom)
	if b.Top > b.Bottom || r == ' ' {
		b = document.Box{}
	} else {
		b = p.box(b)
	}
	g := document.Glyph{
		Rune: r, Box: b, Loose: p.box(loose), Size: size, Angle: float64(90 * p.text.Quarter),
		Font: p.font(bold), Object: -1, MCID: -1, Color: black, Mode: invisible,
	}
	g.OriginX, g.OriginY = p.point(loose.Left, l.base)
	p.into.Glyphs = append(p.into.Glyphs, g)
}

// font gives the index of the font of recognised text.
func (p *placer) font(bold bool) int32 {
	at := &p.regular
	f := document.Font{Name: FontName, Weight: 400}
	if bold {
		at = &p.bold
		f.Weight, f.Bold = 700, true
	}
	if *at < 0 {
		*at = int32(len(p.into.Fonts))
		p.into.Fonts = append(p.into.Fonts, f)
	}
	return *at
}

// point turns a point of the upright picture, in pixels, into one of the page.
func (p *placer) point(x, y float64) (float64, float64) {
	x, y = x*p.scale, y*p.scale
	switch p.text.Quarter {
	case 1:
		return p.into.Width - y, x
	case 2:
		return p.into.Width - x, p.into.Height - y
	case 3:
		return y, p.into.Height - x
	}
	return x, y
}

// box turns a box of the upright picture into one of the page.
func (p *placer) box(b document.Box) document.Box {
	x0, y0 := p.point(b.Left, b.Top)
	x1, y1 := p.point(b.Right, b.Bottom)
	return document.Box{Left: math.Min(x0, x1), Top: math.Min(y0, y1), Right: math.Max(x0, x1), Bottom: math.Max(y0, y1)}
}
