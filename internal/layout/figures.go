package layout

import (
	"math"
	"slices"
	"unicode"

	"github.com/ragify/ragify/internal/document"
)

// A drawing is a cluster of painted paths and pictures: what may be a chart or diagram.
type drawing struct {
	box    document.Box
	shapes int            // paths that are neither lines nor rectangles
	fills  []document.Box // filled rectangles
	lines  int            // thin rules and frames
	image  int            // index of the largest picture + 1, 0 without one
	area   float64        // of that picture, in square points
}

// Thresholds for drawings.
const (
	// drawingReach in points: paths nearer than this belong together. Bars and slices touch the axes or each other;
	// marks of a legend stand a line apart.
	drawingReach = 12.0
	// smallestDrawing in points, in both directions: smaller ones are icons, bullets and logos.
	smallestDrawing = 40.0
	// backgroundShare of the page's area, from which on a path lies behind the page's content.
	backgroundShare = 0.5
	// mostCells bounds the work on a page: cells of the grid that all paths together cover.
	mostCells = 1_000_000
	// labelRunes is the longest label of a chart in characters: an entry of a legend.
	labelRunes = 36
)

// findFigures finds the charts and diagrams among a page's paths, takes the text in and around them that labels them
// out of the flow, and gives them as blocks with the fragments that remain. Without that, labels scatter over
// headings, tables and paragraphs. Paths that are bullets belong to lists. Its cost is n log n in fragments and linear in the area that paths cover.
func findFigures(c *document.Content, f frame, tables []*block, bullets, frags, turned []fragment, fonts []document.Font) (figures []*block, rest, restTurned []fragment) {
	body := usualFragmentSize(frags)
	for _, d := range findDrawings(c, f, tables, bullets) {
		inside, outside := fragmentsIn(frags, d.box)
		if !d.figure(inside, f) {
			continue
		}
		box, labels, others := d.labels(inside, outside, body)
		if overlapsTable(box, tables) || overlapsTable(box, figures) {
			continue
		}
		frags = others
		var sideways []fragment
		sideways, turned = takeTurned(turned, box)
		figures = append(figures, makeFigure(box, d.image, labels, sideways, fonts))
	}
	return figures, frags, turned
}

// usualFragmentSize is the median font size of the fragments, weighted by characters.
func usualFragmentSize(frags []fragment) float64 {
	return usualSize(atomsOf(frags, nil))
}

// findDrawings clusters the paths and pictures of a page that are part of no table and no bullets.
func findDrawings(c *document.Content, f frame, tables []*block, bullets []fragment) []drawing {
	g := newClusterGrid(f)
	taken := make(map[document.Box]bool, len(bullets))
	for i := range bullets {
		taken[bullets[i].box] = true
	}
	type item struct {
		box   document.Box
		kind  document.RuleKind
		image int
		cell  int
	}
	var items []item
	add := func(b document.Box, kind document.RuleKind, image int) bool {
		b = b.Intersect(document.Box{Right: f.width, Bottom: f.height})
		if b.Width()*b.Height() > backgroundShare*f.width*f.height || math.Max(b.Width(), b.Height()) < 1 || inTable(b, tables) {
			return true
		}
		cell, ok := g.add(b)
		items = append(items, item{b, kind, image, cell})
		return ok
	}
	for i := range c.Rules {
		r := &c.Rules[i]
		b := f.box(r.Box)
		const across = 0.85 // of the page's width: a rule under its head, over its notes
		if !visible(r, b, f) || taken[b] || r.Kind != document.RuleCurve && b.Height() < snapDistance && b.Width() > across*f.width {
			continue
		}
		if !add(b, r.Kind, 0) {
			return nil // a map
		}
	}
	for i := range c.Images {
		if b := f.box(c.Images[i].Box); !taken[b] && !add(b, document.RuleFill, i+1) {
			return nil
		}
	}
	byRoot := make(map[int]int)
	var out []drawing
	for _, it := range items {
		root := g.find(it.cell)
		k, ok := byRoot[root]
		if !ok {
			k = len(out)
			byRoot[root] = k
			out = append(out, drawing{})
		}
		d := &out[k]
		d.box = d.box.Union(it.box)
		thin := math.Min(it.box.Width(), it.box.Height()) < snapDistance
		switch {
		case it.image > 0:
			if area := it.box.Width() * it.box.Height(); area > d.area {
				d.image, d.area = it.image, area
			}
		case thin, it.kind == document.RuleStroke:
			d.lines++
		case it.kind == document.RuleFill:
			d.fills = append(d.fills, it.box)
		default:
			d.shapes++
		}
	}
	return slices.DeleteFunc(out, func(d drawing) bool {
		return d.box.Width() < smallestDrawing || d.box.Height() < smallestDrawing
	})
}

