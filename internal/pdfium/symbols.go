package pdfium

import "strings"

// charset is what the codes of a symbol font mean. Word processors leave them as they are, or move them
// to U+F000…U+F0FF, for want of a mapping to Unicode.
type charset uint8

const (
	charsetUnicode charset = iota
	charsetSymbol
	charsetWingdings
)

// charsetOf tells by a font's name.
func charsetOf(fontName string) charset {
	switch name := strings.ToLower(fontName); {
	case strings.HasPrefix(name, "wingdings2"), strings.HasPrefix(name, "wingdings3"),
		strings.HasPrefix(name, "wingdings 2"), strings.HasPrefix(name, "wingdings 3"),
		strings.HasPrefix(name, "wingdings-2"), strings.HasPrefix(name, "wingdings-3"):
		return charsetUnicode // other pictures; nobody sets bullets in them
	case strings.HasPrefix(name, "wingdings"):
		return charsetWingdings
	case strings.HasPrefix(name, "symbol"):
		return charsetSymbol
	}
	return charsetUnicode
}

// symbolLow and symbolHigh are Adobe's Symbol encoding (PDF 32000-1 annex D.5) from 0x20 and 0xA0; a blank
// beyond the first place means that there is no such character.
const (
	symbolLow  = " !∀#∃%&∋()∗+,−./0123456789:;<=>?≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_‾αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼"
	symbolHigh = "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊〈®©™∑⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪ 〉∫⌠⎮⌡⎞⎟⎠⎤⎥⎦⎫⎬⎭"
)

// wingdings has the characters of that font that occur in documents: bullets, boxes, marks, arrows.
// The list of all is Unicode's L2/11-052.
var wingdings = map[rune]rune{
	0x28: '☎', 0x2A: '✉', 0x46: '☞', 0x4A: '☺', 0x6C: '●', 0x6D: '❍', 0x6E: '■', 0x6F: '□', 0x70: '❐',
	0x71: '❑', 0x72: '❒', 0x73: '⬧', 0x74: '⧫', 0x75: '◆', 0x76: '❖', 0x77: '⬥',
	0x81: '①', 0x82: '②', 0x83: '③', 0x84: '④', 0x85: '⑤', 0x86: '⑥', 0x87: '⑦', 0x88: '⑧', 0x89: '⑨', 0x8A: '⑩',
	0x8C: '❶', 0x8D: '❷', 0x8E: '❸', 0x8F: '❹', 0x90: '❺', 0x91: '❻', 0x92: '❼', 0x93: '❽', 0x94: '❾', 0x95: '❿',
	0x9E: '·', 0x9F: '•', 0xA1: '○', 0xA4: '◉', 0xA7: '▪', 0xA8: '◻', 0xD8: '➢', 0xDF: '←', 0xE0: '→', 0xE1: '↑', 0xE2: '↓',
	0xE8: '➔', 0xF0: '⇨', 0xFB: '✗', 0xFC: '✓', 0xFD: '☒', 0xFE: '☑',
}

// translate gives the character that r, taken from a font of charset s, shows; r itself when it is
// Unicode already.
func (s charset) translate(r rune) rune {
	private := r >= 0xF020 && r <= 0xF0FF
	if s == charsetUnicode || r > 0xFF && !private {
		return r
	}
	code := r & 0xFF
	switch s {
	case charsetWingdings:
		if c, ok := wingdings[code]; ok {
			return c
		}
	case charsetSymbol:
		if !private {
			return r // PDFium knows Symbol's own encoding
		}
		table, at := symbolLow, code-0x20
		if code >= 0xA0 {
			table, at = symbolHigh, code-0xA0
		}
		if c := []rune(table); int(at) < len(c) && (c[at] != ' ' || code == ' ') {
			return c[at]
		}
	}
	return r
}

// isPrivate reports whether r is of the private use area: a picture known to its font alone.
func isPrivate(r rune) bool { return r >= 0xE000 && r <= 0xF8FF }
