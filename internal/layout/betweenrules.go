package layout

import (
	"math"
	"slices"

	"github.com/ragify/ragify/internal/document"
)

// A region lies between the first and last of several rules of one width, one below the other.
type region struct {
	left, right float64
	ys          []float64
}

// box is the region with room for text that touches the rules.
func (r *region) box() document.Box {
	return document.Box{Left: r.left - 3, Top: r.ys[0] - 1, Right: r.right + 3, Bottom: r.ys[len(r.ys)-1] + 1}
}

// ruledRegions groups horizontal lines by their ends.
func (s *surveyor) ruledRegions() []region {
	const (
		same   = 3.0  // points by which the ends may differ
		widest = 40.0 // points: a rule shorter than this underlines a word or begins footnotes
	)
	lines := slices.DeleteFunc(slices.Clone(s.edges.horizontal), func(e edge) bool { return e.fill || e.length() < widest })
	slices.SortStableFunc(lines, func(a, b edge) int { return compare(a.from, b.from) })
	var out []region
	for start := 0; start < len(lines); {
		end := start + 1
		for end < len(lines) && lines[end].from-lines[start].from <= same {
			end++
		}
		group := slices.Clone(lines[start:end])
		slices.SortStableFunc(group, func(a, b edge) int { return compare(a.to, b.to) })
		for a := 0; a < len(group); {
			b := a + 1
			for b < len(group) && group[b].to-group[a].to <= same {
				b++
			}
			if b-a >= 2 {
				r := region{left: group[a].from, right: group[a].to}
				for _, e := range group[a:b] {
					r.ys = append(r.ys, e.at)
				}
				slices.Sort(r.ys)
				out = append(out, r)
			}
			a = b
		}
		start = end
	}
	return out
}

// divide gives the parts of a region between which there can be no table: an empty space, as between the rule of the
// running head and the first one of a table, or text that is not in columns: between two tables whose rules are alike
// stand captions, notes, headings and paragraphs.
func (r region) divide(frags []fragment) []region {
	const doubled = 6.0 // points: an empty space that a double rule may leave
	inside, _ := splitByBox(frags, r.box())
	slices.SortStableFunc(inside, func(a, b fragment) int { return compare(a.base, b.base) })
	stretches := make([][]*fragment, len(r.ys)+1)
	for i := range inside {
		_, y := inside[i].pieces[0].middle()
		k, _ := slices.BinarySearch(r.ys, y)
		stretches[k] = append(stretches[k], &inside[i])
	}
	var out []region
	first := 0
	for i := 1; i <= len(r.ys); i++ {
		if i < len(r.ys) && (len(stretches[i]) > 0 || r.ys[i]-r.ys[i-1] <= doubled) && !r.outside(stretches[i]) && !r.prose(stretches[i]) {
			continue
		}
		if i-first >= 2 {
			out = append(out, region{r.left, r.right, r.ys[first:i]})
		}
		first = i
	}
	return out
}

// outside reports whether text between two rules, sorted by baseline, holds what is no part of a table: a caption, a
// heading, a paragraph. All of them begin at the left edge, alone in their line.
func (r region) outside(frags []*fragment) bool {
	const (
		edge   = 1.5  // ems from the rules' left end
		wide   = 0.75 // of the width: the first line of a paragraph; cells of a first column are narrower
		larger = 1.15 // times the usual size: headings
		// leading is the widest distance of lines in a paragraph, in ems.
		leading = 1.6
	)
	if len(frags) == 0 {
		return false
	}
	em := medianSize(frags)
	lines := printedLines(frags, em)
	last := math.Inf(-1) // baseline of a line that can be the first of a paragraph
	for _, l := range lines {
		f := l[0]
		if len(l) > 1 || f.box.Left > r.left+edge*em {
			last = math.Inf(-1)
			continue
		}
		if text := f.text(); f.size > larger*em || tableCaption.MatchString(text) || captionStart.MatchString(text) {
			return true
		}
		if f.base-last <= leading*em {
			return true
		}
		if last = math.Inf(-1); f.box.Width() >= wide*(r.right-r.left) && 2*f.letters() > f.runes {
			last = f.base
		}
	}
	return false
}

