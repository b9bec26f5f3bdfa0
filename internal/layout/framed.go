package layout

import (
	"math"
	"regexp"
	"slices"

	"github.com/ragify/ragify/internal/document"
)

// A surveyor looks for tables that text forms by alignment, with what lines and backgrounds say about them.
type surveyor struct {
	edges  edges
	fills  []document.Box // backgrounds that are no page background
	colors []uint32       // of fills
	curves []document.Box
	fonts  []document.Font
	eager  bool
}

func newSurveyor(c *document.Content, f frame, e edges, eager bool) *surveyor {
	s := &surveyor{edges: e, fonts: c.Fonts, eager: eager}
	for i := range c.Rules {
		if len(s.fills)+len(s.curves) > maxEdges {
			break // a drawing
		}
		r := &c.Rules[i]
		switch b := f.box(r.Box); {
		case r.Kind == document.RuleFill && visible(r, b, f):
			s.fills, s.colors = append(s.fills, b), append(s.colors, r.Color)
		case r.Kind == document.RuleCurve && !thinCurve(b):
			s.curves = append(s.curves, b)
		}
	}
	return s
}

// framedTables finds tables whose columns are only aligned, but which begin with a row of column backgrounds or
// stand between rules of one width. It gives them with the fragments that are in none.
func (s *surveyor) framedTables(frags []fragment, taken []*block) (tables []*block, rest []fragment) {
	rest = frags
	add := func(t *textTable, used []fragment, left []fragment) bool {
		if t == nil {
			return false
		}
		b := t.block()
		if overlapsTable(b.box, taken) || overlapsTable(b.box, tables) {
			return false
		}
		tables, rest = append(tables, b), left
		return len(used) > 0
	}
	const highest = 60.0 // points: a title of four lines
	for _, h := range s.fillRows() {
		if h.box.Height() <= highest {
			t, used, left := s.below(h, rest)
			add(t, used, left)
		}
	}
	for _, r := range s.ruledRegions() {
		for _, part := range r.divide(rest) {
			s.inRegion(part, &rest, add)
		}
	}
	return tables, rest
}

// fillRow is a row of adjacent backgrounds: the column titles of a table, or one of its shaded rows.
type fillRow struct {
	box     document.Box
	columns []float64 // inner boundaries
}

// fillRows finds rows of at least two backgrounds that stand side by side, from top to bottom.
func (s *surveyor) fillRows() []fillRow {
	const (
		lowest = 7.0 // points
		gap    = 4.0 // points between neighbours
	)
	fills := slices.Clone(s.fills)
	slices.SortStableFunc(fills, func(a, b document.Box) int {
		if math.Abs(a.Top-b.Top) > 1.5 {
			return compare(a.Top, b.Top)
		}
		return compare(a.Left, b.Left)
	})
	var out []fillRow
	for start := 0; start < len(fills); {
		h := fillRow{box: fills[start]}
		end := start + 1
		for end < len(fills) && math.Abs(fills[end].Top-h.box.Top) < 1.5 && math.Abs(fills[end].Bottom-h.box.Bottom) < 1.5 &&
			fills[end].Left >= h.box.Right-gap && fills[end].Left <= h.box.Right+gap {
			h.columns = append(h.columns, (h.box.Right+fills[end].Left)/2)
			h.box = h.box.Union(fills[end])
			end++
		}
		if end-start >= 2 && h.box.Height() >= lowest {
			out = append(out, h)
		}
		start = end
	}
	return out
}

