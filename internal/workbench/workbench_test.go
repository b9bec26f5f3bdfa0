package workbench_test

import (
	"encoding/xml"
	"errors"
	"image"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/layout"
	"github.com/ragify/ragify/internal/workbench"
)

// hostile is text as a PDF may hold it.
const hostile = "</title><script>alert(1)</script>]]>&\x00\"'"

// made draws a document of two pages, the second without a picture, and gives the files.
func made(t *testing.T) map[string]string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "deep", "report")
	book, err := workbench.New(dir, "report "+hostile)
	if err != nil {
		t.Fatal(err)
	}
	line := func(s string) []document.Line { return []document.Line{{Runs: []document.Run{{Text: s}}}} }
	box := document.Box{Left: 50, Top: 60, Right: 300, Bottom: 80}
	d := &document.Document{NumPages: 7, Warnings: []document.Warning{{Code: "pages_truncated", Message: "Too much " + hostile, Pages: []int{2}}}}
	for n, picture := range []image.Image{image.NewRGBA(image.Rect(0, 0, 60, 80)), nil} {
		err := book.Page(layout.Trace{Page: n + 1, Width: 600, Height: 800, Boxes: []layout.TraceBox{
			{Layer: layout.TraceGlyphs, Box: box},
			{Layer: layout.TraceLines, Box: box, Note: hostile},
			{Layer: layout.TraceEdges, Box: document.Box{Left: 10, Top: 20, Right: 500, Bottom: 20}, Note: "line"},
		}}, picture)
		if err != nil {
			t.Fatal(err)
		}
		d.Pages = append(d.Pages, document.Page{Number: n + 1, Width: 600, Height: 800, Elements: []document.Element{
			{ID: "e1", Kind: document.Heading, Level: 2, Box: box, Lines: line("A heading " + hostile)},
			{ID: "e2", Kind: document.List, Box: box, Children: []document.Element{{ID: "e3", Kind: document.ListItem, Marker: "•", Box: box, Lines: line("An item")}}},
			{ID: "e4", Kind: document.Table, Box: box, Grid: &document.Grid{Rows: 1, Cols: 1, HeaderRows: 1, Cells: []document.Cell{{RowSpan: 1, ColSpan: 1, Box: box, Lines: line("A cell")}}}},
			{ID: "e5", Kind: document.Paragraph, Continues: true, Box: box, Lines: line("The rest")},
			{ID: "e6", Kind: document.Paragraph, Code: true, Box: box, Lines: line("x := 1")},
		}})
	}
	if err := book.Finish(d); err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(b)
	}
	return files
}

func TestBook(t *testing.T) {
	t.Parallel()
	files := made(t)
	t.Run("a page is well-formed XML with a group for every layer", func(t *testing.T) {
		want := []string{"picture", "columns", "blocks", "tables", "edges", "lines", "fragments", "glyphs", "invalid", "cells", "elements", "e1", "e2", "e3", "e4", "e5", "e6", "order"}
		for _, name := range []string{"page-0001.svg", "page-0002.svg"} {
			if diff := cmp.Diff(want, groups(t, files[name])); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	})
	t.Run("the picture is in the file, and a page without one is drawn all the same", func(t *testing.T) {
		if !strings.Contains(files["page-0001.svg"], `href="data:image/png;base64,iVBOR`) || strings.Contains(files["page-0002.svg"], "<image") {
			t.Error("pictures are not where they should be")
		}
	})
	t.Run("elements are numbered in reading order and labelled with what they are", func(t *testing.T) {
		for _, label := range []string{">1 H2<", ">3 •<", ">4 T 1×1<", ">5 P ↩<", ">6 P code<"} {
			if !strings.Contains(files["page-0001.svg"], label) {
				t.Errorf("no label %s", label)
			}
		}
	})
	t.Run("the index names every page, element and warning", func(t *testing.T) {
		for _, want := range []string{"page-0001.svg", "page-0002.svg", "A heading", "An item", "A cell", "The rest", "pages_truncated", "heading 2", "paragraph, a listing"} {
			if !strings.Contains(files[workbench.IndexName], want) {
				t.Errorf("no %q", want)
			}
		}
	})
	t.Run("text of the PDF is never markup, and nothing comes from elsewhere", func(t *testing.T) {
		for name, text := range files {
			if strings.Contains(text, "<script>alert") {
				t.Errorf("%s runs what the PDF says", name)
			}
			if strings.Contains(strings.ReplaceAll(text, `xmlns="http://www.w3.org/2000/svg"`, ""), "http") {
				t.Errorf("%s refers to something elsewhere", name)
			}
		}
		if n := scripts(t, files[workbench.IndexName]); n != 1 {
			t.Errorf("%d scripts in the index, want its own", n)
		}
	})
}

// groups lists the ids of the groups of an SVG.
func groups(t *testing.T, svg string) (ids []string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return ids
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "g" {
			ids = append(ids, e.Attr[0].Value)
		}
	}
}

// scripts counts the scripts of a page of HTML.
func scripts(t *testing.T, page string) (n int) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for node := range root.Descendants() {
		if node.Type == html.ElementNode && node.Data == "script" {
			n++
		}
	}
	return n
}
