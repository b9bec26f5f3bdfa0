package layout

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// plainForm gives the characters that a presentation form stands for: fonts map ligatures, joined Arabic letters and
// the radicals of ideographs to code points that were made for the look and that nobody searches for. Forms that
// carry meaning (superscripts, fullwidth letters, mathematical alphabets) stay. It gives "" for what is no such form.
func plainForm(r rune) string {
	switch {
	case r < 0x2E80:
		return ""
	case r < 0x2F00:
		if _, after, ok := strings.Cut(radicals, string(r)); ok {
			ideograph, _ := utf8.DecodeRuneInString(after)
			return string(ideograph)
		}
	case r >= 0x2F00 && r <= 0x2FD5, // Kangxi radicals
		r >= 0xFB00 && r <= 0xFB4F, // Latin and Armenian ligatures, Hebrew letters with points
		// Arabic letters and ligatures, without the signs that are whole phrases.
		r >= 0xFB50 && r <= 0xFDF9, r >= 0xFE80 && r <= 0xFEFC:
		if s := norm.NFKC.String(string(r)); s != string(r) {
			return s
		}
	case r >= 0xFE10 && r <= 0xFE19, r >= 0xFE35 && r <= 0xFE44, r >= 0xFE47 && r <= 0xFE48, r == 0xFE31: // for vertical text
		s := []rune(norm.NFKD.String(string(r)))
		if s[0] < 0x80 {
			s[0] += 0xFEE0 // fullwidth, as beside ideographs
		}
		return string(s)
	case r >= 0xFE70 && r <= 0xFE7F: // Arabic vowel signs over a space or a line that joins letters
		for _, part := range norm.NFKD.String(string(r)) {
			if unicode.Is(unicode.Mn, part) {
				return string(part)
			}
		}
	}
	return ""
}

// radicals pairs the CJK radicals that are drawn like an ideograph of their own with that ideograph, where the
// compatibility mappings leave them out (Unicode: EquivalentUnifiedIdeograph). Radicals that are only ever parts of
// ideographs are not text.
const radicals = "" +
	"⺁厂⺄乙⺊卜⺌小⺎兀⺒巳⺓幺⺛旡⺜日⺝月⺞歺⺟母⺠民⺧牛⺩王⺬示⺶羊⺻聿" +
	"⺼肉⺽臼⻁虎⻄西⻅见⻆角⻉贝⻋车⻑長⻓长⻔门⻗雨⻘青⻙韦⻚页⻛风⻜飞⻝食" +
	"⻢马⻣骨⻤鬼⻥鱼⻦鸟⻧卤⻨麦⻩黄⻪黾⻫斉⻬齐⻭歯⻮齿⻯竜⻰龙⻱龜⻲亀⻳龟"