// below reads the table under a header: the rows that keep to its columns.
func (s *surveyor) below(h fillRow, frags []fragment) (t *textTable, used, rest []fragment) {
	gutters := make([]interval, len(h.columns))
	for i, x := range h.columns {
		gutters[i] = interval{x, x}
	}
	title, body := splitByBox(frags, h.box)
	if len(title) < 2 {
		return nil, nil, nil
	}
	probe := newTextTable(append(slices.Clone(title), fragment{box: h.box, size: title[0].size, base: title[0].base}), gutters, s.fonts)
	bottom, pitch := h.box.Bottom, 0.0
	last := h.box.Bottom
	for _, row := range linesOf(body) {
		base, size := row[0].base, row[0].size
		if base <= h.box.Bottom {
			continue
		}
		// Text beside the table is not asked.
		row = slices.DeleteFunc(row, func(f *fragment) bool { return f.box.Right < h.box.Left || f.box.Left > h.box.Right })
		if len(row) == 0 {
			continue
		}
		limit := 3.5 * size // the first rows show how far rows stand apart
		if pitch > 0 {
			limit = 1.8 * pitch
		}
		d := base - last
		if d > limit || slices.ContainsFunc(row, func(f *fragment) bool {
			a, b := probe.columnsOf(f)
			return f.box.Left < h.box.Left-2 || f.box.Right > h.box.Right+2 ||
				a != b && (len(probe.splitAtColumns(f)) == 1 || len(row) == 1 && probe.overSpaces(f))
		}) {
			break
		}
		if last > h.box.Bottom {
			pitch = math.Max(pitch, d)
		}
		last = base
		bottom = base + 0.3*size
	}
	if bottom <= h.box.Bottom {
		return nil, nil, nil
	}
	used, rest = splitByBox(frags, document.Box{Left: h.box.Left - 2, Top: h.box.Top, Right: h.box.Right + 2, Bottom: bottom})
	t = newTextTable(used, gutters, s.fonts)
	t.joinRows(s.rulesIn(h.box.Left, h.box.Right, h.box.Top+snapDistance, bottom))
	return t, used, rest
}

// overSpaces reports whether a text lies across a column boundary that meets but a space of it, such as a title that
// stands alone below a table.
func (t *textTable) overSpaces(f *fragment) bool {
	const widest = 0.45 // ems: spaces of justified text seldom are wider, those between columns are
	for i := 1; i < len(f.pieces); i++ {
		a, b := &f.pieces[i-1], &f.pieces[i]
		if !b.glue && b.box.Left-a.box.Right < widest*f.size && t.columnAt((a.box.Left+a.box.Right)/2) != t.columnAt((b.box.Left+b.box.Right)/2) {
			return true
		}
	}
	return false
}

// linesOf sorts fragments into lines of one baseline, from top to bottom.
func linesOf(frags []fragment) [][]*fragment {
	list := make([]*fragment, len(frags))
	for i := range frags {
		list[i] = &frags[i]
	}
	slices.SortStableFunc(list, func(a, b *fragment) int { return compare(a.base, b.base) })
	var out [][]*fragment
	for start := 0; start < len(list); {
		end := start + 1
		for end < len(list) && list[end].base-list[start].base <= 0.5*list[start].size {
			end++
		}
		out = append(out, list[start:end])
		start = end
	}
	return out
}

// rulesIn gives the y of the horizontal edges between top and bottom that span at least most of left…right.
func (s *surveyor) rulesIn(left, right, top, bottom float64) []float64 {
	const most = 0.85
	var out []float64
	first, _ := slices.BinarySearchFunc(s.edges.horizontal, top, func(e edge, y float64) int { return compare(e.at, y) })
	for i := first; i < len(s.edges.horizontal) && s.edges.horizontal[i].at <= bottom; i++ {
		e := s.edges.horizontal[i]
		if math.Min(e.to, right)-math.Max(e.from, left) >= most*(right-left) {
			if n := len(out); n == 0 || e.at-out[n-1] > snapDistance {
				out = append(out, e.at)
			}
		}
	}
	return out
}

// evidence collects what stands around and in a table of aligned text.
func (s *surveyor) evidence(t *textTable, framed, caption bool) evidence {
	first, last := &t.rows[0], &t.rows[len(t.rows)-1]
	left, right := t.columns[0].from, t.columns[len(t.columns)-1].to
	box := document.Box{Left: left, Top: first.top, Right: right, Bottom: last.bottom}
	e := evidence{framed: framed, caption: caption, eager: s.eager}
	e.rules = s.rulesIn(left+2, right-2, box.Top-1.2*t.size, box.Bottom+1.2*t.size)
	for _, c := range s.curves {
		if c.Intersect(box) != (document.Box{}) {
			e.drawings++
		}
	}
	for _, f := range s.fills {
		if f.Intersect(box) != (document.Box{}) && f.Height() > t.size && f.Width() < 0.5*box.Width() && !t.behindText(f) {
			e.bars++
		}
	}
	return e
}

