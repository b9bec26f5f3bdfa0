package layout

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ragify/ragify/internal/document"
)

// An openList is a list that may go on: its left edge, and the mark of its last item.
type openList struct {
	left float64
	mark mark
	size float64
}

// joinLists finds the lists that go on in the next column or on the next page: those in which the first item there is
// the next one by number, or has the same bullet. It makes the left edges of items comparable over columns and pages,
// which have margins of their own, and marks the items that go on a list of the page before.
func joinLists(pages []*page) {
	var open []openList // from the outermost one
	var last *block     // the item before
	shift := 0.0        // of the items in the column
	for i, p := range pages {
		if i > 0 && p.number != pages[i-1].number+1 {
			open, last = nil, nil
		}
		for _, b := range p.blocks {
			away := last != nil && (last.leaf != b.leaf || last.element.Page != b.element.Page)
			switch {
			case b.kind == document.ListItem:
			case len(open) > 0 && b.nextItem(open, shift, away):
			case b.kind == document.Paragraph && !b.continues && !b.turned, b.kind == document.Heading, b.kind == document.Table, b.kind == document.List:
				open, last, shift = nil, nil, 0
				continue
			default:
				continue // floats, notes, and the rest of an item
			}
			if away {
				margins := last.margin.from - b.margin.from
				level := openFor(open, b, margins)
				switch {
				case level >= 0:
					shift = open[level].left - b.markLeft
				case last.element.Page != b.element.Page:
					shift, open = 0, nil
				default:
					shift += margins
				}
				if level >= 0 && last.element.Page != b.element.Page && b.letters > 0 {
					b.around = make([]float64, 0, len(open))
					for _, o := range open {
						b.around = append(b.around, o.left)
					}
				}
			}
			b.markLeft += shift
			for len(open) > 0 && open[len(open)-1].left > b.markLeft-listStep*b.style.size {
				open = open[:len(open)-1]
			}
			open = append(open, openList{b.markLeft, b.mark, b.style.size})
			last = b
		}
	}
}

// nextItem makes a list item of a paragraph that begins with the number which an open list has to go on with: alone in
// its column, or among items of another kind, it had no other to confirm its mark. Away from the items before, in
// another column, its left edge, to be shifted by shift, says nothing.
func (b *block) nextItem(open []openList, shift float64, away bool) bool {
	word, rest, ok := strings.Cut(b.text, " ")
	m := parseMark(word)
	if b.kind != document.Paragraph || b.continues || b.turned || !ok || rest == "" || m.text == "" || m.kind == bulletMark || len(b.element.Lines) == 0 {
		return false
	}
	b.mark, m = m, b.mark
	level := openFor(open, b, shift)
	if level < 0 || !away && math.Abs(open[level].left-b.markLeft-shift) > listStep*b.style.size {
		b.mark = m
		return false
	}
	b.kind, b.element.Marker = document.ListItem, b.mark.text
	line := &b.element.Lines[0]
	line.Runs = slices.Clone(line.Runs)
	b.element.Marked, line.Spans = cutSpans(line.Spans, utf8.RuneCountInString(word))
	for drop := len(word); len(line.Runs) > 0; {
		first := &line.Runs[0]
		n := min(drop, len(first.Text))
		drop -= n
		if first.Text = strings.TrimLeft(first.Text[n:], " "); first.Text != "" {
			break
		}
		line.Runs = line.Runs[1:]
	}
	return true
}

// openFor gives the index of the open list that b is the next item of, -1 for none. margins is how much further right
// the column of these lists begins than that of b.
func openFor(open []openList, b *block, margins float64) int {
	const same = 0.5 // ems, by which left edges of one level differ at most
	best, least := -1, math.Inf(1)
	for i := len(open) - 1; i >= 0; i-- {
		o := &open[i]
		next := o.mark.kind == b.mark.kind && (b.mark.kind == bulletMark && o.mark.text == b.mark.text || b.mark.kind != bulletMark && o.mark.number+1 == b.mark.number)
		if !next {
			continue
		}
		away := math.Abs(o.left - b.markLeft)
		if away > same*b.style.size { // not on the same spot of the page: by the margins
			away = same*b.style.size + math.Abs(o.left-b.markLeft-margins)
		}
		if away < least {
			best, least = i, away
		}
	}
	return best
}

// continueLists marks the lists at the top of a page that go on others, given the left edges of the lists around their
// first item, and lefts, their own.
func continueLists(lists []document.Element, lefts []float64, around []float64, size float64) {
	for i := range lists {
		level := -1
		for k, left := range around {
			if math.Abs(left-lefts[i]) <= listStep*size {
				level = k
			}
		}
		if level < 0 {
			return
		}
		lists[i].Continues, lists[i].Level = true, level
	}
}
