package layout

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ragify/ragify/internal/document"
)

// measureText keeps what the document stages ask of a block's text.
func (b *block) measureText() {
	const kept = 240 // characters; longer texts are neither headings nor running heads
	b.lineCount = len(b.lines)
	var text strings.Builder
	links := 0 // characters
	for i := range b.lines {
		l := &b.lines[i]
		b.runes += l.runes
		if b.entry = b.entry || l.entry; l.entry {
			b.tail = l.tail
		}
		b.parted = b.parted || l.parted
		for k := range l.pieces {
			if l.pieces[k].link != "" {
				links += l.pieces[k].runes
			}
		}
		if text.Len() < kept {
			if i > 0 {
				text.WriteByte(' ')
			}
			text.WriteString(l.text())
		}
	}
	b.text = text.String()
	b.linked = 2*links > b.runes
	for _, r := range b.text {
		if unicode.IsLetter(r) {
			b.letters++
		}
	}
	if n := len(b.lines); n > 0 {
		b.first = firstRune(b.lines[0].pieces)
		b.note = noteMark(&b.lines[0])
		b.last = b.lines[n-1].last()
		const slack = 1.5 // ems: a character that may not begin a line
		b.full = b.lines[n-1].box.Right >= b.margin.to-slack*b.lines[n-1].size
		b.markLeft = b.lines[0].box.Left
		if b.against {
			b.full = b.lines[n-1].box.Left <= b.margin.from+slack*b.lines[n-1].size
			b.markLeft = -b.lines[0].box.Right
		}
		if b.last == 0 {
			b.last, _ = utf8.DecodeLastRuneInString(b.text)
		}
	}
}

// joinFlow marks paragraphs that go on from the previous column or page: the text before ends within a sentence,
// and the next one begins within one, set alike. On one page a text stays on its side of a float, where readers who
// compare with the page look for it.
func joinFlow(pages []*page) {
	var last *block
	float := false // stands between last and the block
	for i, p := range pages {
		if i > 0 && p.number != pages[i-1].number+1 {
			last = nil // the text between was not asked for
		}
		for _, b := range p.blocks {
			switch {
			case b.aside:
				continue
			case b.kind == document.Heading, b.kind == document.List, b.code:
				last = nil
				continue
			case b.kind == document.Figure, b.kind == document.Table:
				float = true
				continue
			case b.turned, b.kind != document.Paragraph && b.kind != document.ListItem:
				continue // captions, notes, headers and footers interrupt the page, not the text
			}
			over := last != nil && (!float || last.element.Page != b.element.Page)
			if over && b.kind == document.Paragraph && continues(last, b) {
				b.continues, last.next = true, b
				last.joinTo(b)
			}
			last, float = b, false
		}
	}
}

// joinTo makes b's last line go on in the first one of next.
func (b *block) joinTo(next *block) {
	if n := len(b.element.Lines); n > 0 && len(next.element.Lines) > 0 {
		b.element.Lines[n-1].Join = join(&b.element.Lines[n-1], &next.element.Lines[0])
	}
}

func continues(a, b *block) bool {
	if a.leaf == b.leaf && a.element.Page == b.element.Page {
		return false
	}
	alike := math.Abs(a.style.size-b.style.size) < 0.05*b.style.size && a.style.bold == b.style.bold
	const text = 2 // lines that a text has at least on both sides; less is a label
	// Scripts without case do not show where a sentence begins, but a text that goes on fills its last line.
	within := unicode.IsLower(b.first) || unicode.Is(unicode.Lo, b.first) && a.full
	return alike && a.lineCount >= text && b.lineCount >= text && !sentenceEnds(a.last) && within
}
