package layout

import (
	"math"
	"slices"

	"github.com/ragify/ragify/internal/document"
)

// A textTable is a table, or what may be one, whose columns are told by the alignment of its text: rows of
// fragments between gutters.
type textTable struct {
	rows    []tableRow
	columns []interval // between the middles of the gutters
	size    float64    // usual font size
	fonts   []document.Font
	head    []headCell // titles that may go over several rows and columns; they are in the first rows, too
}

// A tableRow is one printed line of a table, or after joining one row.
type tableRow struct {
	frags       []fragment
	top, bottom float64 // core extents
	base        float64 // of its last line
	filled      []bool  // per column
	count       int     // filled columns
	across      bool    // a fragment lies across a gutter
}

// newTextTable divides fragments into rows and columns.
func newTextTable(frags []fragment, gutters []interval, fonts []document.Font) *textTable {
	t := &textTable{fonts: fonts}
	left, right := math.Inf(1), math.Inf(-1)
	var sizes []float64
	for i := range frags {
		left, right = math.Min(left, frags[i].box.Left), math.Max(right, frags[i].box.Right)
		sizes = append(sizes, frags[i].size)
	}
	slices.Sort(sizes)
	t.size = math.Max(sizes[len(sizes)/2], 1)
	from := left - 1
	for _, g := range gutters {
		middle := (g.from + g.to) / 2
		t.columns = append(t.columns, interval{from, middle})
		from = middle
	}
	t.columns = append(t.columns, interval{from, right + 1})

	sorted := slices.Clone(frags)
	slices.SortStableFunc(sorted, func(a, b fragment) int { return compare(a.base, b.base) })
	for start := 0; start < len(sorted); {
		end := start + 1
		for end < len(sorted) && sorted[end].base-sorted[start].base <= 0.35*t.size {
			end++
		}
		t.rows = append(t.rows, t.newRow(sorted[start:end]))
		start = end
	}
	return t
}

func (t *textTable) newRow(frags []fragment) tableRow {
	r := tableRow{top: math.Inf(1), bottom: math.Inf(-1), filled: make([]bool, len(t.columns))}
	for i := range frags {
		f := frags[i]
		top, bottom := f.core()
		r.top, r.bottom, r.base = math.Min(r.top, top), math.Max(r.bottom, bottom), math.Max(r.base, f.base)
		for _, part := range t.splitAtColumns(&f) {
			first, last := t.columnsOf(&part)
			r.across = r.across || first != last
			for c := first; c <= last; c++ {
				if !r.filled[c] {
					r.filled[c] = true
					r.count++
				}
			}
			r.frags = append(r.frags, part)
		}
	}
	return r
}

// splitAtColumns cuts a fragment between words where a column begins, if the column boundary meets a space: header
// cells stand closer than the columns below them.
func (t *textTable) splitAtColumns(f *fragment) []fragment {
	const mostOfWord = 0.7 // the least share of a word's width in its column
	first, last := t.columnsOf(f)
	if first == last || len(f.pieces) < 2 {
		return []fragment{*f}
	}
	column := make(map[*piece]int, len(f.pieces))
	for i := range f.pieces {
		p := &f.pieces[i]
		a, b := t.columnAt(p.box.Left+0.1*t.size), t.columnAt(p.box.Right-0.1*t.size)
		if i > 0 && p.glue {
			a, b = column[&f.pieces[i-1]], column[&f.pieces[i-1]]
		}
		if a != b {
			// A word lies across, and so does the cell, unless it is the widest value of a column.
			if a = t.columnAt((p.box.Left + p.box.Right) / 2); t.inside(p, a) < mostOfWord || !numberLike(p.text) {
				return []fragment{*f}
			}
		}
		column[p] = a
	}
	var out []fragment
	for _, p := range splitPieces(f, func(p *piece) int { return column[p] }) {
		out = append(out, p.fragment)
	}
	return out
}

// inside is the share of a word's width that lies in a column.
func (t *textTable) inside(p *piece, column int) float64 {
	c := t.columns[column]
	return (math.Min(p.box.Right, c.to) - math.Max(p.box.Left, c.from)) / math.Max(p.box.Width(), 0.1)
}

func (t *textTable) columnAt(x float64) int {
	for c := range t.columns {
		if x < t.columns[c].to {
			return c
		}
	}
	return len(t.columns) - 1
}

// columnsOf gives the first and last column that a fragment stands in.
func (t *textTable) columnsOf(f *fragment) (first, last int) {
	inner := 0.2 * t.size
	return t.columnAt(f.box.Left + inner), t.columnAt(math.Max(f.box.Right-inner, f.box.Left+inner))
}

