package pdfium

import (
	"errors"
	"math"
	"slices"
	"unicode/utf16"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/fault"
)

// Limits per page, so that one absurd page cannot take the layout's memory. The densest real pages
// (maps, indexes in tiny print) have about 30,000 glyphs and 60,000 paths.
const (
	maxGlyphs = 200_000
	maxRules  = 100_000
)

// Content reads what page n (1-based) shows into the given Content, reusing its slices. Coordinates are
// as document.Box defines them.
//
// Faults: Invalid with code damaged_page when PDFium cannot load this page (others may be fine), or
// too_complex when the instance broke: then the whole file is lost.
func (f *File) Content(n int, into *document.Content) error { return f.content(n, into, false) }

// StructuredContent is Content with what the file's structure tree says of the page, which takes longer.
func (f *File) StructuredContent(n int, into *document.Content) error {
	return f.content(n, into, true)
}

func (f *File) content(n int, into *document.Content, structured bool) (err error) {
	defer fault.Op(&err, "pdfium.Content(%d)", n)
	*into = document.Content{
		Number: n,
		Glyphs: into.Glyphs[:0], Fonts: into.Fonts[:0], Rules: into.Rules[:0],
		Images: into.Images[:0], Links: into.Links[:0],
		Texts: into.Texts[:0], Covers: into.Covers[:0],
	}
	if err := f.crashed(); err != nil {
		return err
	}
	f.leave()
	if err := f.refresh(); err != nil {
		return err
	}
	page, err := f.loadPage(n)
	if err != nil {
		return err
	}
	g := f.inst.readGeometry(page)
	f.geometry[n] = g
	into.Width, into.Height = g.width, g.height
	f.readLinks(page, g, into)
	if structured {
		into.Structure = f.readStructure(page, g)
	}
	if page, err = f.flatten(n, page, g, into); err != nil {
		return err
	}

	w := walker{inst: f.inst, into: into, structured: structured, objects: make(map[uint32]place)}
	f.open = openPage{number: n, page: page, geometry: g, objects: w.objects}
	w.page(page, g.toPage)
	into.Pictures = int(w.images)
	f.readGlyphs(page, g, &w, into)
	return f.crashed()
}

// loadPage gives the handle of page n (1-based); close it with fnClosePage.
func (f *File) loadPage(n int) (uint64, error) {
	page := f.inst.ptr(fnLoadPage, f.doc, uint64(n-1))
	if err := f.crashed(); err != nil {
		return 0, err
	}
	if page == 0 {
		return 0, fault.Newf(fault.Invalid, "damaged_page", "Page %d is damaged: it cannot be read.", n).
			Because(errors.Join(errors.New("PDFium cannot load the page"), f.inst.readErr))
	}
	return page, nil
}

// textObject is what all glyphs of a PDF text object have in common.
type textObject struct {
	font     int32
	ordinal  int32
	mcid     int32
	artifact bool
	size     float64
	angle    float64
	unsure   bool // as document.Text's
	color    uint32
	mode     uint8
	charset  charset
}

// readGlyphs appends the page's characters in content-stream order. w has seen the page's objects.
func (f *File) readGlyphs(page uint64, g geometry, w *walker, into *document.Content) {
	i := f.inst
	text := i.ptr(fnTextLoadPage, page)
	if text == 0 {
		return
	}
	defer i.call(fnTextClosePage, text)
	count := i.num(fnTextCountChars, text)
	if count > maxGlyphs {
		count, into.Truncated = maxGlyphs, true
	}
	chars := i.readChars(text, count)
	count = len(chars) / charSize
	into.Glyphs = slices.Grow(into.Glyphs, count)
	f.fonts = f.fonts[:0]
	var (
		seen    = make(map[uint32]textObject)
		current textObject
		last    uint32
		sorted  = true
		missing []unmapped
	)
	for k := 0; k < count && i.err == nil; k++ {
		c := chars.at(k)
		object := c.object()
		if object == 0 || c.kind() == charGenerated {
			continue
		}
		if object != last {
			var ok bool
			if current, ok = seen[object]; !ok {
				current = f.readTextObject(uint64(object), c.matrix(), g, into)
				p := w.placeOf(object)
				current.ordinal, current.mcid, current.artifact = p.ordinal, p.mcid, p.artifact
				seen[object] = current
				if k := int(p.ordinal); k < len(into.Texts) {
					into.Texts[k].Unsure = into.Texts[k].Unsure || current.unsure
				}
			}
			last = object
		}
		glyph, code := current.glyph(c, g)
		if glyph.Rune == 0 { // never joined to the glyph before
			missing = append(missing, unmapped{len(into.Glyphs), code})
		}
		if n := len(into.Glyphs); n > 0 {
			prev := &into.Glyphs[n-1]
			if joins(prev, &glyph) {
				appendRune(prev, glyph.Rune)
				continue
			}
			sorted = sorted && prev.Object <= glyph.Object
		}
		into.Glyphs = append(into.Glyphs, glyph)
	}
	if len(missing) > 0 {
		f.recoverRunes(missing, into)
	}
	for k := range into.Glyphs {
		if g := &into.Glyphs[k]; g.Extra != "" {
			g.Rune, g.Extra = orderLetters(g.Rune, g.Extra)
		}
	}
	// PDFium moves text objects within what it takes for a line; the layout wants the file's order.
	if !sorted {
		slices.SortStableFunc(into.Glyphs, func(a, b document.Glyph) int { return int(a.Object) - int(b.Object) })
	}
}

