package exporttest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/option"
)

// checkHTML checks that a page is HTML5 as written, that it holds nothing active or foreign, that every element can
// be found in it by its id, and that it shows the blocks of the document.
func checkHTML(source []byte, d *document.Document, o option.Options) error {
	root, err := parseStrictly(source)
	if err != nil {
		return fmt.Errorf("HTML: %w", err)
	}
	c := htmlChecker{ids: make(map[string]bool)}
	c.check(root)
	c.head(root)
	for i := range d.Pages {
		c.anchors(d.Pages[i].Elements, o)
	}
	want := blocksOf(d, o, notation{
		heading: func(int) string { return "" },
		list:    items,
		table:   func(int, int, bool) string { return "" },
		mark:    func(_, _ *document.Element) string { return "" },
	})
	return errors.Join(errors.Join(c.errs...), compare("HTML", want, htmlBlocks(root)))
}

// parseStrictly parses HTML as a browser does and reports whether that finds another structure than the tags, read
// one after the other, say: tags that are not closed, wrongly nested, or where their element may not stand.
func parseStrictly(source []byte) (*html.Node, error) {
	root, err := html.Parse(bytes.NewReader(source))
	if err != nil {
		return nil, err
	}
	var written []string
	var open []string
	z := html.NewTokenizer(bytes.NewReader(source))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			if !errors.Is(z.Err(), io.EOF) {
				return nil, z.Err()
			}
			break
		}
		t := z.Token()
		switch kind {
		case html.DoctypeToken:
			written = append(written, "<!"+t.Data+">")
		case html.StartTagToken:
			written = append(written, "<"+t.Data+attributes(t.Attr)+">")
			if !void(t.DataAtom) {
				open = append(open, t.Data)
			}
		case html.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != t.Data {
				return nil, fmt.Errorf("</%s> closes nothing, open are %v", t.Data, open)
			}
			open = open[:len(open)-1]
			written = append(written, "</"+t.Data+">")
		case html.TextToken:
			if s := squeeze(t.Data); s != "" {
				written = append(written, s)
			}
		default:
			return nil, fmt.Errorf("unexpected %v %q", kind, t.Data)
		}
	}
	if len(open) > 0 {
		return nil, fmt.Errorf("not closed: %v", open)
	}
	if parsed := treeOf(root, nil); !slices.Equal(written, parsed) {
		for i := range written {
			if i >= len(parsed) || written[i] != parsed[i] {
				return nil, fmt.Errorf("a browser reads %q where %q is written, after %q", parsed[i:min(i+3, len(parsed))], written[i], written[max(0, i-6):i])
			}
		}
		return nil, fmt.Errorf("a browser adds %q", parsed[len(written):])
	}
	return root, nil
}

func attributes(list []html.Attribute) string {
	var b strings.Builder
	for _, a := range list {
		fmt.Fprintf(&b, " %s=%q", a.Key, a.Val)
	}
	return b.String()
}

// treeOf writes a parsed tree as the tags that make it.
func treeOf(n *html.Node, out []string) []string {
	switch n.Type {
	case html.DoctypeNode:
		return append(out, "<!"+n.Data+">")
	case html.TextNode:
		if s := squeeze(n.Data); s != "" {
			out = append(out, s)
		}
		return out
	case html.ElementNode:
		out = append(out, "<"+n.Data+attributes(n.Attr)+">")
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		out = treeOf(c, out)
	}
	if n.Type == html.ElementNode && !void(n.DataAtom) {
		out = append(out, "</"+n.Data+">")
	}
	return out
}

func void(a atom.Atom) bool {
	return a == atom.Meta || a == atom.Br || a == atom.Hr || a == atom.Img
}

// htmlChecker collects what is wrong with a page.
type htmlChecker struct {
	ids   map[string]bool
	level int // of the heading before
	errs  []error
}

func (c *htmlChecker) failf(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf("HTML: "+format, args...))
}