// inTable reports whether most of a path lies in a table: it is one of its rules or backgrounds.
func inTable(b document.Box, tables []*block) bool {
	for _, t := range tables {
		near := document.Box{Left: t.box.Left - snapDistance, Top: t.box.Top - snapDistance, Right: t.box.Right + snapDistance, Bottom: t.box.Bottom + snapDistance}
		if near.Intersect(b) == b {
			return true
		}
	}
	return false
}

// A clusterGrid unites boxes that share a cell of a grid over the page.
type clusterGrid struct {
	cols, rows int
	parent     []int // per cell; -1 where no box is
	covered    int
}

// gridCell in points: boxes are widened by a fourth of drawingReach on each side, and meet in a cell of half of it.
const gridCell = drawingReach / 2

func newClusterGrid(f frame) *clusterGrid {
	const most = 1000 // cells in a direction: larger pages are posters, of which the rest is left out
	g := &clusterGrid{cols: min(int(f.width/gridCell)+1, most), rows: min(int(f.height/gridCell)+1, most)}
	g.parent = make([]int, g.cols*g.rows)
	for i := range g.parent {
		g.parent[i] = -1
	}
	return g
}

// add covers the cells of a box and gives one of them; ok is false when the page has too much to paint.
func (g *clusterGrid) add(b document.Box) (cell int, ok bool) {
	const wider = drawingReach / 4
	at := func(v float64, n int) int { return min(max(int(v/gridCell), 0), n-1) }
	left, right := at(b.Left-wider, g.cols), at(b.Right+wider, g.cols)
	top, bottom := at(b.Top-wider, g.rows), at(b.Bottom+wider, g.rows)
	first := top*g.cols + left
	if g.parent[first] < 0 {
		g.parent[first] = first
	}
	root := g.find(first)
	for y := top; y <= bottom; y++ {
		for x := left; x <= right; x++ {
			i := y*g.cols + x
			if g.parent[i] < 0 {
				g.parent[i] = root
			} else if r := g.find(i); r != root {
				g.parent[r] = root
			}
		}
	}
	g.covered += (bottom - top + 1) * (right - left + 1)
	return first, g.covered <= mostCells
}

func (g *clusterGrid) find(i int) int {
	for g.parent[i] != i {
		g.parent[i] = g.parent[g.parent[i]]
		i = g.parent[i]
	}
	return i
}

// figure reports whether a drawing with the text in it is a chart, diagram or labelled picture, and no frame,
// background or table.
func (d *drawing) figure(inside []fragment, f frame) bool {
	const (
		fewestShapes = 3   // slices, curves, arrowheads; a call-out's frame is one, its shadow another
		fewestBars   = 3   // rectangles of different sizes
		mostArea     = 0.7 // of the page's: more is its design
		mostText     = 0.3 // of the drawing's area is text: more is text with a frame
		mostLong     = 3   // fragments too long for a label
	)
	if d.box.Width()*d.box.Height() > mostArea*f.width*f.height {
		return false
	}
	covered, long := 0.0, 0
	for i := range inside {
		covered += inside[i].box.Width() * inside[i].size
		if inside[i].runes > labelRunes {
			long++
		}
	}
	if long > mostLong || covered > mostText*d.box.Width()*d.box.Height() {
		return false
	}
	if d.shapes >= fewestShapes || d.bars(inside) >= fewestBars {
		return true
	}
	const labels = 3 // texts printed over a picture, at least
	return d.area > 0.5*d.box.Width()*d.box.Height() && len(inside) >= labels
}

// bars counts the filled rectangles that are drawn for their size: without text on them, and of several lengths.
func (d *drawing) bars(inside []fragment) int {
	const least = 3.0 // points in both directions
	n := 0
	shortest, longest := math.Inf(1), 0.0
	for _, b := range d.fills {
		if math.Min(b.Width(), b.Height()) < least || holdsText(b, inside) {
			continue
		}
		n++
		long := math.Max(b.Width(), b.Height())
		shortest, longest = math.Min(shortest, long), math.Max(longest, long)
	}
	if longest < 1.2*shortest || 2*n < len(d.fills) {
		return 0
	}
	return n
}

