package pdfium

import (
	"slices"
	"strings"
	"unicode"
)

// orderLetters puts the characters of a right-to-left ligature into the order in which they are read. PDFium turns
// round what it takes for right-to-left text, and the characters of a glyph with it, but not those that it makes of a
// presentation form itself. No glyph shows alef before lam, and marks follow their letter; what tells nothing has been
// turned round, for the ligatures among the presentation forms are the ones with lam and alef, and rare.
func orderLetters(first rune, extra string) (rune, string) {
	if !unicode.In(first, unicode.Arabic, unicode.Hebrew, unicode.Inherited) {
		return first, extra
	}
	runes := append([]rune{first}, []rune(extra)...)
	const (
		alefs = "اأإآٱ"
		allah = "هللا" // the one usual ligature with both orders in it
	)
	whole := string(runes) == allah
	for i := 1; i < len(runes) && !whole; i++ {
		if runes[i-1] == 'ل' && strings.ContainsRune(alefs, runes[i]) {
			return first, extra
		}
	}
	if !unicode.Is(unicode.Mn, runes[0]) && unicode.Is(unicode.Mn, runes[len(runes)-1]) {
		return first, extra
	}
	slices.Reverse(runes)
	return runes[0], string(runes[1:])
}
