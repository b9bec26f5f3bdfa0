package export

import (
	"bufio"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/option"
)

// writeMarkdown writes GitHub-flavoured Markdown that a CommonMark parser reads back to the same blocks.
func writeMarkdown(w *bufio.Writer, d *document.Document, o option.Options) error {
	m := markdown{w: w, o: o, top: topLevel(d)}
	for i, p := range flow(d) {
		if i > 0 && o.MarkdownPageSeparator != "" {
			m.block(separator(o.MarkdownPageSeparator, p.Number))
		}
		for k := range p.Elements {
			m.element(&p.Elements[k])
		}
	}
	if m.started {
		m.w.WriteByte('\n')
	}
	return nil // bufio keeps the first error for Flush
}

type markdown struct {
	w        *bufio.Writer
	o        option.Options
	top      int // the highest level of a heading: 0 where there is a title
	started  bool
	listMark byte // what ends the marks of the list just written: '-', '*', '.', ')'; 0 after another block
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
			m.block(strings.Repeat("#", min(max(e.Level+1-m.top, 1), 6)) + " " + text)
		}
	case document.Table:
		m.block(m.table(e.Grid))
	case document.List:
		// Two lists in a row would be one, were it not for another kind of marks.
		alt := m.listMark != 0 && m.listMark == leadMark(e, false)
		m.block(m.listText(e, alt))
		m.listMark = leadMark(e, alt)
	case document.Figure:
		for k := range e.Children {
			m.element(&e.Children[k])
		}
	default:
		m.block(m.inline(e.Lines, inlineBlock))
	}
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

// isDecimal reports whether a mark can be one of a numbered list in Markdown.
func isDecimal(mark string) bool {
	const longest = 9 // digits, by CommonMark
	digits := strings.TrimRight(mark, ".)")
	return len(mark)-len(digits) == 1 && digits != "" && len(digits) <= longest && strings.Trim(digits, "0123456789") == ""
}

// isOrdinal reports whether a mark says something: a number or letter, not a bullet.
func isOrdinal(mark string) bool {
	return strings.ContainsFunc(mark, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) && mark != "o"
}

// table writes a pipe table. Its first row is the header, as the notation demands. Cells over several columns or
// rows stand in their first slot.
func (m *markdown) table(g *document.Grid) string {
	if g == nil || g.Rows == 0 || g.Cols == 0 {
		return ""
	}
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
	var b strings.Builder
	for r, row := range slots {
		if r > 0 {
			b.WriteByte('\n')
		}
		b.WriteByte('|')
		for _, cell := range row {
			b.WriteString(" " + cell)
			if cell != "" {
				b.WriteByte(' ')
			}
			b.WriteByte('|')
		}
		if r == 0 {
			b.WriteString("\n|" + strings.Repeat(" --- |", g.Cols))
		}
	}
	return b.String()
}

// inlineMode is where inline text stands, which decides what has to be escaped and which styles are the block's.
type inlineMode uint8

const (
	inlineBlock inlineMode = iota
	inlineHeading
	inlineItem
	inlineCell
	inlineHeaderCell
)

// inline writes joined lines as Markdown text.
func (m *markdown) inline(lines []document.Line, mode inlineMode) string {
	pieces := joinLines(lines, m.o)
	plain := mode == inlineHeading || mode == inlineHeaderCell // these are bold by themselves
	var b strings.Builder
	styled := false // the text so far ends in a closing mark
	for i, p := range pieces {
		if mode == inlineHeading {
			p.text = strings.ReplaceAll(p.text, "\n", " ")
		}
		if plain {
			p.bold, p.italic = false, false
		}
		body := strings.Trim(p.text, " \n")
		at := strings.Index(p.text, body)
		before, after := p.text[:at], p.text[at+len(body):]
		b.WriteString(before)
		next := nextRune(pieces, i, after)
		escaped := escapeInline(body, mode, atLineStart(b.String()), next)
		open, shut := marks(p)
		if p.linked() {
			escaped = "[" + escapeBrackets(escaped) + "](" + target(p.link) + ")"
		}
		if open == "" || body == "" || styled && before == "" || strings.Contains(body, "\n\n") ||
			!flanks(last(b.String()), escaped, next) {
			b.WriteString(escaped)
			styled = false
		} else {
			b.WriteString(open + escaped + shut)
			styled = true
		}
		if after != "" {
			styled = false
		}
		b.WriteString(after)
	}
	text := b.String()
	if mode == inlineHeading && strings.HasSuffix(text, "#") {
		text = text[:len(text)-1] + `\#` // it would close the heading
	}
	return text
}

