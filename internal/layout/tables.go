package layout

import (
	"math"
	"slices"

	"github.com/ragify/ragify/internal/document"
)

// ruledTables finds the tables that lines or cell backgrounds draw, and gives them with the fragments that
// are in none (edges → nets → lattices → cells; Nurminen 2013, pdfplumber).
func ruledTables(e edges, frags []fragment, fonts []document.Font) (tables []*block, rest []fragment) {
	rest = frags
	// Where lines draw a table, backgrounds may only decorate it, or divide it further: whichever gives more text
	// in fewer empty slots is right.
	lattices := append(latticesOf(linesOnly(e)), latticesOf(e)...)
	slices.SortStableFunc(lattices, func(a, b lattice) int { return b.rows()*b.cols() - a.rows()*a.cols() })
	type candidate struct {
		table *block
		worth float64
	}
	var found []candidate
	for i := range lattices {
		inside, _ := splitByBox(frags, lattices[i].box())
		if t := fillLattice(&lattices[i], inside, fonts); t != nil {
			found = append(found, candidate{t, worth(t.grid)})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return compare(b.worth, a.worth) })
	for _, c := range found {
		if !overlapsTable(c.table.box, tables) {
			tables = append(tables, c.table)
			_, rest = splitByBox(rest, c.table.box)
		}
	}
	return tables, rest
}

// worth of a table: its filled cells, discounted by the square of the share of slots that they are.
func worth(g *document.Grid) float64 {
	n := float64(filled(g))
	share := n / float64(len(g.Cells))
	return n * share * share
}

// latticesOf gives the lattices of a page with at least two rows and columns. Of tables in each other, the one with
// more slots comes first: it is the table, the other its frame or a box in it.
func latticesOf(e edges) []lattice {
	var out []lattice
	for _, n := range findNets(e) {
		if l, ok := makeLattice(n); ok && l.rows() >= 2 && l.cols() >= 2 {
			out = append(out, l)
		}
	}
	slices.SortStableFunc(out, func(a, b lattice) int { return b.rows()*b.cols() - a.rows()*a.cols() })
	return out
}

// linesOnly leaves out edges that are only sides of backgrounds.
func linesOnly(e edges) edges {
	fill := func(e edge) bool { return e.fill }
	return edges{
		horizontal: slices.DeleteFunc(slices.Clone(e.horizontal), fill),
		vertical:   slices.DeleteFunc(slices.Clone(e.vertical), fill),
	}
}

func overlapsTable(b document.Box, tables []*block) bool {
	for _, t := range tables {
		if x := b.Intersect(t.box); x.Width() > snapDistance && x.Height() > snapDistance {
			return true
		}
	}
	return false
}

// splitByBox divides fragments, piece by piece, into those whose middle is in a box and the others.
func splitByBox(frags []fragment, b document.Box) (inside, outside []fragment) {
	for i := range frags {
		f := &frags[i]
		if x := f.box.Intersect(b); x == (document.Box{}) {
			outside = append(outside, *f)
			continue
		}
		for _, part := range splitPieces(f, func(p *piece) int {
			if x, y := p.middle(); x >= b.Left && x <= b.Right && y >= b.Top && y <= b.Bottom {
				return 1
			}
			return 0
		}) {
			if part.key == 1 {
				inside = append(inside, part.fragment)
			} else {
				outside = append(outside, part.fragment)
			}
		}
	}
	return inside, outside
}

// middle is a point that is certainly in the place that the piece belongs to, whatever its letters.
func (p *piece) middle() (x, y float64) {
	return (p.box.Left + p.box.Right) / 2, p.base - 0.3*p.size
}

type part struct {
	fragment
	key int
}

// splitPieces cuts a fragment where the key of its pieces changes.
func splitPieces(f *fragment, key func(*piece) int) []part {
	var out []part
	for start := 0; start < len(f.pieces); {
		k, end := key(&f.pieces[start]), start+1
		for end < len(f.pieces) && key(&f.pieces[end]) == k {
			end++
		}
		g := *f
		if start > 0 || end < len(f.pieces) {
			g.pieces = slices.Clone(f.pieces[start:end])
			g.pieces[0].glue = false
			g.size, g.base = 0, 0
			for i := range g.pieces {
				if g.pieces[i].size > g.size {
					g.size, g.base = g.pieces[i].size, g.pieces[i].base
				}
			}
			g.settle()
		}
		out = append(out, part{g, k})
		start = end
	}
	return out
}

