package layout

import (
	"math"
	"slices"

	"github.com/ragify/ragify/internal/document"
)

// A brokenRule is a horizontal rule that was drawn piece by piece, a piece for each column: word processors and browsers
// draw the borders of cells so. Its joints say where columns meet, to a fraction of a point.
type brokenRule struct {
	y, from, to float64
	joints      []float64
}

// findBrokenRules finds the rules of a page that are drawn column by column, from top to bottom. Its cost is n log n.
func findBrokenRules(c *document.Content, f frame) []brokenRule {
	const sameLine = 0.5 // points: pieces of a rule lie exactly on one line
	var pieces []edge
	for i := range c.Rules {
		r := &c.Rules[i]
		if len(pieces) > maxEdges {
			return nil
		}
		b := f.box(r.Box)
		if r.Kind != document.RuleCurve && b.Height() < snapDistance && b.Width() > b.Height() && visible(r, b, f) {
			pieces = append(pieces, edge{at: (b.Top + b.Bottom) / 2, from: b.Left, to: b.Right})
		}
	}
	slices.SortFunc(pieces, func(a, b edge) int { return compare(a.at, b.at) })
	var out []brokenRule
	for start := 0; start < len(pieces); {
		end := start + 1
		for end < len(pieces) && pieces[end].at-pieces[start].at <= sameLine {
			end++
		}
		row := pieces[start:end]
		slices.SortFunc(row, func(a, b edge) int { return compare(a.from, b.from) })
		out = appendBroken(out, row)
		start = end
	}
	return out
}

// appendBroken appends the broken rules among pieces that lie on one line, given from left to right.
func appendBroken(out []brokenRule, pieces []edge) []brokenRule {
	const (
		touching  = 1.2  // points between the ends of two pieces; between them there may be a dot
		narrowest = 10.0 // points: the pieces of dashes and leaders are shorter
	)
	var cur brokenRule
	dashes := false
	flush := func() {
		if len(cur.joints) > 0 && !dashes {
			out = append(out, cur)
		}
		dashes = false
	}
	for _, p := range pieces {
		switch {
		case p.length() < touching:
			continue
		case cur.to == 0 || p.from > cur.to+touching:
			flush()
			cur = brokenRule{y: p.at, from: p.from, to: p.to}
		case p.from >= cur.to-touching:
			cur.joints = append(cur.joints, (cur.to+p.from)/2)
			cur.to = p.to
		default: // drawn over one another
			cur.to = math.Max(cur.to, p.to)
			continue
		}
		dashes = dashes || p.length() < narrowest
	}
	flush()
	return out
}

// brokenRuleTables finds tables by the rule below their titles, or above their first row, where it is drawn column by
// column. It gives them with the fragments that are in none.
func (s *surveyor) brokenRuleTables(rules []brokenRule, frags []fragment, taken []*block) (tables []*block, rest []fragment) {
	rest = frags
	if len(rules) == 0 {
		return nil, rest
	}
	var regions []region
	for _, r := range s.ruledRegions() {
		regions = append(regions, r.divide(frags)...)
	}
	for _, r := range rules {
		head := r.head(rest)
		if head.columns == nil || overlapsTable(head.box, taken) || overlapsTable(head.box, tables) {
			continue
		}
		t, used, left := s.below(head, rest)
		if t == nil || len(used) == 0 || t.rowsAcross() > 0 || 2*t.filledSlots() < len(t.rows)*len(t.columns) {
			continue
		}
		t.columns[0].from, t.columns[len(t.columns)-1].to = head.box.Left, head.box.Right
		b := t.block()
		if overlapsTable(b.box, taken) || overlapsTable(b.box, tables) || r.goesOn(b.box.Bottom, regions, rules, left) {
			continue
		}
		b.shape.ruled = true
		tables, rest = append(tables, b), left
	}
	return tables, rest
}

