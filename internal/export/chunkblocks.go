package export

import (
	"slices"
	"sort"
	"strings"
	"unicode"

	"github.com/ragify/ragify/internal/document"
)

// block is an element, or a part of one, that chunks are made of. It consists of units, which are not split.
type block interface {
	// markdown writes units i to j, as far as they are to be read by themselves.
	markdown(i, j int) string
	// places calls add for what shows units i to j, in reading order.
	places(i, j int, add func(place))
}

// place is where a part of a chunk stands. Places of the same part are one box.
type place struct {
	id   string // of the element
	part string // of the element whose box it is in: its own, or that of the list it is an item of; "": it adds no box
	page int
	box  document.Box
}

// wholeBlock is a block of one unit.
type wholeBlock struct {
	text string
	from []place
}

func (b *wholeBlock) markdown(_, _ int) string { return b.text }

func (b *wholeBlock) places(_, _ int, add func(place)) {
	for _, p := range b.from {
		add(p)
	}
}

// codeBlock is a listing. Its units are lines.
type codeBlock struct {
	m      *markdown
	lines  []document.Line
	source source
}

// markdown leaves out the spaces at line ends, which nobody sees.
func (b *codeBlock) markdown(i, j int) string {
	lines := strings.Split(codeText(b.lines[i:j], b.m.o), "\n")
	for k := range lines {
		lines[k] = strings.TrimRight(lines[k], " ")
	}
	return codeFence(strings.TrimRight(strings.Join(lines, "\n"), "\n"))
}

func (b *codeBlock) places(i, j int, add func(place)) { b.source.places(b.lines, i, j, add) }

// listBlock is a list. Its units are items without the lists in them, in reading order.
type listBlock struct {
	m     *markdown
	tree  listTree
	alt   bool // see leadMark
	items []listItem
}

type listItem struct {
	item      *document.Element
	depth     int  // lists around its own
	delimiter byte // see leadMark
	source    source
}

// listTree is a list with the number of units before each of its items, so that a part of it is found without looking at
// the rest.
type listTree struct {
	list  *document.Element
	nodes []listNode
}

type listNode struct {
	item    *document.Element
	at, end int // its unit, and the first one after those of the lists in it
	lists   []listTree
}

func (c *chunker) newList(e *document.Element, alt bool) *listBlock {
	b := &listBlock{m: &c.m, alt: alt}
	b.tree = b.grow(e, 0, alt)
	part := e.ID
	for k := range b.items {
		item := b.items[k].item
		joints := c.joints[item.ID]
		b.items[k].source = source{id: item.ID, part: part, page: item.Page, box: item.Box, joints: joints}
		if len(joints) > 0 && joints[0].at == 0 { // a later part of the list begins here
			part = joints[0].id
		}
	}
	return b
}

func (b *listBlock) grow(list *document.Element, depth int, alt bool) listTree {
	t := listTree{list: list, nodes: make([]listNode, 0, len(list.Children))}
	delimiter := leadMark(list, alt)
	for i := range list.Children {
		item := &list.Children[i]
		n := listNode{item: item, at: len(b.items)}
		b.items = append(b.items, listItem{item: item, depth: depth, delimiter: delimiter})
		for k := range item.Children {
			n.lists = append(n.lists, b.grow(&item.Children[k], depth+1, k%2 == 1))
		}
		n.end = len(b.items)
		t.nodes = append(t.nodes, n)
	}
	return t
}

// cut is the list with the items from i to j. Those that these are in, but that come before, have their marks only.
func (t *listTree) cut(i, j int) document.Element {
	out := *t.list
	out.Children = nil
	first := sort.Search(len(t.nodes), func(k int) bool { return t.nodes[k].end > i })
	for k := first; k < len(t.nodes) && t.nodes[k].at < j; k++ {
		n := &t.nodes[k]
		item := *n.item
		item.Children = nil
		if n.at < i {
			item.Lines = nil
		}
		for l := range n.lists {
			if inner := n.lists[l].cut(i, j); len(inner.Children) > 0 {
				item.Children = append(item.Children, inner)
			}
		}
		out.Children = append(out.Children, item)
	}
	return out
}

