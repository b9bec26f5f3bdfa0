package layout

import (
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/ragify/ragify/internal/document"
)

// A line is one printed line of a column or cell.
type line struct {
	pieces []piece
	box    document.Box // ink
	base   float64
	size   float64 // predominant font size
	runes  int
	order  int
	style  style
	maths  maths
	parted bool   // two texts with a wide gap between them
	entry  bool   // of a table of contents: a title and, set apart, a page number
	tail   string // of an entry: leaders and number
}

// A style is what all or most of a line's characters have in common.
type style struct {
	font   int32
	size   float64 // rounded to a tenth of a point
	bold   bool    // nearly all letters are bold
	italic bool
	fixed  bool
	caps   bool // all letters are capitals, and there are at least four
	color  uint32
}

// before decides between styles of equally many characters, so that the choice does not depend on chance: the
// larger one, then the font that came first.
func (s style) before(o style) bool {
	switch {
	case s.size != o.size:
		return s.size > o.size
	case s.font != o.font:
		return s.font < o.font
	case s.fixed != o.fixed:
		return o.fixed
	}
	return s.color < o.color
}

// makeLines puts the fragments of one column or cell together to lines, from top to bottom. Fragments on one
// baseline make one line, with super- and subscripts. Its cost is n log n.
func makeLines(frags []*fragment, fonts []document.Font) []line {
	sorted := slices.Clone(frags)
	slices.SortStableFunc(sorted, func(a, b *fragment) int { return compare(a.base, b.base) })
	var rows [][]*fragment
	for start := 0; start < len(sorted); {
		end := start + 1
		host := sorted[start]
		for end < len(sorted) && inRow(host, sorted[end]) {
			if sorted[end].size > host.size*1.1 {
				host = sorted[end]
			}
			end++
		}
		rows = append(rows, sorted[start:end])
		start = end
	}
	lines := make([]line, 0, len(rows))
	for _, row := range rows {
		lines = append(lines, makeLine(row, fonts))
	}
	return lines
}

// inRow reports whether f is in the row of host, which is the largest fragment of the row so far.
func inRow(host, f *fragment) bool {
	if math.Abs(f.base-host.base) <= 2*sameBase*math.Min(host.size, f.size) {
		return true
	}
	if f.runes <= 3 && f.box.Right <= host.box.Left && onLine(host.base, host.size, f.base, f.size) {
		return true // the raised mark of a note
	}
	touch := f.box.Left-host.box.Right < 0.5*host.size && host.box.Left-f.box.Right < 0.5*host.size
	return touch && onLine(host.base, host.size, f.base, f.size) && math.Min(host.size, f.size) <= scriptSize*math.Max(host.size, f.size)
}

func makeLine(row []*fragment, fonts []document.Font) line {
	slices.SortStableFunc(row, func(a, b *fragment) int { return compare(a.box.Left, b.box.Left) })
	l := line{order: row[0].order}
	l.tail, l.entry = contentsEntry(row)
	for i, f := range row {
		l.order = min(l.order, f.order)
		if i > 0 {
			em := math.Max(f.size, row[i-1].size)
			const wide = 6.0 // ems: more than a tab
			l.parted = l.parted || f.box.Left-row[i-1].box.Right > wide*em
			gap := (f.box.Left - row[i-1].box.Right) / em
			f.pieces[0].glue = gap > -0.5 && row[i-1].glues(f, gap)
		}
		l.pieces = append(l.pieces, f.pieces...)
		l.box = l.box.Union(f.box)
		l.runes += f.runes
		if f.size > l.size {
			l.size, l.base = f.size, f.base
		}
	}
	l.pieces = logicalPieces(l.pieces)
	l.settle(fonts)
	return l
}

// settle finds the predominant size and style, weighted by characters.
func (l *line) settle(fonts []document.Font) {
	var bold, italic, fixed, letters, lower int
	l.maths = measureMaths(l.pieces, fonts)
	weights := make(map[style]int, 4)
	for i := range l.pieces {
		p := &l.pieces[i]
		f := fontOf(fonts, p.font)
		if f.Bold {
			bold += p.runes
		}
		if f.Italic {
			italic += p.runes
		}
		if f.Fixed {
			fixed += p.runes
		}
		for _, r := range p.text {
			if unicode.IsLetter(r) {
				letters++
				if !unicode.IsUpper(r) {
					lower++
				}
			}
		}
		weights[style{font: p.font, size: math.Round(p.size*10) / 10, color: p.color}] += p.runes
	}
	most := -1
	for s, n := range weights {
		if n > most || n == most && s.before(l.style) {
			l.style, most = s, n
		}
	}
	const nearly = 0.85 // of the characters: a colon or a number in another face does not count
	total := float64(max(l.runes, 1))
	l.style.bold = float64(bold) >= nearly*total
	l.style.italic = float64(italic) >= nearly*total
	l.style.fixed = float64(fixed) >= nearly*total
	l.style.caps = letters >= 4 && lower == 0
	l.size = l.style.size
}

func fontOf(fonts []document.Font, i int32) document.Font {
	if i < 0 || int(i) >= len(fonts) {
		return document.Font{}
	}
	return fonts[i]
}

func (l *line) text() string { return joinPieces(l.pieces) }

// firstWord gives the width of the line's first word in points: of what cannot stand on two lines. Text in ideographs
// may be broken anywhere.
func (l *line) firstWord() float64 {
	if cjk(firstRune(l.pieces)) {
		return l.size
	}
	right := l.pieces[0].box.Right
	for _, p := range l.pieces[1:] {
		if !p.glue {
			break
		}
		right = p.box.Right
	}
	return right - l.pieces[0].box.Left
}

// last is the last character that is not a superscript (a note's mark) or closing quote.
func (l *line) last() rune {
	for i := len(l.pieces) - 1; i >= 0; i-- {
		if l.pieces[i].sup {
			continue
		}
		t := strings.TrimRight(l.pieces[i].text, "”’\"')]»」』）》")
		if t != "" {
			r := []rune(t)
			return r[len(r)-1]
		}
	}
	return 0
}
