package export

import (
	"strings"

	"golang.org/x/text/width"

	"github.com/ragify/ragify/internal/document"
)

// marksCode reports whether fixed-pitch type means something in a document: where most of the text is set in it, as
// on a typewriter, it does not.
func marksCode(d *document.Document) bool {
	all, typed := 0, 0 // bytes
	eachText(d.Pages, func(lines []document.Line) {
		for i := range lines {
			for k := range lines[i].Runs {
				r := &lines[i].Runs[k]
				all += len(r.Text)
				if r.Fixed {
					typed += len(r.Text)
				}
			}
		}
	})
	return typed > 0 && 2*typed < all
}

// looksLikeCode reports whether text set in fixed pitch can be code. Numbers are set so to stand in columns; and the
// fonts of wide scripts are all of one pitch, whatever they say.
func looksLikeCode(s string) bool {
	letter := false
	for _, r := range s {
		letter = letter || 'a' <= r|0x20 && r|0x20 <= 'z'
		if isWide(r) {
			return false
		}
	}
	return letter
}

// isWide reports whether r takes two columns of a terminal.
func isWide(r rune) bool {
	if r < 0x1100 {
		return false
	}
	k := width.LookupRune(r).Kind()
	return k == width.EastAsianWide || k == width.EastAsianFullwidth
}

// codeSpan writes text as code in Markdown, where nothing needs an escape but the bars of a table.
func codeSpan(s string, mode inlineMode) string {
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if mode == inlineCell || mode == inlineHeaderCell {
		s = strings.ReplaceAll(s, "|", `\|`)
	}
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return fence + s + fence
}
