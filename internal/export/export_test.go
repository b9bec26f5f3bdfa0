package export_test

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/export"
	"github.com/ragify/ragify/internal/option"
)

func TestFormats(t *testing.T) {
	type row struct{ Extension, Type string }
	want := map[option.Format]row{
		option.Markdown:     {".md", "text/markdown; charset=utf-8"},
		option.JSON:         {".json", "application/json"},
		option.Text:         {".txt", "text/plain; charset=utf-8"},
		option.HTML:         {".html", "text/html; charset=utf-8"},
		option.TaggedPDF:    {".tagged.pdf", "application/pdf"},
		option.AnnotatedPDF: {".annotated.pdf", "application/pdf"},
		option.Chunks:       {".chunks.jsonl", "application/jsonl"},
		"docx":              {},
	}
	for f, w := range want {
		if diff := cmp.Diff(w, row{export.Extension(f), export.MediaType(f)}); diff != "" {
			t.Errorf("%s: %s", f, diff)
		}
	}
}

func TestWrite_refuses_what_a_document_alone_does_not_make(t *testing.T) {
	for _, f := range []option.Format{option.TaggedPDF, option.AnnotatedPDF, "docx"} {
		if err := export.Write(io.Discard, f, &document.Document{}, option.Default()); err == nil {
			t.Errorf("%s was written", f)
		}
	}
}

// brokenWriter fails after some bytes, as a full disk does.
type brokenWriter struct{ room int }