// goesOn reports whether what was read at a rule, down to y bottom, is only a part of a table between rules that are as
// wide, or reach over a column of names at the left, too: one of them closes it farther down, after more text, or the
// rule is itself the one that closes it. Names of groups stand in lines of their own there, and end what keeps to the
// columns of a rule.
func (r brokenRule) goesOn(bottom float64, regions []region, rules []brokenRule, rest []fragment) bool {
	const (
		same   = 3.0 // points by which the ends and heights of rules may differ
		closed = 3   // rules: above and below the titles, and below the table
	)
	for _, g := range regions {
		last := g.ys[len(g.ys)-1]
		if g.left > r.from+same || math.Abs(g.right-r.to) > same || g.ys[0] > r.y+same || last < r.y-same {
			continue
		}
		if slices.ContainsFunc(rules, func(o brokenRule) bool { return o.y > g.ys[0]-same && o.y < last+same && !r.agrees(o) }) {
			continue // tables with columns of their own stand close together
		}
		if last <= r.y+same && len(g.ys) >= closed {
			return true
		}
		if below, _ := splitByBox(rest, document.Box{Left: g.left, Top: bottom, Right: g.right, Bottom: last}); len(below) > 0 {
			return true
		}
	}
	return false
}

// agrees reports whether two rules can belong to one table: where both are, the joints of one are among those of the
// other, which may be below titles over several columns.
func (r brokenRule) agrees(o brokenRule) bool {
	const same = 2.0 // points
	among := func(a, b brokenRule) bool {
		for _, x := range a.joints {
			if x > b.from+same && x < b.to-same && !slices.ContainsFunc(b.joints, func(y float64) bool { return math.Abs(x-y) <= same }) {
				return false
			}
		}
		return true
	}
	return among(r, o) || among(o, r)
}

// head is the row of titles that stands on a broken rule, as if it had backgrounds, or when nothing does, the row below
// it. It has no columns where the text does not keep to those of the rule.
func (r brokenRule) head(frags []fragment) fillRow {
	const (
		near  = 2.2 // ems from the rule to the baseline of the last title above, or of the row below
		lines = 1.6 // ems between the lines of a title
		most  = 5   // lines of titles
	)
	beside := func(f fragment) bool { return f.box.Right <= r.from || f.box.Left >= r.to }
	rows := linesOf(slices.DeleteFunc(slices.Clone(frags), beside))
	at, _ := slices.BinarySearchFunc(rows, r.y, func(row []*fragment, y float64) int { return compare(row[0].base, y) })
	h := fillRow{box: document.Box{Left: r.from, Top: r.y, Right: r.to, Bottom: r.y}}
	last := r.y
	for i := at - 1; i >= 0 && i >= at-most; i-- {
		row := rows[i]
		limit := lines * row[0].size
		if i == at-1 {
			limit = near * row[0].size
		}
		if last-row[0].base > limit || !r.keeps(row) || tableCaption.MatchString(lineText(row)) {
			break
		}
		last = row[0].base
		h.box.Top = last - 0.9*row[0].size
	}
	if title, _ := splitByBox(frags, h.box); r.filled(title) < 2 {
		h.box.Top = r.y
		if at == len(rows) || rows[at][0].base-r.y > near*rows[at][0].size || !r.keeps(rows[at]) {
			return fillRow{}
		}
		h.box.Bottom = rows[at][0].base + 0.3*rows[at][0].size
	}
	h.columns = r.joints
	return h
}

// keeps reports whether the words of a line stand between the ends and joints of the rule.
func (r brokenRule) keeps(row []*fragment) bool {
	for _, f := range row {
		for i := range f.pieces {
			p := &f.pieces[i]
			inner := 0.2 * p.size
			k, _ := slices.BinarySearch(r.joints, p.box.Left+inner)
			if p.box.Left < r.from-inner || p.box.Right > r.to+inner || k < len(r.joints) && r.joints[k] < p.box.Right-inner {
				return false
			}
		}
	}
	return true
}

// filled counts the columns of the rule in which text stands.
func (r brokenRule) filled(frags []fragment) int {
	var columns []int
	for i := range frags {
		for k := range frags[i].pieces {
			x, _ := frags[i].pieces[k].middle()
			c, _ := slices.BinarySearch(r.joints, x)
			columns = append(columns, c)
		}
	}
	slices.Sort(columns)
	return len(slices.Compact(columns))
}
