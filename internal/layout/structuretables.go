package layout

import (
	"slices"

	"github.com/ragify/ragify/internal/document"
)

// Limits of a table, against spans that say nothing of any table.
const (
	maxTreeColumns = 500
	maxTreeSlots   = 200_000
)

// A treeRow is a row of a table in the structure tree.
type treeRow struct {
	cells []located
	key   string
	head  bool // of a THead, or all its cells are headers of columns
}

// table reads a table. One without rows is a group of other things.
func (t *treeReader) table(e located) {
	rows, beside := tableRows(e, false)
	if len(rows) == 0 {
		t.group(e.Kids, e.key)
		return
	}
	for _, c := range beside {
		if roleOf(c.StructElement) == captionRole {
			t.block(c)
		}
	}
	grid, aside, weights := t.grid(rows)
	if grid != nil {
		b := &block{kind: document.Table, grid: grid}
		for i := range grid.Cells {
			b.box = b.box.Union(grid.Cells[i].Box)
		}
		if b.box.Empty() {
			b.box = t.frame.box(e.Box)
		}
		b.style = weights.predominant()
		b = t.emit(b, e.key)
		b.tree.firstRow, b.tree.lastRow = rows[0].key, rows[len(rows)-1].key
	}
	for _, c := range beside {
		if roleOf(c.StructElement) != captionRole {
			t.block(c)
		}
	}
	t.each(aside)
}

// tableRows finds the rows of a table, and what is no row.
func tableRows(e located, head bool) (rows []treeRow, beside []located) {
	for i := range e.Kids {
		k := &e.Kids[i]
		if k.Element == nil {
			beside = append(beside, located{&document.StructElement{Role: "P", Kids: []document.StructKid{*k}}, e.key})
			continue
		}
		kid := locate(k, e.key)
		switch kid.Role {
		case "TR":
			row := treeRow{key: kid.key, head: true}
			for c := range kid.Kids {
				cell := &kid.Kids[c]
				if cell.Element == nil {
					cell = &document.StructKid{Index: cell.Index, Element: &document.StructElement{Role: "TD", RowSpan: 1, ColSpan: 1, Kids: kid.Kids[c : c+1]}}
				}
				row.cells = append(row.cells, locate(cell, kid.key))
				row.head = row.head && cell.Element.Role == "TH" && cell.Element.Scope != "Row"
			}
			row.head = head || row.head
			if len(row.cells) > 0 {
				rows = append(rows, row)
			}
		case "THead", "TBody", "TFoot":
			more, other := tableRows(kid, kid.Role == "THead")
			rows, beside = append(rows, more...), append(beside, other...)
		default:
			beside = append(beside, kid)
		}
	}
	return rows, beside
}

// grid lays the cells out as HTML does: each takes the first free slot of its row and as many more as it spans. Slots
// that are left get empty cells.
func (t *treeReader) grid(rows []treeRow) (g *document.Grid, aside []located, weights styleWeights) {
	g = &document.Grid{}
	weights = make(styleWeights)
	var free []int // per column, the first row that no cell from above reaches into
	slots := 0
	for r := range rows {
		col := 0
		for _, e := range rows[r].cells {
			for col < len(free) && free[col] > r {
				col++
			}
			span := min(max(e.ColSpan, 1), maxTreeColumns-col)
			down := min(max(e.RowSpan, 1), len(rows)-r)
			if slots += span * down; span <= 0 || slots > maxTreeSlots {
				aside = append(aside, e)
				continue
			}
			for len(free) < col+span {
				free = append(free, 0)
			}
			for k := col; k < col+span; k++ {
				if free[k] > r { // a cell from above begins here
					span = k - col
					break
				}
				free[k] = r + down
			}
			cell, apart := t.cell(e, weights)
			cell.Row, cell.Col, cell.RowSpan, cell.ColSpan = r, col, down, span
			g.Cells, aside = append(g.Cells, cell), append(aside, apart...)
			col += span
		}
	}
	g.Rows, g.Cols = len(rows), len(free)
	if len(g.Cells) == 0 {
		return nil, aside, weights
	}
	for g.HeaderRows < len(rows)-1 && rows[g.HeaderRows].head {
		g.HeaderRows++
	}
	fillSlots(g)
	return g, aside, weights
}

// cell reads the text of a cell from top to bottom, whatever it is made of. Figures follow the table.
func (t *treeReader) cell(e located, weights styleWeights) (c document.Cell, aside []located) {
	glyphs, aside := t.gather(e, func(r role) bool { return r == figureRole })
	lines := t.lines(glyphs)
	c.Lines = documentLines(lines, t.content.Fonts)
	for i := range lines {
		c.Box = c.Box.Union(lines[i].box)
		weights.add(&lines[i])
	}
	return c, aside
}

// fillSlots gives every slot that no cell covers an empty one, and empty cells the room of their row and column. The
// cells end up in row-major order.
func fillSlots(g *document.Grid) {
	covered := make([]bool, g.Rows*g.Cols)
	rows, cols := make([]document.Box, g.Rows), make([]document.Box, g.Cols)
	for i := range g.Cells {
		c := &g.Cells[i]
		for r := c.Row; r < c.Row+c.RowSpan; r++ {
			for k := c.Col; k < c.Col+c.ColSpan; k++ {
				covered[r*g.Cols+k] = true
			}
		}
		if c.RowSpan == 1 {
			rows[c.Row] = rows[c.Row].Union(c.Box)
		}
		if c.ColSpan == 1 {
			cols[c.Col] = cols[c.Col].Union(c.Box)
		}
	}
	for slot, is := range covered {
		if !is {
			g.Cells = append(g.Cells, document.Cell{Row: slot / g.Cols, Col: slot % g.Cols, RowSpan: 1, ColSpan: 1})
		}
	}
	for i := range g.Cells {
		c := &g.Cells[i]
		if r, k := rows[c.Row], cols[c.Col]; c.Box == (document.Box{}) && !r.Empty() && !k.Empty() {
			c.Box = document.Box{Left: k.Left, Top: r.Top, Right: k.Right, Bottom: r.Bottom}
		}
	}
	slices.SortStableFunc(g.Cells, func(a, b document.Cell) int { return (a.Row-b.Row)*g.Cols + a.Col - b.Col })
}