// holdsText reports whether text stands on b.
func holdsText(b document.Box, frags []fragment) bool {
	for i := range frags {
		if x, y := frags[i].pieces[0].middle(); x > b.Left && x < b.Right && y > b.Top && y < b.Bottom {
			return true
		}
	}
	return false
}

// fragmentsIn divides fragments into those whose middle is in a box and the others.
func fragmentsIn(frags []fragment, b document.Box) (inside, outside []fragment) {
	for _, f := range frags {
		x, y := (f.box.Left+f.box.Right)/2, f.base-0.3*f.size
		if x > b.Left && x < b.Right && y > b.Top && y < b.Bottom {
			inside = append(inside, f)
		} else {
			outside = append(outside, f)
		}
	}
	return inside, outside
}

// labels divides the text on the page into the labels of the drawing, which are all that is in it and what stands
// close around it in small pieces, and the others. It gives the box around all. body is the size of the page's text.
func (d *drawing) labels(inside, outside []fragment, body float64) (box document.Box, labels, others []fragment) {
	box = d.box
	for i := range inside {
		if captionStart.MatchString(inside[i].text()) {
			outside = append(outside, inside[i])
			continue
		}
		labels = append(labels, inside[i])
	}
	for _, l := range labels {
		box = box.Union(l.box)
	}
	const rounds = 3 // labels of axes stand outside the numbers along them, titles of axes outside these
	for range rounds {
		near, far := labelsAround(box, outside, body)
		if len(near) == 0 {
			break
		}
		for _, l := range near {
			box = box.Union(l.box)
		}
		labels, outside = append(labels, near...), far
	}
	return box, labels, outside
}

// labelsAround finds the labels in the rows right above and below box and on both sides of it.
func labelsAround(box document.Box, frags []fragment, body float64) (near, far []fragment) {
	const (
		below   = 1.5 // ems between the box and the row after it, at most
		above   = 1.0 // ems between a value over a bar and the box, at most; other texts above are titles
		beside  = 2.5 // ems between the box and a label beside it
		overlap = 2.0 // ems by which labels may be wider than the box
	)
	side := func(l *fragment) int {
		em := l.size
		y := l.base - 0.3*em
		within := l.box.Left > box.Left-overlap*em && l.box.Right < box.Right+overlap*em
		switch {
		case y > box.Top-em && y < box.Bottom+em && l.box.Right <= box.Left+em && l.box.Right > box.Left-beside*em:
			return 1
		case y > box.Top-em && y < box.Bottom+em && l.box.Left >= box.Right-em && l.box.Left < box.Right+beside*em:
			return 2
		case within && y >= box.Bottom && l.base-0.7*em-box.Bottom < below*em:
			return 3
		case within && y <= box.Top && box.Top-l.base < above*em && numeric(l.text()):
			return 4
		}
		return 0
	}
	var found [5][]int
	for i := range frags {
		if s := side(&frags[i]); s > 0 {
			found[s] = append(found[s], i)
		}
	}
	taken := make([]bool, len(frags))
	for s := 1; s < len(found); s++ {
		if labelGroup(frags, found[s], s <= 2, body) {
			for _, i := range found[s] {
				taken[i] = true
			}
		}
	}
	for i := range frags {
		if taken[i] {
			near = append(near, frags[i])
		} else {
			far = append(far, frags[i])
		}
	}
	return near, far
}

// labelGroup reports whether texts on one side of a drawing label it: short ones, several in a row or one below the
// other, or smaller than the page's text; no captions, no lines of a text that runs around the drawing.
func labelGroup(frags []fragment, group []int, beside bool, body float64) bool {
	const smaller = 0.95 // of the page's text
	if len(group) == 0 {
		return false
	}
	numbers, small, long := 0, 0, 0
	for _, i := range group {
		l := &frags[i]
		text := l.text()
		if l.runes > labelRunes || captionStart.MatchString(text) || sourceStart.MatchString(text) || len(group) < 3 && l.size > 1.1*body {
			return false
		}
		if numeric(text) {
			numbers++
		}
		if l.size < smaller*body {
			small++
		}
		if l.runes >= proseRunes {
			long++
		}
	}
	switch {
	case numbers == len(group), small == len(group):
		return true
	case beside:
		return len(group) >= 2 && 2*long < len(group)
	}
	return len(group) >= 3 || numbers > 0 && 2*numbers >= len(group)
}

