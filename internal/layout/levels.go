package layout

import (
	"slices"
	"strings"
	"unicode"

	"github.com/ragify/ragify/internal/document"
)

// markHeadings makes headings of the paragraphs that the bookmarks name, and gives the level that the bookmarks say.
func markHeadings(pages []*page, outline []document.Outline) map[*block]int {
	marked := make(map[*block]int)
	if len(outline) == 0 {
		return marked
	}
	titles := make(map[int]map[string]int) // page number, title, level
	for _, o := range outline {
		if key := titleKey(o.Title); key != "" {
			if titles[o.Page] == nil {
				titles[o.Page] = make(map[string]int)
			}
			titles[o.Page][key] = o.Level
		}
	}
	for _, p := range pages {
		for _, b := range p.blocks {
			if b.kind != document.Heading && b.kind != document.Paragraph && b.kind != document.ListItem || b.lineCount > mostHeadingLines || b.entry {
				continue
			}
			level, ok := titles[p.number][titleKey(b.text)]
			if !ok {
				continue
			}
			marked[b] = min(max(level, 1), lowestLevel)
			if b.kind != document.Heading {
				b.makeHeading()
			}
		}
	}
	return marked
}

// titleKey is a title without its number, in small letters and digits only: bookmarks and pages differ in numbers,
// spaces and typographic signs.
func titleKey(s string) string {
	if m := numbering.FindStringSubmatch(s); m != nil {
		s = s[len(m[1])+len(m[2]):]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// lowestLevel is the number of levels below a title, H1 to H6.
const lowestLevel = 6

// A headingClass is a way to set headings. All headings of a class have one level, on whatever page they stand,
// unless a bookmark or a section number says another.
type headingClass struct {
	size   float64 // the largest of those that count as one
	bold   bool
	caps   bool
	italic bool
	color  uint32
}

// rank orders classes of one size as typesetters do: by weight, then capitals, then upright before italic.
func (c headingClass) rank() int {
	r := 0
	if c.bold {
		r += 4
	}
	if c.caps {
		r += 2
	}
	if !c.italic {
		r++
	}
	return r
}

// A leveler gives the headings of a document their levels.
type leveler struct {
	headings []*block
	class    []int // per heading, index of its class
	classes  []headingClass
	direct   map[[2]int]int // how often a heading of one class stands right above one of another, without text between
	marked   map[*block]int // levels from the bookmarks
}

// setLevels gives headings levels that hold for the whole document. Headings that are set alike are of one level.
// Which is the higher of two classes is told by size, then by which stands right above the other, then by weight;
// how many levels lie between them by what they hang from: sections that hang from chapters are one below these,
// even where a size between the two is used on the cover. Bookmarks and section numbers overrule typography.
func setLevels(pages []*page, marked map[*block]int) {
	l := leveler{marked: marked, direct: make(map[[2]int]int)}
	var above []bool // per heading, whether the block before it is a heading
	for _, p := range pages {
		after := false
		for _, b := range p.blocks {
			if b.kind == document.Heading {
				l.headings, above = append(l.headings, b), append(above, after)
			}
			after = b.kind == document.Heading
		}
	}
	if len(l.headings) == 0 {
		return
	}
	l.classify()
	for i, after := range above {
		if after && l.class[i] != l.class[i-1] {
			l.direct[[2]int{l.class[i-1], l.class[i]}]++
		}
	}
	l.mergeColors()
	order := l.order()
	l.nest(order)
	l.number()
	for b, level := range marked {
		b.level = level
	}
	l.close()
	l.setTitle(order)
}

// classify finds the class of each heading.
func (l *leveler) classify() {
	// sameSize is the share by which sizes of one class differ at most: 14 and 14.4 are one size, 13 and 14 are two.
	const sameSize = 0.04
	sizes := make([]float64, 0, len(l.headings))
	for _, b := range l.headings {
		sizes = append(sizes, b.style.size)
	}
	slices.SortFunc(sizes, func(a, b float64) int { return compare(b, a) })
	steps := sizes[:0] // the largest of each that count as one
	for _, s := range sizes {
		if n := len(steps); n == 0 || steps[n-1]-s >= sameSize*steps[n-1] {
			steps = append(steps, s)
		}
	}
	known := make(map[headingClass]int)
	add := func(c headingClass) int {
		i, ok := known[c]
		if !ok {
			i = len(l.classes)
			known[c] = i
			l.classes = append(l.classes, c)
		}
		return i
	}
	of := func(b *block) headingClass {
		c := headingClass{bold: b.style.bold, caps: b.style.caps, italic: b.style.italic, color: b.style.color}
		for _, s := range steps { // few: a page has room for no more than a hundred of them
			if b.style.size > s {
				break
			}
			c.size = s
		}
		return c
	}
	for _, b := range l.headings {
		if c := of(b); !c.caps || strings.Contains(b.text, " ") {
			add(c)
		}
	}
	for _, b := range l.headings {
		c := of(b)
		plain := c
		plain.caps = false
		if _, ok := known[plain]; ok && c.caps && !strings.Contains(b.text, " ") {
			c = plain // an abbreviation has capitals of its own
		}
		l.class = append(l.class, add(c))
	}
}

// mergeColors unites classes that differ in colour only, unless one stands right above the other again and again: the
// chapters of a book may each have a colour of their own.
func (l *leveler) mergeColors() {
	const (
		again = 2
		most  = 16 // colours that are told apart: more are chance
	)
	into := make([]int, len(l.classes))
	alike := make(map[headingClass][]int) // by class without its colour, those that stay apart
	for i, c := range l.classes {
		into[i] = i
		c.color = 0
		apart := alike[c]
		for _, k := range apart {
			if l.direct[[2]int{i, k}] < again && l.direct[[2]int{k, i}] < again || len(apart) == most {
				into[i] = k
				break
			}
		}
		if into[i] == i {
			alike[c] = append(apart, i)
		}
	}
	direct := make(map[[2]int]int, len(l.direct))
	for pair, n := range l.direct {
		direct[[2]int{into[pair[0]], into[pair[1]]}] += n
	}
	l.direct = direct
	for i, c := range l.class {
		l.class[i] = into[c]
	}
}

// order gives the classes that are in use, the most prominent first.
func (l *leveler) order() []int {
	used := slices.Clone(l.class)
	slices.Sort(used)
	used = slices.Compact(used)
	wins := make([]int, len(l.classes)) // over classes of the same size
	for pair, n := range l.direct {
		if a, b := pair[0], pair[1]; a != b && l.classes[a].size == l.classes[b].size {
			wins[a] += n
			wins[b] -= n
		}
	}
	slices.SortStableFunc(used, func(a, b int) int {
		if c := compare(l.classes[b].size, l.classes[a].size); c != 0 {
			return c
		}
		if wins[a] != wins[b] {
			return wins[b] - wins[a]
		}
		return l.classes[b].rank() - l.classes[a].rank()
	})
	return used
}

// nest gives each class the level below the one that its headings hang from: the nearest heading before that is of a
// more prominent class.
func (l *leveler) nest(order []int) {
	// share of a class's headings that hang from a level, at least, for the class to be below it: a class is used
	// on one level, whatever is left out here and there.
	const share = 0.25
	place := make([]int, len(l.classes))
	for i, c := range order {
		place[c] = i
	}
	parents := make([][]int, len(l.classes)) // per class, of each of its headings the class that it hangs from, or -1
	marks := make([][]int, len(l.classes))   // per class, the levels that bookmarks give
	var open []int                           // classes of the headings around, from the most prominent one
	for i, b := range l.headings {
		c := l.class[i]
		for len(open) > 0 && place[open[len(open)-1]] >= place[c] {
			open = open[:len(open)-1]
		}
		parent := -1
		if len(open) > 0 {
			parent = open[len(open)-1]
		}
		parents[c] = append(parents[c], parent)
		open = append(open, c)
		if level, ok := l.marked[b]; ok {
			marks[c] = append(marks[c], level)
		}
	}
	level := make([]int, len(l.classes))
	for _, c := range order {
		if len(marks[c]) > 0 {
			level[c] = mostCommon(marks[c])
			continue
		}
		var count [lowestLevel + 1]int // by the level of the parent
		for _, parent := range parents[c] {
			if parent < 0 {
				count[0]++
			} else {
				count[min(level[parent], lowestLevel)]++
			}
		}
		for n := lowestLevel; n >= 0; n-- {
			if float64(count[n]) >= share*float64(len(parents[c])) {
				level[c] = min(n+1, lowestLevel)
				break
			}
		}
	}
	for i, b := range l.headings {
		b.level = level[l.class[i]]
	}
}

// mostCommon gives the most common of some levels, the highest of several.
func mostCommon(levels []int) int {
	var count [lowestLevel + 1]int
	best := 0
	for _, n := range levels {
		count[n]++
	}
	for n, k := range count {
		if k > count[best] {
			best = n
		}
	}
	return best
}

// number makes the depth of section numbers decide between numbered headings: "2.1" is one below "2". The headings
// without a number that are set like most numbered ones of a level go with them.
func (l *leveler) number() {
	var tops []int // levels of the undivided numbers, as typography has it
	for _, b := range l.headings {
		if d := numberDepth(b.text); d > 0 {
			tops = append(tops, max(b.level-d+1, 1))
		}
	}
	if len(tops) == 0 {
		return
	}
	top := mostCommon(tops)
	numbered := make([][]int, len(l.classes))
	size := make([]int, len(l.classes))
	for i, b := range l.headings {
		size[l.class[i]]++
		if d := numberDepth(b.text); d > 0 {
			b.level = min(top+d-1, lowestLevel)
			numbered[l.class[i]] = append(numbered[l.class[i]], b.level)
		}
	}
	for i, b := range l.headings {
		if own := numbered[l.class[i]]; 2*len(own) > size[l.class[i]] && numberDepth(b.text) == 0 {
			b.level = mostCommon(own)
		}
	}
}

// numberDepth is the number of parts of a section number at the start of a heading, 0 without one. Letters and Roman
// numbers alone do not say how deep they are: where "I." is a section, "A." is part of it; elsewhere it is an appendix.
func numberDepth(s string) int {
	m := numbering.FindStringSubmatch(s)
	if m == nil {
		return 0
	}
	parts := strings.Split(m[1], ".")
	if len(parts) == 1 && !unicode.IsDigit(rune(m[1][0])) {
		return 0
	}
	return len(parts)
}

// close moves levels up so that none is left out between those that are used.
func (l *leveler) close() {
	var used [lowestLevel + 1]bool
	for _, b := range l.headings {
		used[b.level] = true
	}
	var to [lowestLevel + 1]int
	n := 0
	for level := 1; level <= lowestLevel; level++ {
		if used[level] {
			n++
		}
		to[level] = n
	}
	for _, b := range l.headings {
		b.level = to[b.level]
	}
}

// setTitle makes a title, level 0, of the first heading of the file's first page where no other is set as prominently
// and all others hang from it, or the bookmarks, which name others of its level, do not name it.
func (l *leveler) setTitle(order []int) {
	const (
		fewest = 3   // headings, to speak of a title above them
		most   = 0.8 // of the headings hang from the title, at least
	)
	first := l.headings[0]
	if len(l.headings) < fewest || first.element.Page != 1 || first.level != 1 || l.class[0] != order[0] || slices.Contains(l.class[1:], l.class[0]) {
		return
	}
	below := 0
	for below+1 < len(l.headings) && l.headings[below+1].level > 1 {
		below++
	}
	_, named := l.marked[first]
	hangs := float64(below) >= most*float64(len(l.headings)-1)
	if !hangs && (named || len(l.marked) == 0) {
		return
	}
	first.level = 0
	if !hangs {
		return
	}
	for _, b := range l.headings[1:] {
		b.level = max(b.level-1, 1)
	}
}
