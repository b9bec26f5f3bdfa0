package layout

import (
	"math"

	"github.com/ragify/ragify/internal/document"
)

// mostHeaderRows bounds the rows that name columns. Three levels of titles are rare, more are no titles.
const mostHeaderRows = 5

// headerRows gives the number of rows at the top of a table that name its columns, by what sets them apart: bold type, a
// background, or in a table without lines between its rows a rule below them. Without such evidence there are none
// to be sure of.
func (s *surveyor) headerRows(b *block) int {
	rows := b.shape.rows
	n := leadingRows(len(rows), func(r int) bool { return rows[r].isBold() })
	if n == 0 {
		n = s.shadedRows(b)
	}
	if n == 0 && !b.shape.ruled {
		n = s.rowsAboveRule(b)
	}
	for i := range b.grid.Cells {
		if c := &b.grid.Cells[i]; c.Row < n {
			n = max(n, c.Row+c.RowSpan)
		}
	}
	if n > mostHeaderRows || n >= len(rows) {
		return 0
	}
	return n
}

// leadingRows counts the rows at the top that are alike. What goes on over most of the table, or comes again in the
// next row but one, is a pattern of its rows.
func leadingRows(rows int, alike func(int) bool) int {
	n := 0
	for n < rows && alike(n) {
		n++
	}
	if n > mostHeaderRows || n+1 < rows && alike(n+1) {
		return 0
	}
	return n
}

// shadedRows is the number of rows at the top of a table that share a background which the next ones lack.
func (s *surveyor) shadedRows(b *block) int {
	first := s.background(b, 0)
	if first == 0 {
		return 0
	}
	return leadingRows(len(b.shape.rows), func(r int) bool { return s.background(b, r) == first })
}

// background is the colour behind the whole row r of a table, 0 when there is none.
func (s *surveyor) background(b *block, r int) uint32 {
	const whole = 0.9 // of the row's width; cells' backgrounds leave gaps
	row := b.shape.rows[r].extent
	middle := (row.from + row.to) / 2
	widths := make(map[uint32]float64)
	for i, f := range s.fills {
		if f.Top < middle && f.Bottom > middle {
			widths[s.colors[i]] += math.Max(0, math.Min(f.Right, b.box.Right)-math.Max(f.Left, b.box.Left))
		}
	}
	// The colour that was painted over another is the narrower one.
	var best uint32
	for color, w := range widths {
		if w >= whole*b.box.Width() && (best == 0 || w < widths[best] || w == widths[best] && color < best) {
			best = color
		}
	}
	return best
}

// rowsAboveRule is the number of rows above the first rule in a table in which rules do not stand between all rows.
func (s *surveyor) rowsAboveRule(b *block) int {
	rows := b.shape.rows
	rules := s.rulesIn(b.box.Left+2, b.box.Right-2, rows[0].extent.from+snapDistance, rows[len(rows)-1].extent.to-snapDistance)
	if len(rules) == 0 || 2*len(rules) >= len(rows) {
		return 0
	}
	n := 0
	for n < len(rows) && (rows[n].extent.from+rows[n].extent.to)/2 < rules[0] {
		n++
	}
	return n
}

// findHeaders sets the header rows of a page's tables.
func (s *surveyor) findHeaders(blocks []*block) {
	for _, b := range blocks {
		if b.kind == document.Table {
			b.grid.HeaderRows = s.headerRows(b)
		}
	}
}
