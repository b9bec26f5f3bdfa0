package layout

import (
	"math"
	"slices"
	"strings"

	"github.com/ragify/ragify/internal/document"
)

// An atom is what reading order moves about: a fragment of text, or a table that is found already.
type atom struct {
	left, top, right, bottom float64
	frag                     *fragment
	table                    *block
}

// A leaf is a part of the page that is read from top to bottom: its atoms form rows, not columns.
type leaf struct {
	atoms []atom
	aside bool // in the margin: the text goes on over it
}

const (
	// gutterWidth in ems: the narrowest gap that can separate columns. Narrow newspaper gutters are one em;
	// spaces in justified text reach that too, but not on every line at the same place.
	gutterWidth = 0.9
	// deepest nesting of cuts: columns in boxes in columns. Anything deeper is a drawing.
	deepestCut = 8
	// proseRunes is the least length of a full line in a text column, in characters. Narrow newspaper columns
	// have 25; table cells and labels are shorter.
	proseRunes = 18
	// textRunes is the least mean length of the lines of anything that is read on its own.
	textRunes = 11
)

// cutPage finds the reading order by recursive cuts (XY-cut, Nagy and Seth 1984) in the way of XY-Cut++
// (arXiv 2504.10258): elements that span columns do not block the cut of what is above and below them.
// Instead of masking spanning elements by width, the page is divided into bands such that as many rows as
// possible confirm the gutters of their band; see bands.
func cutPage(atoms []atom, s *surveyor) []leaf {
	c := cutter{survey: s}
	c.cut(atoms, 0)
	return joinLeaves(c.out)
}

// joinLeaves unites a leaf with the one before it where a cut went between two lines that belong together: the
// second line of a title below which columns begin, or of a paragraph that a float stands beside.
func joinLeaves(leaves []leaf) []leaf {
	var out []leaf
	for _, l := range leaves {
		if n := len(out); n > 0 && out[n-1].aside == l.aside && goesOn(out[n-1].atoms, l.atoms) {
			out[n-1].atoms = append(out[n-1].atoms, l.atoms...)
			continue
		}
		out = append(out, l)
	}
	return out
}

// goesOn reports whether b lies below a, and its first line is set like the last one of a right below it.
func goesOn(a, b []atom) bool {
	const (
		leading = 1.5 // ems
		edge    = 0.3 // ems by which the left edges may differ
	)
	last, first := &a[0], &b[0]
	for i := range a {
		if a[i].bottom > last.bottom {
			last = &a[i]
		}
	}
	for i := range b {
		if b[i].top < first.top {
			first = &b[i]
		}
	}
	if last.frag == nil || first.frag == nil || first.top < last.bottom {
		return false
	}
	x, y := last.frag, first.frag
	return math.Abs(x.size-y.size) < 0.05*y.size && math.Abs(x.box.Left-y.box.Left) < edge*y.size && y.base-x.base < leading*y.size
}

type cutter struct {
	aside  bool // the margin is being cut
	survey *surveyor
	out    []leaf
}

func (c *cutter) cut(atoms []atom, depth int) {
	if len(atoms) == 0 {
		return
	}
	em := usualSize(atoms)
	strips := makeStrips(atoms)
	var rows []atom // rows of the leaf that is being collected
	flush := func() {
		if len(rows) > 0 {
			c.out = append(c.out, leaf{rows, c.aside})
			rows = nil
		}
	}
	for _, b := range c.survey.splitTitles(strips, bands(strips, gutterWidth*em), em) {
		var content []atom
		for _, s := range strips[b.first:b.last] {
			content = append(content, s.atoms...)
		}
		gutters := columnGutters(content, b.gutters)
		if len(gutters) == 0 && len(b.gutters) > 0 {
			head := strips[max(0, b.first-1):b.first]
			if len(head) > 0 && !endsWith(rows, head[0].atoms) {
				head = nil // it went into a table or column
			}
			found, heads := c.survey.bandTables(content, b.gutters, head, captionNear(strips, b))
			if found != nil {
				if heads > 0 {
					rows = rows[:len(rows)-len(head[0].atoms)]
				}
				rows = append(rows, found...)
				continue
			}
		}
		if len(gutters) == 0 || depth == deepestCut {
			rows = append(rows, content...)
			continue
		}
		flush()
		columns := splitColumns(content, gutters)
		if depth == 0 && marginal(columns) {
			c.cut(columns[1], depth+1)
			c.aside = true
			c.cut(columns[0], depth+1)
			c.aside = false
			continue
		}
		for _, column := range columns {
			c.cut(column, depth+1)
		}
	}
	flush()
}