// mergeColumns unites neighbouring columns of which one holds nothing but a title and the other none: the title stands
// beside the cells instead of above them.
func (t *textTable) mergeColumns() {
	for c := 0; c+1 < len(t.columns) && len(t.rows) > 1; c++ {
		both, left, right := false, 0, 0 // filled below the first row
		for r := range t.rows {
			f := t.rows[r].filled
			both = both || f[c] && f[c+1]
			if r > 0 && f[c] {
				left++
			}
			if r > 0 && f[c+1] {
				right++
			}
		}
		if both || left > 0 && right > 0 || left+right == 0 {
			continue
		}
		t.columns[c].to = t.columns[c+1].to
		t.columns = slices.Delete(t.columns, c+1, c+2)
		for r := range t.rows {
			t.rows[r] = t.newRow(t.rows[r].frags)
		}
		c--
	}
}

// trim drops leading and trailing rows that fill one column only, or lie across all: titles, notes and text that
// happen to leave the gutters free. It gives the range of rows that stay.
func (t *textTable) trim() (first, last int) {
	first, last = 0, len(t.rows)
	for first < last && (t.rows[first].count < 2 || t.rows[first].across && t.rows[first].count == len(t.columns)) {
		first++
	}
	for last > first && (t.rows[last-1].count < 2 && t.far(last-1) || t.rows[last-1].across) {
		last--
	}
	return first, last
}

// far reports whether row i stands farther from the row before it than rows of this table usually do.
func (t *textTable) far(i int) bool {
	if i == 0 {
		return false
	}
	return t.rows[i].base-t.rows[i-1].base > 1.2*t.usualPitch()
}