// fillLattice puts text into the cells. It gives nil when the result is no table: charts and drawings have
// many empty slots or text across their lines, boxes around text have few slots.
func fillLattice(l *lattice, frags []fragment, fonts []document.Font) *block {
	const (
		// leastFilled of the cells hold text; forms and price lists have empty columns, grids of charts
		// nothing but empty slots.
		leastFilled = 0.25
		// leastDivided is the least share of slots that are cells of their own: merged cells are the exception
		// in tables, and the rule where bars stand before the lines of a chart.
		leastDivided = 0.3
		// mostCrossed pieces may lie across a wall: text that ignores the lines is not laid out by them.
		mostCrossed = 0.15
	)
	if len(frags) == 0 || crossed(l, frags) > mostCrossed {
		return nil
	}
	addTextWalls(l, frags)
	openRows(l, frags, fonts)
	spans := l.cells()
	if float64(len(spans)) < leastDivided*float64(l.rows()*l.cols()) {
		return nil
	}
	bySlot := make([]int, l.rows()*l.cols())
	for i, s := range spans {
		for r := s.row; r <= s.lastRow; r++ {
			for c := s.col; c <= s.lastCol; c++ {
				bySlot[r*l.cols()+c] = i
			}
		}
	}
	content := make([][]fragment, len(spans))
	order := math.MaxInt
	for i := range frags {
		order = min(order, frags[i].order)
		for _, part := range splitPieces(&frags[i], func(p *piece) int {
			r, c := l.slot(p.middle())
			return bySlot[r*l.cols()+c]
		}) {
			content[part.key] = append(content[part.key], part.fragment)
		}
	}
	t := newTable(l, spans, content, fonts)
	t.order = order
	t.shape.ruled = true
	g := t.grid
	if g.Rows < 2 || g.Cols < 2 || float64(filled(g)) < leastFilled*float64(len(g.Cells)) || filled(g) < 3 {
		return nil
	}
	return t
}

// addTextWalls separates neighbouring slots of a row that no line separates, but a gutter between their texts does:
// shaded rows often alternate with bare ones.
func addTextWalls(l *lattice, frags []fragment) {
	type reach struct{ left, right float64 } // of the text in a slot
	slots := make([]reach, l.rows()*l.cols())
	across := make([]bool, l.rows()*l.cols()) // text goes over the slot's right boundary
	for i := range slots {
		slots[i] = reach{math.Inf(1), math.Inf(-1)}
	}
	for i := range frags {
		for k := range frags[i].pieces {
			p := &frags[i].pieces[k]
			r, c := l.slot(p.middle())
			s := &slots[r*l.cols()+c]
			s.left, s.right = math.Min(s.left, p.box.Left), math.Max(s.right, p.box.Right)
			if c+1 < l.cols() && p.box.Right > l.xs[c+1]+0.2*p.size {
				across[r*l.cols()+c] = true
			}
			if c > 0 && p.box.Left < l.xs[c]-0.2*p.size {
				across[r*l.cols()+c-1] = true
			}
		}
	}
	for r := range l.rows() {
		for c := range l.cols() - 1 {
			a, b := slots[r*l.cols()+c], slots[r*l.cols()+c+1]
			const gutter = 7.0 // points: wider than a space in table type
			if !l.right[r][c] && !across[r*l.cols()+c] && b.left-a.right >= gutter && !math.IsInf(b.left-a.right, 0) {
				l.right[r][c] = true
			}
		}
	}
}

// openRows divides rows of the lattice that hold a table of their own, with lines between the columns only: many
// short cells on common baselines.
func openRows(l *lattice, frags []fragment, fonts []document.Font) {
	const fewest = 3 // printed rows; two are a title of two lines
	gutters := make([]interval, 0, l.cols())
	for _, x := range l.xs[1 : len(l.xs)-1] {
		gutters = append(gutters, interval{x, x})
	}
	byRow := make([][]fragment, l.rows())
	for i := range frags {
		_, y := frags[i].pieces[0].middle()
		r := between(l.ys, y)
		byRow[r] = append(byRow[r], frags[i])
	}
	for r := l.rows() - 1; r >= 0; r-- {
		if len(byRow[r]) < fewest*2 || slices.Contains(l.right[r], false) {
			continue
		}
		t := newTextTable(byRow[r], gutters, fonts)
		t.joinRows(nil)
		s := t.measure()
		if len(t.rows) < fewest || s.regular < 0.8 || s.numeric < 0.4 {
			continue
		}
		l.divideRow(r, t)
	}
}