func (b *listBlock) markdown(i, j int) string {
	list := b.tree.cut(i, j)
	return b.m.listText(&list, b.alt)
}

func (b *listBlock) places(i, j int, add func(place)) {
	add(place{id: b.tree.list.ID})
	for k := i; k < j; k++ {
		item := b.items[k].item
		b.items[k].source.places(item.Lines, 0, len(item.Lines), add)
	}
}

// tableBlock is a table in pipe notation. Its units are the rows below its titles; each part of it has the titles.
type tableBlock struct {
	m      *markdown
	grid   *document.Grid
	source source
	slots  [][]string
	titles string // the rows that are repeated, and the row of dashes below the first; its first row may be empty
	heads  int    // rows of titles
	first  int    // the row of the first unit
	before string // the caption, where it is repeated and stands above
	after  string
	around []place // that of the caption
	cells  [][]int // of each row, those that begin in it
	over   [][]int // of each row, those that begin above and reach into it
}

func (c *chunker) newTable(e *document.Element) *tableBlock {
	g := e.Grid
	b := &tableBlock{
		m: &c.m, grid: g, slots: c.m.slots(g), cells: make([][]int, g.Rows), over: make([][]int, g.Rows),
		source: source{id: e.ID, part: e.ID, page: e.Page, box: e.Box, joints: c.joints[e.ID]},
	}
	for i := range g.Cells {
		cell := &g.Cells[i]
		b.cells[cell.Row] = append(b.cells[cell.Row], i)
		for r := cell.Row + 1; r < min(cell.Row+cell.RowSpan, g.Rows); r++ {
			b.over[r] = append(b.over[r], i)
		}
	}
	if b.heads = b.titleRows(); b.heads > 0 {
		b.titles = b.rows(0, b.heads) + "\n"
		if c.tokens.count(b.titles) <= c.max/2 {
			b.first = b.heads
			return b
		}
	}
	b.titles = b.emptyTitles()
	return b
}

// titleRows is the number of rows at the top that name the columns. Where nothing sets them apart on the page, they are
// those with fewer numbers than there are further down, or the first one of a table without numbers: most tables have
// titles, and a reader of a part is better off with a row too many than without them.
func (b *tableBlock) titleRows() int {
	g := b.grid
	if g.HeaderRows > 0 && g.HeaderRows < g.Rows {
		return g.HeaderRows
	}
	const (
		most   = 3
		fewer  = 0.67 // of the share of numbers in the rows below
		hardly = 0.1  // as a share of numbers: the table has none
	)
	if g.Rows <= most {
		return 0 // too few rows to tell, or to need it
	}
	below, n := 0.0, 0
	for r := most; r < g.Rows; r++ {
		if share, filled := b.numbers(r); filled > 1 {
			below += share
			n++
		}
	}
	below /= float64(max(n, 1))
	if below < hardly {
		return 1
	}
	rows, limit := 0, fewer*below
	for rows < most {
		share, filled := b.numbers(rows)
		if share > limit || filled < 2 && rows > 0 { // a single cell is the title of rows
			break
		}
		limit = fewer * below / 2 // years are in the first row, sums of all that follows in the next
		rows++
	}
	for i := range g.Cells { // all rows of a merged cell
		if c := &g.Cells[i]; c.Row < rows && c.Row+c.RowSpan > rows {
			rows = c.Row + c.RowSpan
		}
	}
	if rows > most {
		return 0
	}
	return rows
}

// numbers is the share of numbers among the cells of a row that say something, and how many these are.
func (b *tableBlock) numbers(r int) (share float64, filled int) {
	n := 0
	for _, text := range b.slots[r] {
		if text == "" {
			continue
		}
		filled++
		if strings.ContainsFunc(text, unicode.IsDigit) && !strings.ContainsFunc(text, unicode.IsLetter) {
			n++
		}
	}
	return float64(n) / float64(max(filled, 1)), filled
}