// usualPitch is the median distance of the baselines of neighbouring rows, in points.
func (t *textTable) usualPitch() float64 {
	var list []float64
	for i := 1; i < len(t.rows); i++ {
		list = append(list, t.rows[i].base-t.rows[i-1].base)
	}
	if len(list) == 0 {
		return math.Inf(1)
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// joinRows unites printed lines that belong to one row. Where rules separate rows, they decide. Otherwise a line
// goes on with the row above when it stands closer than a line of its own could, or when it leaves columns empty
// that the row above fills and stands as close as lines of one cell do, while rows stand farther apart.
func (t *textTable) joinRows(rules []float64) {
	const (
		// touching lines' cores overlap: cells centred against their neighbours.
		touching = 0.85 // ems
		// cellLeading is the widest distance of lines in one cell, in ems. Chinese is set with up to 1.75.
		cellLeading = 1.8
		// evenly is how much the distances of lines in cells vary, as a factor: cells beside them are centred.
		evenly = 1.2
		// apart is how much farther rows stand than the lines of a cell, as a factor.
		apart = 1.2
	)
	narrowest, widest := math.Inf(1), 0.0
	for i := 1; i < len(t.rows); i++ {
		d := t.rows[i].base - t.rows[i-1].base
		if d > touching*t.size {
			narrowest = math.Min(narrowest, d)
		}
		widest = math.Max(widest, d)
	}
	ruled := t.rulesDivide(rules)
	pitch := t.rowPitch(widest)
	var out []tableRow
	for i, r := range t.rows {
		if i == 0 {
			out = append(out, r)
			continue
		}
		last := &out[len(out)-1]
		d := r.base - last.base
		separated := slices.ContainsFunc(rules, func(y float64) bool { return y > last.base-0.3*t.size && y < r.base-0.3*t.size })
		partial := !r.filled[0] || r.count < last.count
		// A line that stands closer to the next one begins a row with it.
		begins := i+1 < len(t.rows) && t.rows[i+1].base-r.base < math.Min(touching*t.size, d/apart)
		joined := false
		switch {
		case separated, !ruled && t.clash(last, &r):
		case ruled, d < touching*t.size:
			joined = true
		case partial && !begins && subset(r.filled, last.filled) && d <= cellLeading*t.size && d <= narrowest*evenly:
			joined = pitch > apart*narrowest || len(rules) > 0 && i == 1
		}
		if !joined {
			out = append(out, r)
			continue
		}
		last.frags = append(slices.Clip(last.frags), r.frags...)
		last.bottom, last.base = math.Max(last.bottom, r.bottom), math.Max(last.base, r.base)
		last.across = last.across || r.across
		last.filled = slices.Clone(last.filled)
		for c := range r.filled {
			if r.filled[c] && !last.filled[c] {
				last.filled[c] = true
				last.count++
			}
		}
	}
	t.rows = out
}

// rowPitch is the median distance in points from the line before to lines that begin rows: those with text in the first
// column and in others. Where there are hardly any, it is otherwise.
func (t *textTable) rowPitch(otherwise float64) float64 {
	const fewest = 3
	var list []float64
	for i := 1; i < len(t.rows); i++ {
		if r := &t.rows[i]; r.filled[0] && r.count > 1 {
			list = append(list, r.base-t.rows[i-1].base)
		}
	}
	if len(list) < fewest {
		return otherwise
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// clash reports whether two lines hold values in the same two columns, or the second holds values only, one of them
// below another: numbers are not wrapped. References in a single column beside text are.
func (t *textTable) clash(a, b *tableRow) bool {
	clashes, values := 0, 0
	for i := range b.frags {
		c, last := t.columnsOf(&b.frags[i])
		if c == 0 || c != last || !valueLike(b.frags[i].text()) {
			continue
		}
		values++
		for k := range a.frags {
			if first, last := t.columnsOf(&a.frags[k]); first == c && last == c && valueLike(a.frags[k].text()) {
				clashes++
				break
			}
		}
	}
	return clashes >= 2 || clashes == 1 && values == len(b.frags)
}

// rulesDivide reports whether there are rules between most rows, so that text between two rules is one row. Where
// several lines between two rules hold values, the rules divide groups of rows.
func (t *textTable) rulesDivide(rules []float64) bool {
	const mostGroups = 0.25 // of the stretches between rules
	if len(t.rows) == 0 {
		return false
	}
	inner := 0
	for _, y := range rules {
		if y > t.rows[0].base && y < t.rows[len(t.rows)-1].base-0.3*t.size {
			inner++
		}
	}
	if inner < 2 || 3*(inner+1) < len(t.rows) {
		return false
	}
	stretches, groups := 0, 0
	for start := 0; start < len(t.rows); {
		k, _ := slices.BinarySearch(rules, t.rows[start].base-0.3*t.size)
		end, values := start, 0
		for end < len(t.rows) && (k == len(rules) || t.rows[end].base-0.3*t.size < rules[k]) {
			if t.rows[end].values(t) {
				values++
			}
			end++
		}
		end = max(end, start+1)
		stretches++
		if values >= 2 {
			groups++
		}
		start = end
	}
	return float64(groups) <= mostGroups*float64(stretches)
}

// values reports whether the cells of a row but the first are mostly numbers.
func (r *tableRow) values(t *textTable) bool {
	numbers, cells := 0, 0
	for i := range r.frags {
		if c, _ := t.columnsOf(&r.frags[i]); c > 0 {
			cells++
			if numberLike(r.frags[i].text()) {
				numbers++
			}
		}
	}
	return numbers > 0 && 2*numbers >= cells
}

func subset(a, b []bool) bool {
	for i := range a {
		if a[i] && !b[i] {
			return false
		}
	}
	return true
}

// block makes the table's block. Fragments across a boundary make a cell over several columns.
func (t *textTable) block() *block {
	l := lattice{xs: []float64{t.columns[0].from}}
	for _, c := range t.columns {
		l.xs = append(l.xs, c.to)
	}
	for i, r := range t.rows {
		if i == 0 {
			l.ys = append(l.ys, r.top)
		} else {
			l.ys = append(l.ys, (t.rows[i-1].bottom+r.top)/2)
		}
	}
	l.ys = append(l.ys, t.rows[len(t.rows)-1].bottom)
	for i := 1; i < len(l.ys); i++ {
		l.ys[i] = math.Max(l.ys[i], l.ys[i-1]+0.1)
	}
	var spans []span
	var content [][]fragment
	order := math.MaxInt
	heads := 0
	for _, h := range t.head {
		heads = max(heads, h.lastRow+1)
		spans, content = append(spans, h.span), append(content, h.frags)
		for i := range h.frags {
			order = min(order, h.frags[i].order)
		}
	}
	for r := heads; r < len(t.rows); r++ {
		for c := 0; c < len(t.columns); {
			last := t.lastColumn(&t.rows[r], c)
			var in []fragment
			for _, f := range t.rows[r].frags {
				if at, _ := t.columnsOf(&f); at >= c && at <= last {
					in = append(in, f)
					order = min(order, f.order)
				}
			}
			spans, content = append(spans, span{r, c, r, last}), append(content, in)
			c = last + 1
		}
	}
	b := newTable(&l, spans, content, t.fonts)
	b.order = order
	return b
}

// lastColumn is the last column of the cell of row r that begins at column c.
func (t *textTable) lastColumn(r *tableRow, c int) int {
	last := c
	for grown := true; grown; {
		grown = false
		for i := range r.frags {
			if a, b := t.columnsOf(&r.frags[i]); a <= last && a >= c && b > last {
				last, grown = b, true
			}
		}
	}
	return last
}
