package export

import (
	"bufio"
	"bytes"
	"strings"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/option"
)

// writeMarkdown writes GitHub-flavoured Markdown that a CommonMark parser reads back to the same blocks.
func writeMarkdown(w *bufio.Writer, d *document.Document, o option.Options) error {
	m := markdown{w: w, o: o, top: topLevel(d), code: marksCode(d)}
	pages, _ := flow(d)
	for i, p := range pages {
		if i > 0 && o.MarkdownPageSeparator != "" {
			m.block(separator(o.MarkdownPageSeparator, p.Number))
		}
		if o.ImageOutput != "off" {
			m.captions = captionsOf(p.Elements)
		}
		for k := range p.Elements {
			m.element(&p.Elements[k])
		}
	}
	if m.started {
		m.w.WriteByte('\n')
	}
	return m.err // bufio keeps the first error of its own for Flush
}

type markdown struct {
	w        *bufio.Writer
	o        option.Options
	top      int  // the highest level of a heading: 0 where there is a title
	code     bool // fixed-pitch type is code: not where all text is set in it
	started  bool
	listMark byte                                    // what ends the marks of the list just written: '-', '*', '.', ')'; 0 after another block
	captions map[*document.Element]*document.Element // of the page's figures; nil where no pictures were asked for
	err      error                                   // the first one of reading a picture
}

// topLevel is 0 when the document has a title, 1 otherwise.
func topLevel(d *document.Document) int {
	for i := range d.Pages {
		for k := range d.Pages[i].Elements {
			if e := &d.Pages[i].Elements[k]; e.Kind == document.Heading && e.Level == 0 {
				return 0
			}
		}
	}
	return 1
}

// block writes a block, with a blank line between it and the one before.
func (m *markdown) block(s string) {
	if s == "" {
		return
	}
	if m.started {
		m.w.WriteString("\n\n")
	}
	m.started, m.listMark = true, 0
	m.w.WriteString(s)
}

func (m *markdown) element(e *document.Element) {
	switch e.Kind {
	case document.Heading:
		if text := m.inline(e.Lines, inlineHeading); text != "" {
			m.block(m.headingMark(e) + " " + text)
		}
	case document.Table:
		if m.o.MarkdownWithHTML && needsSpans(e.Grid) {
			m.block(m.tableHTML(e.Grid))
		} else {
			m.block(m.table(e.Grid))
		}
	case document.List:
		// Two lists in a row would be one, were it not for another kind of marks.
		alt := m.listMark != 0 && m.listMark == leadMark(e, false)
		m.block(m.listText(e, alt))
		m.listMark = leadMark(e, alt)
	case document.Figure, document.Header, document.Footer: // a running head may be a figure with text in it
		m.picture(e)
		for k := range e.Children {
			m.element(&e.Children[k])
		}
		if e.Picture == nil {
			m.block(m.inline(figureLines(e), inlineBlock))
		}
	default:
		if e.Code {
			m.block(codeFence(codeText(e.Lines, m.o)))
			return
		}
		m.block(m.inline(e.Lines, inlineBlock))
	}
}

// picture writes the picture of a figure, when it has one, with a text that stands for it.
func (m *markdown) picture(e *document.Element) {
	if e.Picture == nil || m.err != nil {
		return
	}
	alt := altText(e, m.captions[e], m.o)
	m.block("![" + escapeBrackets(escapeInline(alt, escaping{inLink: true, before: '[', follow: ']'})) + "](")
	m.err = writeSource(m.w, e.Picture, m.o)
	m.w.WriteByte(')')
}

// headingMark is what a heading of e's level begins with.
func (m *markdown) headingMark(e *document.Element) string {
	return strings.Repeat("#", min(max(e.Level+1-m.top, 1), 6))
}

// listText writes a list; nested blocks are set in by the width of the item's mark.
func (m *markdown) listText(e *document.Element, alt bool) string {
	var b strings.Builder
	delimiter := leadMark(e, alt)
	for i := range e.Children {
		item := &e.Children[i]
		if i > 0 {
			b.WriteByte('\n')
		}
		lead, text := itemLead(item.Marker, delimiter), m.itemText(item, delimiter)
		b.WriteString(lead)
		pad := strings.Repeat(" ", len(lead))
		b.WriteString(strings.ReplaceAll(text, "\n", "\n"+pad))
		for k := range item.Children {
			nested := &item.Children[k]
			switch {
			case k > 0:
				b.WriteString("\n" + pad)
			case text != "" && !m.interrupts(nested):
				b.WriteString("\n\n" + pad)
			case text != "":
				b.WriteString("\n" + pad)
			}
			b.WriteString(strings.ReplaceAll(m.listText(nested, k%2 == 1), "\n", "\n"+pad))
		}
	}
	return b.String()
}

