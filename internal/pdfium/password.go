package pdfium

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

// usedBytes is how much of a password the AES-256 schemes use (PDF 32000-2, 7.6.4.3.2). The older ones use 32 bytes,
// which PDFium sees to.
const usedBytes = 127

// encodings are the byte strings that a file's encryption may have been made with when its password is p, the likeliest
// first. AES-256 wants UTF-8 after SASLprep, and the older schemes PDFDocEncoding (PDF 32000-2, 7.6.4.1); programs of the
// time took what the system had, which for most was Windows-1252. A password of a few ASCII characters gives itself alone.
func encodings(p string) []string {
	prepared := prepare(p)
	composed := norm.NFC.String(p) // code pages have no combining accents
	out := []string{p, prepared}
	if s, ok := encodePDFDoc(composed); ok {
		out = append(out, s)
	}
	if s, err := charmap.Windows1252.NewEncoder().String(composed); err == nil {
		out = append(out, s)
	}
	for _, s := range out {
		out = append(out, s[:min(len(s), usedBytes)])
	}
	var distinct []string
	for _, s := range out {
		if s != "" && !slices.Contains(distinct, s) {
			distinct = append(distinct, s)
		}
	}
	return distinct
}

// prepare is SASLprep (RFC 4013) without its prohibitions: a password that breaks them is for the file to refuse.
func prepare(p string) string {
	return norm.NFKC.String(strings.Map(func(r rune) rune {
		switch {
		case r > unicode.MaxASCII && (unicode.Is(unicode.Zs, r) || r == '\u200b'):
			return ' ' // RFC 3454, table C.1.2
		case mappedToNothing(r):
			return -1
		}
		return r
	}, p))
}

// mappedToNothing tells whether r is in table B.1 of RFC 3454.
func mappedToNothing(r rune) bool {
	switch {
	case r == '\u00ad', r == '\u034f', r == '\u1806', r == '\u2060', r == '\ufeff':
		return true
	case r >= '\u180b' && r <= '\u180d', r >= '\u200b' && r <= '\u200d', r >= '\ufe00' && r <= '\ufe0f':
		return true
	}
	return false
}

// pdfDocEncoding has the characters of PDFDocEncoding that are at other codes than in Latin-1 (PDF 32000-2, D.3), in
// stretches by their first code.
var pdfDocEncoding = [...]struct {
	first byte
	runes string
}{
	{0x18, "˘ˇˆ˙˝˛˚˜"},
	{0x80, "•†‡…—–ƒ⁄‹›−‰„“”‘’‚™ﬁﬂŁŒŠŸŽıłœšž"},
	{0xa0, "€"},
}

// encodePDFDoc writes s in PDFDocEncoding; ok is false when it cannot.
func encodePDFDoc(s string) (encoded string, ok bool) {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		b, ok := pdfDocByte(r)
		if !ok {
			return "", false
		}
		out = append(out, b)
	}
	return string(out), true
}

func pdfDocByte(r rune) (b byte, ok bool) {
	for _, stretch := range pdfDocEncoding {
		for i, other := range []rune(stretch.runes) {
			if other == r {
				return stretch.first + byte(i), true
			}
		}
	}
	// The codes of these are taken, or undefined.
	taken := r >= 0x18 && r < 0x20 || r >= 0x7f && r <= 0xa0 || r == 0xad
	return byte(r), r <= 0xff && !taken
}