// prose reports whether the text between two rules is a heading, paragraphs and lists: at least two lines, of which each
// is one text, with the mark of a list item or without, and most begin at the left. A title over columns is one line,
// or stands in their middle.
func (r region) prose(frags []*fragment) bool {
	const (
		lines = 2
		edge  = 1.5 // ems from the rules' left end
	)
	slices.SortStableFunc(frags, func(a, b *fragment) int { return compare(a.base, b.base) })
	n, left, runes := 0, 0, 0
	for start := 0; start < len(frags); {
		end := start + 1
		for end < len(frags) && frags[end].base-frags[start].base <= 0.35*frags[start].size {
			end++
		}
		row := frags[start:end]
		start = end
		slices.SortStableFunc(row, func(a, b *fragment) int { return compare(a.box.Left, b.box.Left) })
		marked := parseMark(row[0].pieces[0].text).text != ""
		if len(row) > 2 || len(row) == 2 && (!marked || len(row[0].pieces) > 1) {
			return false
		}
		n++
		runes += row[0].runes
		if marked || row[0].box.Left < r.left+edge*row[0].size {
			left++
		}
	}
	return n >= lines && 2*left > n && runes >= proseRunes*n
}

// medianSize is the median font size, at least one point.
func medianSize(frags []*fragment) float64 {
	sizes := make([]float64, 0, len(frags))
	for _, f := range frags {
		sizes = append(sizes, f.size)
	}
	slices.Sort(sizes)
	return math.Max(sizes[len(sizes)/2], 1)
}

// inRegion looks for a table between the first and last rule of a region, and where there is none, in the two parts
// on both sides of the widest distance between rules.
func (s *surveyor) inRegion(r region, rest *[]fragment, add func(*textTable, []fragment, []fragment) bool) {
	if len(r.ys) < 2 {
		return
	}
	box := r.box()
	used, left := splitByBox(*rest, box)
	if len(used) >= 4 {
		t := s.ruledTextTable(r, used)
		e := s.evidence(t, true, captionAt(box, left))
		if !t.looksTabular(e.caption) || t.convincing(e) && add(t, used, left) {
			return // of contents or a listing no part is a table either
		}
	}
	if len(r.ys) == 2 {
		return
	}
	widest := 1
	for i := 2; i < len(r.ys); i++ {
		if r.ys[i]-r.ys[i-1] > r.ys[widest]-r.ys[widest-1] {
			widest = i
		}
	}
	s.inRegion(region{r.left, r.right, r.ys[:widest]}, rest, add)
	s.inRegion(region{r.left, r.right, r.ys[widest:]}, rest, add)
}

// ruledTextTable reads rows and columns of the text in a region.
func (s *surveyor) ruledTextTable(r region, frags []fragment) *textTable {
	end := r.headEnd(frags)
	gutters := openGutters(frags, end)
	narrowGutters(gutters, frags, end)
	t := newTextTable(frags, gutters, s.fonts)
	heads := 0
	for heads < len(t.rows) && t.rows[heads].base < end {
		heads++
	}
	body := *t
	body.rows = t.rows[heads:]
	body.joinRows(r.ys)
	if heads > 0 {
		t.readHead(heads, s.spanners(r, end))
		t.rows = append(t.rows, body.rows...)
	} else {
		t.rows = body.rows
	}
	return t
}

// narrowGutters leaves of each gutter what two kinds of lines leave free that reach into it: the titles above y end, which
// may be wider than the cells below, and a row's name that is so long that its value stands but a space behind it.
// Those that cover the gutter lie across.
func narrowGutters(gutters []interval, frags []fragment, end float64) {
	for k := range gutters {
		g := gutters[k]
		for i := range frags {
			if frags[i].base >= end {
				if x, ok := frags[i].valueBehind(gutters[k]); ok {
					g.from = math.Max(g.from, x)
				}
				continue
			}
			switch b := frags[i].box; {
			case b.Left < gutters[k].from && b.Right > gutters[k].from && b.Right < gutters[k].to:
				g.from = math.Max(g.from, b.Right)
			case b.Left > gutters[k].from && b.Left < gutters[k].to && b.Right > gutters[k].to:
				g.to = math.Min(g.to, b.Left)
			}
		}
		if g.from < g.to {
			gutters[k] = g
		}
	}
}

// valueBehind gives the right end, inside a gutter, of words behind which a single value stands at the gutter's other side.
func (f *fragment) valueBehind(gutter interval) (x float64, ok bool) {
	const edge = 0.1 // ems by which the value may reach into the gutter
	n := len(f.pieces)
	if n < 2 {
		return 0, false
	}
	before, last := &f.pieces[n-2], &f.pieces[n-1]
	x = before.box.Right
	return x, !last.glue && valueLike(last.text) && !numberLike(before.text) &&
		x > gutter.from && x < gutter.to && last.box.Left >= gutter.to-edge*f.size
}