// behindText reports whether text stands on a background, or it could be an empty cell's: no higher than two rows.
func (t *textTable) behindText(b document.Box) bool {
	for r := range t.rows {
		for i := range t.rows[r].frags {
			if x, y := t.rows[r].frags[i].pieces[0].middle(); x > b.Left && x < b.Right && y > b.Top && y < b.Bottom {
				return true
			}
		}
	}
	return b.Height() < 2*t.usualPitch() && b.Width() > 2*b.Height()
}

// captionAt reports whether a table caption stands right above or below a box.
func captionAt(box document.Box, frags []fragment) bool {
	const near = 3.5 // ems: a caption of three lines
	for i := range frags {
		f := &frags[i]
		if f.box.Right < box.Left || f.box.Left > box.Right || f.base < box.Top-near*f.size || f.base > box.Bottom+near*f.size {
			continue
		}
		if tableCaption.MatchString(f.text()) {
			return true
		}
	}
	return false
}

// tableCaption matches the number of a table, after the word in capitals or not; "TABLE OF CONTENTS" has none.
var tableCaption = regexp.MustCompile(`^(?i:table|tab\.|tabelle|tableau|tabla|tabella|tabela|表)\s*([A-Z]?[.\-–]?\d|[IVXLC]+\b|[A-Z]\b)`)

// bandTables makes tables of a band whose gutters separate no text columns, where their texts are convincing. It gives
// the atoms of the band in order, with the tables among them, or nil when there is none. heads is the number of
// head strips that went into the first table.
func (s *surveyor) bandTables(content []atom, gutters []interval, head []strip, caption bool) (out []atom, heads int) {
	found := false
	parts := splitAtTitles(content, gutters)
	for i, part := range parts {
		if len(parts) > 1 {
			gutters = freeGutters(part) // without the titles, gutters may be open that they closed
		}
		if i > 0 {
			head, caption = nil, false
		}
		t, before, after, n := s.bandTable(part, gutters, head, caption)
		if t == nil {
			out = append(out, part...)
			continue
		}
		if !found {
			heads = n
		}
		found = true
		out = append(out, before...)
		out = append(out, atom{left: t.box.Left, top: t.box.Top, right: t.box.Right, bottom: t.box.Bottom, table: t})
		out = append(out, after...)
	}
	if !found {
		return nil, 0
	}
	return out, heads
}

// freeGutters finds the gutters that all of the atoms leave free.
func freeGutters(atoms []atom) []interval {
	cover := make([]interval, 0, len(atoms))
	for _, a := range atoms {
		cover = append(cover, interval{a.left, a.right})
	}
	return gaps(unite(cover), gutterWidth*usualSize(atoms))
}

// splitAtTitles divides a band where a title stands between two tables that happen to have columns in common, and
// where a wide space does: a line at the left edge, alone in its row, is a title when it is set larger than the rows
// or stands apart from the rows above and below.
func splitAtTitles(content []atom, gutters []interval) [][]atom {
	const (
		apart  = 1.4  // times the usual distance of rows
		larger = 1.12 // times the usual size: headings differ by an eighth and more
		// A space that no row of a table leaves: both in ems and in usual distances of rows.
		wideEms, widePitch = 4.0, 2.5
		// widest space in ems, however far the few lines of a page stand apart: rows that high hold more lines.
		widest = 10.0
	)
	sorted := slices.Clone(content)
	slices.SortStableFunc(sorted, func(a, b atom) int { return compare(a.bottom, b.bottom) })
	var frags []fragment
	for _, a := range sorted {
		if a.frag == nil {
			return [][]atom{content}
		}
		frags = append(frags, *a.frag)
	}
	t := newTextTable(frags, gutters, nil)
	left, pitch := t.columns[0].from+1, t.usualPitch()
	alone := func(i int) bool {
		f := t.rows[i].frags
		return f[0].box.Left <= left+t.size && (len(f) == 1 || f[0].size > larger*t.size && gapless(f))
	}
	title := func(i int) bool {
		return i > 0 && alone(i) && t.rows[i].base-t.rows[i-1].base > apart*pitch
	}
	var ends []float64 // baselines of the rows after which to divide
	for i := range t.rows {
		first, last := i == 0, i+1 == len(t.rows)
		switch {
		case alone(i) && t.rows[i].frags[0].size > larger*t.size,
			!first && !last && title(i) && (t.rows[i+1].base-t.rows[i].base > apart*pitch || title(i+1)):
			if !first {
				ends = append(ends, t.rows[i-1].base)
			}
			ends = append(ends, t.rows[i].base)
		case !first && t.rows[i].base-t.rows[i-1].base > math.Max(wideEms*t.size, math.Min(widePitch*pitch, widest*t.size)):
			ends = append(ends, t.rows[i-1].base)
		}
	}
	var out [][]atom
	var part []atom
	for _, a := range sorted {
		for len(ends) > 0 && a.frag.base > ends[0] {
			if len(part) > 0 {
				out = append(out, part)
			}
			part, ends = nil, ends[1:]
		}
		part = append(part, a)
	}
	return append(out, part)
}

