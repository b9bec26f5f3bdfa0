package export_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/export/exporttest"
	"github.com/ragify/ragify/internal/option"
)

func TestMarkdownText(t *testing.T) {
	run := func(text string) document.Run { return document.Run{Text: text} }
	bold := func(text string) document.Run { return document.Run{Text: text, Bold: true} }
	link := func(text, uri string) document.Run { return document.Run{Text: text, Link: uri} }
	for name, c := range map[string]struct {
		kind document.Kind
		runs []document.Run
		want string
	}{
		"a link after an exclamation mark is no image": {
			document.Paragraph, []document.Run{run("Look!"), link("here", "http://a.b/c")}, `Look\![here](http://a.b/c)`,
		},
		"brackets and parentheses of two styles are no link": {
			document.Heading, []document.Run{run("[1]"), bold("(x)")}, `# [1]\(x)`,
		},
		"a tag of two styles is no HTML": {
			document.Heading, []document.Run{run("<"), bold("b> x")}, `# \<b> x`,
		},
		"parentheses and entities in a target stay what they are": {
			document.Paragraph, []document.Run{link("x", "http://a.b/(c)?d&copy;=1&e")}, `[x](http://a.b/\(c\)?d&amp;copy;=1&e)`,
		},
		"what would run where it is shown is no link": {
			document.Paragraph, []document.Run{link("x", "JavaScript:alert(1)"), run(" "), link("y", "data:text/html,z")}, `x y`,
		},
		"relative targets and mail addresses are links": {
			document.Paragraph, []document.Run{link("x", "b?c=d:e"), run(" "), link("y", "mailto:a@b.c")}, `[x](b?c=d:e) [y](mailto:a@b.c)`,
		},
		"a link of several styles is one": {
			document.Paragraph,
			[]document.Run{run("see "), link("the ", "http://a.b/"), {Text: "f()", Fixed: true, Link: "http://a.b/"}, link(" part", "http://a.b/"), run(" of it")},
			"see [the `f()` part](http://a.b/) of it",
		},
		"code needs no escapes": {
			document.Paragraph, []document.Run{run("call "), {Text: "*p_++ <x>", Fixed: true}, run(" twice")}, "call `*p_++ <x>` twice",
		},
		"code with a backtick has a longer fence": {
			document.Paragraph, []document.Run{run("write "), {Text: "a`b", Fixed: true}, run(" or "), {Text: "`c`", Fixed: true}}, "write ``a`b`` or `` `c` ``",
		},
		"numbers in fixed pitch are no code": {
			document.Paragraph, []document.Run{run("in all "), {Text: "1,200", Fixed: true}}, "in all 1,200",
		},
		"an address that needs no escapes is bare": {
			document.Paragraph, []document.Run{run("See http://a.b/c_d?e=1&f=(g). Or https://x.org/~ann, too")}, "See http://a.b/c_d?e=1&f=(g). Or <https://x.org/~ann>, too",
		},
		"an address that would need escapes is in brackets": {
			document.Paragraph, []document.Run{run("(https://a.b/_c_/d*) ftp://a.b/c~"), bold("d")}, "(<https://a.b/_c_/d*>) <ftp://a.b/c~>**d**",
		},
		"one without a scheme is a link of itself": {
			document.Paragraph, []document.Run{run("at www.a.b/~c_, www.d.e/f")}, `at [www.a.b/\~c\_](http://www.a.b/~c_), www.d.e/f`,
		},
		"one that an entity would change is too": {
			document.Paragraph, []document.Run{run("http://a.b/?x&copy;=1")}, `[http://a.b/?x\&copy;=1](http://a.b/?x&amp;copy;=1)`,
		},
		"one in a link is text": {
			document.Paragraph, []document.Run{link("http://a.b/_c", "http://d.e/")}, `[http://a.b/\_c](http://d.e/)`,
		},
		"the beginning of one is text": {
			document.Paragraph, []document.Run{run("www._ http://* x")}, `www.\_ http://\* x`,
		},
		"the end of a text is not escaped for what does not follow": {
			document.Paragraph, []document.Run{run("See [1]"), bold(" Stop!")}, `See [1] **Stop!**`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := oneParagraph("")
			e := &d.Pages[0].Elements[0]
			e.ID, e.Kind, e.Level, e.Lines[0].Runs = "p1.e1", c.kind, 1, c.runs
			if err := exporttest.Check(d, option.Default()); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(c.want+"\n", write(t, option.Markdown, d, option.Default())); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("kept lines of code in a cell are code each", func(t *testing.T) {
		code := cell(0, 0, 1, 1, "")
		code.Lines = []document.Line{{Runs: []document.Run{{Text: "a()", Fixed: true}}}, {Runs: []document.Run{{Text: "b()", Fixed: true}}}}
		d := &document.Document{Pages: []document.Page{{Number: 1, Elements: []document.Element{
			{ID: "p1.e1", Page: 1, Kind: document.Table, Grid: grid(1, 1, 1, code)},
			{ID: "p1.e2", Page: 1, Kind: document.Paragraph, Lines: lines("more text than code")},
		}}}}
		o := option.Default()
		o.KeepLineBreaks = true
		if err := exporttest.Check(d, o); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff("| `a()`<br>`b()` |\n| --- |\n\nmore text than code\n", write(t, option.Markdown, d, o)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("kept lines make no table", func(t *testing.T) {
		d := oneParagraph("")
		d.Pages[0].Elements[0].Lines = append(lines("|a|b|"), lines("|---|---|")...)
		o := option.Default()
		o.KeepLineBreaks = true
		if diff := cmp.Diff("|a|b|\n\\|---|---|\n", write(t, option.Markdown, d, o)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestMarkdownWithHTML(t *testing.T) {
	o := option.Default()
	o.MarkdownWithHTML = true
	check := func(t *testing.T, e document.Element, want string) {
		t.Helper()
		e.ID, e.Page = "p1.e1", 1
		d := &document.Document{Pages: []document.Page{{Number: 1, Elements: []document.Element{e}}}}
		if err := exporttest.Check(d, o); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(want, write(t, option.Markdown, d, o)); diff != "" {
			t.Error(diff)
		}
	}
	t.Run("tables with merged cells are HTML", func(t *testing.T) {
		g := grid(2, 2, 1, cell(0, 0, 1, 2, "a <b> *c*"), cell(1, 0, 1, 1, "d"), cell(1, 1, 1, 1, "e"))
		check(t, document.Element{Kind: document.Table, Grid: g},
			"<table>\n<thead>\n<tr><th scope=\"col\" colspan=\"2\">a &lt;b&gt; *c*</th></tr>\n</thead>\n<tbody>\n<tr><td>d</td><td>e</td></tr>\n</tbody>\n</table>\n")
	})
	t.Run("others are not", func(t *testing.T) {
		check(t, document.Element{Kind: document.Table, Grid: grid(1, 1, 1, cell(0, 0, 1, 1, "a|b"))}, "| a\\|b |\n| --- |\n")
	})
	t.Run("raised and lowered text has tags", func(t *testing.T) {
		runs := []document.Run{{Text: "H"}, {Text: "2", Subs: true}, {Text: "O", Bold: true}, {Text: "*", Superscript: true}}
		check(t, document.Element{Kind: document.Paragraph, Lines: []document.Line{{Runs: runs}}}, "H<sub>2</sub>**O**<sup>\\*</sup>\n")
	})
}

func TestMarkdownLists(t *testing.T) {
	item := func(mark, text string, nested ...document.Element) document.Element {
		return document.Element{Kind: document.ListItem, Marker: mark, Lines: lines(text), Children: nested}
	}
	list := func(items ...document.Element) document.Element {
		return document.Element{Kind: document.List, Children: items}
	}
	for name, c := range map[string]struct {
		list document.Element
		want string
	}{
		"a nested list follows its item": {
			list(item("•", "a", list(item("1.", "b"), item("2.", "c"))), item("•", "d")), "- a\n  1. b\n  2. c\n- d\n",
		},
		"one that begins at another number is set apart: it would be text": {
			list(item("•", "a", list(item("2.", "b")))), "- a\n\n  2. b\n",
		},
		"one that begins without text is set apart: it would underline a heading": {
			list(item("•", "a", list(item("•", ""), item("•", "b")))), "- a\n\n  - \n  - b\n",
		},
		"one in an item without text begins on its line": {
			list(item("•", "", list(item("1.", "a"), item("2.", "b")))), "- 1. a\n  2. b\n",
		},
		"numbers among other marks are printed": {
			list(item("1.", "a"), item("(2)", "b")), "- 1\\. a\n- (2) b\n",
		},
		"numbers too long for Markdown are printed": {
			list(item("1234567890.", "a")), "- 1234567890. a\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := &document.Document{Pages: []document.Page{{Number: 1, Elements: []document.Element{c.list}}}}
			if diff := cmp.Diff(c.want, write(t, option.Markdown, d, option.Default())); diff != "" {
				t.Error(diff)
			}
		})
	}
}
