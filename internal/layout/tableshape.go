package layout

import (
	"math"

	"github.com/ragify/ragify/internal/document"
)

// A tableShape is how a table is printed: what tells its header rows, and whether two tables have the same columns.
// Positions are in the frame of the page.
type tableShape struct {
	columns []interval // between the lines, or the middles of the gutters, around each column
	ink     []interval // the extents of the texts that stand in one column only; inverted when there are none
	rows    []rowShape
	ruled   bool // lines or backgrounds say where the columns are, not the texts
}

// rowShape sums up the texts of the cells that begin in a row.
type rowShape struct {
	runes, bold int
	extent      interval // top and bottom
}

func newTableShape(rows, cols int) *tableShape {
	s := &tableShape{columns: make([]interval, cols), ink: make([]interval, cols), rows: make([]rowShape, rows)}
	for c := range s.ink {
		s.ink[c] = interval{math.Inf(1), math.Inf(-1)}
	}
	return s
}

// add takes in the text of a cell.
func (s *tableShape) add(row, firstCol, lastCol int, lines []line) {
	for i := range lines {
		s.rows[row].runes += lines[i].runes
		if lines[i].style.bold {
			s.rows[row].bold += lines[i].runes
		}
		if firstCol == lastCol {
			k := &s.ink[firstCol]
			k.from, k.to = math.Min(k.from, lines[i].box.Left), math.Max(k.to, lines[i].box.Right)
		}
	}
}

func (r rowShape) isBold() bool { return r.runes > 0 && r.bold == r.runes }

// empty reports whether no text stands in the column only.
func (s *tableShape) empty(col int) bool { return s.ink[col].from > s.ink[col].to }

// columnMap says in which columns of a table of width columns t the columns of s stand when everything in s is moved
// to the right by dx, as an ascending list of indices. ok is false where the two have different columns.
func (s *tableShape) columnMap(t *tableShape, dx float64) (at []int, ok bool) {
	if s.ruled && t.ruled {
		return s.sameLines(t, dx)
	}
	return s.sameGutters(t, dx)
}

// sameLines compares the lines between columns.
func (s *tableShape) sameLines(t *tableShape, dx float64) (at []int, ok bool) {
	const same = 3.0 // points: rounding, and the width of the lines
	if len(s.columns) != len(t.columns) {
		return nil, false
	}
	for c := range s.columns {
		if math.Abs(s.columns[c].from+dx-t.columns[c].from) > same || math.Abs(s.columns[c].to+dx-t.columns[c].to) > same {
			return nil, false
		}
		at = append(at, c)
	}
	return at, true
}

// sameGutters asks of columns that only their texts tell that the texts of both tables leave the same gutters free.
// The middle of a gutter says little: it depends on which cells happen to be wide. A column without text on one of
// the sides is not seen there: s may have fewer columns.
func (s *tableShape) sameGutters(t *tableShape, dx float64) (at []int, ok bool) {
	next := 0
	for c := range s.ink {
		if s.empty(c) {
			return nil, false
		}
		from, to := s.ink[c].from+dx, s.ink[c].to+dx
		for next < len(t.ink) && (t.empty(next) || t.ink[next].to <= from) {
			next++
		}
		if next == len(t.ink) || t.ink[next].from >= to {
			return nil, false // beside all columns, or between two
		}
		if next+1 < len(t.ink) && !t.empty(next+1) && t.ink[next+1].from < to {
			return nil, false // over two columns
		}
		at = append(at, next)
		next++
	}
	return at, true
}

// spread gives a table of this shape the columns of t: its i-th column becomes the at[i]-th of them, and columns without
// text stand between. s lies dx to the left of t; f is the frame of its page.
func (s *tableShape) spread(g *document.Grid, t *tableShape, at []int, dx float64, f frame) {
	if len(at) == len(t.columns) {
		return
	}
	cells := make([]document.Cell, 0, g.Rows*len(t.columns))
	next := 0 // cell of g
	covered := make([]bool, g.Rows*len(t.columns))
	for slot := range covered {
		row, col := slot/len(t.columns), slot%len(t.columns)
		if next < len(g.Cells) && g.Cells[next].Row == row && at[g.Cells[next].Col] == col {
			c := g.Cells[next]
			c.Col, c.ColSpan = col, at[c.Col+c.ColSpan-1]-col+1
			for k := range c.RowSpan * c.ColSpan {
				covered[(row+k/c.ColSpan)*len(t.columns)+col+k%c.ColSpan] = true
			}
			cells = append(cells, c)
			next++
		} else if !covered[slot] {
			x, y := t.columns[col], s.rows[row].extent
			box := f.back(document.Box{Left: x.from - dx, Top: y.from, Right: x.to - dx, Bottom: y.to})
			cells = append(cells, document.Cell{Row: row, Col: col, RowSpan: 1, ColSpan: 1, Box: box})
		}
	}
	columns, ink := make([]interval, len(t.columns)), make([]interval, len(t.columns))
	for c := range columns {
		columns[c] = interval{t.columns[c].from - dx, t.columns[c].to - dx}
		ink[c] = interval{math.Inf(1), math.Inf(-1)}
	}
	for i, c := range at {
		columns[c], ink[c] = s.columns[i], s.ink[i]
	}
	s.columns, s.ink = columns, ink
	g.Cols, g.Cells = len(columns), cells
}