// gapless reports whether fragments from left to right are one text that columns divided.
func gapless(frags []fragment) bool {
	for i := 1; i < len(frags); i++ {
		if frags[i].box.Left-frags[i-1].box.Right > 0.5*frags[i].size {
			return false
		}
	}
	return true
}

// bandTable makes a table of a band whose gutters separate no text columns, if its text is convincing. before and
// after are atoms of the band that belong to the text around it. head strips, nearest last, stand above the band.
func (s *surveyor) bandTable(content []atom, gutters []interval, head []strip, caption bool) (b *block, before, after []atom, heads int) {
	var frags []fragment
	for _, a := range content {
		if a.frag == nil {
			return nil, nil, nil, 0
		}
		frags = append(frags, *a.frag)
	}
	if len(gutters) == 0 {
		return nil, nil, nil, 0
	}
	t := newTextTable(frags, gutters, s.fonts)
	first, last := t.trim()
	if last-first < 2 {
		return nil, nil, nil, 0
	}
	from, to, bottom := math.Inf(-1), t.rows[last-1].base, t.rows[last-1].bottom // baselines of the trimmed rows end at from
	if first > 0 {
		from = t.rows[first-1].base
	}
	t.rows = t.rows[first:last]
	if first == 0 {
		heads = t.addHead(head, gutters)
	}
	left, right := t.columns[0].from, t.columns[len(t.columns)-1].to
	rules := s.rulesIn(left+2, right-2, t.rows[0].top-1.2*t.size, bottom+1.2*t.size)
	t.mergeColumns()
	t.joinRows(rules)
	if !t.convincing(s.evidence(t, false, caption)) {
		return nil, nil, nil, 0
	}
	for _, a := range content {
		switch {
		case a.frag.base <= from:
			before = append(before, a)
		case a.frag.base > to:
			after = append(after, a)
		}
	}
	return t.block(), before, after, heads
}

// addHead takes in column titles that are wider than the columns below them, so that they lie across the gutters of
// the band. They must give every column a word. The boundaries move within the gutters to where they meet spaces.
func (t *textTable) addHead(head []strip, gutters []interval) int {
	const near = 1.7 // ems from the baseline of the title to the first row's
	if len(head) == 0 {
		return 0
	}
	var frags []fragment
	for _, a := range head[len(head)-1].atoms {
		if a.frag == nil || t.rows[0].base-a.frag.base > near*t.size {
			return 0
		}
		frags = append(frags, *a.frag)
	}
	kept := t.columns
	for _, at := range []float64{0.5, 1, 0} { // share of the gutter's width
		columns := slices.Clone(kept)
		for i, g := range gutters {
			x := g.from + at*(g.to-g.from)
			columns[i].to, columns[i+1].from = x, x
		}
		columns[0].from = math.Min(columns[0].from, frags[0].box.Left-1)
		for _, f := range frags {
			columns[len(columns)-1].to = math.Max(columns[len(columns)-1].to, f.box.Right+1)
		}
		t.columns = columns
		if r := t.newRow(frags); r.count == len(columns) && !r.across {
			rows := []tableRow{r}
			for _, old := range t.rows {
				rows = append(rows, t.newRow(old.frags))
			}
			t.rows = rows
			return 1
		}
	}
	t.columns = kept
	return 0
}
