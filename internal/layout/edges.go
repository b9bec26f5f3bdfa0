package layout

import (
	"math"
	"slices"

	"github.com/ragify/ragify/internal/document"
)

// An edge is a horizontal or vertical line that a reader sees: a stroke, a thin rectangle, a side of a
// box or of a cell's background.
type edge struct {
	at       float64 // y of a horizontal edge, x of a vertical one
	from, to float64
	fill     bool // only a change of background, not a line
}

func (e edge) length() float64 { return e.to - e.from }

// edges are those of a page, each list sorted by at, then from.
type edges struct {
	horizontal, vertical []edge
	tooMany              bool // and none of them kept
}

const (
	// snapDistance in points: edges nearer than this to each other are one. Backgrounds of neighbouring
	// cells leave gaps of up to 2 points, double rules 1.5 to 2.5.
	snapDistance = 2.5
	// joinDistance in points closes the gaps of dashed lines and of lines drawn cell by cell.
	joinDistance = 3.5
	// shortestEdge in points: anything shorter is a tick, a dash or a piece of a drawing. The lowest table
	// rows are about 7 points high.
	shortestEdge = 5
	// maxEdges bounds the work on a page after merging. A spreadsheet page has some hundred; maps and
	// plots, in which no table is to be found, have many thousands.
	maxEdges = 6000
)

// findEdges reduces the rules of a page to edges. Its cost is n log n.
func findEdges(c *document.Content, f frame) edges {
	var e edges
	const most = 20 * maxEdges // before merging: dashes and cell-by-cell lines are many
	for i := range c.Rules {
		if len(e.horizontal)+len(e.vertical) > most {
			return edges{tooMany: true}
		}
		r := &c.Rules[i]
		b := f.box(r.Box)
		if r.Kind == document.RuleCurve && !thinCurve(b) || !visible(r, b, f) {
			continue
		}
		thin := math.Min(b.Width(), b.Height()) < snapDistance
		switch {
		case thin && b.Width() >= b.Height():
			e.horizontal = append(e.horizontal, edge{at: (b.Top + b.Bottom) / 2, from: b.Left, to: b.Right})
		case thin:
			e.vertical = append(e.vertical, edge{at: (b.Left + b.Right) / 2, from: b.Top, to: b.Bottom})
		case r.Kind == document.RuleFill && padding(c.Rules, i):
		default:
			fill := r.Kind == document.RuleFill
			e.horizontal = append(e.horizontal, edge{b.Top, b.Left, b.Right, fill}, edge{b.Bottom, b.Left, b.Right, fill})
			e.vertical = append(e.vertical, edge{b.Left, b.Top, b.Bottom, fill}, edge{b.Right, b.Top, b.Bottom, fill})
		}
	}
	e.horizontal, e.vertical = mergeEdges(e.horizontal), mergeEdges(e.vertical)
	if len(e.horizontal)+len(e.vertical) > maxEdges {
		return edges{tooMany: true}
	}
	return e
}

// visible reports whether a rule can be part of a table: on the page, not a page background, not white.
func visible(r *document.Rule, b document.Box, f frame) bool {
	const white, transparent = 0xF8, 0x10                                        // of 255: what no reader tells from paper
	if !(b.Left <= b.Right && b.Top <= b.Bottom) || r.Color&0xFF < transparent { // NaN compares with nothing
		return false
	}
	if r.Kind == document.RuleFill && r.Color>>24 >= white && r.Color>>16&0xFF >= white && r.Color>>8&0xFF >= white {
		return false
	}
	if b.Right < 0 || b.Bottom < 0 || b.Left > f.width || b.Top > f.height {
		return false
	}
	return b.Width() < 0.97*f.width || b.Height() < 0.9*f.height
}

// padding reports whether a background lies within that of a cell painted just before it: browsers and word
// processors paint the cell and then the paragraph in it.
func padding(rules []document.Rule, i int) bool {
	const back = 3 // rules to look at
	for k := max(0, i-back); k < i; k++ {
		o := &rules[k]
		if o.Kind == document.RuleFill && o.Color == rules[i].Color && o.Box.Intersect(rules[i].Box) == rules[i].Box {
			return true
		}
	}
	return false
}

// thinCurve reports whether a path that is no rectangle is a line to a reader all the same: the bevelled borders
// that browsers print are trapezoids.
func thinCurve(b document.Box) bool {
	const thin, long = 1.6, 12.0 // points
	return math.Min(b.Width(), b.Height()) < thin && math.Max(b.Width(), b.Height()) > long
}

// mergeEdges joins edges that lie on one line and touch or overlap, and drops short ones.
func mergeEdges(in []edge) []edge {
	slices.SortFunc(in, func(a, b edge) int { return compare(a.at, b.at) })
	var out []edge
	for start := 0; start < len(in); {
		end := start + 1
		for end < len(in) && in[end].at-in[end-1].at < 0.5*snapDistance && in[end].at-in[start].at < snapDistance {
			end++
		}
		out = mergeCollinear(out, in[start:end])
		start = end
	}
	return slices.DeleteFunc(out, func(e edge) bool { return e.length() < shortestEdge })
}

func mergeCollinear(out, group []edge) []edge {
	sum := 0.0
	for _, e := range group {
		sum += e.at
	}
	at := sum / float64(len(group))
	slices.SortFunc(group, func(a, b edge) int { return compare(a.from, b.from) })
	cur := group[0]
	for _, e := range group[1:] {
		if e.from <= cur.to+joinDistance {
			cur.to = math.Max(cur.to, e.to)
			cur.fill = cur.fill && e.fill
			continue
		}
		cur.at = at
		out = append(out, cur)
		cur = e
	}
	cur.at = at
	return append(out, cur)
}

// crossing reports whether a horizontal and a vertical edge meet.
func crossing(h, v edge) bool {
	return v.at >= h.from-joinDistance && v.at <= h.to+joinDistance && h.at >= v.from-joinDistance && h.at <= v.to+joinDistance
}

// A net is a set of edges that hang together: a table, a box, a chart's frame.
type net struct {
	horizontal, vertical []edge
	box                  document.Box
}

// findNets groups edges that cross. Each vertical edge looks only at the horizontal ones in its reach.
func findNets(e edges) []net {
	parent := make([]int, len(e.horizontal)+len(e.vertical))
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
	for j, v := range e.vertical {
		first, _ := slices.BinarySearchFunc(e.horizontal, v.from-joinDistance, func(h edge, y float64) int { return compare(h.at, y) })
		for i := first; i < len(e.horizontal) && e.horizontal[i].at <= v.to+joinDistance; i++ {
			if crossing(e.horizontal[i], v) {
				parent[find(i)] = find(len(e.horizontal) + j)
			}
		}
	}
	byRoot := make(map[int]int)
	var nets []net
	at := func(i int) *net {
		root := find(i)
		k, ok := byRoot[root]
		if !ok {
			k = len(nets)
			byRoot[root] = k
			nets = append(nets, net{})
		}
		return &nets[k]
	}
	for i, h := range e.horizontal {
		n := at(i)
		n.horizontal = append(n.horizontal, h)
		n.box = n.box.Union(document.Box{Left: h.from, Top: h.at, Right: h.to, Bottom: h.at})
	}
	for j, v := range e.vertical {
		n := at(len(e.horizontal) + j)
		n.vertical = append(n.vertical, v)
		n.box = n.box.Union(document.Box{Left: v.at, Top: v.from, Right: v.at, Bottom: v.to})
	}
	return nets
}
