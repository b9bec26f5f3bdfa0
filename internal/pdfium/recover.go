package pdfium

import (
	"encoding/binary"

	"github.com/ragify/ragify/internal/document"
)

// unmapped is a glyph for which the file gives no Unicode: PDFium offers its character code instead.
type unmapped struct {
	glyph int // index in Content.Glyphs
	code  uint32
}

// maxFontData bounds the embedded fonts looked into, in bytes.
const maxFontData = 32 << 20

// recoverable is the share of a font's unmapped codes that has to make sense for any of them to be
// believed: a guess that fits half of the text fits by chance.
const recoverable = 0.8

// reading is a guess at what a font's character codes mean; 0 for codes that it cannot explain.
type reading func(code uint32) rune

// recoverRunes finds characters for glyphs without a Unicode mapping, font by font. Some files can be
// helped: those with an embedded TrueType font that has a character map of its own, where the codes are
// glyph numbers or Unicode already, and those with bitmap fonts whose codes are ASCII.
func (f *File) recoverRunes(missing []unmapped, into *document.Content) {
	byFont := make(map[int32][]unmapped)
	for _, m := range missing {
		font := into.Glyphs[m.glyph].Font
		byFont[font] = append(byFont[font], m)
	}
	for _, e := range f.fonts {
		group := byFont[e.index]
		if len(group) == 0 {
			continue
		}
		var readings []reading
		if runes := runesByGlyph(f.fontData(e.handle)); runes != nil {
			readings = fontReadings(runes)
		} else if into.Fonts[e.index].Name == "" { // Type 3: drawings instead of a font program
			readings = []reading{asciiReading(group)}
		}
		if r := bestReading(group, readings); r != nil {
			for _, m := range group {
				if c := r(m.code); c != 0 {
					into.Glyphs[m.glyph].Rune, into.Glyphs[m.glyph].Invalid = c, false
				}
			}
		}
	}
}

// fontReadings are the meanings that codes may have in a font with the given characters by glyph number.
func fontReadings(runes map[uint32]rune) []reading {
	has := make(map[rune]bool, len(runes))
	for _, r := range runes {
		has[r] = true
	}
	return []reading{
		func(code uint32) rune { return runes[code] },
		func(code uint32) rune {
			if has[rune(code)] {
				return rune(code)
			}
			return 0
		},
	}
}

// asciiReading takes codes for ASCII where they read like text, else it explains nothing. Fonts that number
// their glyphs as they come use the codes from the start of the range: mostly punctuation.
func asciiReading(group []unmapped) reading {
	wordy := 0
	for _, m := range group {
		switch c := m.code; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == ' ', c == '.', c == ',':
			wordy++
		}
	}
	if float64(wordy) < recoverable*float64(len(group)) {
		return func(uint32) rune { return 0 }
	}
	return func(code uint32) rune {
		if code >= ' ' && code <= '~' {
			return rune(code)
		}
		return 0
	}
}

// bestReading is the reading that explains enough of the codes, nil when there is none; of several the
// one with the most small letters and spaces, which text is made of.
func bestReading(group []unmapped, readings []reading) (best reading) {
	most := -1
	for _, r := range readings {
		known, common := 0, 0
		for _, m := range group {
			c := r(m.code)
			if c != 0 {
				known++
			}
			if c == ' ' || c >= 'a' && c <= 'z' {
				common++
			}
		}
		if float64(known) >= recoverable*float64(len(group)) && common > most {
			best, most = r, common
		}
	}
	return best
}

// fontData is the program of an embedded font, nil when there is none. The result is a copy.
func (f *File) fontData(font uint64) []byte {
	i := f.inst
	if i.num(fnFontGetIsEmbedded, font) != 1 || !i.ok(fnFontGetFontData, font, 0, 0, i.at(0)) {
		return nil
	}
	size := u32(i.out(0, 4))
	if size == 0 || size > maxFontData {
		return nil
	}
	p := i.alloc(int(size))
	if p == 0 {
		return nil
	}
	defer i.free(p)
	if !i.ok(fnFontGetFontData, font, uint64(p), uint64(size), i.at(0)) {
		return nil
	}
	return append([]byte(nil), i.read(p, int(size))...)
}

