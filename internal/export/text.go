package export

import (
	"bufio"
	"strings"
	"unicode"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/option"
)

// writeText writes plain text: blocks apart by a blank line, lists set in, tables aligned.
func writeText(w *bufio.Writer, d *document.Document, o option.Options) error {
	started := false
	block := func(s string) {
		if s == "" {
			return
		}
		if started {
			w.WriteString("\n\n")
		}
		started = true
		w.WriteString(s)
	}
	pages, _ := flow(d)
	for i, p := range pages {
		if i > 0 && o.TextPageSeparator != "" {
			// A separator is a line of its own; a form feed begins the line of the next page.
			if started {
				w.WriteByte('\n')
			}
			w.WriteString(separator(o.TextPageSeparator, p.Number))
			if o.TextPageSeparator != "\f" {
				w.WriteByte('\n')
			}
			started = false
		}
		for k := range p.Elements {
			block(elementText(&p.Elements[k], o))
		}
	}
	if started {
		w.WriteByte('\n')
	}
	return nil // bufio keeps the first error for Flush
}

func elementText(e *document.Element, o option.Options) string {
	switch e.Kind {
	case document.Table:
		return tableText(e.Grid, o)
	case document.List:
		return listText(e, o)
	case document.Figure, document.Header, document.Footer:
		var parts []string
		for i := range e.Children {
			if s := elementText(&e.Children[i], o); s != "" {
				parts = append(parts, s)
			}
		}
		if s := plainText(figureLines(e), o); s != "" {
			parts = append(parts, s)
		}
		return strings.Join(parts, "\n\n")
	}
	if e.Code {
		return codeText(e.Lines, o)
	}
	return plainText(e.Lines, o)
}

func listText(e *document.Element, o option.Options) string {
	var b strings.Builder
	for i := range e.Children {
		item := &e.Children[i]
		if i > 0 {
			b.WriteByte('\n')
		}
		lead := ""
		if item.Marker != "" {
			lead = item.Marker + " "
		}
		pad := strings.Repeat(" ", max(displayWidth(lead), 2))
		b.WriteString(lead + strings.ReplaceAll(plainText(item.Lines, o), "\n", "\n"+pad))
		for k := range item.Children {
			b.WriteString("\n" + pad + strings.ReplaceAll(listText(&item.Children[k], o), "\n", "\n"+pad))
		}
	}
	return b.String()
}

// tableText aligns a table's columns, two spaces apart. Cells of several lines take several lines. A cell over
// several columns may use the room of all of them, and one longer than any screen pushes on what follows it.
func tableText(g *document.Grid, o option.Options) string {
	if g == nil || g.Rows == 0 || g.Cols == 0 {
		return ""
	}
	const widest = 80                  // columns of text up to which a column grows with its cells
	rows := make([][][]string, g.Rows) // lines of each slot
	for r := range rows {
		rows[r] = make([][]string, g.Cols)
	}
	width := make([]int, g.Cols)
	for i := range g.Cells {
		c := &g.Cells[i]
		text := plainText(c.Lines, o)
		if text == "" {
			continue
		}
		rows[c.Row][c.Col] = strings.Split(text, "\n")
		if c.ColSpan == 1 {
			for _, l := range rows[c.Row][c.Col] {
				width[c.Col] = max(width[c.Col], min(displayWidth(l), widest))
			}
		}
	}
	var b strings.Builder
	for r := range rows {
		height := 1
		for _, cell := range rows[r] {
			height = max(height, len(cell))
		}
		for k := range height {
			if r+k > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(textRow(rows[r], width, k))
		}
	}
	return b.String()
}

// textRow writes line k of the cells of a row.
func textRow(cells [][]string, width []int, k int) string {
	const gap = 2
	var b strings.Builder
	at, column := 0, 0 // where the line is, and where the column starts
	for c, lines := range cells {
		if k < len(lines) && lines[k] != "" {
			pad := max(column-at, 0)
			if at > 0 {
				pad = max(pad, gap)
			}
			b.WriteString(strings.Repeat(" ", pad) + lines[k])
			at += pad + displayWidth(lines[k])
		}
		column += width[c] + gap
	}
	return b.String()
}

// displayWidth counts the columns that text takes on a terminal: two for wide East Asian characters, none for accents
// and marks that are printed over a character.
func displayWidth(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case r < 0x300:
			n++
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case isWide(r):
			n += 2
		default:
			n++
		}
	}
	return n
}
