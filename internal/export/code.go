package export

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/option"
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
	if first, rest, ok := strings.Cut(s, "\n"); ok { // a kept line end: in a cell it becomes a tag, which code would show
		return codeSpan(first, mode) + "\n" + codeSpan(rest, mode)
	}
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

// codeText is the text of a listing, line by line as on the page.
func codeText(lines []document.Line, o option.Options) string {
	var b strings.Builder
	for i := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		for k := range lines[i].Runs {
			for _, r := range lines[i].Runs[k].Text {
				switch {
				case r == utf8.RuneError:
					b.WriteString(o.ReplaceInvalidChars)
				case unicode.IsSpace(r):
					b.WriteByte(' ')
				case unicode.IsControl(r) || unicode.Is(unicode.Noncharacter_Code_Point, r): // no text may hold these
				default:
					b.WriteRune(r)
				}
			}
		}
	}
	return strings.TrimRight(b.String(), " \n")
}

// codeFence writes a listing as a fenced code block in Markdown.
func codeFence(s string) string {
	if s == "" {
		return ""
	}
	fence := "```"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	return fence + "\n" + s + "\n" + fence
}
