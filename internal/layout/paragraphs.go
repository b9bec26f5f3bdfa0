package layout

import (
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/ragify/ragify/internal/document"
)

// A block is a paragraph, list item, table or figure of a page before it becomes an element.
type block struct {
	kind      document.Kind
	lines     []line
	grid      *document.Grid
	shape     *tableShape // tables: their columns and rows as they are printed
	box       document.Box
	style     style
	order     int     // of its first text in the PDF
	leaf      int     // index of the column on the page that it stands in
	above     float64 // white space to the block before it in its column, in ems; large at the top
	below     float64 // the same after it
	margin    interval
	mark      mark      // list items: the mark, cut off from lines
	textLeft  float64   // list items: where the text after the mark starts
	around    []float64 // list items that go on lists of the page before: their left edges, from the outermost one
	level     int       // headings
	code      bool      // a listing: its line breaks and spaces are part of it
	continues bool
	next      *block // the one that continues it in another column or on another page
	aside     bool   // in the margin
	turned    bool
	against   bool // its lines begin at the other edge than those of the page (see bidi)
	image     int

	// What follows is filled in at the end of the page, when lines and grid go into the element.
	element   document.Element
	text      string // the beginning, with the mark
	runes     int
	letters   int // in text
	lineCount int
	parted    bool   // as of line
	note      bool   // begins with the mark of a note
	entry     bool   // a line of a table of contents
	tail      string // of such a line: leaders and page number
	linked    bool   // most of it is links
	gone      bool   // its lines are in another block
	first     rune
	last      rune    // without superscripts and closing quotes
	full      bool    // the last line reaches the margin
	markLeft  float64 // left edge of the first line

	tree      *treeInfo // of a block that the structure tree has made; nil for others
	standsFor []*block  // see treeKind
}

// Thresholds for paragraphs.
const (
	// wideLeading is how much more than the usual distance of lines separates paragraphs, as a factor. A blank
	// half-line is the least that is used for it; leading varies by a few hundredths.
	wideLeading = 1.22
	// indent in ems, from which on a line start is set in on purpose. One em is the classic indent.
	indent = 0.8
	// openSpace is the distance, in ems, from a page's edge or the end of a column to what is beside it.
	openSpace = 10.0
)

// A paragrapher divides the lines of one column into paragraphs and list items.
type paragrapher struct {
	lines   []line
	marks   []mark    // per line; zero where it does not begin an item
	code    []bool    // per line, whether it is one of a listing; nil without any
	formula []bool    // the same for displayed formulas
	leading []float64 // per line, the usual distance of baselines in ems
	margin  interval
	out     []*block
}

// makeParagraphs divides the lines of one leaf, from top to bottom.
func makeParagraphs(lines []line) []*block {
	if len(lines) == 0 {
		return nil
	}
	p := paragrapher{lines: lines, leading: usualLeadings(lines), margin: interval{math.Inf(1), math.Inf(-1)}}
	for i := range lines {
		p.margin.from = math.Min(p.margin.from, lines[i].box.Left)
		p.margin.to = math.Max(p.margin.to, lines[i].box.Right)
	}
	p.marks, p.code = findMarks(lines), findCode(lines, p.leading)
	p.formula = findFormulas(lines, p.marks, p.leading, p.margin)
	for i := range lines {
		if p.code != nil && p.code[i] || p.formula != nil && p.formula[i] {
			p.marks[i] = mark{}
		}
	}
	var cur *block
	for i := range lines {
		if cur == nil || p.starts(i, cur) {
			cur = p.begin(i)
			continue
		}
		cur.lines = append(cur.lines, lines[i])
	}
	for _, b := range p.out {
		b.settle()
	}
	p.measureSpace()
	return p.out
}

func (p *paragrapher) begin(i int) *block {
	b := &block{kind: document.Paragraph, margin: p.margin, lines: []line{p.lines[i]}}
	if m := p.marks[i]; m.text != "" {
		b.kind, b.mark = document.ListItem, m
		b.textLeft = b.lines[0].pieces[m.pieces].box.Left
	}
	b.code = p.code != nil && p.code[i]
	if p.formula != nil && p.formula[i] && !b.code {
		b.kind = document.Formula
	}
	p.out = append(p.out, b)
	return b
}

