package exporttest

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/option"
)

// block is one block of a document as a reader meets it.
type block struct {
	Kind   string // "heading", "paragraph", "code", "list", "table", "picture", "page"
	Shape  string // a heading's level, a list's items, a table's size
	Text   string // without white space, a bar between items and between cells that say something
	joined bool   // of several elements: a hyphen between them may be gone
}

// notation is what the checks have to know of a format.
type notation struct {
	heading func(level int) string                    // shape of a heading
	list    func(list *document.Element) string       // shape of a list
	table   func(rows, cols int, merged bool) string  // shape of a joined table; merged: a pipe table cannot say all of it
	mark    func(list, item *document.Element) string // what it prints of an item's mark as text
}

// blocksOf gives the blocks of a document: texts and tables that go on are joined to their beginnings.
func blocksOf(d *document.Document, o option.Options, n notation) []block {
	c := collector{o: o, n: n}
	for i := range d.Pages {
		if i > 0 {
			c.blocks = append(c.blocks, block{Kind: "page"})
		}
		for k := range d.Pages[i].Elements {
			c.add(&d.Pages[i].Elements[k])
		}
	}
	c.endTable()
	return slices.DeleteFunc(c.blocks, func(b block) bool {
		return b.Text == "" && (b.Kind == "paragraph" || b.Kind == "heading")
	})
}

type collector struct {
	o      option.Options
	n      notation
	blocks []block
	open   int               // the paragraph or list that may go on, counted from one; 0: none
	list   *document.Element // the last list, with those that go on it
	listAt int               // its index
	table  *document.Grid    // the last table: its first part
	cells  [][]string        // its cells so far by row and column
	at     int               // its index
	merged bool              // it has merged cells, or several rows of titles
}

func (c *collector) add(e *document.Element) {
	if e.Aside { // what goes on goes on over it
		defer func(open int, list *document.Element, at int) { c.open, c.list, c.listAt = open, list, at }(c.open, c.list, c.listAt)
	}
	switch {
	case e.Kind == document.Table && e.Grid != nil:
		c.addTable(e)
	case e.Kind == document.List && e.Continues && c.list != nil:
		addItems(c.list, e.Children, e.Level)
		c.blocks[c.listAt].Shape, c.blocks[c.listAt].Text = c.n.list(c.list), c.listText(c.list)
		c.open = 0
		if n := len(e.Children); n > 0 && len(e.Children[n-1].Children) == 0 {
			c.open = c.listAt + 1
		}
	case e.Continues && c.open > 0:
		b := &c.blocks[c.open-1]
		b.Text += textOf(e.Lines, c.o)
		b.joined = true
		if c.list != nil && c.open == c.listAt+1 {
			item := lastItem(c.list)
			item.Lines = append(slices.Clip(item.Lines), e.Lines...)
		}
	case e.Kind == document.List:
		whole := copyOf(*e)
		c.list, c.listAt = &whole, len(c.blocks)
		c.blocks = append(c.blocks, block{Kind: "list", Shape: c.n.list(e), Text: c.listText(e)})
		c.open = 0
		if n := len(e.Children); n > 0 && len(e.Children[n-1].Children) == 0 {
			c.open = len(c.blocks)
		}
	case e.Kind == document.Figure, len(e.Children) > 0:
		if e.Picture != nil {
			c.blocks = append(c.blocks, block{Kind: "picture"})
		}
		inside := collector{o: c.o, n: c.n}
		for i := range e.Children {
			inside.add(&e.Children[i])
			inside.open = 0 // nothing in a figure goes on
		}
		inside.endTable()
		c.blocks = append(c.blocks, inside.blocks...)
		text := textOf(e.Lines, c.o)
		if len(e.Lines) == 0 && len(e.Children) == 0 && e.Picture == nil {
			text = squeeze(e.Alt)
		}
		c.blocks = append(c.blocks, block{Kind: "paragraph", Text: text})
	case e.Kind == document.Heading:
		c.blocks = append(c.blocks, block{Kind: "heading", Shape: c.n.heading(e.Level), Text: textOf(e.Lines, c.o)})
		c.open, c.list = 0, nil
	case e.Code:
		c.blocks = append(c.blocks, block{Kind: "code", Text: textOf(e.Lines, c.o)})
	default:
		c.blocks = append(c.blocks, block{Kind: "paragraph", Text: textOf(e.Lines, c.o)})
		if e.Kind == document.Paragraph {
			c.open = len(c.blocks)
		}
	}
}