// itemText is the item's text, with its mark where that says something that the list's marks do not.
func (m *markdown) itemText(item *document.Element, delimiter byte) string {
	text := m.inline(item.Lines, inlineItem)
	if delimiter == '.' || delimiter == ')' || !isOrdinal(item.Marker) {
		return text
	}
	mark := item.Marker
	if isDecimal(mark) {
		mark = mark[:len(mark)-1] + `\` + mark[len(mark)-1:]
	}
	return mark + " " + text
}

// interrupts reports whether a list may follow a line of text at once: it has to begin with a text and, when it is
// numbered, at one (CommonMark 0.31, section 5.3).
func (m *markdown) interrupts(list *document.Element) bool {
	if len(list.Children) == 0 {
		return true
	}
	first, delimiter := &list.Children[0], leadMark(list, false)
	if m.itemText(first, delimiter) == "" {
		return false
	}
	return delimiter == '-' || strings.TrimLeft(first.Marker[:len(first.Marker)-1], "0") == "1"
}

// leadMark is the character by which Markdown tells a list from a neighbouring one, 0 for a list without items.
// Only lists whose marks are all numbers are numbered in Markdown.
func leadMark(e *document.Element, alt bool) byte {
	if len(e.Children) == 0 {
		return 0
	}
	for i := range e.Children {
		if !isDecimal(e.Children[i].Marker) {
			if alt {
				return '*'
			}
			return '-'
		}
	}
	mark := e.Children[0].Marker
	if (mark[len(mark)-1] == '.') != alt {
		return '.'
	}
	return ')'
}

// itemLead is what a Markdown list item begins with.
func itemLead(mark string, delimiter byte) string {
	if delimiter == '.' || delimiter == ')' {
		return mark[:len(mark)-1] + string(delimiter) + " "
	}
	return string(delimiter) + " "
}

// table writes a pipe table. Its first row is the header, as the notation demands, also where the table has none or
// several. Cells over several columns or rows stand in their first slot.
func (m *markdown) table(g *document.Grid) string {
	if g == nil || g.Rows == 0 || g.Cols == 0 {
		return ""
	}
	var b strings.Builder
	for r, row := range m.slots(g) {
		if r > 0 {
			b.WriteByte('\n')
		}
		writeRow(&b, row)
		if r == 0 {
			b.WriteString("\n" + delimiterRow(g.Cols))
		}
	}
	return b.String()
}

// slots gives the text of each slot of a table, row by row: of the first one of each cell.
func (m *markdown) slots(g *document.Grid) [][]string {
	slots := make([][]string, g.Rows)
	for r := range slots {
		slots[r] = make([]string, g.Cols)
	}
	for i := range g.Cells {
		c := &g.Cells[i]
		mode := inlineCell
		if c.Row == 0 {
			mode = inlineHeaderCell
		}
		slots[c.Row][c.Col] = strings.ReplaceAll(m.inline(c.Lines, mode), "\n", "<br>")
	}
	return slots
}

// writeRow writes a row of a pipe table.
func writeRow(b *strings.Builder, cells []string) {
	b.WriteByte('|')
	for _, cell := range cells {
		b.WriteString(" " + cell)
		if cell != "" {
			b.WriteByte(' ')
		}
		b.WriteByte('|')
	}
}

// delimiterRow is the row of a pipe table that sets its first row off as titles.
func delimiterRow(cols int) string { return "|" + strings.Repeat(" --- |", cols) }

// tableHTML writes a table as a block of HTML, which ends at a blank line for Markdown.
func (m *markdown) tableHTML(g *document.Grid) string {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	h := htmlWriter{w: w, o: m.o, code: m.code}
	h.grid(g, "", nil)
	_ = w.Flush() // a buffer takes everything
	return b.String()
}