// splitTitles takes off the end of bands what stands below their columns and begins something new, which only happens to
// leave the gutters free: what is far from them and in larger type, and a line in bold at their very end, for no column
// ends with a heading.
func (s *surveyor) splitTitles(strips []strip, list []band, em float64) []band {
	const (
		far    = 3.0 // ems
		apart  = 0.5 // ems, of a line in bold: half a line, which columns that go on do not leave free
		larger = 1.1 // times the usual type
	)
	var out []band
	for i, b := range list {
		last := b.last
		for k := b.last - 1; k > b.first && len(b.gutters) > 0 && len(splitColumns(strips[k].atoms, b.gutters)) == 1; k-- {
			a, above := strips[k].atoms[0], bottomOf(strips[k-1].atoms)
			if a.frag != nil && a.frag.size >= larger*em && a.top-above > far*em {
				last = k
			}
		}
		if k := b.last - 1; last == b.last && k > b.first && len(b.gutters) > 0 && i+1 < len(list) && s.boldLine(strips[k]) &&
			!s.boldLine(strips[k-1]) && strips[k].atoms[0].top-bottomOf(strips[k-1].atoms) > apart*em {
			last = k
		}
		out = append(out, band{b.first, last, b.gutters})
		if last < b.last {
			out = append(out, band{last, b.last, nil})
		}
	}
	return out
}

// boldLine reports whether a strip is one line of text in bold.
func (s *surveyor) boldLine(line strip) bool {
	if len(line.atoms) != 1 || line.atoms[0].frag == nil {
		return false
	}
	for _, p := range line.atoms[0].frag.pieces {
		if !fontOf(s.fonts, p.font).Bold {
			return false
		}
	}
	return true
}

// bottomOf is the lowest edge of atoms.
func bottomOf(atoms []atom) float64 {
	bottom := math.Inf(-1)
	for _, a := range atoms {
		bottom = math.Max(bottom, a.bottom)
	}
	return bottom
}

// marginal reports whether the first of the page's columns is a margin: narrow and in smaller type than the text beside
// it, which comes first. The caption of a picture is none.
func marginal(columns [][]atom) bool {
	const (
		narrow  = 0.45 // of the width of the text
		smaller = 0.92 // of its type
	)
	if len(columns) != 2 {
		return false
	}
	for _, a := range columns[0] {
		if a.frag != nil && captionStart.MatchString(a.frag.text()) {
			return false // below a figure that the text runs around
		}
	}
	margin, text := measureSide(columns[0]), measureSide(columns[1])
	return text.prose && !margin.tables && width(columns[0]) <= narrow*width(columns[1]) && margin.size <= smaller*text.size
}

// width of what atoms cover together, in points.
func width(atoms []atom) float64 {
	left, right := math.Inf(1), math.Inf(-1)
	for _, a := range atoms {
		left, right = math.Min(left, a.left), math.Max(right, a.right)
	}
	return right - left
}

func endsWith(list, end []atom) bool {
	if len(list) < len(end) {
		return false
	}
	for i := range end {
		if a := list[len(list)-len(end)+i]; a.frag != end[i].frag || a.table != end[i].table {
			return false
		}
	}
	return true
}

// captionNear reports whether a caption that begins with "Table" stands just above or below a band, or in its first
// rows.
func captionNear(strips []strip, b band) bool {
	const above, below, within = 3, 1, 2 // strips
	is := func(k int) bool {
		for _, a := range strips[k].atoms {
			if a.frag != nil && tableCaption.MatchString(a.frag.text()) {
				return true
			}
		}
		return false
	}
	for k := max(0, b.first-above); k < min(b.last, b.first+within); k++ {
		if is(k) {
			return true
		}
	}
	for k := b.last; k < min(len(strips), b.last+below); k++ {
		if is(k) {
			return true
		}
	}
	return false
}

// usualSize is the median font size of the atoms, weighted by text length.
func usualSize(atoms []atom) float64 {
	type sized struct {
		size  float64
		runes int
	}
	list := make([]sized, 0, len(atoms))
	total := 0
	for _, a := range atoms {
		if a.frag != nil {
			list = append(list, sized{a.frag.size, a.frag.runes})
			total += a.frag.runes
		}
	}
	slices.SortFunc(list, func(a, b sized) int { return compare(a.size, b.size) })
	sum := 0
	for _, s := range list {
		if sum += s.runes; 2*sum >= total {
			return s.size
		}
	}
	return 10 // no text: any size will do
}

// columnGutters keeps the gutters that separate columns to be read one after the other, and drops those
// between the parts of rows: list marks, table cells, a contents entry and its page number.
func columnGutters(atoms []atom, gutters []interval) []interval {
	var out []interval
	for _, g := range gutters {
		sides := splitColumns(atoms, []interval{g})
		if len(sides) == 2 && separateColumns(sides[0], sides[1]) {
			out = append(out, g)
		}
	}
	return out
}

func splitColumns(atoms []atom, gutters []interval) [][]atom {
	columns := make([][]atom, len(gutters)+1)
	for _, a := range atoms {
		k := 0
		for k < len(gutters) && a.left >= (gutters[k].from+gutters[k].to)/2 {
			k++
		}
		columns[k] = append(columns[k], a)
	}
	return slices.DeleteFunc(columns, func(c []atom) bool { return len(c) == 0 })
}

