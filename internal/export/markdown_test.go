package export_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/document"
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
			document.Heading, []document.Run{run("[1]"), bold("(x)")}, `# \[1\](x)`,
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
		"the end of a text is not escaped for what does not follow": {
			document.Paragraph, []document.Run{run("See [1]"), bold(" Stop!")}, `See [1] **Stop!**`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := oneParagraph("")
			e := &d.Pages[0].Elements[0]
			e.Kind, e.Level, e.Lines[0].Runs = c.kind, 1, c.runs
			if diff := cmp.Diff(c.want+"\n", write(t, option.Markdown, d, option.Default())); diff != "" {
				t.Error(diff)
			}
		})
	}
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
