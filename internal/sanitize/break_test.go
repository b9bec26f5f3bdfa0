package sanitize_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/export"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/sanitize"
)

// values are of every kind, each with a text before it that says what it is where that matters.
func values() [][2]string {
	return [][2]string{
		{"Mail ", "jane.doe-smith@mail.example.com"},
		{"at ", "https://www.example.com/account/settings?id=42"},
		{"at ", "www.example.com/reports/2023_final.pdf"},
		{"call ", "(212) 555-0147"},
		{"call ", "+44 20 7946 0958"},
		{"call ", "020 7946 0958"},
		{"call ", "+49 (0)30 90 18 20"},
		{"call ", "01 23 45 67 89"},
		{"call ", "555-0142"},
		{"card ", "4111 1111 1111 1111"},
		{"card ", "5555-5555-5555-4444"},
		{"card ", "378282246310005"},
		{"IBAN ", "DE89 3704 0044 0532 0130 00"},
		{"IBAN ", "GB29NWBK60161331926819"},
		{"host ", "192.0.2.17"},
		{"host ", "2001:db8:0:1:1:1:1:1"},
		{"host ", "00:1A:2B:3C:4D:5E"},
		{"SSN ", "219-09-9999"},
		{"Passport no. ", "X1234567"},
	}
}

// shapes are the ways in which a document may hold a text that breaks once.
func shapes() map[string]func(first, second document.Line) []document.Page {
	page := func(n int, e ...document.Element) document.Page {
		for i := range e {
			e[i].Page, e[i].ID = n, fmt.Sprintf("p%d.e%d", n, i+1)
		}
		return document.Page{Number: n, Elements: e}
	}
	text := func(kind document.Kind, l ...document.Line) document.Element {
		return document.Element{Kind: kind, Lines: l}
	}
	goesOn := func(e document.Element) document.Element {
		e.Continues = true
		return e
	}
	table := func(continues bool, text ...document.Line) document.Element {
		return document.Element{Kind: document.Table, Continues: continues, Grid: &document.Grid{
			Rows: 2, Cols: 1, HeaderRows: 1, RowContinues: continues,
			Cells: []document.Cell{
				{RowSpan: 1, ColSpan: 1, Lines: lines("Title")},
				{Row: 1, RowSpan: 1, ColSpan: 1, Lines: text},
			},
		}}
	}
	type l = document.Line
	return map[string]func(a, b l) []document.Page{
		"within a line":  func(a, b l) []document.Page { return []document.Page{page(1, text(document.Paragraph, oneLine(a, b)))} },
		"two lines":      func(a, b l) []document.Page { return []document.Page{page(1, text(document.Paragraph, a, b))} },
		"a heading":      func(a, b l) []document.Page { return []document.Page{page(1, text(document.Heading, a, b))} },
		"a caption":      func(a, b l) []document.Page { return []document.Page{page(1, text(document.Caption, a, b))} },
		"a running head": func(a, b l) []document.Page { return []document.Page{page(1, text(document.Header, a, b))} },
		"a figure": func(a, b l) []document.Page {
			return []document.Page{page(1, document.Element{Kind: document.Figure, Children: []document.Element{text(document.Paragraph, a, b)}})}
		},
		"two columns": func(a, b l) []document.Page {
			return []document.Page{page(1, text(document.Paragraph, a), text(document.Footnote, lines("A note.")...), goesOn(text(document.Paragraph, b)))}
		},
		"two pages": func(a, b l) []document.Page {
			return []document.Page{page(1, text(document.Paragraph, a)), page(2, goesOn(text(document.Paragraph, b)))}
		},
		"a cell": func(a, b l) []document.Page { return []document.Page{page(1, table(false, a, b))} },
		"a row": func(a, b l) []document.Page {
			return []document.Page{page(1, table(false, a)), page(2, table(true, b))}
		},
		"an item": func(a, b l) []document.Page { return []document.Page{page(1, list(text(document.ListItem, a, b)))} },
		"an item over pages": func(a, b l) []document.Page {
			return []document.Page{page(1, list(text(document.ListItem, a))), page(2, goesOn(text(document.Paragraph, b)))}
		},
	}
}

func list(items ...document.Element) document.Element {
	for i := range items {
		items[i].Marker = "•"
	}
	return document.Element{Kind: document.List, Children: items}
}

func oneLine(a, b document.Line) document.Line {
	a.Runs = append(a.Runs, b.Runs...)
	return a
}

// However a value is broken, by styles, lines, columns, pages and rows: no writer prints it, nor its characters with
// anything but white space and hyphens between.
func TestDocument_leaves_no_value_in_any_format_however_it_is_broken(t *testing.T) {
	squeeze := func(s string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) || strings.ContainsRune("-*_~`\\\"", r) {
				return -1
			}
			return r
		}, s)
	}
	for name, shape := range shapes() {
		t.Run(name, func(t *testing.T) {
			for _, v := range values() {
				step := 4 // the places of a break matter as little to the shapes as these to them
				if name == "two lines" {
					step = 1
				}
				for at := 1; at < len(v[1]); at += step {
					for _, join := range []document.Join{document.JoinSpace, document.JoinNone, document.JoinHyphen} {
						// The layout takes only hyphens between letters for soft ones.
						if join == document.JoinHyphen && v[1][at-1] != '-' && !(unicode.IsLetter(rune(v[1][at-1])) && unicode.IsLetter(rune(v[1][at]))) {
							continue
						}
						a := document.Line{Join: join, Runs: []document.Run{{Text: v[0]}, {Text: v[1][:at], Bold: true}}}
						if join == document.JoinHyphen && !strings.HasSuffix(v[1][:at], "-") {
							a.Runs[1].Text += "-"
						}
						b := document.Line{Runs: []document.Run{{Text: v[1][at:], Italic: true}, {Text: " and more"}}}
						if name == "within a line" {
							a.Runs[1].Text = v[1][:at]
						}
						d := document.Document{Pages: shape(a, b)}
						sanitize.Document(&d, " ")
						for _, o := range outputs(t, &d) {
							if strings.Contains(squeeze(o), squeeze(v[1])) {
								t.Errorf("%q | %q, join %d: %s", v[1][:at], v[1][at:], join, o)
							}
							if !strings.Contains(strings.Join(strings.Fields(o), " "), "and more") {
								t.Errorf("%q | %q, join %d: more than the value is gone: %s", v[1][:at], v[1][at:], join, o)
							}
							if !strings.Contains(o, "_1]") {
								t.Errorf("%q | %q, join %d: no placeholder: %s", v[1][:at], v[1][at:], join, o)
							}
						}
					}
				}
			}
		})
	}
}

// outputs are what the writers make of a document, with and without its line ends.
func outputs(t *testing.T, d *document.Document) []string {
	t.Helper()
	var out []string
	for _, f := range []option.Format{option.Markdown, option.HTML, option.Text, option.JSON} {
		for _, keep := range []bool{false, true} {
			o := option.Default()
			o.KeepLineBreaks = keep
			var b bytes.Buffer
			if err := export.Write(&b, f, d, o); err != nil {
				t.Fatal(err)
			}
			s := b.String()
			if i := strings.Index(s, "<main>"); i >= 0 {
				s = s[i:] // its style sheet is no text
			}
			out = append(out, s)
		}
	}
	return out
}
