package export

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ragify/ragify/internal/document"
)

// joint is where a part that was joined to an earlier element begins in it.
type joint struct {
	id   string
	page int
	box  document.Box
	at   int  // index of its first line, of its first row in a table
	torn bool // its first row is the rest of the last row of the part before
}

// flow gives the pages with every text that goes on from an earlier column or page joined to its beginning, as
// the writers for reading want it, and where the parts begin by the id of the element that they were joined to. d
// stays as it is.
func flow(d *document.Document) ([]document.Page, map[string][]joint) {
	pages := make([]document.Page, len(d.Pages))
	joints := make(map[string][]joint)
	var open *document.Element  // the paragraph or list item that may go on
	var table *document.Element // the last one, joined so far
	var items *document.Element // the last list, joined so far
	for i := range d.Pages {
		pages[i] = d.Pages[i]
		list := make([]document.Element, 0, len(d.Pages[i].Elements)) // never grows: open points into it
		for _, e := range d.Pages[i].Elements {
			if e.Kind == document.Table && e.Grid != nil {
				if e.Continues && table != nil && table.Grid.Cols == e.Grid.Cols {
					at := appendGrid(table.Grid, e.Grid)
					joints[table.ID] = append(joints[table.ID], joint{e.ID, e.Page, e.Box, at, e.Grid.RowContinues})
					continue
				}
				joined := *e.Grid
				joined.Cells = slices.Clone(joined.Cells)
				for k := range joined.Cells {
					joined.Cells[k].Lines = slices.Clip(joined.Cells[k].Lines)
				}
				e.Grid = &joined
				list = append(list, e)
				table = &list[len(list)-1]
				continue
			}
			if e.Kind == document.List && e.Continues && items != nil {
				if first := &e.Children[0]; len(first.Lines) > 0 {
					joints[first.ID] = append(joints[first.ID], joint{id: e.ID, page: e.Page, box: e.Box})
				}
				open = appendList(items, &e)
				continue
			}
			if e.Continues && open != nil && e.Kind != document.List {
				joints[open.ID] = append(joints[open.ID], joint{id: e.ID, page: e.Page, box: e.Box, at: len(open.Lines)})
				open.Lines = append(open.Lines, e.Lines...)
				continue
			}
			e.Lines = slices.Clip(e.Lines) // so that what is appended to them goes elsewhere
			list = append(list, e)
			if e.Aside {
				continue
			}
			switch e.Kind {
			case document.Paragraph:
				open = &list[len(list)-1]
			case document.List:
				items = &list[len(list)-1]
				items.Children = slices.Clone(items.Children)
				ownLast(items)
				open = openItem(items)
			case document.Heading:
				open, items = nil, nil
			}
		}
		pages[i].Elements = list
	}
	return pages, joints
}

// openItem is the last item of a list when text may go on in it: when no other list is nested there.
func openItem(list *document.Element) *document.Element {
	n := len(list.Children)
	if n == 0 || len(list.Children[n-1].Children) > 0 {
		return nil
	}
	return &list.Children[n-1]
}

// ownLast gives the last item of a list, and the last items of the lists that end it, slices of their own: they are what
// later parts are joined to. The children of list are its own already.
func ownLast(list *document.Element) {
	for len(list.Children) > 0 {
		item := &list.Children[len(list.Children)-1]
		item.Lines = slices.Clip(item.Lines)
		if list = lastList(item); list == nil {
			return
		}
		item.Children = slices.Clone(item.Children)
		list = lastList(item)
		list.Children = slices.Clone(list.Children)
	}
}

// lastList is the list that ends an item, nil when there is none.
func lastList(item *document.Element) *document.Element {
	k := len(item.Children)
	if k == 0 || item.Children[k-1].Kind != document.List {
		return nil
	}
	return &item.Children[k-1]
}

// appendList adds the items of part to list or to the last of the lists in it, as part.Level says, and gives the item
// in which text may go on. ownLast has been at list; part stays as it is. It copies part only, so that a list over
// many pages takes time in proportion to its length.
func appendList(list, part *document.Element) *document.Element {
	for range part.Level {
		if len(list.Children) == 0 {
			break
		}
		inner := lastList(&list.Children[len(list.Children)-1])
		if inner == nil {
			break
		}
		list = inner
	}
	list.Children = append(list.Children, part.Children...)
	ownLast(list)
	return openItem(list)
}

// appendGrid adds the rows of part, which goes on from it, to a table: without its titles, and a row that the page's
// end cut in two made whole. It gives the row in which part begins. The cells of table are its own, and their lines have no
// room behind them that is another's. part stays as it is.
func appendGrid(table, part *document.Grid) (at int) {
	first := part.HeaderRows // the first row of part that counts
	at = table.Rows
	if part.RowContinues && table.Rows > 0 {
		at--
	}
	for _, c := range part.Cells {
		if c.Row < first {
			continue
		}
		if c.Row == first && at < table.Rows {
			if whole := cellAt(table, at, c.Col); whole != nil {
				whole.Lines = append(whole.Lines, c.Lines...)
				whole.RowSpan = max(whole.RowSpan, at+c.RowSpan-whole.Row)
				continue
			}
		}
		c.Row += at - first
		c.Lines = slices.Clip(c.Lines)
		table.Cells = append(table.Cells, c)
	}
	table.Rows = at + part.Rows - first
	return at
}

// cellAt is the cell of g that covers a slot, nil when there is none.
func cellAt(g *document.Grid, row, col int) *document.Cell {
	for i := len(g.Cells) - 1; i >= 0; i-- {
		c := &g.Cells[i]
		if c.Row <= row && row < c.Row+c.RowSpan && c.Col <= col && col < c.Col+c.ColSpan {
			return c
		}
	}
	return nil
}

// separator fills in the number of the page that follows.
func separator(pattern string, page int) string {
	return strings.ReplaceAll(pattern, "%page-number%", strconv.Itoa(page))
}

// eachText calls do for the lines of every element and cell of pages.
func eachText(pages []document.Page, do func([]document.Line)) {
	var walk func([]document.Element)
	walk = func(elements []document.Element) {
		for i := range elements {
			e := &elements[i]
			do(e.Lines)
			walk(e.Children)
			if e.Grid != nil {
				for k := range e.Grid.Cells {
					do(e.Grid.Cells[k].Lines)
				}
			}
		}
	}
	for i := range pages {
		walk(pages[i].Elements)
	}
}

// figureLines is the text of a figure apart from its children: none where these say what is in it, else the text that
// stands for the picture.
func figureLines(e *document.Element) []document.Line {
	if len(e.Lines) > 0 || len(e.Children) > 0 || e.Alt == "" {
		return e.Lines
	}
	return []document.Line{{Runs: []document.Run{{Text: e.Alt}}}}
}
