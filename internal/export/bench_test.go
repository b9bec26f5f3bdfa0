package export_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/export"
	"github.com/ragify/ragify/internal/option"
)

// BenchmarkWrite writes a page of text, a list and a table in each format.
func BenchmarkWrite(b *testing.B) {
	line := func(i int) document.Line {
		text := strings.Repeat("some words of a line, ", 4)
		return document.Line{Runs: []document.Run{{Text: text}, {Text: fmt.Sprint("bold ", i), Bold: true}, {Text: " and the rest_of it."}}}
	}
	p := document.Page{Number: 1}
	for i := range 8 {
		e := document.Element{ID: fmt.Sprint("p1.e", i), Page: 1, Kind: document.Paragraph}
		for k := range 5 {
			e.Lines = append(e.Lines, line(k))
		}
		p.Elements = append(p.Elements, e)
	}
	list := document.Element{ID: "p1.e20", Page: 1, Kind: document.List}
	for i := range 6 {
		list.Children = append(list.Children, document.Element{ID: fmt.Sprint("p1.e3", i), Page: 1, Kind: document.ListItem, Marker: "•", Lines: []document.Line{line(i)}})
	}
	table := grid(10, 5, 1)
	for i := range 50 {
		table.Cells = append(table.Cells, cell(i/5, i%5, 1, 1, "1,234.5"))
	}
	p.Elements = append(p.Elements, list, document.Element{ID: "p1.e40", Page: 1, Kind: document.Table, Grid: table})
	d := &document.Document{Pages: []document.Page{p}}
	for _, f := range []option.Format{option.Markdown, option.HTML, option.Text, option.JSON} {
		b.Run(string(f), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := export.Write(io.Discard, f, d, option.Default()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
