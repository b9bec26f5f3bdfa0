package layout

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A mark is what a list item begins with.
type mark struct {
	text    string // as printed: "•", "(a)", "iv."; "" for none
	pieces  int    // pieces of the line that make it up
	kind    markKind
	number  int  // its value when ordered
	certain bool // needs no siblings: a glyph that is printed for nothing else
}

type markKind uint8

const (
	bulletMark markKind = iota
	numberMark
	lowerMark // a, b, c
	upperMark
	lowerRomanMark
	upperRomanMark
)

// findMarks finds the lines that begin list items. A bullet glyph is one by itself; a number, a letter or a dash
// only with a sibling (the same kind of mark, the next or previous number, at the same left edge) or with the
// following line set in to where its own text starts.
func findMarks(lines []line) []mark {
	marks := make([]mark, len(lines))
	for i := range lines {
		marks[i] = readMark(&lines[i])
	}
	confirmed := make([]bool, len(lines))
	lastOf := make(map[markKind]int) // the last line with a mark of the kind
	for i := range marks {
		if marks[i].text == "" {
			continue
		}
		marks[i] = readLetter(marks[i], marks, lastOf)
		m := marks[i]
		confirmed[i] = confirmed[i] || m.certain || hangs(lines, i, m)
		if k, ok := lastOf[m.kind]; ok && siblings(&lines[k], &lines[i], marks[k], m) {
			confirmed[i], confirmed[k] = true, true
		}
		lastOf[m.kind] = i
	}
	for i := range marks {
		if marks[i].text != "" && (!confirmed[i] || titled(lines, marks, i)) {
			marks[i] = mark{}
		}
	}
	return marks
}

// hangs reports whether the line after i starts where the text after the mark starts.
func hangs(lines []line, i int, m mark) bool {
	if i+1 == len(lines) {
		return false
	}
	l, next := &lines[i], &lines[i+1]
	text := l.pieces[m.pieces].box.Left
	return math.Abs(next.box.Left-text) < 0.4*l.size && text-l.box.Left > 0.8*l.size && next.base-l.base < 2*l.size &&
		next.style.bold == l.style.bold
}

// readLetter decides between the two readings of letters that are Roman numbers: "i" follows "h", "v" follows "iv".
func readLetter(m mark, marks []mark, lastOf map[markKind]int) mark {
	other := m
	letter := strings.Trim(m.text, "().")
	value, ok := roman(letter)
	if !ok || len(letter) != 1 {
		return m
	}
	switch m.kind {
	case lowerMark:
		other.kind, other.number = lowerRomanMark, value
	case upperMark:
		other.kind, other.number = upperRomanMark, value
	case lowerRomanMark:
		other.kind, other.number = lowerMark, int(letter[0]-'a')+1
	case upperRomanMark:
		other.kind, other.number = upperMark, int(letter[0]-'A')+1
	default:
		return m
	}
	if k, found := lastOf[other.kind]; found && marks[k].number+1 == other.number {
		return other
	}
	return m
}

func siblings(a, b *line, ma, mb mark) bool {
	if math.Abs(a.box.Left-b.box.Left) > 1.2*b.size && math.Abs(a.pieces[ma.pieces].box.Left-b.pieces[mb.pieces].box.Left) > 0.5*b.size {
		return false
	}
	if ma.kind == bulletMark {
		return ma.text == mb.text
	}
	return mb.number == ma.number+1
}

// titled reports whether a numbered line is a title and no item: set in bold or larger than the text that
// follows it, which is not an item as well.
func titled(lines []line, marks []mark, i int) bool {
	if marks[i].kind == bulletMark || i+1 == len(lines) {
		return false
	}
	l, next := &lines[i], &lines[i+1]
	if marks[i+1].text != "" && marks[i+1].kind == marks[i].kind {
		return false
	}
	return l.style.bold && !next.style.bold || l.size > 1.1*next.size
}

