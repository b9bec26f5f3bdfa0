package layout

import (
	"math"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ragify/ragify/internal/document"
)

// joinTables marks tables at the top of a page or column that go on from the table at the end of the one before: the
// columns and the size of the type agree, and nothing but running heads and feet, notes and the words that say
// "continued" stands between them.
func joinTables(pages []*page) {
	var j tableJoiner
	for i, p := range pages {
		if i > 0 && p.number != pages[i-1].number+1 {
			j = tableJoiner{} // the rows between were not asked for
		}
		for _, b := range p.blocks {
			j.next(p, b)
		}
	}
}

// A tableJoiner walks over the blocks of a document in reading order.
type tableJoiner struct {
	open  *block         // the last table, nil when something else has followed
	first *document.Grid // the first part of the open table
	page  *page          // where open stands
	title string         // of the last caption
}

// next looks at block b of page p.
func (j *tableJoiner) next(p *page, b *block) {
	switch {
	case b.kind == document.Table:
		if j.open != nil && j.joins(p, b) {
			b.continues = true
		} else {
			j.first = b.element.Grid
		}
		j.open, j.page = b, p
	case j.between(p, b):
	case b.kind == document.Caption:
		j.open, j.title = nil, b.text
	default:
		j.open = nil
	}
}

// between reports whether a block may stand between the parts of one table.
func (j *tableJoiner) between(p *page, b *block) bool {
	switch b.kind {
	case document.Header, document.Footer, document.Footnote:
		return true
	case document.Figure:
		// A logo in the running head.
		return b.element.Box.Bottom <= runningZone*p.height || b.element.Box.Top >= (1-runningZone)*p.height
	case document.Caption, document.Paragraph:
		return b.turned || b.lineCount <= 2 && continued.MatchString(b.text) ||
			p != j.page && b.kind == document.Caption && b.text == j.title
	}
	return false
}

// continued is what titles say above the later parts of a table, and notes below the earlier ones.
var continued = regexp.MustCompile(`(?i)\bcontinue[ds]\b|\bcont(inued|'d|’d|d)?\.|\(cont(inued|'d|’d|d)?\)|\bfortsetzung\b|\(suite\)|\bsuite (de la|page)\b|\bcontinuaci[oó]n\b|\bcontin[uú]a\b|\bsegue\b|\bcontinuação\b|续|續`)

// joins reports whether table b of page p goes on from the open one. Where it does, b is given the columns and header
// rows of the first part.
func (j *tableJoiner) joins(p *page, b *block) bool {
	a := j.open
	if a.shape == nil || b.shape == nil { // a structure tree has made it, and says itself where it goes on
		return false
	}
	if math.Abs(a.style.size-b.style.size) > 0.05*b.style.size || !j.goesOver(p, b) {
		return false
	}
	repeated := repeatedRows(j.first, b.element.Grid)
	// Without the titles again, it takes more to tell a part from a table of its own.
	if repeated == 0 && (b.element.Grid.HeaderRows > 0 || !j.toTheEnd()) {
		return false
	}
	if !j.alignColumns(p, b) {
		return false
	}
	b.element.Grid.HeaderRows = repeated
	j.first.HeaderRows = max(j.first.HeaderRows, repeated)
	if rowContinues(a.element.Grid, b.element.Grid) {
		b.element.Grid.RowContinues = true
		joinRow(a.element.Grid, b.element.Grid)
	}
	return true
}

// goesOver reports whether b stands where a text that has come to the end of the open table would go on.
func (j *tableJoiner) goesOver(p *page, b *block) bool {
	if p != j.page {
		return true
	}
	return b.box.Left >= j.open.box.Right && b.box.Top < j.open.box.Bottom
}

// toTheEnd reports whether the open table goes as far down its page as it may: a row that did not fit leaves less than
// a third of the page empty.
func (j *tableJoiner) toTheEnd() bool {
	const lowest = 0.67 // of the page's height
	return j.open.box.Bottom >= lowest*j.page.frame.height
}

