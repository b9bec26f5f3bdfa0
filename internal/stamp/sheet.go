package stamp

import (
	"math"

	"github.com/ragify/ragify/internal/document"
)

// The size of labels, in points on a page whose shorter side is that of US Letter. They grow with the page, since a
// larger one is looked at from farther away, and shrink with it, within bounds.
const (
	labelSize     = 6.5
	letterWidth   = 612.0
	leastLabel    = 4.5
	greatestLabel = 60.0
)

// Parts of a label, in relation to its print's size: the space left and right of the print, the height of the whole, and
// the space below the baseline. Digits and capitals of Helvetica are 0.72 high, and no label has a descender but "g".
const (
	labelMargin  = 0.3
	labelHeight  = 1.25
	labelDescent = 0.28
)

// The space between an element and its outline, beside and above it, and what each level of elements inside adds to it,
// so that their outlines do not coincide; in points. Lines of body type are about three points apart, columns about ten.
const (
	paddingBeside  = 2.0
	paddingAbove   = 1.8
	paddingOfOuter = 1.8
	mostLevels     = 4
)

// drawing is an appearance on the page.
type drawing struct {
	box       document.Box // of the element
	extent    document.Box // of everything drawn
	boxes     int          // how many there are in it
	operators string       // in a space with its origin at the bottom left of extent
}

// sheet is a page while its boxes are drawn: it knows where there is room for labels.
type sheet struct {
	page document.Box
	size float64 // of the print on labels
	// taken is what labels should not hide, in horizontal bands of the page.
	taken [bands][]obstacle
	// left is how many more entries taken may get; after them labels stand where they come first.
	left int
}

// obstacle is a part of the page that labels should keep off, the more the heavier it is.
type obstacle struct {
	box    document.Box
	weight float64
}

// How much it costs to hide what is on the page: print, other labels, and pictures, which bear it best.
const (
	weightOfText    = 1.0
	weightOfLabel   = 3.0
	weightOfPicture = 0.1
)

// Bands are a matter of speed, and so is the bound on what is in them: a dense page of print has a thousand lines, cells
// and labels, and finding room on one that is full of them costs the square of their number.
const (
	bands       = 64
	mostEntries = 10_000
)

func newSheet(p *document.Page) *sheet {
	s := &sheet{page: document.Box{Right: p.Width, Bottom: p.Height}, left: mostEntries}
	s.size = math.Min(math.Max(labelSize*math.Min(p.Width, p.Height)/letterWidth, leastLabel), greatestLabel)
	for e := range elements(p.Elements) {
		for i := range e.Lines {
			s.take(e.Lines[i].Box, weightOfText)
		}
		if e.Grid != nil {
			for i := range e.Grid.Cells {
				for _, l := range e.Grid.Cells[i].Lines {
					s.take(l.Box, weightOfText)
				}
			}
		}
		if e.Kind == document.Figure {
			s.take(e.Box, weightOfPicture)
		}
	}
	return s
}

// take keeps labels off a box.
func (s *sheet) take(b document.Box, weight float64) {
	b, ok := s.visible(b)
	if !ok {
		return
	}
	for k := s.band(b.Top); k <= s.band(b.Bottom) && s.left > 0; k++ {
		s.taken[k] = append(s.taken[k], obstacle{b, weight})
		s.left--
	}
}

// band is the band of a height on the page.
func (s *sheet) band(y float64) int { return min(int(y/s.page.Bottom*bands), bands-1) }

// cost is what a label at b, which is on the page, would hide.
func (s *sheet) cost(b document.Box) (sum float64) {
	if s.left == 0 {
		return 0
	}
	height := s.page.Bottom / bands
	for k := s.band(b.Top); k <= s.band(b.Bottom); k++ {
		part := document.Box{Left: b.Left, Top: max(b.Top, float64(k)*height), Right: b.Right, Bottom: min(b.Bottom, float64(k+1)*height)}
		for _, o := range s.taken[k] {
			if common := part.Intersect(o.box); !common.Empty() {
				sum += common.Width() * common.Height() * o.weight
			}
		}
	}
	return sum
}

