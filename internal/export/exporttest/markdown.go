package exporttest

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"regexp"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/renderer"
	renderhtml "github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/option"
)

// checkMarkdown reads Markdown with a CommonMark parser that knows GFM's tables, with and without its autolinks, and
// compares the blocks and the text that a reader of the rendered page sees with the document.
func checkMarkdown(source []byte, d *document.Document, o option.Options) error {
	want := blocksOf(d, o, markdownNotation(d, o))
	var errs []error
	for name, e := range map[string][]goldmark.Extender{
		"Markdown without autolinks": {extension.Table, extension.Strikethrough, extension.TaskList},
		"Markdown with autolinks":    {extension.GFM},
	} {
		md := goldmark.New(goldmark.WithExtensions(e...), goldmark.WithRendererOptions(renderhtml.WithUnsafe()))
		r := markdownReader{source: source, renderer: md.Renderer()}
		root := md.Parser().Parse(text.NewReader(source))
		var got []block
		for n := root.FirstChild(); n != nil; n = n.NextSibling() {
			got = append(got, r.block(n))
		}
		errs = append(errs, r.err, compare(name, want, got))
	}
	return errors.Join(errs...)
}

func markdownNotation(d *document.Document, o option.Options) notation {
	lift := 0 // a title takes the first level
	for i := range d.Pages {
		for k := range d.Pages[i].Elements {
			if e := &d.Pages[i].Elements[k]; e.Kind == document.Heading && e.Level == 0 {
				lift = 1
			}
		}
	}
	return notation{
		heading: func(level int) string { return fmt.Sprint(min(level+lift, 6)) },
		list:    func(list *document.Element) string { return fmt.Sprintf("ordered=%t %s", decimal(list), items(list)) },
		table: func(rows, cols int, merged bool) string {
			if o.MarkdownWithHTML && merged {
				return "HTML"
			}
			return fmt.Sprintf("%d×%d", rows, cols)
		},
		mark: func(list, item *document.Element) string {
			says := strings.ContainsFunc(item.Marker, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
			if says && !decimal(list) && item.Marker != "o" {
				return item.Marker
			}
			return ""
		},
	}
}

// decimal reports whether Markdown has a notation for all marks of a list.
func decimal(list *document.Element) bool {
	for i := range list.Children {
		s := list.Children[i].Marker
		d := strings.TrimRight(s, ".)")
		if len(s)-len(d) != 1 || d == "" || len(d) > 9 || strings.Trim(d, "0123456789") != "" {
			return false
		}
	}
	return true
}

type markdownReader struct {
	source   []byte
	renderer renderer.Renderer
	err      error // the first one
}

func (r *markdownReader) block(n ast.Node) block {
	switch n := n.(type) {
	case *ast.Heading:
		return block{Kind: "heading", Shape: fmt.Sprint(n.Level), Text: r.text(n)}
	case *ast.Paragraph:
		if image, ok := n.FirstChild().(*ast.Image); ok && image == n.LastChild() {
			if !source(string(image.Destination)) {
				r.err = errors.Join(r.err, fmt.Errorf("a picture from %.40q", image.Destination))
			}
			return block{Kind: "picture"}
		}
		return block{Kind: "paragraph", Text: r.text(n)}
	case *ast.FencedCodeBlock:
		return block{Kind: "code", Text: squeeze(string(n.Lines().Value(r.source)))}
	case *ast.ThematicBreak:
		return block{Kind: "page"}
	case *ast.List:
		shape, parts := r.list(n)
		return block{Kind: "list", Shape: fmt.Sprintf("ordered=%t %s", n.IsOrdered(), shape), Text: joinParts(parts)}
	case *east.Table:
		var cells []string
		for row := n.FirstChild(); row != nil; row = row.NextSibling() {
			for c := row.FirstChild(); c != nil; c = c.NextSibling() {
				cells = append(cells, r.text(c))
			}
		}
		return block{Kind: "table", Shape: fmt.Sprintf("%d×%d", n.ChildCount(), n.FirstChild().ChildCount()), Text: joinParts(cells)}
	case *ast.HTMLBlock:
		return r.htmlBlock(n)
	}
	return block{Kind: n.Kind().String(), Text: r.text(n)}
}

func (r *markdownReader) list(list ast.Node) (shape string, parts []string) {
	shape = "("
	for item := list.FirstChild(); item != nil; item = item.NextSibling() {
		shape += "i"
		own := len(parts)
		parts = append(parts, "")
		for c := item.FirstChild(); c != nil; c = c.NextSibling() {
			if c.Kind() == ast.KindList {
				inner, more := r.list(c)
				shape += inner
				parts = append(parts, more...)
			} else {
				parts[own] += r.text(c)
			}
		}
	}
	return shape + ")", parts
}

// htmlBlock reads a table written as HTML.
func (r *markdownReader) htmlBlock(n ast.Node) block {
	rendered, err := r.render(n)
	if err != nil {
		return block{}
	}
	root, err := parseStrictly([]byte("<!DOCTYPE html>\n<html><head></head><body>\n" + rendered + "</body></html>\n"))
	if err != nil {
		r.err = errors.Join(r.err, fmt.Errorf("HTML in the Markdown: %w", err))
		return block{}
	}
	got := htmlBlocks(root)
	if len(got) != 1 {
		return block{Kind: fmt.Sprintf("HTML with %d blocks", len(got))}
	}
	got[0].Shape = "HTML"
	return got[0]
}

var tag = regexp.MustCompile(`<[^<>]*>`)

// text is what a reader sees of n.
func (r *markdownReader) text(n ast.Node) string {
	rendered, err := r.render(n)
	if err != nil {
		return ""
	}
	return squeeze(html.UnescapeString(tag.ReplaceAllString(rendered, "")))
}

func (r *markdownReader) render(n ast.Node) (string, error) {
	var b bytes.Buffer
	err := r.renderer.Render(&b, r.source, n)
	r.err = errors.Join(r.err, err)
	return b.String(), err
}
