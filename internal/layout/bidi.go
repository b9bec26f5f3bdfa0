package layout

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"

	"github.com/ragify/ragify/internal/document"
)

// A PDF places glyphs; it does not say in which order they are read. Scripts that run from right to left come in any
// order: some producers show the letters of a word from left to right, others from right to left, and the numbers and
// Latin words between them again from left to right. Only the places are certain. Therefore:
//
//   - On a page most of whose letters run from right to left all stages work in a mirrored frame (see orient): what is
//     read first is on the left there. Columns, indents, list marks and the columns of tables need no rules of
//     their own; the first column of a table is the one at the right.
//   - Fragments keep their characters in the order of the frame. Where text becomes a line, or is matched against a
//     pattern, logicalPieces undoes what the Unicode bidirectional algorithm (UAX #9) did when the line was set: the
//     runs against the line's direction are turned round. Where several texts would have been set as the same line,
//     the one without explicit directional marks is taken.

// A bidiClass is what the order of a character depends on: UAX #9, table 4, with what acts alike united.
type bidiClass uint8

const (
	neutralClass    bidiClass = iota // spaces, brackets, most punctuation
	leftClass                        // L: a letter that is read from left to right
	rightClass                       // R, AL
	numberClass                      // EN: 0…9
	arabicNumber                     // AN
	signClass                        // ES: plus, minus
	commaClass                       // CS: comma, full stop, colon, slash
	terminatorClass                  // ET: percent, currencies, degree
)

// A bidiUnit is a character with its marks, or a ligature: what keeps its inner order.
type bidiUnit struct {
	text  string
	class bidiClass
	piece int // -1 for the space between pieces
	at    int // in the piece
}

func classOf(r rune) bidiClass {
	p, _ := bidi.LookupRune(r)
	switch p.Class() {
	case bidi.L:
		return leftClass
	case bidi.R, bidi.AL:
		return rightClass
	case bidi.EN:
		return numberClass
	case bidi.AN:
		return arabicNumber
	case bidi.ES:
		return signClass
	case bidi.CS:
		return commaClass
	case bidi.ET:
		return terminatorClass
	}
	return neutralClass
}

// rtl reports whether r is a letter of a right-to-left script.
func rtl(r rune) bool {
	return r >= 0x590 && r <= 0x1EEFF && (r < 0x900 || r >= 0xFB1D) && classOf(r) == rightClass
}

// logicalPieces gives pieces in the order in which they are read, with their characters in that order. They come in
// the order of the frame, and are given back as they are on pages without right-to-left text. Its cost is linear.
func logicalPieces(shown []piece) []piece {
	if len(shown) == 0 || shown[0].shown == nil {
		return shown
	}
	units, right, left := bidiUnits(shown)
	mirrored := shown[0].mirrored
	if right == 0 && !mirrored {
		return shown
	}
	toRight := readsLeftToRight(units, right, left, mirrored)
	if toRight == mirrored {
		slices.Reverse(units)
	}
	if toRight {
		turnRightRuns(units)
	} else {
		turnLeftRuns(units)
	}
	if right > 0 {
		pairBrackets(units)
	}
	return unitPieces(units, shown)
}

// bidiUnits takes pieces apart and counts the letters of both directions.
func bidiUnits(shown []piece) (units []bidiUnit, right, left int) {
	n := 0
	for i := range shown {
		n += len(shown[i].shown) + 1
	}
	units = make([]bidiUnit, 0, n)
	for i := range shown {
		if i > 0 && !shown[i].glue {
			units = append(units, bidiUnit{text: " ", class: neutralClass, piece: -1})
		}
		for k, s := range shown[i].shown {
			u := bidiUnit{text: s, piece: i, at: k}
			for _, r := range s {
				u.class = classOf(r)
				break
			}
			switch u.class {
			case rightClass:
				right++
			case leftClass:
				left++
			}
			units = append(units, u)
		}
	}
	return units, right, left
}

// fewOwn is the share of a line's letters below which it has not the direction of its page.
const fewOwn = 0.3