// alignColumns reports whether the open table and b have the same columns. Pages with even and odd numbers, and
// columns of one page, lie at different distances from the left.
func (j *tableJoiner) alignColumns(p *page, b *block) bool {
	a := j.open
	s, t := a.shape, b.shape
	for _, dx := range []float64{0, b.box.Left - a.box.Left} {
		if at, ok := t.columnMap(s, -dx); ok {
			t.spread(b.element.Grid, s, at, -dx, p.frame)
			return true
		}
		if at, ok := s.columnMap(t, dx); ok && !a.continues {
			s.spread(a.element.Grid, t, at, dx, j.page.frame)
			return true
		}
	}
	return false
}

// repeatedRows is the number of rows at the top of the second grid that say the same as those of the first.
func repeatedRows(a, b *document.Grid) int {
	const most = 5 // more are no titles
	x, y := rowTexts(a, most+1), rowTexts(b, most+1)
	n := 0
	for n < min(len(x), len(y)) && x[n] == y[n] && x[n] != "" {
		n++
	}
	if n > most || n == b.Rows {
		return 0
	}
	return n
}

// rowTexts gives the letters of the first rows of a grid.
func rowTexts(g *document.Grid, most int) []string {
	texts := make([]strings.Builder, min(g.Rows, most))
	for i := range g.Cells {
		if c := &g.Cells[i]; c.Row < len(texts) {
			for _, r := range cellText(c) {
				if !unicode.IsSpace(r) {
					texts[c.Row].WriteRune(r)
				}
			}
		}
	}
	out := make([]string, len(texts))
	for i := range texts {
		out[i] = texts[i].String()
	}
	return out
}

func cellText(c *document.Cell) string {
	var b strings.Builder
	for i := range c.Lines {
		if i > 0 {
			b.WriteByte(' ')
		}
		for k := range c.Lines[i].Runs {
			b.WriteString(c.Lines[i].Runs[k].Text)
		}
	}
	return strings.TrimSpace(b.String())
}

// rowContinues reports whether the first row of b below its titles is the rest of the last row of a, which the page's
// end has cut: whatever stands in it has a text above it to go on from, and one goes on within a sentence. Where it
// has something in the column with which rows begin, that has to go on as well.
func rowContinues(a, b *document.Grid) bool {
	last, first := rowCells(a, a.Rows-1), rowCells(b, b.HeaderRows)
	found := false
	for c, cell := range first {
		if cell == nil || len(cell.Lines) == 0 {
			continue
		}
		if last[c] == nil || len(last[c].Lines) == 0 {
			return false
		}
		on := textGoesOn(last[c], cell)
		if c == 0 && !on {
			return false
		}
		found = found || on
	}
	return found
}

// textGoesOn reports whether the text of cell a, in full lines, ends within a sentence that b goes on with.
func textGoesOn(a, b *document.Cell) bool {
	// fullLine of the cell's width: the next word did not fit. Words in narrow columns are long in comparison.
	const fullLine = 0.6
	before, after := cellText(a), cellText(b)
	if before == "" || after == "" || a.Lines[len(a.Lines)-1].Box.Width() < fullLine*a.Box.Width() {
		return false
	}
	end, _ := utf8.DecodeLastRuneInString(before)
	start, _ := utf8.DecodeRuneInString(after)
	return !sentenceEnds(end) && (unicode.IsLower(start) || cjk(end) && cjk(start))
}

// joinRow says of the last lines of a how the first row of b goes on from them.
func joinRow(a, b *document.Grid) {
	first := rowCells(b, b.HeaderRows)
	for c, cell := range rowCells(a, a.Rows-1) {
		if cell != nil && len(cell.Lines) > 0 && first[c] != nil && len(first[c].Lines) > 0 {
			end := &cell.Lines[len(cell.Lines)-1]
			end.Join = join(end, &first[c].Lines[0])
		}
	}
}

// rowCells gives the cells in one row by their first column.
func rowCells(g *document.Grid, row int) []*document.Cell {
	out := make([]*document.Cell, g.Cols)
	for i := range g.Cells {
		if c := &g.Cells[i]; c.Row <= row && row < c.Row+c.RowSpan {
			out[c.Col] = c
		}
	}
	return out
}