// readMark reads a mark off the start of a line. The mark must stand apart from text that follows it.
func readMark(l *line) mark {
	// Marks of two pieces are letters of which one is styled: "(" "a" ")"; they are glued.
	text := ""
	for k := 0; k < len(l.pieces)-1 && k < 3; k++ {
		text += l.pieces[k].text
		if l.pieces[k+1].glue {
			continue
		}
		if l.pieces[0].sup {
			return mark{}
		}
		m := parseMark(text)
		m.pieces = k + 1
		if m.text == "o" && l.pieces[k+1].box.Left-l.pieces[k].box.Right < 0.6*l.size {
			return mark{}
		}
		return m
	}
	return mark{}
}

// bullets that are printed for nothing else.
const bullets = "•‣◦▪▫■□●○◆◇◼◻➢➤➔✓✔✗✘❖❑❒♦★☐☑⮚►▶▸⚫⁃∙\uF0B7\uF0A7\uF0D8\uF0FC\uF076\uF0A8\uF071\uF0E0\uF02D\uF0A0"

func parseMark(s string) mark {
	r, n := utf8.DecodeRuneInString(s)
	if n == len(s) {
		switch {
		case strings.ContainsRune(bullets, r):
			return mark{text: bulletText(r), certain: true}
		case unicode.Is(unicode.Co, r), r == invalidRune: // known to their font alone
			return mark{text: "•"}
		case strings.ContainsRune("-–—*·o→", r):
			return mark{text: s}
		}
		return mark{}
	}
	inner := strings.TrimPrefix(s, "(")
	body := strings.TrimRight(inner, ".)")
	// "1.", "1)", "(1)": exactly one closing character.
	if len(inner)-len(body) != 1 || body == "" {
		return mark{}
	}
	if v, ok := decimal(body); ok {
		return mark{text: s, kind: numberMark, number: v}
	}
	if v, ok := roman(body); ok && len(body) > 1 || body == "i" || body == "I" {
		if strings.ToLower(body) == body {
			return mark{text: s, kind: lowerRomanMark, number: v}
		}
		return mark{text: s, kind: upperRomanMark, number: v}
	}
	if len(body) == 1 && body[0] >= 'a' && body[0] <= 'z' {
		return mark{text: s, kind: lowerMark, number: int(body[0]-'a') + 1}
	}
	if len(body) == 1 && body[0] >= 'A' && body[0] <= 'Z' {
		return mark{text: s, kind: upperMark, number: int(body[0]-'A') + 1}
	}
	return mark{}
}

// bulletText shows Symbol and Wingdings bullets, which have private characters, as the bullets that they are.
func bulletText(r rune) string {
	switch r {
	case 0xF0B7, 0xF0A0:
		return "•"
	case 0xF0A7, 0xF06E:
		return "▪"
	case 0xF0D8:
		return "➢"
	case 0xF0FC:
		return "✓"
	case 0xF076:
		return "❖"
	case 0xF02D:
		return "-"
	case 0xF0A8, 0xF071:
		return "□"
	case 0xF0E0:
		return "→"
	}
	return string(r)
}

func decimal(s string) (int, bool) {
	if len(s) > 3 {
		return 0, false
	}
	v := 0
	for _, r := range s {
		if r < '0' || r > '9' {
			return 0, false
		}
		v = 10*v + int(r-'0')
	}
	return v, true
}

// roman reads a roman number below 90.
func roman(s string) (int, bool) {
	value := map[rune]int{'i': 1, 'v': 5, 'x': 10, 'l': 50}
	if lower := strings.ToLower(s); s != lower && s != strings.ToUpper(s) {
		return 0, false
	}
	total, last := 0, 0
	for _, r := range strings.ToLower(s) {
		v, ok := value[r]
		if !ok || len(s) > 7 {
			return 0, false
		}
		if total += v; v > last {
			total -= 2 * last
		}
		last = v
	}
	return total, total > 0
}
