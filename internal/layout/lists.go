package layout

import (
	"math"
	"strings"

	"github.com/ragify/ragify/internal/document"
)

// A listItem is an element on its way into a list, with the left edge that tells its level.
type listItem struct {
	element document.Element
	left    float64 // of the mark
	mark    mark
	size    float64
	around  []float64 // where it goes on lists of the page before: their left edges
}

// listStep in ems: marks that are less apart stand on one level.
const listStep = 0.7

// makeList nests consecutive items by the left edges of their marks. An item belongs to the innermost open list
// that starts at its edge; one further in opens a list in the item before it.
func makeList(items []listItem) []document.Element {
	var out []document.Element
	var lefts []float64
	for start := 0; start < len(items); {
		var e document.Element
		lefts = append(lefts, items[start].left)
		e, start = takeList(items, start)
		out = append(out, e)
	}
	if len(items) > 0 {
		continueLists(out, lefts, items[0].around, items[0].size)
	}
	return out
}

// begins reports whether a numbered item at the left edge of the item before it begins a list of its own: it is the
// first one, or out of order with a mark of another form, as "1)" after "3.".
func begins(before, m mark) bool {
	if m.kind == bulletMark || m.number == before.number+1 {
		return false
	}
	form := func(s string) [2]bool { return [2]bool{strings.HasPrefix(s, "("), strings.HasSuffix(s, ")")} }
	return m.number == 1 || form(m.text) != form(before.text)
}

// takeList makes one list of the items from start on, and gives the index after its last one.
func takeList(items []listItem, start int) (document.Element, int) {
	first := &items[start]
	list := document.Element{Kind: document.List, Page: first.element.Page, Aside: first.element.Aside, Ordered: first.mark.kind != bulletMark}
	i, last := start, start // last: of the list's own items
	for i < len(items) {
		it := &items[i]
		in := (it.left - first.left) / math.Max(first.size, 1)
		switch {
		case in < -listStep, in <= listStep && it.mark.kind != first.mark.kind, in <= listStep && i > start && begins(items[last].mark, it.mark):
			return list, i
		case in > listStep && len(list.Children) > 0:
			var inner document.Element
			inner, i = takeList(items, i)
			parent := &list.Children[len(list.Children)-1]
			parent.Children = append(parent.Children, inner)
			list.Box = list.Box.Union(inner.Box)
		default:
			list.Children = append(list.Children, it.element)
			list.Box = list.Box.Union(it.element.Box)
			last = i
			i++
		}
	}
	return list, i
}