// readsLeftToRight decides the direction of a line. The page's direction prevails unless few of its letters have it:
// a line about products has more Latin letters than others, a line of another language has hardly anything else. What
// has no letters is a number, read from left to right as everywhere, but for the mark of an item: ".1".
func readsLeftToRight(units []bidiUnit, right, left int, mirrored bool) bool {
	switch {
	case right+left > 0 && mirrored:
		return float64(right) < fewOwn*float64(right+left)
	case right+left > 0:
		return float64(left) >= fewOwn*float64(right+left)
	case !mirrored:
		return true
	}
	last := units[len(units)-1].text
	return len(units) < 2 || last != "." && last != ")" || strings.ContainsAny(units[0].text, "(.")
}

// turnLeftRuns turns round the left-to-right runs of a line whose units are given from right to left: words with the
// numbers, spaces and signs between them, and numbers that stand alone.
func turnLeftRuns(units []bidiUnit) {
	arabic := slices.ContainsFunc(units, func(u bidiUnit) bool { return u.class == rightClass && isArabic(u.text) })
	for i := 0; i < len(units); {
		if c := units[i].class; c != leftClass && c != numberClass && c != arabicNumber {
			if end := numberEnd(units, i, arabic); end > i {
				slices.Reverse(units[i:end])
				i = end
			} else {
				i++
			}
			continue
		}
		end, words := i, false
		for k := i; k < len(units) && units[k].class != rightClass && units[k].class != arabicNumber; k++ {
			if units[k].class == leftClass || units[k].class == numberClass {
				words = words || units[k].class == leftClass
				end = k + 1
			}
		}
		if !words {
			end = max(numberEnd(units, i, arabic), i+1)
			slices.Reverse(units[i:end])
			i = end
			continue
		}
		from, to := withMates(units, i, end)
		slices.Reverse(units[from:to])
		i = to
	}
}

// turnRightRuns turns round the right-to-left runs of a line whose units are given from left to right: words with what
// stands between them. Numbers among them keep their order.
func turnRightRuns(units []bidiUnit) {
	for i := 0; i < len(units); {
		if c := units[i].class; c != rightClass && c != arabicNumber {
			i++
			continue
		}
		end := i + 1
		for k := end; k < len(units) && units[k].class != leftClass; k++ {
			if units[k].class == rightClass || units[k].class == arabicNumber {
				end = k + 1
			}
		}
		run := units[i:end]
		slices.Reverse(run)
		arabic := slices.ContainsFunc(run, func(u bidiUnit) bool { return isArabic(u.text) })
		for k := 0; k < len(run); {
			to := numberEnd(run, k, arabic)
			slices.Reverse(run[k:max(to, k)])
			k = max(to, k+1)
		}
		i = end
	}
}

// numberEnd gives the end of the number that begins at i, i when none does: digits, single separators between them,
// and beside European digits outside Arabic text percent and currency signs (UAX #9, rules W2 and W4 to W6).
func numberEnd(units []bidiUnit, i int, arabic bool) int {
	k := i
	for k < len(units) && units[k].class == terminatorClass && !arabic {
		k++
	}
	if k == len(units) || units[k].class != numberClass && units[k].class != arabicNumber {
		return i
	}
	kind := units[k].class
	for k < len(units) && units[k].class == kind {
		k++
		if k+1 < len(units) && units[k+1].class == kind {
			if c := units[k].class; c == commaClass || c == signClass && kind == numberClass && !arabic {
				k++
			}
		}
	}
	for k < len(units) && kind == numberClass && units[k].class == terminatorClass && !arabic {
		k++
	}
	return k
}

// withMates extends a left-to-right run by the bracket beside it whose mate is inside: UAX #9, rule N0. The units are
// given from right to left, so that a closing bracket comes before the run.
func withMates(units []bidiUnit, from, to int) (int, int) {
	brackets := 0
	for _, u := range units[from:to] {
		if _, _, ok := bracket(u.text); ok {
			brackets++
		}
	}
	if brackets%2 == 0 {
		return from, to
	}
	if from > 0 {
		if _, _, ok := bracket(units[from-1].text); ok {
			return from - 1, to
		}
	}
	if to < len(units) {
		if _, _, ok := bracket(units[to].text); ok {
			return from, to + 1
		}
	}
	return from, to
}

// bracket gives both halves of the pair that s is one of.
func bracket(s string) (open, shut string, ok bool) {
	for _, pair := range [][2]string{{"(", ")"}, {"[", "]"}, {"{", "}"}, {"«", "»"}, {"‹", "›"}} {
		if s == pair[0] || s == pair[1] {
			return pair[0], pair[1], true
		}
	}
	return "", "", false
}