// emptyTitles are the titles of a table without any: the notation demands a row for them.
func (b *tableBlock) emptyTitles() string {
	var s strings.Builder
	writeRow(&s, make([]string, b.grid.Cols))
	return s.String() + "\n" + delimiterRow(b.grid.Cols) + "\n"
}

// rows writes rows of the table as they stand, with the row of dashes below the first one of the table.
func (b *tableBlock) rows(from, to int) string {
	var s strings.Builder
	for r := from; r < to; r++ {
		if r > from {
			s.WriteByte('\n')
		}
		writeRow(&s, b.slots[r])
		if r == 0 {
			s.WriteString("\n" + delimiterRow(b.grid.Cols))
		}
	}
	return s.String()
}

// rowText writes one row.
func (b *tableBlock) rowText(cells []string) string {
	var s strings.Builder
	writeRow(&s, cells)
	return s.String()
}

// bare is the table without anything repeated.
func (b *tableBlock) bare() *tableBlock {
	bare := *b
	bare.titles, bare.before, bare.after, bare.around, bare.over = b.emptyTitles(), "", "", nil, make([][]int, b.grid.Rows)
	return &bare
}

// markdown writes rows with the titles above. What stands in a merged cell that begins in an earlier part is repeated.
func (b *tableBlock) markdown(i, j int) string {
	from, to := i+b.first, j+b.first
	var s strings.Builder
	if b.before != "" {
		s.WriteString(b.before + "\n\n")
	}
	if from == 0 {
		s.WriteString(b.rows(0, to))
	} else {
		s.WriteString(b.titles)
		writeRow(&s, b.startRow(from))
		if to > from+1 {
			s.WriteString("\n" + b.rows(from+1, to))
		}
	}
	if b.after != "" {
		s.WriteString("\n\n" + b.after)
	}
	return s.String()
}

// startRow has the cells of a row that begins a part.
func (b *tableBlock) startRow(r int) []string {
	row := b.slots[r]
	cloned := false
	for _, i := range b.over[r] {
		c := &b.grid.Cells[i]
		if text := b.slots[c.Row][c.Col]; text != "" && c.Row >= b.first { // else it is among the titles
			if !cloned {
				row, cloned = slices.Clone(row), true
			}
			row[c.Col] = text
		}
	}
	return row
}

func (b *tableBlock) places(i, j int, add func(place)) {
	for _, p := range b.around {
		if b.before != "" {
			add(p)
		}
	}
	from, to := i+b.first, j+b.first
	if i == 0 {
		from = 0
	}
	at := joint{id: b.source.id, page: b.source.page, box: b.source.box}
	for k := 0; ; k++ {
		end, shared := b.grid.Rows, 0 // the rows of the part; the last one may be shared with the next
		if k < len(b.source.joints) {
			next := &b.source.joints[k]
			end = next.at
			if next.torn {
				shared = 1
			}
		}
		if from < end+shared && to > at.at {
			p := place{id: at.id, part: at.id, page: at.page, box: at.box}
			if from > at.at || to < end+shared {
				if box := b.rowsBox(max(from, at.at), min(to, end+shared), at.torn && from <= at.at); !box.Empty() {
					p.box = box
				}
			}
			add(p)
		}
		if k == len(b.source.joints) {
			break
		}
		at = b.source.joints[k]
	}
	for _, p := range b.around {
		if b.after != "" {
			add(p)
		}
	}
}

// rowsBox is the box around rows. The cells of a row that was torn are on the page before: there it is not known.
func (b *tableBlock) rowsBox(from, to int, torn bool) document.Box {
	var box document.Box
	if torn {
		return box
	}
	for r := from; r < to; r++ {
		for _, i := range b.cells[r] {
			box = box.Union(b.grid.Cells[i].Box)
		}
	}
	return box
}

// title is the title of a column, as Markdown text: that of its last row of titles.
func (b *tableBlock) title(col int) string {
	for r := b.heads - 1; r >= 0; r-- {
		if s := b.slots[r][col]; s != "" {
			return s
		}
	}
	return ""
}
