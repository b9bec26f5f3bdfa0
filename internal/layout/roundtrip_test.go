package layout_test

import (
	"bytes"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/export"
	"github.com/ragify/ragify/internal/option"
)

// checkMarkdown reads the Markdown of a document with a CommonMark parser with the GFM extensions, and compares the
// blocks and the text that a reader of the rendered page sees with the document.
func checkMarkdown(t *testing.T, doc *document.Document, o option.Options) {
	t.Helper()
	o.MarkdownPageSeparator, o.ReplaceInvalidChars = "---", ""
	var source bytes.Buffer
	if err := export.Write(&source, option.Markdown, doc, o); err != nil {
		t.Fatal(err)
	}
	md := goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.TaskList))
	root := md.Parser().Parse(text.NewReader(source.Bytes()))
	var got []string
	for n := root.FirstChild(); n != nil; n = n.NextSibling() {
		got = append(got, blockOf(n))
	}
	want, wantText := expectedMarkdown(doc, o)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("blocks of the Markdown (-want +got):\n%s\n%s", diff, source.String())
	}
	var rendered bytes.Buffer
	if err := md.Renderer().Render(&rendered, source.Bytes(), root); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantText, visibleText(rendered.String())); diff != "" {
		t.Errorf("text of the Markdown (-want +got):\n%s\n%s", diff, source.String())
	}
}

func blockOf(n ast.Node) string {
	switch n := n.(type) {
	case *ast.Heading:
		return fmt.Sprintf("heading %d", n.Level)
	case *ast.Paragraph:
		return "paragraph"
	case *ast.ThematicBreak:
		return "page"
	case *ast.List:
		return fmt.Sprintf("list ordered=%t %s", n.IsOrdered(), itemsOf(n))
	case *east.Table:
		return fmt.Sprintf("table %d×%d", n.ChildCount(), n.FirstChild().ChildCount())
	}
	return n.Kind().String()
}

func itemsOf(list ast.Node) string {
	var b strings.Builder
	b.WriteByte('(')
	for item := list.FirstChild(); item != nil; item = item.NextSibling() {
		b.WriteByte('i')
		for c := item.FirstChild(); c != nil; c = c.NextSibling() {
			if c.Kind() == ast.KindList {
				b.WriteString(itemsOf(c))
			}
		}
	}
	return b.String() + ")"
}

var tag = regexp.MustCompile(`<[^<>]*>`)

// visibleText is the text of HTML without white space.
func visibleText(s string) string {
	return squeeze(html.UnescapeString(tag.ReplaceAllString(s, "")))
}

func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s)
}

// expectedMarkdown gives the blocks of a document, and its text without white space and list marks that Markdown has
// notations for.
func expectedMarkdown(doc *document.Document, o option.Options) (blocks []string, all string) {
	var b strings.Builder
	lift := 0 // a title takes the first level
	for _, p := range doc.Pages {
		for _, e := range p.Elements {
			if e.Kind == document.Heading && e.Level == 0 {
				lift = 1
			}
		}
	}
	for i, p := range doc.Pages {
		if i > 0 {
			blocks = append(blocks, "page")
		}
		for k := range p.Elements {
			e := &p.Elements[k]
			switch {
			case e.Kind == document.Table && e.Continues:
			case e.Kind == document.Table:
				blocks = append(blocks, expectedTable(&b, doc.Pages[i:], k, o))
			case e.Kind == document.List:
				blocks = append(blocks, fmt.Sprintf("list ordered=%t %s", decimalList(e), expectedItems(&b, e, o)))
			case e.Kind == document.Figure:
			default:
				s := elementText(e.Lines, o)
				b.WriteString(s)
				switch {
				case squeezeEmpty(e.Lines) || e.Continues:
				case e.Kind == document.Heading:
					blocks = append(blocks, fmt.Sprintf("heading %d", min(e.Level+lift, 6)))
				default:
					blocks = append(blocks, "paragraph")
				}
			}
		}
	}
	return blocks, b.String()
}

// expectedTable writes the text of the table that is element k of the first page, with the parts of it that follow.
func expectedTable(b *strings.Builder, pages []document.Page, k int, o option.Options) string {
	var rows [][][]document.Line // of the cells that begin there, by column
	cols := pages[0].Elements[k].Grid.Cols
	for _, p := range pages {
		for ; k < len(p.Elements); k++ {
			e := &p.Elements[k]
			if e.Kind != document.Table {
				continue
			}
			if len(rows) > 0 && !e.Continues {
				pages = nil
				break
			}
			skip := 0
			if e.Continues {
				skip = e.Grid.HeaderRows
			}
			at := len(rows)
			if e.Grid.RowContinues {
				at--
			}
			for r := skip; r < e.Grid.Rows; r++ {
				if at+r-skip == len(rows) {
					rows = append(rows, make([][]document.Line, cols))
				}
			}
			for _, c := range e.Grid.Cells {
				if c.Row >= skip {
					slot := &rows[at+c.Row-skip][c.Col]
					*slot = append(slices.Clone(*slot), c.Lines...)
				}
			}
		}
		if pages == nil {
			break
		}
		k = 0
	}
	for _, row := range rows {
		for _, lines := range row {
			b.WriteString(elementText(lines, o))
		}
	}
	return fmt.Sprintf("table %d×%d", len(rows), cols)
}

func expectedItems(b *strings.Builder, list *document.Element, o option.Options) string {
	var shape strings.Builder
	shape.WriteByte('(')
	for i := range list.Children {
		item := &list.Children[i]
		if strings.ContainsFunc(item.Marker, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) &&
			!decimalList(list) && item.Marker != "o" {
			b.WriteString(item.Marker)
		}
		b.WriteString(elementText(item.Lines, o))
		shape.WriteByte('i')
		for k := range item.Children {
			shape.WriteString(expectedItems(b, &item.Children[k], o))
		}
	}
	return shape.String() + ")"
}

// decimalList reports whether Markdown has a notation for all marks of a list.
func decimalList(list *document.Element) bool {
	for i := range list.Children {
		s := list.Children[i].Marker
		d := strings.TrimRight(s, ".)")
		if len(s)-len(d) != 1 || d == "" || len(d) > 9 || strings.Trim(d, "0123456789") != "" {
			return false
		}
	}
	return true
}

func squeezeEmpty(lines []document.Line) bool {
	for _, l := range lines {
		for _, r := range l.Runs {
			if strings.TrimSpace(strings.ReplaceAll(r.Text, "\uFFFD", "")) != "" {
				return false
			}
		}
	}
	return true
}

// elementText joins lines as their joins say, without white space.
func elementText(lines []document.Line, o option.Options) string {
	var b strings.Builder
	for _, l := range lines {
		for k, r := range l.Runs {
			s := r.Text
			if k == len(l.Runs)-1 && l.Join == document.JoinHyphen && !o.KeepLineBreaks {
				s = strings.TrimRight(s, "-\u2010")
			}
			b.WriteString(s)
		}
	}
	return squeeze(b.String())
}

// checkJSON validates the JSON of a document against its schema.
func checkJSON(t *testing.T, schema *jsonschema.Schema, doc *document.Document, o option.Options) {
	t.Helper()
	var b bytes.Buffer
	if err := export.Write(&b, option.JSON, doc, o); err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(&b)
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(v); err != nil {
		t.Errorf("the JSON does not match its schema: %v", err)
	}
}

func documentSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "api", "document.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("document.schema.json", v); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("document.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}