// runesByGlyph turns the character map of a TrueType font around: glyph number to character. Where
// several characters share a glyph the smallest wins. nil when data is no such font or has no usable map.
func runesByGlyph(data []byte) map[uint32]rune {
	b := sfnt(data)
	if version := b.u32(0); version != 0x00010000 && version != 0x74727565 { // 'true'
		return nil
	}
	var table sfnt
	for k := range int(b.u16(4)) {
		if record := 12 + 16*k; b.u32(record) == 0x636D6170 { // 'cmap'
			table = b.from(int(b.u32(record + 8)))
		}
	}
	m := characterMap{runes: make(map[uint32]rune), budget: maxAssignments}
	for k := range int(table.u16(2)) {
		record := 4 + 8*k
		platform, encoding := table.u16(record), table.u16(record+2)
		if unicode := platform == 0 || platform == 3 && (encoding == 1 || encoding == 10); !unicode {
			continue
		}
		switch sub := table.from(int(table.u32(record + 4))); sub.u16(0) {
		case 4:
			sub.segments(&m)
		case 12:
			sub.groups(&m)
		}
	}
	if len(m.runes) == 0 {
		return nil
	}
	return m.runes
}

// sfnt is font data; reading beyond its end gives zero.
type sfnt []byte

func (b sfnt) u16(at int) uint32 {
	if at < 0 || at+2 > len(b) {
		return 0
	}
	return uint32(binary.BigEndian.Uint16(b[at:]))
}

func (b sfnt) u32(at int) uint32 {
	if at < 0 || at+4 > len(b) {
		return 0
	}
	return binary.BigEndian.Uint32(b[at:])
}

// from is the part of b from at, empty when that is beyond the end.
func (b sfnt) from(at int) sfnt {
	if at <= 0 || at >= len(b) {
		return nil
	}
	return b[at:]
}

// segments reads a format 4 subtable: ranges of the basic plane.
func (b sfnt) segments(m *characterMap) {
	n := int(b.u16(6) / 2)
	for k := range n {
		end, start := b.u16(14+2*k), b.u16(16+2*n+2*k)
		delta, offset := b.u16(16+4*n+2*k), b.u16(16+6*n+2*k)
		for c := start; c <= end && c != 0xFFFF && m.budget > 0; c++ {
			glyph := c + delta
			if offset != 0 {
				// The offset counts from its own place in the table.
				if glyph = b.u16(16 + 6*n + 2*k + int(offset) + 2*int(c-start)); glyph != 0 {
					glyph += delta
				}
			}
			m.assign(glyph&0xFFFF, c)
		}
	}
}

// groups reads a format 12 subtable: ranges of all planes.
func (b sfnt) groups(m *characterMap) {
	const maxGlyphs = 0xFFFF
	n := min(b.u32(12), uint32(len(b)/12))
	for k := range int(n) {
		start, end, glyph := b.u32(16+12*k), b.u32(20+12*k), b.u32(24+12*k)
		for c := start; c <= end && c <= 0x10FFFF && glyph <= maxGlyphs && m.budget > 0; c, glyph = c+1, glyph+1 {
			m.assign(glyph, c)
		}
	}
}

// maxAssignments bounds the work on one font: no real one has so many characters.
const maxAssignments = 1 << 20

// characterMap collects the characters of a font by glyph number.
type characterMap struct {
	runes  map[uint32]rune
	budget int
}

// assign notes that glyph shows character c. Control characters say nothing of what a glyph looks like.
func (m *characterMap) assign(glyph, c uint32) {
	m.budget--
	if old, ok := m.runes[glyph]; glyph != 0 && c >= ' ' && (!ok || rune(c) < old) {
		m.runes[glyph] = rune(c)
	}
}