// elementRules says where an element may stand, and which attributes it may have. Nothing else is in our pages.
func elementRules(name string) (parents, attributes string, ok bool) {
	const (
		blocks   = " main div figure details header footer "
		phrasing = " p h1 h2 h3 h4 h5 h6 li td th figcaption a strong em del sup sub code span "
	)
	rules := map[string][2]string{
		"html": {"", " lang dir "}, "head": {" html ", ""}, "body": {" html ", ""}, "main": {" body ", ""},
		"meta": {" head ", " charset http-equiv name content "}, "title": {" head ", ""}, "style": {" head ", ""},
		"div": {blocks, " class id data-page dir "}, "hr": {" main ", ""},
		"p": {blocks + "aside ", " id class dir "}, "aside": {blocks, " id role dir "}, "pre": {blocks, " id "},
		"header": {blocks, " id dir "}, "footer": {blocks, " id dir "},
		"ul": {blocks + "li ", " id class "}, "ol": {blocks + "li ", " id type start "}, "li": {" ul ol ", " id value data-mark dir "},
		"figure": {" div header footer ", " id "}, "img": {" figure ", " src width height style alt "},
		"details": {" figure ", " class "}, "summary": {" details ", " lang "}, "figcaption": {" figure ", " id dir "},
		"table": {" div body ", " id "}, "thead": {" table ", ""}, "tbody": {" table ", ""}, "tr": {" thead tbody ", " id data-page "},
		"th": {" tr ", " scope colspan rowspan dir "}, "td": {" tr ", " colspan rowspan dir "},
		"a": {phrasing, " href rel "}, "span": {phrasing, " id class data-page "}, "br": {phrasing, ""},
		"strong": {phrasing, ""}, "em": {phrasing, ""}, "del": {phrasing, ""}, "sup": {phrasing, ""}, "sub": {phrasing, ""}, "code": {phrasing + "pre ", ""},
	}
	for level := 1; level <= 6; level++ {
		rules["h"+strconv.Itoa(level)] = [2]string{blocks, " id dir "}
	}
	rule, ok := rules[name]
	return rule[0], rule[1], ok
}

func (c *htmlChecker) check(n *html.Node) {
	if n.Type == html.ElementNode {
		parents, allowed, ok := elementRules(n.Data)
		if !ok {
			c.failf("there should be no %s", n.Data)
		}
		if n.Parent.Type == html.ElementNode && !strings.Contains(parents, " "+n.Parent.Data+" ") {
			c.failf("%s in %s", n.Data, n.Parent.Data)
		}
		for _, a := range n.Attr {
			if !strings.Contains(allowed, " "+a.Key+" ") {
				c.failf("%s has an attribute %s", n.Data, a.Key)
			}
			c.attribute(a)
		}
		switch {
		case len(n.Data) == 2 && n.Data[0] == 'h' && n.Data[1] >= '1' && n.Data[1] <= '6':
			level := int(n.Data[1] - '0')
			if level > c.level+1 {
				c.failf("h%d after h%d", level, c.level)
			}
			c.level = level
		case n.DataAtom == atom.Table:
			c.table(n)
		case n.DataAtom == atom.A && hasAncestor(n, atom.A):
			c.failf("a link in a link")
		}
	}
	if n.Type == html.TextNode && n.Parent.DataAtom != atom.Style {
		if i := strings.IndexFunc(n.Data, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }); i >= 0 {
			c.failf("a control character in %q", n.Data)
		}
	}
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		c.check(child)
	}
}

// source reports whether a picture is in the text itself or in the archive beside it.
func source(s string) bool {
	return strings.HasPrefix(s, "data:image/png;base64,") || strings.HasPrefix(s, "data:image/jpeg;base64,") || pictureName.MatchString(s)
}

// pictureName is the name of a picture in the archive: that of its element, so that nothing else can be written to.
var pictureName = regexp.MustCompile(`^images/p\d+\.e\d+\.(png|jpg)$`)

func hasAncestor(n *html.Node, a atom.Atom) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		if p.DataAtom == a {
			return true
		}
	}
	return false
}

func (c *htmlChecker) attribute(a html.Attribute) {
	switch a.Key {
	case "id":
		if c.ids[a.Val] || a.Val == "" || strings.ContainsFunc(a.Val, unicode.IsSpace) {
			c.failf("the id %q is taken or none", a.Val)
		}
		c.ids[a.Val] = true
	case "src":
		if !source(a.Val) {
			c.failf("a picture from %.40q", a.Val)
		}
	case "href":
		scheme, _, _ := strings.Cut(a.Val, ":")
		if !slices.Contains([]string{"http", "https", "mailto", "tel"}, scheme) {
			c.failf("a link to %q", a.Val)
		}
	}
}