// divideRow replaces row r by the rows of t.
func (l *lattice) divideRow(r int, t *textTable) {
	n := len(t.rows) - 1
	ys := make([]float64, 0, n)
	walls, open := make([][]bool, n), make([][]bool, n)
	for i := 1; i <= n; i++ {
		ys = append(ys, (t.rows[i-1].bottom+t.rows[i].top)/2)
		walls[i-1] = make([]bool, l.cols())
		for c := range walls[i-1] {
			walls[i-1][c] = true
		}
		open[i-1] = slices.Clone(l.right[r])
	}
	l.ys = slices.Insert(l.ys, r+1, ys...)
	l.right = slices.Insert(l.right, r+1, open...)
	l.below = slices.Insert(l.below, r, walls...)
}

// crossed is the share of pieces that lie across a wall.
func crossed(l *lattice, frags []fragment) float64 {
	n, total := 0, 0
	for i := range frags {
		for k := range frags[i].pieces {
			p := &frags[i].pieces[k]
			total++
			_, y := p.middle()
			row := between(l.ys, y)
			inner := 0.2 * p.size // letters may touch a line
			first, _ := slices.BinarySearch(l.xs, p.box.Left+inner)
			if first > 0 && first < len(l.xs)-1 && l.xs[first] < p.box.Right-inner && l.right[row][first-1] {
				n++
				continue
			}
			// Through the middle of the letters, not just through their feet.
			above, _ := slices.BinarySearch(l.ys, p.base-0.55*p.size)
			x, _ := p.middle()
			if above > 0 && above < len(l.ys)-1 && l.ys[above] < p.base-0.15*p.size && l.below[above-1][between(l.xs, x)] {
				n++
			}
		}
	}
	return float64(n) / float64(max(total, 1))
}

// newTable makes a table block of filled spans, without rows and columns that hold nothing.
func newTable(l *lattice, spans []span, content [][]fragment, fonts []document.Font) *block {
	rowUsed, colUsed := make([]bool, l.rows()), make([]bool, l.cols())
	for i, s := range spans {
		if len(content[i]) > 0 {
			rowUsed[s.row], colUsed[s.col] = true, true
			// A cell over several rows keeps those that other cells begin in; they mark their own.
		}
	}
	// An empty row or column that is wide enough to write in is part of a form or of a blank column.
	const roomToWrite = 12.0 // points
	for r := range rowUsed {
		rowUsed[r] = rowUsed[r] || l.ys[r+1]-l.ys[r] >= roomToWrite
	}
	for c := range colUsed {
		colUsed[c] = colUsed[c] || l.xs[c+1]-l.xs[c] >= roomToWrite
	}
	rowAt, rows := renumber(rowUsed)
	colAt, cols := renumber(colUsed)
	b := &block{kind: document.Table, box: l.box(), grid: &document.Grid{Rows: rows, Cols: cols}}
	b.shape = newTableShape(rows, cols)
	for c := range colUsed {
		if colUsed[c] {
			b.shape.columns[colAt[c]] = interval{l.xs[c], l.xs[c+1]}
		}
	}
	for r := range rowUsed {
		if rowUsed[r] {
			b.shape.rows[rowAt[r]].extent = interval{l.ys[r], l.ys[r+1]}
		}
	}
	weights := make(styleWeights)
	for i, s := range spans {
		row, col := rowAt[s.row], colAt[s.col]
		lastRow, lastCol := rowAt[s.lastRow+1]-1, colAt[s.lastCol+1]-1
		if lastRow < row || lastCol < col {
			continue // it lies in dropped rows or columns, and is empty
		}
		refs := make([]*fragment, len(content[i]))
		for k := range content[i] {
			refs[k] = &content[i][k]
		}
		lines := makeLines(refs, fonts)
		for k := range lines {
			weights.add(&lines[k])
		}
		b.shape.add(row, col, lastCol, lines)
		b.grid.Cells = append(b.grid.Cells, document.Cell{
			Row: row, Col: col, RowSpan: lastRow - row + 1, ColSpan: lastCol - col + 1,
			Box:   document.Box{Left: l.xs[s.col], Top: l.ys[s.row], Right: l.xs[s.lastCol+1], Bottom: l.ys[s.lastRow+1]},
			Lines: documentLines(lines, fonts),
		})
	}
	b.style = weights.predominant()
	return b
}

// renumber gives each index its place among the used ones, and how many those are.
func renumber(used []bool) (at []int, n int) {
	at = make([]int, len(used)+1)
	for i, u := range used {
		at[i] = n
		if u {
			n++
		}
	}
	at[len(used)] = n
	return at, n
}

func filled(g *document.Grid) int {
	n := 0
	for i := range g.Cells {
		if len(g.Cells[i].Lines) > 0 {
			n++
		}
	}
	return n
}