// copyOf is an element with children of its own.
func copyOf(e document.Element) document.Element {
	children := make([]document.Element, len(e.Children))
	for i := range children {
		children[i] = copyOf(e.Children[i])
	}
	e.Children = children
	return e
}

// lastItem is the item of a list at which its text ends.
func lastItem(list *document.Element) *document.Element {
	item := &list.Children[len(list.Children)-1]
	if n := len(item.Children); n > 0 {
		return lastItem(&item.Children[n-1])
	}
	return item
}

// addItems adds items to the last of the lists in list, so many levels down.
func addItems(list *document.Element, items []document.Element, level int) {
	if n := len(list.Children); level > 0 && n > 0 {
		if in := list.Children[n-1].Children; len(in) > 0 {
			addItems(&in[len(in)-1], items, level-1)
			return
		}
	}
	for i := range items {
		list.Children = append(list.Children, copyOf(items[i]))
	}
}

func (c *collector) addTable(e *document.Element) {
	g, skip := e.Grid, 0
	if e.Continues && c.table != nil && c.table.Cols == g.Cols {
		skip = g.HeaderRows
	} else {
		c.endTable()
		c.table, c.at, c.merged = g, len(c.blocks), g.HeaderRows > 1
		c.blocks = append(c.blocks, block{Kind: "table"})
	}
	at := len(c.cells)
	if at > 0 {
		c.blocks[c.at].joined = true
		if g.RowContinues {
			at--
		}
	}
	for len(c.cells) < at+g.Rows-skip {
		c.cells = append(c.cells, make([]string, g.Cols))
	}
	for i := range g.Cells {
		if cell := &g.Cells[i]; cell.Row >= skip {
			c.cells[at+cell.Row-skip][cell.Col] += textOf(cell.Lines, c.o)
			c.merged = c.merged || cell.RowSpan > 1 || cell.ColSpan > 1
		}
	}
}

// endTable gives the table that was collected its shape and text.
func (c *collector) endTable() {
	if c.table == nil {
		return
	}
	b := &c.blocks[c.at]
	b.Shape = c.n.table(len(c.cells), c.table.Cols, c.merged)
	b.Text = joinParts(slices.Concat(c.cells...))
	c.table, c.cells = nil, nil
}

func (c *collector) listText(list *document.Element) string {
	var parts []string
	for i := range list.Children {
		item := &list.Children[i]
		parts = append(parts, squeeze(c.n.mark(list, item))+textOf(item.Lines, c.o))
		for k := range item.Children {
			parts = append(parts, c.listText(&item.Children[k]))
		}
	}
	return joinParts(parts)
}

// joinParts joins what says something.
func joinParts(parts []string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "¦")
}

// items draws the items of a list and of those in it: "(ii(i))".
func items(list *document.Element) string {
	var b strings.Builder
	b.WriteByte('(')
	for i := range list.Children {
		b.WriteByte('i')
		for k := range list.Children[i].Children {
			b.WriteString(items(&list.Children[i].Children[k]))
		}
	}
	return b.String() + ")"
}

// textOf joins lines as their joins say, without white space.
func textOf(lines []document.Line, o option.Options) string {
	var b strings.Builder
	for i, l := range lines {
		for k, r := range l.Runs {
			s := r.Text
			if k == len(l.Runs)-1 && i+1 < len(lines) && l.Join == document.JoinHyphen && !o.KeepLineBreaks {
				s = strings.TrimRight(s, "-\u00AD\u2010")
			}
			b.WriteString(s)
		}
	}
	return squeeze(b.String())
}

// squeeze takes out white space, and what writers leave out or replace.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Noncharacter_Code_Point, r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s)
}

// compare says where a format shows other blocks than the document has.
func compare(format string, want, got []block) error {
	want, got = slices.Clone(want), slices.Clone(got)
	for i := range min(len(want), len(got)) {
		if want[i].joined {
			want[i].Text, got[i].Text = withoutHyphens(want[i].Text), withoutHyphens(got[i].Text)
		}
		want[i].joined = false
	}
	for i := range want {
		want[i].joined = false
	}
	if len(want)+len(got) == 0 {
		return nil
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(block{})); diff != "" {
		return fmt.Errorf("blocks of the %s (-document +read):\n%s", format, diff)
	}
	return nil
}

func withoutHyphens(s string) string {
	return strings.NewReplacer("-", "", "\u00AD", "", "\u2010", "").Replace(s)
}