// settle computes box and style from the lines.
func (b *block) settle() {
	b.box, b.order = document.Box{}, math.MaxInt
	weights := make(styleWeights, 2)
	bold, italic, caps, total := 0, 0, 0, 0
	for i := range b.lines {
		l := &b.lines[i]
		b.box = b.box.Union(l.box)
		b.order = min(b.order, l.order)
		total += l.runes
		weights.add(l)
		if l.style.bold {
			bold += l.runes
		}
		if l.style.italic {
			italic += l.runes
		}
		if l.style.caps {
			caps += l.runes
		}
	}
	b.style = weights.predominant()
	b.style.bold, b.style.italic = bold == total, italic == total
	b.style.caps = 10*caps >= 9*total // the number before a title has no capitals
}

// styleWeights counts the characters that are set in a font, size and colour.
type styleWeights map[style]int

func (w styleWeights) add(l *line) {
	w[style{font: l.style.font, size: l.style.size, color: l.style.color, fixed: l.style.fixed}] += l.runes
}

// predominant is the style of most characters.
func (w styleWeights) predominant() (best style) {
	most := -1
	for s, n := range w {
		if n > most || n == most && s.before(best) {
			best, most = s, n
		}
	}
	return best
}

// measureSpace fills in the white space between neighbouring blocks.
func (p *paragrapher) measureSpace() {
	for i, b := range p.out {
		b.above, b.below = openSpace, openSpace
		if i > 0 {
			prev := p.out[i-1]
			last := &prev.lines[len(prev.lines)-1]
			first := &b.lines[0]
			em := math.Min(last.size, first.size)
			gap := (first.base - 0.7*first.size - last.base - 0.15*last.size) / math.Max(em, 1)
			b.above, prev.below = gap, gap
		}
	}
}

// usualLeadings gives for each line the usual distance of baselines of neighbouring lines of its size, in ems: a
// low quantile, because in lists and among headings half of the distances may be wide.
func usualLeadings(lines []line) []float64 {
	const (
		// mostLeading in ems: more is a gap between paragraphs even in double-spaced text, which has 2.4.
		mostLeading = 2.6
		// assumed where there are no two lines of a size.
		assumed = 1.25
	)
	bySize := make(map[int][]float64)
	for i := 1; i < len(lines); i++ {
		a, b := &lines[i-1], &lines[i]
		d := (b.base - a.base) / math.Max(b.size, 1)
		if math.Abs(a.size-b.size) < 0.1*b.size && d > 0.5 && d < mostLeading {
			bySize[int(2*b.size)] = append(bySize[int(2*b.size)], d)
		}
	}
	usual := make(map[int]float64, len(bySize))
	for size, list := range bySize {
		slices.Sort(list)
		usual[size] = list[len(list)/3]
	}
	out := make([]float64, len(lines))
	for i := range lines {
		out[i] = assumed
		if u, ok := usual[int(2*lines[i].size)]; ok {
			out[i] = u
		}
	}
	return out
}

// starts reports whether line i begins a new block after cur.
func (p *paragrapher) starts(i int, cur *block) bool {
	prev, l := &p.lines[i-1], &p.lines[i]
	em := math.Max(l.size, 1)
	pitch := (l.base - prev.base) / math.Max(math.Max(l.size, prev.size), 1)
	if p.code != nil && (p.code[i] || p.code[i-1]) {
		const emptyLines = 3.5 // times the usual distance: two empty lines are part of a listing
		return p.code[i] != p.code[i-1] || pitch > emptyLines*p.leading[i] || pitch < 0.3
	}
	if p.formula != nil && (p.formula[i] || p.formula[i-1]) {
		const apart = 2.2 // ems between the baselines of two formulas, more than between the parts of one
		return p.formula[i] != p.formula[i-1] || pitch > apart
	}
	switch {
	case p.marks[i].text != "", prev.entry, l.entry && !p.full(i-1, 2*em):
		return true
	case pitch > p.leading[i]*wideLeading+0.1, pitch < 0.3:
		return true
	case math.Abs(l.size-prev.size) > 0.08*em && !p.scriptLine(prev, l):
		return true
	case l.style.bold != prev.style.bold || l.style.italic != prev.style.italic && l.style.font != prev.style.font:
		// Emphasis may begin or end with a line within a sentence.
		return !p.full(i-1, 2*em) || sentenceEnds(prev.last()) ||
			(l.style.bold || prev.style.bold) && !unicode.IsLower(firstRune(l.pieces))
	}
	if cur.kind == document.ListItem {
		return p.leavesItem(i, cur)
	}
	return p.indentStarts(i, cur) || p.shortLineEnds(i)
}