// readTextObject reads what the text object has in common. m is its way into the page's user space.
func (f *File) readTextObject(object uint64, m matrix, g geometry, into *document.Content) textObject {
	i := f.inst
	t := textObject{font: f.font(i.ptr(fnTextObjGetFont, object), into), color: black}
	t.charset = charsetOf(into.Fonts[t.font].Name)
	t.mode = uint8(max(i.num(fnTextObjGetTextRenderMode, object), 0))
	if c, ok := i.color(fnPageObjGetFillColor, object); ok {
		t.color = c
	} else {
		t.unsure = true // a pattern
	}
	const stroked, strokedAndClipping = 1, 5
	t.unsure = t.unsure || t.mode == stroked || t.mode == strokedAndClipping
	size := 0.0
	if i.ok(fnTextObjGetFontSize, object, i.at(0)) {
		size = f32(i.out(0, 4))
	}
	t.size = math.Abs(size) * math.Hypot(m.c, m.d)
	dx, dy := g.toPage.vector(m.a, m.b)
	if size < 0 {
		dx, dy = -dx, -dy
	}
	t.angle = degrees(dx, dy)
	return t
}

// degrees is the direction of (dx, dy) on a page (y down) in degrees clockwise, in [0, 360). Directions
// within a hundredth of a degree of a quarter turn are that quarter turn: matrices are rounded.
func degrees(dx, dy float64) float64 {
	if dx == 0 && dy == 0 {
		return 0
	}
	a := math.Atan2(dy, dx) * 180 / math.Pi
	if q := math.Round(a/90) * 90; math.Abs(a-q) < 0.01 {
		a = q
	}
	if a < 0 {
		a += 360
	}
	return a
}

// hyphenMark is what PDFium gives instead of a hyphen at the end of a line.
const hyphenMark = 2

// glyph makes a glyph of one of the object's characters. code is its Unicode, or its code in the font when the glyph is
// invalid.
func (t *textObject) glyph(c char, g geometry) (glyph document.Glyph, code uint32) {
	code = c.unicode()
	r := t.charset.translate(rune(code))
	glyph = document.Glyph{
		Rune: r, Code: c.code(), Size: t.size, Angle: t.angle, Font: t.font, Object: t.ordinal, MCID: t.mcid, Artifact: t.artifact, Color: t.color, Mode: t.mode,
		Invalid: c.kind() == charUnmapped,
	}
	if r != rune(code) {
		glyph.Rune, glyph.Invalid = r, false
	}
	switch {
	case r == hyphenMark && c.kind() == charHyphen:
		glyph.Rune, glyph.Hyphen = '-', true
	case r == '\t' && !glyph.Invalid:
		glyph.Rune = ' ' // some fonts call their space so
	case isPrivate(r) && !glyph.Invalid:
		glyph.Invalid = true
	case glyph.Invalid || r < ' ' || r >= 0x7F && r < 0xA0 || r == 0xFFFD || r == 0xFFFE || r == 0xFFFF || code > 0x10FFFF:
		// PDFium puts the font's character code there, which means nothing to a reader.
		glyph.Rune, glyph.Invalid = 0, true
	}
	glyph.Box, glyph.Loose = c.box(charBox, g), c.box(charLoose, g)
	glyph.OriginX, glyph.OriginY = g.toPage.point(c.f32(charOrigin), c.f32(charOrigin+4))
	temper(&glyph)
	return glyph, code
}

// What a loose box may measure across the baseline, in font sizes, and what it gets when that is
// exceeded. Mathematical fonts (Cambria) and symbol fonts claim five times their size, to make room for
// brackets; with that every line would touch its neighbours.
const (
	tallest = 1.8
	ascent  = 0.95
	descent = 0.25
)

// temper cuts the loose box of a glyph whose font exaggerates. Only text along an axis has a box that
// tells the size across the baseline.
func temper(g *document.Glyph) {
	up, down := ascent*g.Size, descent*g.Size
	b := &g.Loose
	switch {
	case g.Size <= 0:
	case (g.Angle == 0 || g.Angle == 180) && b.Height() > tallest*g.Size:
		if g.Angle == 180 {
			up, down = down, up
		}
		b.Top, b.Bottom = g.OriginY-up, g.OriginY+down
	case (g.Angle == 90 || g.Angle == 270) && b.Width() > tallest*g.Size:
		if g.Angle == 90 { // the top of the letters points right
			up, down = down, up
		}
		b.Left, b.Right = g.OriginX-up, g.OriginX+down
	}
}

// joins reports whether next is a further character of the glyph prev: PDFium lists the characters of a
// ligature, or the halves of a surrogate pair, one by one at the same place.
func joins(prev, next *document.Glyph) bool {
	return prev.Object == next.Object && prev.OriginX == next.OriginX && prev.OriginY == next.OriginY &&
		prev.Box == next.Box && prev.Rune != 0 && next.Rune != 0 && prev.Rune != ' ' && next.Rune != ' '
}

// appendRune adds a further character to g.
func appendRune(g *document.Glyph, r rune) {
	if g.Extra == "" && utf16.IsSurrogate(g.Rune) && utf16.IsSurrogate(r) {
		g.Rune = utf16.DecodeRune(g.Rune, r)
		return
	}
	g.Extra += string(r)
}

// black is opaque black, the colour of everything that names none.
const black = 0x000000FF

// color reads a fill or stroke colour as 0xRRGGBBAA; not ok for patterns and where none is set.
func (i *instance) color(f function, object uint64) (rgba uint32, ok bool) {
	if !i.ok(f, object, i.at(0), i.at(4), i.at(8), i.at(12)) {
		return 0, false
	}
	b := i.out(0, 16)
	return u32(b)&0xFF<<24 | u32(b[4:])&0xFF<<16 | u32(b[8:])&0xFF<<8 | u32(b[12:])&0xFF, true
}
