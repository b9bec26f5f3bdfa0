package layout

import (
	"math"
	"slices"

	"github.com/ragify/ragify/internal/document"
)

// shadedTables finds tables between rules in which every other row is shaded, column by column: the backgrounds say
// where the columns are, backgrounds and rules where rows end. The first and last rows are often bare, so that
// backgrounds alone do not reach as far as the table does. It gives them with the fragments that are in none.
func (s *surveyor) shadedTables(frags []fragment) (tables []*block, rest []fragment) {
	rest = frags
	rows := s.fillRows()
	if len(rows) == 0 {
		return nil, rest
	}
	for _, r := range s.ruledRegions() {
		for _, part := range r.divide(rest) {
			b, left := s.shadedTable(part, rows, rest)
			if b != nil && !overlapsTable(b.box, tables) {
				tables, rest = append(tables, b), left
			}
		}
	}
	return tables, rest
}

// shadedTable makes a table of a region, nil when its shaded rows do not agree or its text ignores them.
func (s *surveyor) shadedTable(r region, fills []fillRow, frags []fragment) (b *block, rest []fragment) {
	if len(r.ys) < 2 {
		return nil, nil
	}
	const edge = 12.0 // points by which backgrounds may reach beyond the rules, or the rules beyond them
	top, bottom := r.ys[0], r.ys[len(r.ys)-1]
	ys := slices.Clone(r.ys)
	var columns []float64
	box := document.Box{Left: r.left, Top: top - 1, Right: r.right, Bottom: bottom + 1}
	for _, f := range fills {
		if f.box.Top < box.Top || f.box.Bottom > box.Bottom || f.box.Left > r.right || f.box.Right < r.left {
			continue
		}
		if math.Abs(f.box.Left-r.left) > edge || math.Abs(f.box.Right-r.right) > edge || columns != nil && !sameColumns(columns, f.columns) {
			return nil, nil
		}
		columns = f.columns
		box.Left, box.Right = math.Min(box.Left, f.box.Left), math.Max(box.Right, f.box.Right)
		ys = append(ys, f.box.Top, f.box.Bottom)
	}
	if columns == nil || s.dividedByLines(box) {
		return nil, nil
	}
	used, rest := splitByBox(frags, box)
	if len(used) < 4 {
		return nil, nil
	}
	gutters := make([]interval, len(columns))
	for i, x := range columns {
		gutters[i] = interval{x, x}
	}
	t := newTextTable(used, gutters, s.fonts)
	t.columns[0].from, t.columns[len(columns)].to = box.Left, box.Right
	slices.Sort(ys)
	t.joinRows(ys)
	if across := t.rowsAcross(); len(t.rows) < 2 || 5*across > len(t.rows) || 2*t.filledSlots() < len(t.rows)*len(t.columns) {
		return nil, nil
	}
	b = t.block()
	b.shape.ruled = true
	return b, rest
}

// sameColumns compares the boundaries of two rows of backgrounds.
func sameColumns(a, b []float64) bool {
	const same = 2.0 // points
	return slices.EqualFunc(a, b, func(x, y float64) bool { return math.Abs(x-y) <= same })
}

// dividedByLines reports whether vertical lines stand in a box: then lines and not backgrounds make the columns.
func (s *surveyor) dividedByLines(b document.Box) bool {
	return slices.ContainsFunc(s.edges.vertical, func(e edge) bool {
		return !e.fill && e.at > b.Left+snapDistance && e.at < b.Right-snapDistance && e.from < b.Bottom && e.to > b.Top
	})
}

// rowsAcross counts the rows with text across a gutter.
func (t *textTable) rowsAcross() int {
	n := 0
	for r := range t.rows {
		if t.rows[r].across {
			n++
		}
	}
	return n
}

// filledSlots counts the slots with text.
func (t *textTable) filledSlots() int {
	n := 0
	for r := range t.rows {
		n += t.rows[r].count
	}
	return n
}
