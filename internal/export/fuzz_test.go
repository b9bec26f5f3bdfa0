package export_test

import (
	"testing"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/export/exporttest"
	"github.com/ragify/ragify/internal/option"
)

// FuzzWrite writes texts made of what Markdown and HTML take for markup, in all styles and kinds of elements. Whatever
// they are: other people's parsers read the blocks and texts of the document, and nothing else.
func FuzzWrite(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Add([]byte("a longer text with many bytes, which choose tokens and styles"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 2 || len(data) > 200 {
			return
		}
		o := option.Default()
		o.KeepLineBreaks, o.MarkdownWithHTML, o.DetectStrikethrough = data[0]&1 != 0, data[0]&2 != 0, data[0]&4 != 0
		kind := data[1]
		d := &document.Document{Pages: []document.Page{{Number: 1, Elements: fuzzElements(kind, fuzzLines(data[2:]))}}}
		if err := exporttest.Check(d, o); err != nil {
			t.Error(err)
		}
	})
}

// fuzzLines reads two bytes for each run: a token and its style.
func fuzzLines(data []byte) []document.Line {
	tokens := []string{
		" ", "a", "b1", "é", "日本", "http://a.b/", "https://x.y/_z", "www.c.d/", "ftp://e", "_", "__", "*", "**", "~", "~~", "`", "``", "```", "[", "]", "](", "][", "]:",
		"(", ")", "<", ">", "</", "<b>", "<!--", "&", "&amp;", "&copy", ";", "|", "#", "##", "-", "--", "---", "=", "===", "+", "1.", "2)", ".", ",", "!", "![", ":", "\\", "\"", "'",
		"[ ]", "[x]", "\t", "@", " a@b.c ", "\u00A0", "\u2014", "שלום", "\u200B", "x", "?",
	}
	links := []string{"", "", "", "", "", "http://a.b/(c)_d", "javascript:x", "mailto:a@b.c", "#x y", "http://a.b/"}
	lines := make([]document.Line, 1)
	for ; len(data) >= 2; data = data[2:] {
		style := data[1]
		r := document.Run{
			Text: tokens[int(data[0])%len(tokens)], Bold: style&1 != 0, Italic: style&2 != 0, Fixed: style&12 == 12, Strike: style&48 == 48,
			Superscript: style&112 == 64, Subs: style&112 == 80, Link: links[int(style)%len(links)],
		}
		if r.Text != "" {
			l := &lines[len(lines)-1]
			l.Runs = append(l.Runs, r)
		}
		if style > 250 {
			lines = append(lines, document.Line{})
		}
	}
	return lines
}

// fuzzElements makes elements of lines: a text of some kind, and another one that shows where it ends.
func fuzzElements(kind byte, text []document.Line) []document.Element {
	end := document.Element{ID: "p1.e9", Kind: document.Paragraph, Page: 1, Lines: lines("the end of it all, as long as the text above may be")}
	e := document.Element{ID: "p1.e1", Page: 1}
	switch kind % 4 {
	case 0:
		e.Kind, e.Lines = document.Paragraph, text
	case 1:
		e.Kind, e.Level, e.Lines = document.Heading, 1, text
	case 2:
		e.Kind = document.List
		marks := []string{"•", "1.", "a)", "(2)"}
		mark := marks[int(kind/4)%len(marks)]
		e.Children = []document.Element{
			{ID: "p1.e2", Kind: document.ListItem, Page: 1, Marker: mark, Lines: text},
			{ID: "p1.e3", Kind: document.ListItem, Page: 1, Marker: mark, Lines: lines("next")},
		}
	case 3:
		e.Kind = document.Table
		c := cell(int(kind/4)%2, 0, 1, 1, "")
		c.Lines = text
		e.Grid = grid(2, 2, 1, c, cell(1-int(kind/4)%2, 0, 1, 1, "x"), cell(0, 1, 1+int(kind/8)%2, 1, "y"))
		if kind/8%2 == 0 {
			e.Grid.Cells = append(e.Grid.Cells, cell(1, 1, 1, 1, "z"))
		}
	}
	return []document.Element{e, end}
}