// scriptLine reports whether two lines differ in size only because one of them is mostly small characters, as
// in a formula.
func (p *paragrapher) scriptLine(a, b *line) bool {
	return a.pieces[0].size == b.pieces[0].size && (a.runes < 8 || b.runes < 8)
}

// leavesItem reports whether line i, after a line of the list item cur, belongs to it no more.
func (p *paragrapher) leavesItem(i int, cur *block) bool {
	l, em := &p.lines[i], math.Max(p.lines[i].size, 1)
	left := l.box.Left
	if left >= cur.textLeft-0.5*em {
		return left > cur.textLeft+3*em && !p.full(i-1, 4*em)
	}
	// Without a hanging indent only full lines go on.
	return left < cur.lines[0].box.Left-0.5*em || !p.full(i-1, 3*em)
}

// indentStarts reports whether line i is set in or out against the paragraph before it.
func (p *paragrapher) indentStarts(i int, cur *block) bool {
	l, prev := &p.lines[i], &p.lines[i-1]
	em := math.Max(l.size, 1)
	if p.centred(prev, l) {
		return false
	}
	body := math.Inf(1) // left edge of the paragraph's lines after the first
	for k := range cur.lines {
		if k > 0 || len(cur.lines) == 1 {
			body = math.Min(body, cur.lines[k].box.Left)
		}
	}
	d := l.box.Left - body
	if d > indent*em {
		return !p.hangs(i, cur)
	}
	return len(cur.lines) > 1 && d < -indent*em
}

// hangs reports whether line i, which is set in, goes on the single line of cur, as in a bibliography or after the
// number of a clause: that line had no room for more and either ends within a sentence or was set out itself. Where
// paragraphs begin with an indent, the line before one ends a sentence and is set in or follows lines at its edge.
func (p *paragrapher) hangs(i int, cur *block) bool {
	const (
		deepest = 6.0 // ems, by which text hangs behind a number at most
		apart   = 1.7 // ems between the baselines of one paragraph, at most
	)
	prev, l := &p.lines[i-1], &p.lines[i]
	em := math.Max(l.size, 1)
	if len(cur.lines) > 1 || l.box.Left-prev.box.Left > deepest*em || l.base-prev.base > apart*em || p.localRight(i)-prev.box.Right > 0.3*em+l.firstWord() {
		return false
	}
	if !sentenceEnds(prev.last()) {
		return true
	}
	return i > 1 && math.Abs(p.lines[i-2].box.Left-l.box.Left) < 0.3*em
}

// centred reports whether two lines have their middle, but not their edges, in common.
func (p *paragrapher) centred(a, b *line) bool {
	em := math.Max(a.size, 1)
	middle := math.Abs(a.box.Left + a.box.Right - b.box.Left - b.box.Right)
	return middle < 1.0*em && math.Abs(a.box.Left-b.box.Left) > 0.5*em
}

// shortLineEnds reports whether the line before i was broken on purpose: the first word of line i would have
// found room on it.
func (p *paragrapher) shortLineEnds(i int) bool {
	prev, l := &p.lines[i-1], &p.lines[i]
	em := math.Max(l.size, 1)
	if p.centred(prev, l) {
		return false
	}
	right := p.localRight(i)
	slack := right - prev.box.Right - 0.3*em - l.firstWord()
	if slack < 1.5*em {
		return false
	}
	first := firstRune(l.pieces)
	return sentenceEnds(prev.last()) || slack > 0.3*p.width() && !unicode.IsLower(first)
}

func (p *paragrapher) width() float64 { return p.margin.to - p.margin.from }

// localRight is the right margin near line i: that of the widest line around it, for text that runs around
// figures.
func (p *paragrapher) localRight(i int) float64 {
	const reach = 4 // lines before and after
	right := math.Inf(-1)
	for k := max(0, i-reach); k <= min(len(p.lines)-1, i+reach); k++ {
		right = math.Max(right, p.lines[k].box.Right)
	}
	return right
}

// full reports whether line i reaches the right margin within slack points.
func (p *paragrapher) full(i int, slack float64) bool {
	return p.lines[i].box.Right >= p.localRight(i)-slack
}

func sentenceEnds(r rune) bool { return strings.ContainsRune(".!?:;。！？：；؟؛۔।", r) }
