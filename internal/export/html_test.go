package export_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/export/exporttest"
	"github.com/ragify/ragify/internal/option"
)

// html writes elements of one page and gives what stands between the tags of the page, without the ids that it made
// up itself. The whole is checked.
func html(t *testing.T, o option.Options, elements ...document.Element) string {
	t.Helper()
	next := 900
	var name func([]document.Element)
	name = func(list []document.Element) {
		for i := range list {
			if e := &list[i]; e.ID == "" {
				e.ID, e.Page = fmt.Sprintf("p1.e%d", next), 1
				next++
			}
			name(list[i].Children)
		}
	}
	name(elements)
	d := &document.Document{Pages: []document.Page{{Number: 1, Elements: elements}}}
	if err := exporttest.Check(d, o); err != nil {
		t.Error(err)
	}
	_, after, ok := strings.Cut(write(t, option.HTML, d, o), "data-page=\"1\">\n")
	inside, _, closed := strings.Cut(after, "</div>\n</main>")
	if !ok || !closed {
		t.Fatalf("no page in %s", after)
	}
	return regexp.MustCompile(` id="p1\.e9\d\d"`).ReplaceAllString(inside, "")
}

func TestHTMLPage(t *testing.T) {
	meta := func(m document.Meta) *document.Document {
		d := oneParagraph("text")
		d.Meta = m
		return d
	}
	t.Run("the head names the page, and lets nothing run or load", func(t *testing.T) {
		got := write(t, option.HTML, meta(document.Meta{Title: "A <b> & \"c\"\n", Author: "Ann \x00 Bee", Language: "de-CH"}), option.Default())
		got = regexp.MustCompile(`(?s)<style>.*</style>`).ReplaceAllString(got, "<style></style>")
		want := `<!DOCTYPE html>
<html lang="de-CH">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="author" content="Ann Bee">
<title>A &lt;b&gt; &amp; &quot;c&quot;</title>
<style></style>
</head>
<body>
<main>
<div class="page" id="p1" data-page="1">
<p>text</p>
</div>
</main>
</body>
</html>
`
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("the style sheet loads nothing and ends nowhere early", func(t *testing.T) {
		if got := write(t, option.HTML, meta(document.Meta{}), option.Default()); strings.Contains(got, "url(") || strings.Contains(got, "@import") || strings.Count(got, "</style") != 1 {
			t.Error(got)
		}
	})
	t.Run("a language that is none is left out", func(t *testing.T) {
		for name, want := range map[string]string{
			"": "<html>", "en": `<html lang="en">`, "EN_us": `<html lang="en-US">`, "English": "<html>", "x\"><script>": "<html>", "und": "<html>",
		} {
			if got := write(t, option.HTML, meta(document.Meta{Language: name}), option.Default()); !strings.Contains(got, "\n"+want+"\n") {
				t.Errorf("%q: want %s, have %.80s", name, want, got)
			}
		}
	})
	t.Run("without a title the first heading of the highest level names the page", func(t *testing.T) {
		d := &document.Document{Pages: []document.Page{page(1, "Second", "First", "Other")}}
		for i, level := range []int{2, 1, 1} {
			d.Pages[0].Elements[i].Kind, d.Pages[0].Elements[i].Level = document.Heading, level
		}
		if got := write(t, option.HTML, d, option.Default()); !strings.Contains(got, "<title>First</title>") {
			t.Error(got)
		}
		if got := write(t, option.HTML, &document.Document{}, option.Default()); !strings.Contains(got, "<title>Document</title>") {
			t.Error(got)
		}
	})
	t.Run("separators are the caller's own HTML, with the number of the next page", func(t *testing.T) {
		d := &document.Document{Pages: []document.Page{page(3, "one"), page(7, "two")}}
		o := option.Default()
		o.HTMLPageSeparator = "<h2>%page-number%</h2>"
		if got := write(t, option.HTML, d, o); !strings.Contains(got, "</div>\n<h2>7</h2>\n<div class=\"page\" id=\"p7\" data-page=\"7\">") {
			t.Error(got)
		}
		if o.HTMLPageSeparator = ""; !strings.Contains(write(t, option.HTML, d, o), "</div>\n<div") {
			t.Error("an empty separator is written")
		}
	})
}

func TestHTMLText(t *testing.T) {
	run := func(text string) document.Run { return document.Run{Text: text} }
	link := func(text, uri string) document.Run { return document.Run{Text: text, Link: uri} }
	const a, rel = `<p><a href="`, `" rel="nofollow noreferrer">x</a></p>`
	for name, c := range map[string]struct {
		runs []document.Run
		want string
	}{
		"text is never markup": {
			[]document.Run{run(`</p><script>alert("1")</script> &lt;`)},
			`<p>&lt;/p&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp;lt;</p>`,
		},
		"white space is in no style": {
			[]document.Run{run("a"), {Text: " b ", Bold: true}, {Text: "c", Italic: true, Bold: true}, run("d")},
			`<p>a <strong>b</strong> <strong><em>c</em></strong>d</p>`,
		},
		"raised and lowered text": {
			[]document.Run{run("H"), {Text: "2", Subs: true}, run("O"), {Text: "1", Superscript: true}},
			`<p>H<sub>2</sub>O<sup>1</sup></p>`,
		},
		"a link of several styles is one": {
			[]document.Run{link("to ", "http://a.b/"), {Text: "c", Bold: true, Link: "http://a.b/"}, run(" and")},
			`<p><a href="http://a.b/" rel="nofollow noreferrer">to <strong>c</strong></a> and</p>`,
		},
		"code among text is code, numbers are not": {
			[]document.Run{run("the function "), {Text: "f(x)", Fixed: true}, run(" and "), {Text: "12", Fixed: true}},
			`<p>the function <code>f(x)</code> and 12</p>`,
		},
		"controls are left out, invalid characters replaced": {
			[]document.Run{run("a\x01b\uFFFEc\uFFFDd")},
			`<p>abc d</p>`,
		},
		"a link that runs a script is none":      {[]document.Run{link("x", "javascript:alert(1)")}, `<p>x</p>`},
		"one with data is none":                  {[]document.Run{link("x", "data:text/html,a")}, `<p>x</p>`},
		"one to a place beside the page is none": {[]document.Run{link("x", "../other.html")}, `<p>x</p>`},
		"one with a name and password is none":   {[]document.Run{link("x", "https://bank.example@evil.example/")}, `<p>x</p>`},
		"one to no host is none":                 {[]document.Run{link("x", "http:///a")}, `<p>x</p>`},
		"mail and telephone are links":           {[]document.Run{link("x", "MAILTO:a@b.c")}, a + `mailto:a@b.c` + rel},
		"what no URL may hold is encoded":        {[]document.Run{link("x", `https://a.b/c d?e=[1|"2"]&f=%zz#g#h`)}, a + `https://a.b/c%20d?e=%5B1%7C%222%22%5D&amp;f=%25zz#g%23h` + rel},
	} {
		t.Run(name, func(t *testing.T) {
			got := html(t, option.Default(), document.Element{Kind: document.Paragraph, Lines: []document.Line{{Runs: c.runs}}})
			if diff := cmp.Diff(c.want+"\n", got); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("struck text is marked when asked for", func(t *testing.T) {
		e := document.Element{Kind: document.Paragraph, Lines: []document.Line{{Runs: []document.Run{run("a "), {Text: "b", Strike: true}}}}}
		o := option.Default()
		plain := html(t, o, e)
		o.DetectStrikethrough = true
		if diff := cmp.Diff([]string{"<p>a b</p>\n", "<p>a <del>b</del></p>\n"}, []string{plain, html(t, o, e)}); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a text all in fixed pitch is no code", func(t *testing.T) {
		e := document.Element{Kind: document.Paragraph, Lines: []document.Line{{Runs: []document.Run{{Text: "Dear Sir,", Fixed: true}}}}}
		if diff := cmp.Diff("<p>Dear Sir,</p>\n", html(t, option.Default(), e)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("text from right to left says so, against the direction of the page", func(t *testing.T) {
		left := document.Element{Kind: document.Paragraph, Lines: lines("left to right")}
		right := document.Element{Kind: document.Paragraph, Lines: lines("שלום לכולם")}
		number := document.Element{Kind: document.Paragraph, Lines: lines("12")}
		if diff := cmp.Diff("<p>left to right</p>\n<p dir=\"rtl\">שלום לכולם</p>\n<p>12</p>\n", html(t, option.Default(), left, right, number)); diff != "" {
			t.Error(diff)
		}
		got := write(t, option.HTML, &document.Document{Pages: []document.Page{{Number: 1, Elements: []document.Element{right, right, left, number}}}}, option.Default())
		if !strings.Contains(got, "<html dir=\"rtl\">") || !strings.Contains(got, "<p>שלום לכולם</p>\n<p>שלום לכולם</p>\n<p dir=\"ltr\">left to right</p>\n<p>12</p>\n") {
			t.Error(got)
		}
	})
}

func TestHTMLHeadings(t *testing.T) {
	heading := func(level int) document.Element {
		return document.Element{Kind: document.Heading, Level: level, Lines: lines("x")}
	}
	var got []string
	for _, m := range regexp.MustCompile(`<h\d`).FindAllString(html(t, option.Default(), heading(2), heading(4), heading(4), heading(3), heading(1), heading(6), heading(0)), -1) {
		got = append(got, m[1:])
	}
	// Each stands one level below the last heading of a higher level; two of one level below one heading are alike.
	if diff := cmp.Diff([]string{"h1", "h2", "h2", "h2", "h1", "h2", "h1"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestHTMLLists(t *testing.T) {
	for name, c := range map[string]struct {
		marks []string
		want  string
	}{
		"bullets":                       {[]string{"•", "•"}, "<ul><li>x</li><li>x</li></ul>"},
		"numbers":                       {[]string{"1.", "2."}, "<ol><li>x</li><li>x</li></ol>"},
		"numbers from another one":      {[]string{"3.", "4."}, `<ol start="3"><li>x</li><li>x</li></ol>`},
		"numbers with gaps":             {[]string{"1.", "5.", "6."}, `<ol><li>x</li><li value="5">x</li><li>x</li></ol>`},
		"numbers with other signs":      {[]string{"(1)", "(2)"}, `<ol><li data-mark="(1)">x</li><li data-mark="(2)">x</li></ol>`},
		"letters":                       {[]string{"c.", "d."}, `<ol type="a" start="3"><li>x</li><li>x</li></ol>`},
		"capital letters":               {[]string{"A.", "B."}, `<ol type="A"><li>x</li><li>x</li></ol>`},
		"Roman numerals":                {[]string{"iv.", "v."}, `<ol type="i" start="4"><li>x</li><li>x</li></ol>`},
		"one letter is a letter":        {[]string{"v."}, `<ol type="a" start="22"><li>x</li></ol>`},
		"one i is a Roman numeral":      {[]string{"I."}, `<ol type="I"><li>x</li></ol>`},
		"entries without marks":         {[]string{"", ""}, `<ul class="marks"><li>x</li><li>x</li></ul>`},
		"letters that do not follow":    {[]string{"a.", "c."}, `<ul class="marks"><li><span class="mark">a.</span> x</li><li><span class="mark">c.</span> x</li></ul>`},
		"numbers of sections":           {[]string{"1.1", "1.2"}, `<ul class="marks"><li><span class="mark">1.1</span> x</li><li><span class="mark">1.2</span> x</li></ul>`},
		"marks that would be markup":    {[]string{`<1"`, "2"}, `<ul class="marks"><li><span class="mark">&lt;1&quot;</span> x</li><li><span class="mark">2</span> x</li></ul>`},
		"no Roman numeral that is none": {[]string{"iiii.", "v."}, `<ul class="marks"><li><span class="mark">iiii.</span> x</li><li><span class="mark">v.</span> x</li></ul>`},
	} {
		t.Run(name, func(t *testing.T) {
			list := document.Element{Kind: document.List}
			for _, m := range c.marks {
				list.Children = append(list.Children, document.Element{Kind: document.ListItem, Marker: m, Lines: lines("x")})
			}
			if diff := cmp.Diff(c.want, strings.ReplaceAll(html(t, option.Default(), list), "\n", "")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// grid makes a table of cells given as "row col rowspan colspan text".
func grid(rows, cols, head int, cells ...document.Cell) *document.Grid {
	return &document.Grid{Rows: rows, Cols: cols, HeaderRows: head, Cells: cells}
}

func cell(row, col, rowSpan, colSpan int, text string) document.Cell {
	return document.Cell{Row: row, Col: col, RowSpan: rowSpan, ColSpan: colSpan, Lines: lines(text)}
}

func TestHTMLTables(t *testing.T) {
	for name, c := range map[string]struct {
		grid *document.Grid
		want string
	}{
		"titles are in the head": {
			grid(2, 2, 1, cell(0, 0, 1, 1, "a"), cell(0, 1, 1, 1, ""), cell(1, 0, 1, 1, "c"), cell(1, 1, 1, 1, "d")),
			"<thead>\n<tr><th scope=\"col\">a</th><td></td></tr>\n</thead>\n<tbody>\n<tr><td>c</td><td>d</td></tr>\n</tbody>",
		},
		"merged cells span": {
			grid(3, 3, 0, cell(0, 0, 2, 1, "a"), cell(0, 1, 1, 2, "b"), cell(1, 1, 1, 1, "c"), cell(1, 2, 1, 1, "d"),
				cell(2, 0, 1, 1, "e"), cell(2, 1, 1, 1, "f"), cell(2, 2, 1, 1, "g")),
			"<tbody>\n<tr><td rowspan=\"2\">a</td><td colspan=\"2\">b</td></tr>\n<tr><td>c</td><td>d</td></tr>\n<tr><td>e</td><td>f</td><td>g</td></tr>\n</tbody>",
		},
		"rows and columns in which no cell begins are none": {
			grid(3, 3, 0, cell(0, 0, 2, 2, "a"), cell(0, 2, 2, 1, "b"), cell(2, 0, 1, 2, "c"), cell(2, 2, 1, 1, "d")),
			"<tbody>\n<tr><td>a</td><td>b</td></tr>\n<tr><td>c</td><td>d</td></tr>\n</tbody>",
		},
		"slots without a cell get one": {
			grid(2, 2, 0, cell(0, 1, 1, 1, "a"), cell(1, 0, 1, 1, "b")),
			"<tbody>\n<tr><td></td><td>a</td></tr>\n<tr><td>b</td><td></td></tr>\n</tbody>",
		},
		"the head grows with its cells": {
			grid(3, 2, 1, cell(0, 0, 2, 1, "a"), cell(0, 1, 1, 1, "b"), cell(1, 1, 1, 1, "c"), cell(2, 0, 1, 1, "d"), cell(2, 1, 1, 1, "e")),
			"<thead>\n<tr><th scope=\"col\" rowspan=\"2\">a</th><th scope=\"col\">b</th></tr>\n<tr><th scope=\"col\">c</th></tr>\n</thead>\n<tbody>\n<tr><td>d</td><td>e</td></tr>\n</tbody>",
		},
		"a head that a cell joins to all the rest is none": {
			grid(2, 2, 1, cell(0, 0, 2, 1, "a"), cell(0, 1, 1, 1, "b"), cell(1, 1, 1, 1, "c")),
			"<tbody>\n<tr><td rowspan=\"2\">a</td><td>b</td></tr>\n<tr><td>c</td></tr>\n</tbody>",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := html(t, option.Default(), document.Element{Kind: document.Table, Grid: c.grid})
			if diff := cmp.Diff("<div class=\"table\">\n<table>\n"+c.want+"\n</table>\n</div>\n", got); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("parts on other pages have their anchors", func(t *testing.T) {
		part := func(n int, id string, g *document.Grid) document.Page {
			return document.Page{Number: n, Elements: []document.Element{{ID: id, Page: n, Kind: document.Table, Grid: g, Continues: n > 1}}}
		}
		row := func(text string) *document.Grid { return grid(1, 1, 0, cell(0, 0, 1, 1, text)) }
		more := row("c")
		more.RowContinues = true
		last := row("d")
		last.RowContinues = true
		d := &document.Document{Pages: []document.Page{part(1, "p1.e1", row("a")), part(2, "p2.e1", row("b")), part(3, "p3.e1", more), part(4, "p4.e1", last)}}
		if err := exporttest.Check(d, option.Default()); err != nil {
			t.Error(err)
		}
		want := "<tr><td>a</td></tr>\n<tr id=\"p2.e1\" data-page=\"2\"><td><span id=\"p3.e1\" data-page=\"3\"></span><span id=\"p4.e1\" data-page=\"4\"></span>b c d</td></tr>\n"
		if got := write(t, option.HTML, d, option.Default()); !strings.Contains(got, want) {
			t.Errorf("want %s in %s", want, got)
		}
	})
}

func TestHTMLFigures(t *testing.T) {
	at := func(e document.Element, id string, top, bottom float64) document.Element {
		e.ID, e.Page, e.Box = id, 1, document.Box{Left: 50, Top: top, Right: 300, Bottom: bottom}
		return e
	}
	caption := document.Element{Kind: document.Caption, Lines: lines("Figure 1")}
	picture := document.Element{Kind: document.Figure, Alt: "A fox"}
	t.Run("a caption belongs to what it stands next to", func(t *testing.T) {
		got := html(t, option.Default(), at(picture, "p1.e1", 0, 100), at(caption, "p1.e2", 110, 120), at(picture, "p1.e3", 140, 200))
		want := "<figure id=\"p1.e1\">\n<p class=\"drawn\">A fox</p>\n<figcaption id=\"p1.e2\">Figure 1</figcaption>\n</figure>\n<figure id=\"p1.e3\">\n<p class=\"drawn\">A fox</p>\n</figure>\n"
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("each has one, tables too", func(t *testing.T) {
		table := document.Element{Kind: document.Table, Grid: grid(1, 1, 0, cell(0, 0, 1, 1, "a"))}
		got := html(t, option.Default(), at(caption, "p1.e1", 0, 10), at(table, "p1.e2", 20, 30), at(caption, "p1.e3", 40, 50), at(table, "p1.e4", 55, 65))
		if strings.Count(got, "<figure>\n<figcaption") != 2 {
			t.Error(got)
		}
	})
	t.Run("between two it follows the others of the page", func(t *testing.T) {
		got := html(t, option.Default(), at(caption, "p1.e1", 0, 10), at(picture, "p1.e2", 20, 100), at(caption, "p1.e3", 101, 110), at(picture, "p1.e4", 120, 200))
		if strings.Count(got, "\">\n<figcaption") != 2 {
			t.Error(got)
		}
	})
	t.Run("one far from everything is a paragraph", func(t *testing.T) {
		got := html(t, option.Default(), at(picture, "p1.e1", 0, 100), at(caption, "p1.e2", 200, 210))
		if !strings.HasSuffix(got, "</figure>\n<p id=\"p1.e2\" class=\"caption\">Figure 1</p>\n") {
			t.Error(got)
		}
	})
	t.Run("a running head may be a figure with text in it", func(t *testing.T) {
		head := document.Element{Kind: document.Header, Children: []document.Element{{Kind: document.Paragraph, Lines: lines("The Bank")}}}
		if diff := cmp.Diff("<header>\n<p>The Bank</p>\n</header>\n", html(t, option.Default(), head)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("text in a figure stands in it, and instead of what stands for it", func(t *testing.T) {
		chart := picture
		chart.Children = []document.Element{{Kind: document.Paragraph, Lines: lines("100 %")}}
		if diff := cmp.Diff("<figure>\n<div class=\"drawn\">\n<p>100 %</p>\n</div>\n</figure>\n", html(t, option.Default(), chart)); diff != "" {
			t.Error(diff)
		}
	})
}
