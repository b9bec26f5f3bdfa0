package layout

import (
	"math"
	"regexp"
	"strings"
	"unicode"

	"github.com/ragify/ragify/internal/document"
)

// captionLabel is a label with a number, as captions begin with. The groups are what follows directly, and the rest.
var captionLabel = regexp.MustCompile(`^(?:(?i:fig(?:ure|\.)?|table|tab\.|chart|exhibit|scheme|plate|diagram|illustration|map|box|listing|algorithm|photo|` +
	`abb(?:ildung|\.)|tabelle|tableau|figura|tabla|tabela|tabella|рис(?:унок|\.)|таблица)\s+[\dA-Z]+|(?:图|表|圖|図)\s*\d+)(?:[.\-–]\d+[a-z]?)*\s*([.:|–—：]|$)?\s*(.*)`)

// findCaptions names the paragraphs that begin like captions: the label is set off from what it says, or stands beside
// what it names. "Figure 3 shows" begins a sentence.
func findCaptions(pages []*page) {
	const (
		longest = 8 // lines
		short   = 3 // of a caption without a sign after its label: it is a title, no sentence
	)
	for _, p := range pages {
		for i, b := range p.blocks {
			if b.kind != document.Paragraph || b.lineCount > longest {
				continue
			}
			m := captionLabel.FindStringSubmatch(b.text)
			if m == nil {
				continue
			}
			capital := strings.IndexFunc(m[2], func(r rune) bool { return unicode.IsUpper(r) || unicode.In(r, unicode.Han) }) == 0
			if m[1] != "" || m[2] == "" || capital && b.lineCount <= short && p.besideFloat(i) {
				b.kind = document.Caption
			}
		}
	}
}

// besideFloat reports whether a figure or table is next to block i.
func (p *page) besideFloat(i int) bool {
	float := func(k int) bool {
		return k >= 0 && k < len(p.blocks) && (p.blocks[k].kind == document.Figure || p.blocks[k].kind == document.Table)
	}
	return float(i-1) || float(i+1)
}

// findFootnotes names the texts in smaller type at the end of a column that begin with a note's mark, or stand below a
// short rule, and those that follow them. They go to the end of the page's text, which they interrupt elsewhere.
func findFootnotes(pages []*page, text body) {
	for _, p := range pages {
		for end := len(p.blocks); end > 0; {
			start := end - 1
			for start > 0 && p.blocks[start-1].leaf == p.blocks[end-1].leaf {
				start--
			}
			for _, b := range p.notes(p.blocks[start:end], text) {
				if b.kind == document.ListItem {
					b.restoreMark()
				}
				b.kind = document.Footnote
			}
			end = start
		}
		p.blocks = notesLast(p.blocks)
	}
}

// notesLast moves notes behind all texts that begin above the first of them: behind those of the next column, before
// a page number.
func notesLast(blocks []*block) []*block {
	isNote := func(b *block) bool { return b.kind == document.Footnote }
	top := math.Inf(1)
	for _, b := range blocks {
		if isNote(b) {
			top = math.Min(top, b.element.Box.Top)
		}
	}
	last := -1 // of the texts above
	for i, b := range blocks {
		if !isNote(b) && b.element.Box.Top < top {
			last = i
		}
	}
	out := make([]*block, 0, len(blocks))
	for _, note := range []bool{false, true} {
		for _, b := range blocks[:last+1] {
			if isNote(b) == note {
				out = append(out, b)
			}
		}
	}
	return append(out, blocks[last+1:]...)
}

// notes gives the part of a column that is notes.
func (p *page) notes(column []*block, text body) []*block {
	const (
		smaller = 0.93 // of the body size, at most
		lower   = 0.4  // of the page's height, at least, from the top
	)
	for n := len(column); n > 0 && (column[n-1].kind == document.Footer || column[n-1].letters == 0); n-- {
		column = column[:n-1] // a page number
	}
	first := len(column)
	for i := len(column) - 1; i >= 0; i-- {
		b := column[i]
		item := b.kind == document.ListItem && b.mark.kind == numberMark
		if b.kind != document.Paragraph && !item || b.style.size > smaller*text.size || b.element.Box.Top < lower*p.height {
			break
		}
		ruled := p.belowRule(b) && (i == 0 || column[i-1].kind != document.Table)
		if b.note && !item || ruled {
			first = i
		}
		if ruled {
			break
		}
	}
	return column[first:]
}

// belowRule reports whether a block stands right below a short rule that begins at its left edge.
func (p *page) belowRule(b *block) bool {
	const near, beside = 1.6, 1.5 // ems between rule and text, and between their left edges
	box := b.element.Box
	for _, r := range p.noteRules {
		if gap := box.Top - r.at; gap > 0 && gap <= near*b.style.size && math.Abs(r.from-box.Left) <= beside*b.style.size {
			return true
		}
	}
	return false
}

// noteMark reports whether a line begins like a note: with a raised mark, an asterisk or a dagger.
func noteMark(l *line) bool {
	return l.pieces[0].sup || strings.ContainsRune("*†‡§", firstRune(l.pieces))
}