// separateColumns decides whether two sides of a gutter are columns or halves of rows.
func separateColumns(left, right []atom) bool {
	// alignedShare of the rows of the side with fewer rows stand on a baseline of the other side where the
	// two form rows. In columns set on a common grid this happens too, but those are prose.
	const alignedShare = 0.6
	a, b := measureSide(left), measureSide(right)
	if a.tables || b.tables || a.prose && b.prose || a.list() && b.list() {
		return true
	}
	if !a.texts && !b.texts {
		return false // labels of a chart or drawing
	}
	fewer, more := a, b
	if len(b.bases) < len(a.bases) {
		fewer, more = b, a
	}
	if len(fewer.bases) == 0 {
		return true
	}
	near := 0.3 * math.Min(a.size, b.size)
	if fewer.size <= scriptSize*more.size && fewer.marks {
		near = 0.5 * more.size // notes' marks are raised
	}
	aligned := 0
	for _, y := range fewer.bases {
		i := nearest(more.bases, y)
		if math.Abs(more.bases[i]-y) <= near {
			aligned++
		}
	}
	return float64(aligned) < alignedShare*float64(len(fewer.bases))
}

type side struct {
	bases  []float64 // of its rows, ascending
	size   float64
	prose  bool
	marks  bool // no row has more than a note's mark
	texts  bool // some lines are long enough to be text
	tables bool
	items  int // rows that begin with a bullet and go on with text
}

// list reports whether a side is mostly a list: lists beside each other, as on slides, share their baselines.
func (s *side) list() bool {
	const lines = 2 // of an item, on average at most
	return s.items >= 2 && lines*s.items >= len(s.bases)
}

func measureSide(atoms []atom) side {
	s := side{size: usualSize(atoms)}
	type row struct {
		base           float64
		runes, letters int
		first          *fragment // leftmost
	}
	var parts []row
	total := 0
	for _, a := range atoms {
		if a.frag == nil {
			s.tables = true
			continue
		}
		n := a.frag.length()
		parts = append(parts, row{a.frag.base, n, n * a.frag.letters() / max(a.frag.runes, 1), a.frag})
		total += n
	}
	slices.SortFunc(parts, func(a, b row) int { return compare(a.base, b.base) })
	var rows []row
	for _, p := range parts {
		if n := len(rows); n > 0 && p.base-rows[n-1].base <= 0.3*s.size {
			rows[n-1].runes += p.runes
			rows[n-1].letters += p.letters
			if p.first.box.Left < rows[n-1].first.box.Left {
				rows[n-1].first = p.first
			}
			continue
		}
		rows = append(rows, p)
	}
	long, inLong := 0, 0
	s.marks = true
	for _, r := range rows {
		s.bases = append(s.bases, r.base)
		s.marks = s.marks && r.runes <= 3
		if r.letters > 1 && strings.ContainsRune(bullets, firstRune(r.first.pieces)) {
			s.items++
		}
		if r.runes >= proseRunes && 2*r.letters >= r.runes { // a row of numbers is no line of text
			long++
			inLong += r.runes
		}
	}
	const proseRows = 3 // fewer lines are a label
	s.texts = total >= textRunes*len(rows)
	// The text of a column counts, not the labels of the charts in it.
	s.prose = long >= proseRows && 2*inLong >= total
	return s
}

// atomsOf makes atoms of a page's fragments and tables.
func atomsOf(frags []fragment, tables []*block) []atom {
	out := make([]atom, 0, len(frags)+len(tables))
	for i := range frags {
		f := &frags[i]
		top, bottom := f.core()
		out = append(out, atom{left: f.box.Left, top: top, right: f.box.Right, bottom: bottom, frag: f})
	}
	for _, t := range tables {
		out = append(out, atom{left: t.box.Left, top: t.box.Top, right: t.box.Right, bottom: t.box.Bottom, table: t})
	}
	return out
}

// objectOrder is the reading order "off": leaves in the order in which the PDF shows their text. Tables stand
// where their first text is.
func objectOrder(atoms []atom) []leaf {
	slices.SortStableFunc(atoms, func(a, b atom) int { return a.order() - b.order() })
	var out []leaf
	var bottom document.Box
	for _, a := range atoms {
		// Going up starts a new leaf; going on to the right or down continues the rows of this one.
		if len(out) == 0 || a.bottom < bottom.Top {
			out = append(out, leaf{})
		}
		l := &out[len(out)-1]
		l.atoms = append(l.atoms, a)
		bottom = document.Box{Top: a.top, Bottom: a.bottom}
	}
	return out
}

func (a *atom) order() int {
	if a.table != nil {
		return a.table.order
	}
	return a.frag.order
}