// numeric reports whether a text is a number, with signs and units.
func numeric(s string) bool {
	digits, letters := 0, 0
	for _, r := range s {
		switch {
		case unicode.IsDigit(r):
			digits++
		case unicode.IsLetter(r):
			letters++
		}
	}
	return digits > 0 && letters <= digits
}

// takeTurned takes the turned texts in box or right beside it: titles of vertical axes.
func takeTurned(turned []fragment, box document.Box) (inside, outside []fragment) {
	const beside = 2.5 // ems
	for _, t := range turned {
		x, y := (t.box.Left+t.box.Right)/2, (t.box.Top+t.box.Bottom)/2
		if x > box.Left-beside*t.size && x < box.Right+beside*t.size && y > box.Top-t.size && y < box.Bottom+t.size {
			inside = append(inside, t)
		} else {
			outside = append(outside, t)
		}
	}
	return inside, outside
}

// makeFigure makes a block whose lines are the rows of text in the drawing, from top to bottom; a turned text stands
// where its middle is.
func makeFigure(box document.Box, image int, labels, turned []fragment, fonts []document.Font) *block {
	b := &block{kind: document.Figure, image: image, above: openSpace, below: openSpace}
	refs := make([]*fragment, len(labels))
	for i := range labels {
		refs[i] = &labels[i]
	}
	b.lines = makeLines(refs, fonts)
	for i := range turned {
		b.lines = append(b.lines, makeLine([]*fragment{&turned[i]}, fonts))
	}
	slices.SortStableFunc(b.lines, func(x, y line) int {
		return compare(x.box.Top+x.box.Bottom, y.box.Top+y.box.Bottom)
	})
	b.settle()
	for i := range turned {
		box = box.Union(turned[i].box)
	}
	b.box = box
	return b
}

// sameEdges reports whether the edges of two boxes are no further than most points from each other.
func sameEdges(a, b document.Box, most float64) bool {
	return max(math.Abs(a.Left-b.Left), math.Abs(a.Top-b.Top), math.Abs(a.Right-b.Right), math.Abs(a.Bottom-b.Bottom)) <= most
}

// figurePlace gives where in the order a picture stands: after the last block above it that shares a part of its width,
// or else before the first one below, as at the top of a column. Beside everything else it follows what ends above it.
func (p *page) figurePlace(box document.Box) int {
	place := 0
	for i, b := range p.blocks {
		if b.box.Top < box.Top && b.box.Left < box.Right && b.box.Right > box.Left {
			place = i + 1
		}
	}
	if place > 0 {
		return place
	}
	for i, b := range p.blocks {
		if b.box.Left < box.Right && b.box.Right > box.Left {
			return i
		}
		if b.box.Bottom <= box.Top {
			place = i + 1
		}
	}
	return place
}

// addFigures puts the page's images into the reading order.
func (p *page) addFigures(c *document.Content, f frame) {
	const (
		least    = 24.0 // points in both directions: smaller ones are icons and bullets
		most     = 0.9  // of the page's area: larger ones are scans and backgrounds, but where there is nothing else
		same     = 2.0  // points between the edges of two: the layers of one, a scan's above all
		mostMany = 100  // figures on a page: more are the tiles of one
	)
	drawn := make(map[int]bool) // pictures that are in the order already, with the text on them
	for _, b := range p.blocks {
		drawn[b.image] = true
	}
	alone := len(p.blocks) == 0
	var figures []*block
	for i := range c.Images {
		b := f.box(c.Images[i].Box).Intersect(document.Box{Right: f.width, Bottom: f.height})
		tiny := b.Width() < least || b.Height() < least
		covers := b.Width()*b.Height() > most*f.width*f.height
		if drawn[i+1] || covers && !alone || tiny && !covers {
			continue
		}
		if slices.ContainsFunc(figures, func(o *block) bool { return sameEdges(o.box, b, same) }) {
			continue
		}
		if len(figures) == mostMany {
			return
		}
		figures = append(figures, &block{kind: document.Figure, box: b, image: i + 1, leaf: -1})
	}
	for _, fig := range figures {
		at := p.figurePlace(fig.box)
		for at < len(p.blocks) && p.blocks[at].image > 0 && p.blocks[at].box.Right <= fig.box.Left && p.blocks[at].box.Bottom > fig.box.Top {
			at++ // it stands in a row of pictures
		}
		p.blocks = slices.Insert(p.blocks, at, fig)
	}
}