// pairBrackets gives the brackets of a line in logical order the side that they are on. Whether the file says what a
// bracket looks like, or what it means before it was mirrored, differs between producers, and within a line.
func pairBrackets(units []bidiUnit) {
	pending := make(map[string]int, 2) // open brackets by kind
	inner := false                     // the unit before is text, so that a bracket after it may close
	for i := range units {
		u := &units[i]
		open, shut, ok := bracket(u.text)
		if !ok {
			inner = u.piece >= 0
			continue
		}
		followed := i+1 < len(units) && units[i+1].piece >= 0 && units[i+1].class != commaClass
		opens := pending[open] == 0
		if inner != followed {
			opens = followed
		}
		if opens {
			u.text = open
			pending[open]++
		} else {
			u.text = shut
			pending[open] = max(pending[open]-1, 0)
		}
		inner = !opens
	}
}

// unitPieces puts units together to pieces again. A piece whose characters are no longer neighbours becomes several.
func unitPieces(units []bidiUnit, shown []piece) []piece {
	out := make([]piece, 0, len(shown))
	var text strings.Builder
	flush := func() {
		if n := len(out); n > 0 && text.Len() > 0 {
			out[n-1].text = norm.NFC.String(text.String())
			text.Reset()
		}
	}
	last, space := -1, true
	for _, u := range units {
		if u.piece < 0 {
			space = true
			continue
		}
		if u.piece != last || space {
			flush()
			p := shown[u.piece]
			p.glue, p.shown, p.runes = !space, nil, 0
			p.spans = nil
			out = append(out, p)
			last, space = u.piece, false
		}
		text.WriteString(u.text)
		p := &out[len(out)-1]
		p.runes++
		if spans := shown[u.piece].spans; u.at < len(spans) { // one for each character, where they are asked for
			p.spans = append(p.spans, spans[u.at])
		}
	}
	flush()
	return out
}

func isArabic(s string) bool {
	for _, r := range s {
		return unicode.Is(unicode.Arabic, r)
	}
	return false
}

// runKind tells apart what producers show in different directions: 1 for letters of right-to-left scripts, 2 for other
// letters and numbers, 0 for what goes with either.
func runKind(r rune) uint8 {
	switch classOf(r) {
	case rightClass:
		return 1
	case leftClass, numberClass, arabicNumber:
		return 2
	}
	return 0
}

// paragraphs divides lines, from top to bottom, into paragraphs. Lines that run against the direction of the page begin
// at its other edge: where several follow each other they are divided as if the page were mirrored.
func (p *page) paragraphs(lines []line) []*block {
	if !p.frame.bidi {
		return makeParagraphs(lines)
	}
	const fewest = 2 // lines; one has no edge
	var out []*block
	start := 0
	for i := 0; i < len(lines); {
		end := i
		for end < len(lines) && p.runsAgainst(&lines[end]) {
			end++
		}
		if end-i < fewest {
			i = max(end, i+1)
			continue
		}
		out = append(out, makeParagraphs(lines[start:i])...)
		mirrorLines(lines[i:end])
		against := makeParagraphs(lines[i:end])
		for _, b := range against {
			mirrorLines(b.lines)
			b.settle()
			b.margin, b.against = interval{-b.margin.to, -b.margin.from}, true
		}
		out = append(out, against...)
		start, i = end, end
	}
	out = append(out, makeParagraphs(lines[start:])...)
	if start > 0 {
		(&paragrapher{out: out}).measureSpace()
	}
	return out
}

// runsAgainst reports whether hardly any letter of a line runs in the direction of the page.
func (p *page) runsAgainst(l *line) bool {
	right, left := 0, 0
	for i := range l.pieces {
		for _, r := range l.pieces[i].text {
			switch {
			case rtl(r):
				right++
			case unicode.IsLetter(r):
				left++
			}
		}
	}
	own := left
	if p.frame.mirrored {
		own = right
	}
	return right+left > 0 && float64(own) < fewOwn*float64(right+left)
}

// mirrorLines turns the places of lines round, in place.
func mirrorLines(lines []line) {
	mirror := func(b *document.Box) { b.Left, b.Right = -b.Right, -b.Left }
	for i := range lines {
		mirror(&lines[i].box)
		for k := range lines[i].pieces {
			mirror(&lines[i].pieces[k].box)
		}
	}
}
