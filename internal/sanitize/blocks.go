package sanitize

import (
	"strings"

	"github.com/ragify/ragify/internal/document"
)

// block is a text that readers see as one: a paragraph with all its parts, an item, a cell.
type block struct {
	parts    []part
	field    *string  // a text that has no lines, in place of parts
	labels   []string // what stands beside it and says what it is: the names of a cell's row and column
	heading  bool
	code     bool // a listing: its line ends are part of it
	mark     bool // what stands before a list item
	software bool // the name of a program: numbers with dots are versions
}

// part is what a block has of one element.
type part struct {
	lines []document.Line
	page  int // 1-based, 0 for what is on no page
}

// blocks gives the texts of a document in reading order, then those that the file says of itself. Parts that the
// writers join (see flow in package export) are one block: a paragraph that goes on in the next column or on the next
// page, and a cell of a row that the page's end cut in two. Blocks share their lines with d.
func blocks(d *document.Document) []block {
	c := collector{open: none}
	for i := range d.Pages {
		for k := range d.Pages[i].Elements {
			c.top(&d.Pages[i].Elements[k])
		}
	}
	m := &d.Meta
	for _, f := range []*string{&m.Title, &m.Author, &m.Subject, &m.Keywords, &m.Language} {
		c.add(block{field: f}, 0)
	}
	for _, f := range []*string{&m.Creator, &m.Producer} {
		c.add(block{field: f, software: true}, 0)
	}
	return c.blocks
}

// none is the index of no block.
const none = -1

// collector puts the blocks of a document together.
type collector struct {
	blocks []block
	open   int   // the block of the paragraph or item that may go on, or none
	table  table // the last one
}

// add adds a block with its first part, on a page, and gives its index.
func (c *collector) add(b block, page int, lines ...document.Line) int {
	b.parts = []part{{lines, page}}
	c.blocks = append(c.blocks, b)
	return len(c.blocks) - 1
}

// top takes up an element of a page. What is within another element goes on nowhere.
func (c *collector) top(e *document.Element) {
	switch {
	case e.Kind == document.Table && e.Grid != nil:
		if !e.Continues || c.table.cols != e.Grid.Cols {
			c.table = table{cols: e.Grid.Cols}
		}
		c.cells(e, &c.table)
		return
	case e.Kind == document.List:
		if own := c.list(e); e.Continues || !e.Aside {
			c.open = own
		}
		return
	case e.Continues && c.open != none:
		b := &c.blocks[c.open]
		b.parts = append(b.parts, part{e.Lines, e.Page})
		c.within(e)
		return
	}
	own := c.element(e)
	switch {
	case e.Aside:
	case e.Kind == document.Paragraph:
		c.open = own
	case e.Kind == document.Heading:
		c.open = none
	}
}

// element takes up an element with everything in it, and gives the block of its own text.
func (c *collector) element(e *document.Element) int {
	own := c.add(block{heading: e.Kind == document.Heading, code: e.Code}, e.Page, e.Lines...)
	c.within(e)
	return own
}

// within takes up what an element has besides its text.
func (c *collector) within(e *document.Element) {
	if e.Alt != "" {
		c.add(block{field: &e.Alt}, e.Page)
	}
	if e.Marker != "" {
		c.add(block{field: &e.Marker, mark: true}, e.Page)
	}
	for i := range e.Children {
		switch child := &e.Children[i]; {
		case child.Kind == document.List:
			c.list(child)
		case child.Kind == document.Table && child.Grid != nil:
			c.cells(child, &table{})
		default:
			c.element(child)
		}
	}
}

// list takes up a list, and gives the block of the last item when text may go on in it: when no other list is nested
// there.
func (c *collector) list(e *document.Element) int {
	c.add(block{}, e.Page, e.Lines...)
	last := none
	for i := range e.Children {
		item := &e.Children[i]
		if last = c.element(item); len(item.Children) > 0 {
			last = none
		}
	}
	return last
}

// table is a table with the parts of it that were taken up.
type table struct {
	rows, cols int
	cells      []placed
	titles     []string // of the columns
}

// placed is a cell of a table, with the rows of all parts counted, and its block.
type placed struct {
	row, col, rowSpan, colSpan int
	block                      int
}

// at is the cell that covers a slot, nil when there is none.
func (t *table) at(row, col int) *placed {
	for i := len(t.cells) - 1; i >= 0; i-- {
		c := &t.cells[i]
		if c.row <= row && row < c.row+c.rowSpan && c.col <= col && col < c.col+c.colSpan {
			return c
		}
	}
	return nil
}

// cells takes up the cells of e, the next part of t.
func (c *collector) cells(e *document.Element, t *table) {
	g := e.Grid
	if e.Alt != "" {
		c.add(block{field: &e.Alt}, e.Page)
	}
	first, begin := 0, t.rows // the first row of g that is not the titles again, and which row of t it is
	if begin > 0 {
		first = g.HeaderRows
		if g.RowContinues {
			begin--
		}
	}
	if t.titles == nil {
		t.titles = titles(g)
	}
	left, row := "", none // the cell before in the same row
	for i := range g.Cells {
		cell := &g.Cells[i]
		if cell.Row != row {
			left, row = "", cell.Row
		}
		if cell.Row == first && begin < t.rows {
			if whole := t.at(begin, cell.Col); whole != nil {
				b := &c.blocks[whole.block]
				b.parts = append(b.parts, part{cell.Lines, e.Page})
				whole.rowSpan = max(whole.rowSpan, begin+cell.RowSpan-whole.row)
				continue
			}
		}
		b := block{labels: []string{left}}
		if left = plain(cell.Lines); cell.Col < len(t.titles) && cell.Row >= first {
			b.labels = append(b.labels, t.titles[cell.Col])
		}
		own := c.add(b, e.Page, cell.Lines...)
		if cell.Row >= first {
			t.cells = append(t.cells, placed{cell.Row - first + begin, cell.Col, cell.RowSpan, cell.ColSpan, own})
		}
	}
	t.rows = begin + max(g.Rows-first, 0)
}

// titles are the texts above the columns of a grid: of its rows of titles, or of its first row.
func titles(g *document.Grid) []string {
	t := make([]string, g.Cols)
	for i := range g.Cells {
		cell := &g.Cells[i]
		if cell.Row >= max(g.HeaderRows, 1) {
			break
		}
		for k := cell.Col; k < min(cell.Col+cell.ColSpan, g.Cols); k++ {
			t[k] = strings.TrimSpace(t[k] + " " + plain(cell.Lines))
		}
	}
	return t
}

// plain is the text of lines, up to the length that a name may have.
func plain(lines []document.Line) string {
	const longest = 100 // bytes
	var b strings.Builder
	for i := range lines {
		for k := range lines[i].Runs {
			if b.Len() > longest {
				return "" // a text, and no name of what stands beside it
			}
			b.WriteString(lines[i].Runs[k].Text)
		}
		b.WriteByte(' ')
	}
	return b.String()
}
