package layout

import (
	"math"
	"slices"
)

// A headCell is a cell of the titles of a textTable.
type headCell struct {
	span
	frags []fragment
}

// readHead makes the first lines of a table its titles. Between rules they form levels: the rules below titles of
// several columns (spanners) divide them; a title that no spanner divides from the one below it goes on there, however
// many lines it has. Without spanners, a line in which a title lies across columns is a level of its own and the
// other lines are one, because titles are wrapped.
func (t *textTable) readHead(lines int, spanners []edge) {
	var frags []fragment
	for _, r := range t.rows[:lines] {
		frags = append(frags, r.frags...)
	}
	ends, spanned := t.levels(lines, spanners)
	level := func(f *fragment) int {
		_, y := f.pieces[0].middle()
		k, _ := slices.BinarySearch(ends, y)
		return k
	}
	l := lattice{ys: make([]float64, len(ends)+2), xs: make([]float64, len(t.columns)+1)}
	l.right, l.below = make([][]bool, l.rows()), make([][]bool, len(ends))
	for k := range l.right {
		l.right[k] = make([]bool, len(t.columns)-1)
		for c := range l.right[k] {
			l.right[k][c] = true
		}
	}
	for k := range l.below {
		l.below[k] = make([]bool, len(t.columns))
		for c := range l.below[k] {
			l.below[k][c] = spanned == nil
		}
	}
	for _, s := range spanned {
		for c := s.col; c <= s.lastCol; c++ {
			l.below[s.row][c] = true
			if c < s.lastCol {
				l.right[s.row][c] = false
			}
		}
	}
	byLevel := make([][]fragment, l.rows())
	for _, f := range frags {
		k := level(&f)
		byLevel[k] = append(byLevel[k], f)
		first, last := t.columnsOf(&f)
		for c := first; c < last; c++ {
			l.right[k][c] = false
		}
	}
	var rows []tableRow
	for _, in := range byLevel {
		rows = append(rows, t.newRow(in))
	}
	t.rows, t.head = rows, nil
	at := make(map[span]int)
	bySlot := make([]int, l.rows()*l.cols())
	for _, s := range l.cells() {
		at[s] = len(t.head)
		for r := s.row; r <= s.lastRow; r++ {
			for c := s.col; c <= s.lastCol; c++ {
				bySlot[r*l.cols()+c] = len(t.head)
			}
		}
		t.head = append(t.head, headCell{span: s})
	}
	for k, in := range byLevel {
		for _, f := range in {
			c, _ := t.columnsOf(&f)
			cell := &t.head[bySlot[k*l.cols()+c]]
			cell.frags = append(cell.frags, f)
		}
	}
}

// levels gives the y of the ends of all levels of titles but the last, and the columns that spanners at those ends
// span (row is the level); nil without spanners.
func (t *textTable) levels(lines int, spanners []edge) (ends []float64, spanned []span) {
	const same = 3.0 // points between spanners of one level
	if len(spanners) == 0 {
		last := -1
		for i := range t.rows[:lines] {
			if t.rows[i].across {
				last = i
			}
		}
		for i := 0; i <= last && i+1 < lines; i++ {
			ends = append(ends, (t.rows[i].bottom+t.rows[i+1].top)/2)
		}
		return ends, nil
	}
	for _, e := range spanners { // sorted by y
		if n := len(ends); n == 0 || e.at-ends[n-1] > same {
			ends = append(ends, e.at)
		}
	}
	ends = t.usedEnds(ends, lines)
	spanned = []span{}
	for _, e := range spanners {
		level := slices.IndexFunc(ends, func(y float64) bool { return math.Abs(e.at-y) <= same })
		if level < 0 {
			continue
		}
		s := span{row: level, lastRow: level, col: -1}
		for c := range t.columns {
			if x := t.middle(c, lines); x > e.from-1 && x < e.to+1 {
				if s.col < 0 {
					s.col = c
				}
				s.lastCol = c
			}
		}
		if s.col >= 0 {
			spanned = append(spanned, s)
		}
	}
	return ends, spanned
}

// usedEnds drops the ends of levels that hold no text.
func (t *textTable) usedEnds(ends []float64, lines int) []float64 {
	used := make([]bool, len(ends)+1)
	for _, r := range t.rows[:lines] {
		for i := range r.frags {
			_, y := r.frags[i].pieces[0].middle()
			k, _ := slices.BinarySearch(ends, y)
			used[k] = true
		}
	}
	var out []float64
	for k := range ends {
		// An end needs text above it that no other end closes, and text below.
		if used[k] && slices.Contains(used[k+1:], true) {
			out = append(out, ends[k])
		}
	}
	return out
}

// middle is the x of the middle of a column's text in the rows from first on.
func (t *textTable) middle(column, first int) float64 {
	left, right := math.Inf(1), math.Inf(-1)
	for r := first; r < len(t.rows); r++ {
		for i := range t.rows[r].frags {
			f := &t.rows[r].frags[i]
			if a, b := t.columnsOf(f); a == column && b == column {
				left, right = math.Min(left, f.box.Left), math.Max(right, f.box.Right)
			}
		}
	}
	if left > right {
		return (t.columns[column].from + t.columns[column].to) / 2
	}
	return (left + right) / 2
}
