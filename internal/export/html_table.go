package export

import (
	"strconv"

	"github.com/ragify/ragify/internal/document"
)

// table writes a table. It may be wider than the page, and scrolls then.
func (h *htmlWriter) table(e *document.Element) {
	g := e.Grid
	if g == nil || g.Rows == 0 || g.Cols == 0 {
		return
	}
	h.put("<div class=\"table\">\n")
	h.grid(g, idAttribute(e.ID), h.joints[e.ID])
	h.put("\n</div>\n")
}

// grid writes a table element, with a row a line and no blank line in it.
func (h *htmlWriter) grid(g *document.Grid, attributes string, joints []joint) {
	rows, head := tableRows(g)
	h.put("<table", attributes, ">")
	for r := range rows {
		switch {
		case r == 0 && head > 0:
			h.put("\n<thead>")
		case r == head:
			if r > 0 {
				h.put("\n</thead>")
			}
			h.put("\n<tbody>")
		}
		here := 0 // parts that begin in this row
		for here < len(joints) && (joints[here].at <= rows[r].first || r == len(rows)-1) {
			here++
		}
		h.row(&rows[r], r < head, joints[:here])
		joints = joints[here:]
	}
	if head == len(rows) {
		h.put("\n</thead>")
	} else {
		h.put("\n</tbody>")
	}
	h.put("\n</table>")
}

// row writes a row. One anchor is its own; a row that goes on over several pages has the others in its first cell.
func (h *htmlWriter) row(row *tableRow, head bool, begin []joint) {
	h.put("\n<tr")
	if len(begin) > 0 {
		h.put(begin[0].attributes())
	}
	h.put(">")
	for i := range row.cells {
		anchors := ""
		for ; i == 0 && len(begin) > 1; begin = begin[1:] {
			anchors += begin[1].anchor()
		}
		h.cell(&row.cells[i], head, anchors)
	}
	h.put("</tr>")
}

func (h *htmlWriter) cell(c *tableCell, head bool, anchors string) {
	name, plain := "td", style(0)
	if head && plainText(c.lines, h.o) != "" {
		name, plain = "th", bold
	}
	h.put("<", name)
	if name == "th" {
		h.put(` scope="col"`)
	}
	if c.colSpan > 1 {
		h.put(` colspan="`, strconv.Itoa(c.colSpan), `"`)
	}
	if c.rowSpan > 1 {
		h.put(` rowspan="`, strconv.Itoa(c.rowSpan), `"`)
	}
	h.put(h.direction(c.lines), ">", anchors, h.inline(c.lines, nil, plain), "</", name, ">")
}

// tableRow is a row as HTML has it: the cells that begin in it.
type tableRow struct {
	first int // index of the row in the grid
	cells []tableCell
}

type tableCell struct {
	lines            []document.Line
	rowSpan, colSpan int
}

// tableRows gives a grid as rows of HTML, and how many of them are the head. HTML knows no rows and columns in which
// no cell begins: spans shrink by them. Slots without a cell get an empty one.
func tableRows(g *document.Grid) (rows []tableRow, head int) {
	const none = -1
	owner := make([]int, g.Rows*g.Cols)
	for i := range owner {
		owner[i] = none
	}
	for i := range g.Cells {
		c := &g.Cells[i]
		for r := c.Row; r < min(c.Row+c.RowSpan, g.Rows); r++ {
			for k := c.Col; k < min(c.Col+c.ColSpan, g.Cols); k++ {
				owner[r*g.Cols+k] = i
			}
		}
	}
	begins := func(r, k int) bool {
		i := owner[r*g.Cols+k]
		return i == none || g.Cells[i].Row == r && g.Cells[i].Col == k
	}
	rowAt, colAt := make([]int, g.Rows+1), make([]int, g.Cols+1) // rows and columns with beginnings before each
	for r := range g.Rows {
		for k := range g.Cols {
			if begins(r, k) {
				rowAt[r+1], colAt[k+1] = 1, 1
			}
		}
	}
	for r := range g.Rows {
		rowAt[r+1] += rowAt[r]
	}
	for k := range g.Cols {
		colAt[k+1] += colAt[k]
	}
	head = rowAt[min(max(g.HeaderRows, 0), g.Rows)]
	all := head == rowAt[g.Rows]
	for r := range g.Rows {
		if rowAt[r+1] == rowAt[r] {
			continue
		}
		row := tableRow{first: r}
		for k := range g.Cols {
			if !begins(r, k) {
				continue
			}
			cell := tableCell{rowSpan: 1, colSpan: 1}
			if i := owner[r*g.Cols+k]; i != none {
				c := &g.Cells[i]
				cell.lines = c.Lines
				cell.rowSpan = rowAt[min(r+c.RowSpan, g.Rows)] - rowAt[r]
				cell.colSpan = colAt[min(k+c.ColSpan, g.Cols)] - colAt[k]
			}
			if len(rows) < head {
				head = max(head, len(rows)+cell.rowSpan) // no cell goes from the head into the body
			}
			row.cells = append(row.cells, cell)
		}
		rows = append(rows, row)
	}
	if head == len(rows) && !all {
		head = 0
	}
	return rows, head
}

// needsSpans reports whether a grid says more than a pipe table can: cells over several slots, more than one row that
// names the columns.
func needsSpans(g *document.Grid) bool {
	if g == nil {
		return false
	}
	for i := range g.Cells {
		if g.Cells[i].RowSpan > 1 || g.Cells[i].ColSpan > 1 {
			return true
		}
	}
	return g.HeaderRows > 1
}
