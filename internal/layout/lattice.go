package layout

import (
	"math"
	"slices"

	"github.com/ragify/ragify/internal/document"
)

// A lattice is a table's geometry: columns between neighbouring xs, rows between neighbouring ys, and
// walls where neighbouring slots are separated.
type lattice struct {
	xs, ys []float64
	right  [][]bool // right[row][col]: a wall between (row, col) and (row, col+1)
	below  [][]bool // below[row][col]: a wall between (row, col) and (row+1, col)
}

func (l *lattice) rows() int { return len(l.ys) - 1 }
func (l *lattice) cols() int { return len(l.xs) - 1 }

func (l *lattice) box() document.Box {
	return document.Box{Left: l.xs[0], Top: l.ys[0], Right: l.xs[len(l.xs)-1], Bottom: l.ys[len(l.ys)-1]}
}

const (
	// wallShare of the boundary between two slots has to be drawn to separate them. Walls are drawn whole
	// or not at all; the rest is rounded corners and crossings.
	wallShare = 0.6
	// maxSlots bounds a lattice. The largest printed spreadsheets have some thousand cells a page.
	maxSlots = 20_000
	// narrowest column or lowest row in points: less cannot hold a letter and is a double rule.
	narrowestSlot = 4.0
)

// makeLattice reads rows, columns and walls off a net. ok is false when it encloses fewer than two cells.
func makeLattice(n net) (l lattice, ok bool) {
	// The ends of the crossing edges close a table that has no outer frame.
	xs, ys := make([]float64, 0, len(n.vertical)+2), make([]float64, 0, len(n.horizontal)+2)
	for _, v := range n.vertical {
		xs = append(xs, v.at)
	}
	for _, h := range n.horizontal {
		ys = append(ys, h.at)
	}
	if len(n.horizontal) > 0 {
		xs = append(xs, n.box.Left, n.box.Right)
	}
	if len(n.vertical) > 0 {
		ys = append(ys, n.box.Top, n.box.Bottom)
	}
	l.xs, l.ys = distinct(xs), distinct(ys)
	if len(l.xs) < 2 || len(l.ys) < 2 || l.rows()*l.cols() > maxSlots {
		return l, false
	}
	l.right = walls(n.vertical, l.xs, l.ys)
	l.below = transpose(walls(n.horizontal, l.ys, l.xs), l.rows(), l.cols())
	return l, true
}

// distinct sorts positions and unites those that are too near to have a cell between them.
func distinct(at []float64) []float64 {
	slices.Sort(at)
	var out []float64
	for start := 0; start < len(at); {
		end := start + 1
		for end < len(at) && at[end]-at[end-1] < narrowestSlot && at[end]-at[start] < 2*narrowestSlot {
			end++
		}
		out = append(out, (at[start]+at[end-1])/2)
		start = end
	}
	return out
}

// walls reports for each stripe between neighbouring cross positions, and each inner position, whether an
// edge at that position covers the stripe. Outer boundaries are not asked for.
func walls(list []edge, at, cross []float64) [][]bool {
	covered := make([][]float64, len(cross)-1)
	for i := range covered {
		covered[i] = make([]float64, len(at))
	}
	for _, e := range list {
		k := nearest(at, e.at)
		first, _ := slices.BinarySearch(cross, e.from)
		for i := max(first-1, 0); i < len(covered) && cross[i] < e.to; i++ {
			covered[i][k] += math.Max(0, math.Min(e.to, cross[i+1])-math.Max(e.from, cross[i]))
		}
	}
	out := make([][]bool, len(covered))
	for i := range covered {
		out[i] = make([]bool, max(len(at)-2, 0))
		for k := 1; k < len(at)-1; k++ {
			out[i][k-1] = covered[i][k] >= wallShare*(cross[i+1]-cross[i])
		}
	}
	return out
}

func nearest(sorted []float64, x float64) int {
	i, _ := slices.BinarySearch(sorted, x)
	if i == len(sorted) || i > 0 && x-sorted[i-1] < sorted[i]-x {
		return i - 1
	}
	return i
}

// transpose turns walls found per column into walls per row.
func transpose(in [][]bool, rows, cols int) [][]bool {
	out := make([][]bool, max(rows-1, 0))
	for r := range out {
		out[r] = make([]bool, cols)
		for c := range out[r] {
			out[r][c] = in[c][r]
		}
	}
	return out
}

// A span is a cell: a rectangle of slots, last row and column inclusive.
type span struct {
	row, col, lastRow, lastCol int
}

// cells unites slots that no wall separates. A union that is not a rectangle falls back to its slots: a wall
// that ends in the open encloses nothing.
func (l *lattice) cells() []span {
	rows, cols := l.rows(), l.cols()
	parent := make([]int, rows*cols)
	for i := range parent {
		parent[i] = i
	}
	find := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	for r := range rows {
		for c := range cols {
			if c+1 < cols && !l.right[r][c] {
				parent[find(r*cols+c+1)] = find(r*cols + c)
			}
			if r+1 < rows && !l.below[r][c] {
				parent[find((r+1)*cols+c)] = find(r*cols + c)
			}
		}
	}
	spans, count := make(map[int]span), make(map[int]int)
	for i := range parent {
		root, r, c := find(i), i/cols, i%cols
		s, ok := spans[root]
		if !ok {
			s = span{r, c, r, c}
		}
		s.row, s.col = min(s.row, r), min(s.col, c)
		s.lastRow, s.lastCol = max(s.lastRow, r), max(s.lastCol, c)
		spans[root] = s
		count[root]++
	}
	var out []span
	for i := range parent {
		root, r, c := find(i), i/cols, i%cols
		s := spans[root]
		if count[root] != (s.lastRow-s.row+1)*(s.lastCol-s.col+1) {
			out = append(out, span{r, c, r, c})
		} else if s.row == r && s.col == c {
			out = append(out, s)
		}
	}
	return out
}

// slot gives the row and column at a point of the lattice's box.
func (l *lattice) slot(x, y float64) (row, col int) {
	return between(l.ys, y), between(l.xs, x)
}

func between(sorted []float64, x float64) int {
	i, found := slices.BinarySearch(sorted, x)
	if found {
		i++
	}
	return min(max(i-1, 0), len(sorted)-2)
}
