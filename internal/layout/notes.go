package layout

import (
	"regexp"
	"strings"

	"github.com/ragify/ragify/internal/document"
)

// caption is the beginning of a caption: a label with a number, set off from what it says. "Figure 3 shows" begins a
// sentence.
var caption = regexp.MustCompile(`^(?i:fig(ure|\.)?|table|tab\.|chart|exhibit|scheme|plate|diagram|abb(ildung|\.)|tabelle|tableau|figura|tabla|图|表)\s*[\dA-Z]+([.\-–]\d+[a-z]?)*\s*([.:|–—]|$)`)

// findCaptions names the paragraphs that begin like captions.
func findCaptions(pages []*page) {
	const longest = 8 // lines
	for _, p := range pages {
		for _, b := range p.blocks {
			if b.kind == document.Paragraph && b.lineCount <= longest && caption.MatchString(b.text) {
				b.kind = document.Caption
			}
		}
	}
}

// findFootnotes names the paragraphs in smaller type at the end of a column that begin with a note's mark, and those
// that follow them.
func findFootnotes(pages []*page, text body) {
	const (
		smaller = 0.93 // of the body size, at most
		lower   = 0.4  // of the page's height, at least, from the top
	)
	for _, p := range pages {
		for end := len(p.blocks); end > 0; {
			start := end - 1
			for start > 0 && p.blocks[start-1].leaf == p.blocks[end-1].leaf {
				start--
			}
			column := p.blocks[start:end]
			end = start
			first := len(column)
			for i := len(column) - 1; i >= 0; i-- {
				b := column[i]
				if b.kind != document.Paragraph || b.style.size > smaller*text.size || b.element.Box.Top < lower*p.height {
					break
				}
				if b.note {
					first = i
				}
			}
			for _, b := range column[first:] {
				b.kind = document.Footnote
			}
		}
	}
}

// noteMark reports whether a line begins like a note: with a raised mark, an asterisk or a dagger.
func noteMark(l *line) bool {
	return l.pieces[0].sup || strings.ContainsRune("*†‡§", firstRune(l.pieces))
}