// table checks that the cells of each part of a table fill its rows and columns without gaps or overlaps, and that a
// cell begins in every row and column.
func (c *htmlChecker) table(table *html.Node) {
	width := -1
	begun := make(map[int]bool)
	for part := range elementsIn(table) {
		var rows []*html.Node
		for tr := range elementsIn(part) {
			rows = append(rows, tr)
		}
		taken := make([]map[int]bool, len(rows))
		for i := range taken {
			taken[i] = make(map[int]bool)
		}
		for r, tr := range rows {
			col, cells := 0, 0
			for cell := range elementsIn(tr) {
				for taken[r][col] {
					col++
				}
				cells++
				begun[col] = true
				height, wide := span(cell, "rowspan"), span(cell, "colspan")
				if r+height > len(rows) {
					c.failf("a cell goes beyond its %s", part.Data)
					height = len(rows) - r
				}
				for y := r; y < r+height; y++ {
					for x := col; x < col+wide; x++ {
						if taken[y][x] {
							c.failf("cells overlap")
						}
						taken[y][x] = true
					}
				}
			}
			if cells == 0 {
				c.failf("no cell begins in a row")
			}
		}
		for _, row := range taken {
			if width >= 0 && len(row) != width {
				c.failf("a row of %d columns after one of %d", len(row), width)
			}
			width = len(row)
		}
	}
	if len(begun) != width {
		c.failf("cells begin in %d of %d columns", len(begun), width)
	}
}

func span(n *html.Node, key string) int {
	for _, a := range n.Attr {
		if a.Key == key {
			v, err := strconv.Atoi(a.Val)
			if err != nil {
				return 0
			}
			return v
		}
	}
	return 1
}

// head checks what a page must say of itself.
func (c *htmlChecker) head(root *html.Node) {
	for n := range root.Descendants() {
		if n.DataAtom == atom.Title && (n.FirstChild == nil || squeeze(n.FirstChild.Data) == "") {
			c.failf("the page has no title")
		}
	}
}

// anchors checks that every element that shows something has its id in the page.
func (c *htmlChecker) anchors(list []document.Element, o option.Options) {
	for i := range list {
		e := &list[i]
		shown := e.Kind != document.Table || e.Grid != nil && e.Grid.Rows > 0
		if e.Kind != document.Table && e.Kind != document.List && e.Kind != document.ListItem && e.Kind != document.Figure {
			shown = textOf(e.Lines, o) != ""
		}
		if shown && e.ID != "" && !c.ids[e.ID] {
			c.failf("no anchor for %s %s", e.Kind, e.ID)
		}
		c.anchors(e.Children, o)
	}
}

// htmlBlocks gives the blocks that a page shows.
func htmlBlocks(root *html.Node) []block {
	var out []block
	pages := 0
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		switch name := n.Data; {
		case n.Type != html.ElementNode:
		case name == "head":
			return
		case len(name) == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6':
			out = append(out, block{Kind: "heading", Text: shownText(n)})
			return
		case name == "img":
			out = append(out, block{Kind: "picture"})
			return
		case name == "summary": // names what it hides
			return
		case name == "p" || name == "figcaption":
			out = append(out, block{Kind: "paragraph", Text: shownText(n)})
			return
		case name == "pre":
			out = append(out, block{Kind: "code", Text: shownText(n)})
			return
		case name == "ul" || name == "ol":
			shape, parts := htmlList(n)
			out = append(out, block{Kind: "list", Shape: shape, Text: joinParts(parts)})
			return
		case name == "table":
			var cells []string
			for part := range elementsIn(n) {
				for tr := range elementsIn(part) {
					for cell := range elementsIn(tr) {
						cells = append(cells, shownText(cell))
					}
				}
			}
			out = append(out, block{Kind: "table", Text: joinParts(cells)})
			return
		case n.Parent.DataAtom == atom.Main && name == "div":
			if pages++; pages > 1 {
				out = append(out, block{Kind: "page"})
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(root)
	return out
}

func htmlList(list *html.Node) (shape string, parts []string) {
	shape = "("
	for item := range elementsIn(list) {
		shape += "i"
		parts = append(parts, shownText(item))
		for inner := range elementsIn(item) {
			if inner.DataAtom == atom.Ul || inner.DataAtom == atom.Ol {
				more, texts := htmlList(inner)
				shape += more
				parts = append(parts, texts...)
			}
		}
	}
	return shape + ")", parts
}

// shownText is the text of n without that of lists in it and of the marks of its list.
func shownText(n *html.Node) string {
	var b strings.Builder
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			if c.DataAtom != atom.Ul && c.DataAtom != atom.Ol && !slices.Contains(c.Attr, html.Attribute{Key: "class", Val: "mark"}) {
				walk(c)
			}
		}
	}
	walk(n)
	return squeeze(b.String())
}

// elementsIn iterates over the elements that stand directly in n.
func elementsIn(n *html.Node) func(yield func(*html.Node) bool) {
	return func(yield func(*html.Node) bool) {
		for c := range n.ChildNodes() {
			if c.Type == html.ElementNode && !yield(c) {
				return
			}
		}
	}
}