// draw draws an element's box and label, false when nothing of it is on the page.
func (s *sheet) draw(e *document.Element) (drawing, bool) {
	box, ok := s.frame(e.Box, levelsBelow(e, mostLevels))
	if !ok {
		return drawing{}, false
	}
	l, text := lookOf(e.Kind), labelText(e)
	label := s.place(box, textWidth(text, s.size)+2*labelMargin*s.size, labelHeight*s.size, l.outside)
	p := pen{origin: box.Union(label)}
	p.fill(l, l.wash, box)
	p.outline(l, box)
	p.label(l, label, text, s.size)
	return drawing{box, p.origin, 1, p.b.String()}, true
}

// drawCells draws the cells of a table, those of titles filled. They are within the table's outline.
func (s *sheet) drawCells(e *document.Element) (drawing, bool) {
	var all, titles []document.Box
	var extent document.Box
	for i := range e.Grid.Cells {
		c := &e.Grid.Cells[i]
		box, ok := s.visible(c.Box)
		if !ok {
			continue
		}
		all, extent = append(all, box), extent.Union(box)
		if c.Row < e.Grid.HeaderRows {
			titles = append(titles, box)
		}
	}
	if len(all) == 0 {
		return drawing{}, false
	}
	l := lookOf(cellKind)
	p := pen{origin: extent}
	p.fill(l, l.wash, titles...)
	p.outline(l, all...)
	return drawing{extent, extent, len(all), p.b.String()}, true
}

// levelsBelow is how many levels of elements are inside e, at most limit.
func levelsBelow(e *document.Element, limit int) int {
	levels := 0
	if e.Grid != nil {
		levels = 1
	}
	for i := range e.Children {
		if levels == limit {
			break
		}
		levels = max(levels, 1+levelsBelow(&e.Children[i], limit-1))
	}
	return levels
}

// frame is the outline around an element's box, as far as it is on the page.
func (s *sheet) frame(b document.Box, levels int) (document.Box, bool) {
	if b, ok := s.visible(b); ok {
		more := paddingOfOuter * float64(levels)
		return s.visible(grow(b, paddingBeside+more, paddingAbove+more))
	}
	return b, false
}

// visible is the part of a box on the page, false when there is none. What is no number is on no page.
func (s *sheet) visible(b document.Box) (document.Box, bool) {
	b = b.Intersect(s.page)
	return b, b.Width() > 0 && b.Height() > 0
}

// place finds a place on the page for an element's label: the first one that hides nothing of those around the box and
// at its corners, else the one that hides least. It is taken then.
func (s *sheet) place(box document.Box, width, height float64, outside bool) document.Box {
	at := func(left, top float64) document.Box {
		return document.Box{Left: left, Top: top, Right: left + width, Bottom: top + height}
	}
	beside := at(box.Left-width, box.Top)
	above := at(box.Left, box.Top-height)
	choices := [...]document.Box{
		beside, above, at(box.Right-width, box.Top-height), at(box.Right, box.Top),
		at(box.Left, box.Bottom), at(box.Right-width, box.Bottom),
		at(box.Right-width, box.Top), at(box.Right-width, box.Bottom-height), at(box.Left, box.Top),
	}
	if outside {
		choices[0], choices[1] = above, beside
	}
	best, least := at(min(box.Left, s.page.Right-width), min(box.Top, s.page.Bottom-height)), math.Inf(1)
	for _, c := range choices {
		if c.Left < 0 || c.Top < 0 || c.Right > s.page.Right || c.Bottom > s.page.Bottom {
			continue
		}
		if cost := s.cost(c); cost < least {
			best, least = c, cost
		}
	}
	s.take(best, weightOfLabel)
	return best
}