// headEnd is the y of the rule below the column titles, negative infinity when there is none: the first rule that text
// stands above. What stands above it are a few lines, and not numbers only.
func (r *region) headEnd(frags []fragment) float64 {
	const (
		most     = 9   // lines of titles; more are rows of a table that ends in a total
		mostText = 0.5 // largest share of titles that are numbers: years are, values of a table all are
	)
	none := math.Inf(-1)
	first := math.Inf(1)
	for i := range frags {
		first = math.Min(first, frags[i].base)
	}
	k, _ := slices.BinarySearch(r.ys, first)
	if k >= len(r.ys)-1 {
		return none
	}
	end := r.ys[k]
	var bases []float64
	titles, values, below := 0, 0, false
	for i := range frags {
		f := &frags[i]
		if _, y := f.pieces[0].middle(); y > end {
			below = true
			continue
		}
		bases = append(bases, f.base)
		titles++
		if text := f.text(); numberLike(text) && !yearLike(text) {
			values++
		}
	}
	slices.Sort(bases)
	lines := 1
	for i := 1; i < len(bases); i++ {
		if bases[i]-bases[i-1] > 3 {
			lines++
		}
	}
	if !below || titles < 2 || lines > most || float64(values) > mostText*float64(titles) {
		return none
	}
	return end
}

// spanners gives the rules in a region's titles that are shorter than the region: each stands under a title over
// several columns, or under one of a column.
func (s *surveyor) spanners(r region, end float64) []edge {
	const shorter = 0.85 // of the region's width
	var out []edge
	first, _ := slices.BinarySearchFunc(s.edges.horizontal, r.ys[0]+snapDistance, func(e edge, y float64) int { return compare(e.at, y) })
	for i := first; i < len(s.edges.horizontal) && s.edges.horizontal[i].at < end-snapDistance; i++ {
		e := s.edges.horizontal[i]
		if !e.fill && e.length() < shorter*(r.right-r.left) && e.from > r.left-snapDistance && e.to < r.right+snapDistance {
			out = append(out, e)
		}
	}
	return out
}

// openGutters finds gutters that all but a few rows leave free. Rows above y from, and those of a single fragment, are
// not asked: titles over several columns and names of groups of rows lie across. It sweeps over the ends of the words.
func openGutters(frags []fragment, from float64) []interval {
	const (
		acrossShare = 0.15 // of the rows may lie across a gutter
		// narrow gutters are enough between rules, in ems: wider than any space in a table's type.
		narrow = 0.55
		// fewest lines with several cells tell gutters.
		fewest = 3
	)
	type end struct {
		x    float64
		step int
	}
	sorted := make([]*fragment, 0, len(frags))
	for i := range frags {
		if frags[i].base >= from {
			sorted = append(sorted, &frags[i])
		}
	}
	if len(sorted) == 0 {
		return nil
	}
	slices.SortStableFunc(sorted, func(a, b *fragment) int { return compare(a.base, b.base) })
	em := medianSize(sorted)
	lines := printedLines(sorted, em)
	cells := 0 // lines with cells in several columns
	for _, l := range lines {
		if len(l) > 1 {
			cells++
		}
	}
	var ends []end
	for _, l := range lines {
		if len(l) == 1 && cells >= fewest {
			continue
		}
		for _, f := range l {
			for k := range f.pieces {
				ends = append(ends, end{f.pieces[k].box.Left, 1}, end{f.pieces[k].box.Right, -1})
			}
		}
	}
	allowed := int(acrossShare * float64(len(lines)))
	slices.SortFunc(ends, func(a, b end) int {
		if a.x == b.x {
			return a.step - b.step
		}
		return compare(a.x, b.x)
	})
	var out []interval
	var gaps []interval // that nothing lies across, in the current stretch that few rows cover
	depth, empty, start := 0, math.Inf(1), math.Inf(-1)
	few := true
	for _, e := range ends {
		if e.step < 0 {
			depth--
			if !few && depth <= allowed {
				few, start = true, e.x
			}
			if depth == 0 {
				empty = e.x
			}
			continue
		}
		if depth == 0 && e.x-empty >= narrow*em {
			gaps = append(gaps, interval{empty, e.x})
		}
		if depth++; depth <= allowed {
			continue
		}
		if few && len(gaps) == 0 && e.x-start >= narrow*em && !math.IsInf(start, 0) {
			gaps = append(gaps, interval{start, e.x})
		}
		out = append(out, gaps...)
		few, gaps = false, nil
	}
	return append(out, gaps...)
}

// printedLines groups fragments, sorted by baseline, to printed lines.
func printedLines(sorted []*fragment, em float64) [][]*fragment {
	var out [][]*fragment
	for start := 0; start < len(sorted); {
		end := start + 1
		for end < len(sorted) && sorted[end].base-sorted[end-1].base <= 0.35*em {
			end++
		}
		out = append(out, sorted[start:end])
		start = end
	}
	return out
}