func atLineStart(s string) bool { return s == "" || s[len(s)-1] == '\n' }

// marks are the emphasis marks around a piece.
func marks(p piece) (open, shut string) {
	switch {
	case p.bold && p.italic:
		open = "***"
	case p.bold:
		open = "**"
	case p.italic:
		open = "*"
	}
	if p.strike {
		return "~~" + open, open + "~~"
	}
	return open, open
}

// flanks reports whether emphasis marks around text would be read as such between the characters before and
// after it (CommonMark 0.31, left- and right-flanking delimiter runs). 0 is the start or end of the block.
func flanks(before rune, text string, after rune) bool {
	first, _ := utf8.DecodeRuneInString(text)
	final, _ := utf8.DecodeLastRuneInString(text)
	outside := func(r rune) bool { return r == 0 || unicode.IsSpace(r) || unicode.IsPunct(r) || unicode.IsSymbol(r) }
	inside := func(r rune) bool { return !unicode.IsPunct(r) && !unicode.IsSymbol(r) }
	return (inside(first) || outside(before)) && (inside(final) || outside(after))
}

func last(s string) rune {
	if s == "" {
		return 0
	}
	r, _ := utf8.DecodeLastRuneInString(s)
	return r
}

// nextRune is the character that follows the body of piece i.
func nextRune(pieces []piece, i int, after string) rune {
	if after != "" {
		return ' '
	}
	if i+1 < len(pieces) {
		if pieces[i+1].linked() {
			return '['
		}
		r, _ := utf8.DecodeRuneInString(pieces[i+1].text)
		return r
	}
	return 0
}

// linked reports whether the piece is written as a link: it leads somewhere, and does not say where by itself.
func (p piece) linked() bool {
	body := strings.Trim(p.text, " \n")
	return p.link != "" && body != "" && followable(p.link) && !sameTarget(p.link, body)
}

// followable reports whether a link may be offered to readers. Others than these schemes open nothing from a text,
// or, as javascript and data do, run what a stranger wrote where the Markdown is shown.
func followable(uri string) bool {
	scheme, _, ok := strings.Cut(uri, ":")
	if !ok || strings.ContainsAny(scheme, "/?#") {
		return true // relative
	}
	switch strings.ToLower(scheme) {
	case "http", "https", "ftp", "mailto", "tel":
		return true
	}
	return false
}

// sameTarget reports whether a link's text shows its target already.
func sameTarget(uri, text string) bool {
	trim := func(s string) string {
		s = strings.ToLower(strings.TrimSpace(s))
		for _, p := range []string{"mailto:", "https://", "http://"} {
			s = strings.TrimPrefix(s, p)
		}
		return strings.TrimRight(s, "/.")
	}
	t := trim(text)
	return t != "" && strings.Contains(trim(uri), t) && strings.ContainsAny(t, ".@/")
}

// target writes a URI as a link destination.
func target(uri string) string {
	var b strings.Builder
	for i, r := range uri {
		switch {
		case r == '&' && entity.MatchString(uri[i:]):
			b.WriteString("&amp;")
		case r <= ' ' || r == 0x7F || r == '<' || r == '>' || r == '|' || r == '\\' || r == '`' || r == '*':
			const hex = "0123456789ABCDEF"
			b.WriteString("%" + string(hex[r>>4&15]) + string(hex[r&15]))
		case r == '(' || r == ')':
			b.WriteString(`\` + string(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