var errFull = errors.New("no space left")

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.room -= len(p); w.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestWrite(t *testing.T) {
	t.Run("a failing writer is reported", func(t *testing.T) {
		d := oneParagraph(strings.Repeat("word ", 50_000))
		for _, f := range []option.Format{option.Markdown, option.Text, option.HTML, option.JSON} {
			if err := export.Write(&brokenWriter{room: 100}, f, d, option.Default()); !errors.Is(err, errFull) {
				t.Errorf("%s: %v", f, err)
			}
		}
	})
	t.Run("a document without pages is empty but valid", func(t *testing.T) {
		if got := write(t, option.Markdown, &document.Document{}, option.Default()); got != "" {
			t.Errorf("Markdown %q", got)
		}
		if got := write(t, option.JSON, &document.Document{}, option.Default()); !strings.HasSuffix(got, "\"kids\":[\n]}\n") {
			t.Errorf("JSON %q", got)
		}
	})
	t.Run("separators stand between pages, with the number of the next", func(t *testing.T) {
		d := &document.Document{Pages: []document.Page{page(3, "one"), page(7, "two"), page(9)}}
		o := option.Default()
		if diff := cmp.Diff("one\n\n---\n\ntwo\n\n---\n", write(t, option.Markdown, d, o)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff("one\n\ftwo\n\f", write(t, option.Text, d, o)); diff != "" {
			t.Error(diff)
		}
		o.MarkdownPageSeparator, o.TextPageSeparator = "", "[%page-number%]"
		if diff := cmp.Diff("one\n\ntwo\n", write(t, option.Markdown, d, o)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff("one\n[7]\ntwo\n[9]\n", write(t, option.Text, d, o)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a paragraph that continues is joined in text and apart in JSON", func(t *testing.T) {
		d := &document.Document{Pages: []document.Page{page(1, "it goes"), page(2, "on here")}}
		d.Pages[1].Elements[0].Continues = true
		if diff := cmp.Diff("it goes on here\n\n---\n", write(t, option.Markdown, d, option.Default())); diff != "" {
			t.Error(diff)
		}
		if got := write(t, option.JSON, d, option.Default()); !strings.Contains(got, `"continues":true`) || strings.Contains(got, "it goes on") {
			t.Error(got)
		}
	})
	t.Run("a list over many pages is joined in time that grows with its length", func(t *testing.T) {
		allocated := func(pages int) uint64 {
			d := listOverPages(pages)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if err := export.Write(io.Discard, option.Text, d, option.Default()); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			return after.TotalAlloc - before.TotalAlloc
		}
		if few, many := allocated(200), allocated(1600); many > 16*few {
			t.Errorf("%d bytes for 200 pages, %d for 1600", few, many)
		}
	})
	t.Run("joining leaves the document as it is", func(t *testing.T) {
		d := listOverPages(3)
		first := write(t, option.Markdown, d, option.Default())
		if diff := cmp.Diff(listOverPages(3), d); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff("- item\n  - inner\n  - more\n  - inner goes on\n  - more\n  - inner\n\n---\n\n---\n", first); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("headings begin at the first level, or after a title at the second", func(t *testing.T) {
		d := &document.Document{Pages: []document.Page{page(1, "A", "B")}}
		for i := range d.Pages[0].Elements {
			d.Pages[0].Elements[i].Kind, d.Pages[0].Elements[i].Level = document.Heading, i+1
		}
		if diff := cmp.Diff("# A\n\n## B\n", write(t, option.Markdown, d, option.Default())); diff != "" {
			t.Error(diff)
		}
		d.Pages[0].Elements[0].Level, d.Pages[0].Elements[1].Level = 0, 1
		if diff := cmp.Diff("# A\n\n## B\n", write(t, option.Markdown, d, option.Default())); diff != "" {
			t.Error(diff)
		}
		if got := write(t, option.JSON, d, option.Default()); !strings.Contains(got, `"level":"Title"`) {
			t.Error(got)
		}
	})
	t.Run("marks that would not be read as emphasis are left out", func(t *testing.T) {
		d := oneParagraph("")
		d.Pages[0].Elements[0].Lines[0].Runs = []document.Run{{Text: "a"}, {Text: "(b)", Bold: true}, {Text: "c "}, {Text: "d", Bold: true}, {Text: " e"}}
		if diff := cmp.Diff("a(b)c **d** e\n", write(t, option.Markdown, d, option.Default())); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("columns of plain text tables are aligned", func(t *testing.T) {
		cell := func(r, c int, s string) document.Cell {
			return document.Cell{Row: r, Col: c, RowSpan: 1, ColSpan: 1, Lines: lines(s)}
		}
		d := &document.Document{Pages: []document.Page{{Number: 1, Elements: []document.Element{{Kind: document.Table, Grid: &document.Grid{
			Rows: 2, Cols: 3, Cells: []document.Cell{cell(0, 0, "a"), cell(0, 1, "long"), cell(0, 2, "x"), cell(1, 0, "wide one"), cell(1, 2, "表")},
		}}}}}}
		if diff := cmp.Diff("a         long  x\nwide one        表\n", write(t, option.Text, d, option.Default())); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("wide characters take two columns, marks over a character none", func(t *testing.T) {
		d := &document.Document{Pages: []document.Page{{Number: 1, Elements: []document.Element{{Kind: document.Table, Grid: grid(3, 2, 0,
			cell(0, 0, 1, 1, "日本語"), cell(0, 1, 1, 1, "1"), cell(1, 0, 1, 1, "ﾊﾝｶｸ"), cell(1, 1, 1, 1, "2"), cell(2, 0, 1, 1, "בְּרֵ"), cell(2, 1, 1, 1, "3"),
		)}}}}}
		if diff := cmp.Diff("日本語  1\nﾊﾝｶｸ    2\nבְּרֵ      3\n", write(t, option.Text, d, option.Default())); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a cell longer than any screen pushes on what follows, and no other row", func(t *testing.T) {
		long := strings.Repeat("long ", 30) + "end"
		d := &document.Document{Pages: []document.Page{{Number: 1, Elements: []document.Element{{Kind: document.Table, Grid: grid(2, 2, 0,
			cell(0, 0, 1, 1, long), cell(0, 1, 1, 1, "1"), cell(1, 0, 1, 1, "short"), cell(1, 1, 1, 1, "2"),
		)}}}}}
		if diff := cmp.Diff(long+"  1\nshort"+strings.Repeat(" ", 77)+"2\n", write(t, option.Text, d, option.Default())); diff != "" {
			t.Error(diff)
		}
	})
}

func lines(s string) []document.Line {
	if s == "" {
		return []document.Line{{Runs: []document.Run{{}}}}
	}
	return []document.Line{{Runs: []document.Run{{Text: s}}}}
}

func page(number int, paragraphs ...string) document.Page {
	p := document.Page{Number: number}
	for _, s := range paragraphs {
		p.Elements = append(p.Elements, document.Element{Kind: document.Paragraph, Page: number, Lines: lines(s)})
	}
	return p
}

// listOverPages is a list in a list that goes on over pages; from the third on, they begin within an item. Its slices
// have room behind them that is not free to be written to.
func listOverPages(pages int) *document.Document {
	d := &document.Document{Pages: make([]document.Page, pages)}
	for i := range d.Pages {
		item := func(s string) document.Element {
			all := append(lines(s), lines("not of this item")...)
			return document.Element{Kind: document.ListItem, Page: i + 1, Marker: "•", Lines: all[:1]}
		}
		list := document.Element{Kind: document.List, Page: i + 1, Children: []document.Element{item("more"), item("inner")}}
		d.Pages[i].Number = i + 1
		if i == 0 {
			outer := item("item")
			list.Children = list.Children[1:]
			outer.Children = []document.Element{list}
			d.Pages[i].Elements = []document.Element{{Kind: document.List, Page: 1, Children: []document.Element{outer}}}
			continue
		}
		rest := document.Element{Kind: document.Paragraph, Page: i + 1, Continues: true, Lines: lines("goes on")}
		list.Continues, list.Level = true, 1
		d.Pages[i].Elements = []document.Element{list}
		if i > 1 {
			d.Pages[i].Elements = []document.Element{rest, list}
		}
	}
	return d
}

func oneParagraph(s string) *document.Document {
	return &document.Document{Pages: []document.Page{page(1, s)}}
}

func write(t *testing.T, f option.Format, d *document.Document, o option.Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := export.Write(&b, f, d, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
