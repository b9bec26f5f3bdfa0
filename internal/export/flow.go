package export

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/option"
)

// flow gives the pages with every text that goes on from an earlier column or page joined to its beginning, as
// the writers for reading want it. d stays as it is.
func flow(d *document.Document) []document.Page {
	pages := make([]document.Page, len(d.Pages))
	var open *document.Element // the paragraph or list item that may go on
	var table *document.Grid   // the last table, joined so far; a copy once something was joined to it
	for i := range d.Pages {
		pages[i] = d.Pages[i]
		list := make([]document.Element, 0, len(d.Pages[i].Elements)) // never grows: open points into it
		for _, e := range d.Pages[i].Elements {
			if e.Kind == document.Table && e.Grid != nil {
				if e.Continues && table != nil && table.Cols == e.Grid.Cols {
					appendGrid(table, e.Grid)
					continue
				}
				joined := *e.Grid
				joined.Cells = slices.Clip(joined.Cells)
				e.Grid, table = &joined, &joined
			}
			if e.Continues && open != nil {
				open.Lines = append(slices.Clip(open.Lines), e.Lines...)
				continue
			}
			list = append(list, e)
			switch e.Kind {
			case document.Paragraph:
				open = &list[len(list)-1]
			case document.List:
				last := &list[len(list)-1]
				last.Children = slices.Clone(last.Children)
				open = nil
				if n := len(last.Children); n > 0 && len(last.Children[n-1].Children) == 0 {
					open = &last.Children[n-1]
				}
			case document.Heading:
				open = nil
			}
		}
		pages[i].Elements = list
	}
	return pages
}

// appendGrid adds the rows of part, which goes on from it, to a table: without its titles, and a row that the page's
// end cut in two made whole. part stays as it is.
func appendGrid(table, part *document.Grid) {
	first, at := part.HeaderRows, table.Rows // the first row of part that counts, and where it goes
	if part.RowContinues && table.Rows > 0 {
		at--
		table.Cells = slices.Clone(table.Cells)
	}
	for _, c := range part.Cells {
		if c.Row < first {
			continue
		}
		if c.Row == first && at < table.Rows {
			if whole := cellAt(table, at, c.Col); whole != nil {
				whole.Lines = append(slices.Clip(whole.Lines), c.Lines...)
				whole.RowSpan = max(whole.RowSpan, at+c.RowSpan-whole.Row)
				continue
			}
		}
		c.Row += at - first
		table.Cells = append(table.Cells, c)
	}
	table.Rows = at + part.Rows - first
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

// piece is a stretch of joined text in one style.
type piece struct {
	text         string
	bold, italic bool
	strike       bool
	link         string
}

// joinLines puts lines together as their joins say, or with line ends where keep is set, and replaces invalid
// characters. Neighbours of one style become one piece; inner white space is single.
func joinLines(lines []document.Line, o option.Options) []piece {
	var out []piece
	add := func(p piece) {
		if p.text == "" {
			return
		}
		if n := len(out); n > 0 && out[n-1].sameStyle(p) {
			out[n-1].text += p.text
			return
		}
		out = append(out, p)
	}
	for i := range lines {
		l := &lines[i]
		for k := range l.Runs {
			r := &l.Runs[k]
			text := strings.ReplaceAll(r.Text, "\uFFFD", o.ReplaceInvalidChars)
			if i+1 < len(lines) && k == len(l.Runs)-1 && l.Join == document.JoinHyphen && !o.KeepLineBreaks {
				text = strings.TrimRight(text, "-\u00AD\u2010")
			}
			add(piece{text, r.Bold, r.Italic, r.Strike && o.DetectStrikethrough, r.Link})
		}
		if i+1 == len(lines) || len(out) == 0 {
			continue
		}
		switch last := &out[len(out)-1]; {
		case o.KeepLineBreaks:
			last.text = strings.TrimRight(last.text, " ") + "\n"
		case l.Join == document.JoinSpace:
			last.text += " "
		}
	}
	return tidy(out)
}

func (p piece) sameStyle(o piece) bool {
	return p.bold == o.bold && p.italic == o.italic && p.strike == o.strike && p.link == o.link
}

// tidy makes white space single, also across pieces, and trims both ends.
func tidy(pieces []piece) []piece {
	last := '\n' // as if a line ended before: leading space goes
	out := pieces[:0]
	for _, p := range pieces {
		var b strings.Builder
		for _, r := range p.text {
			if r == '\t' || r == '\u00A0' || r == '\f' || r == '\r' || r == '\v' {
				r = ' '
			}
			if r == ' ' && (last == ' ' || last == '\n') {
				continue
			}
			b.WriteRune(r)
			last = r
		}
		if p.text = b.String(); p.text != "" {
			out = append(out, p)
		}
	}
	for len(out) > 0 {
		n := len(out) - 1
		out[n].text = strings.TrimRight(out[n].text, " \n")
		if out[n].text != "" {
			break
		}
		out = out[:n]
	}
	return out
}

// plainText is the joined text of lines without styles.
func plainText(lines []document.Line, o option.Options) string {
	var b strings.Builder
	for _, p := range joinLines(lines, o) {
		b.WriteString(p.text)
	}
	return b.String()
}
