package exporttest

import (
	"strings"
	"testing"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/option"
)

func paragraph(text string) *document.Document {
	return &document.Document{Pages: []document.Page{{Number: 1, Elements: []document.Element{
		{ID: "p1.e1", Kind: document.Paragraph, Page: 1, Lines: oneLine(text)},
	}}}}
}

// htmlPage is a page around main's content.
func htmlPage(content string) []byte {
	return []byte("<!DOCTYPE html>\n<html>\n<head>\n<title>x</title>\n</head>\n<body>\n<main>\n<div id=\"p1\">\n" + content + "\n</div>\n</main>\n</body>\n</html>\n")
}

func TestHTML(t *testing.T) {
	const good = `<p id="p1.e1">text</p>`
	if err := checkHTML(htmlPage(good), paragraph("text"), option.Default()); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]struct{ content, want string }{
		"a tag that is not closed":           {`<p id="p1.e1">text`, "closes nothing"},
		"tags closed in the wrong order":     {`<p id="p1.e1"><em><strong>text</em></strong></p>`, "closes nothing"},
		"what a browser moves":               {`<table>` + good + `</table>`, "a browser reads"},
		"what a browser closes":              {`<p id="p1.e1">te<p>xt</p></p>`, "a browser reads"},
		"what a browser adds":                {good + `<table><tr><td></td></tr></table>`, "a browser reads"},
		"an id twice":                        {good + `<p id="p1.e1"></p>`, "is taken"},
		"a script":                           {good + `<script></script>`, "there should be no script"},
		"a handler":                          {`<p id="p1.e1" onclick="x">text</p>`, "has an attribute onclick"},
		"a link that runs something":         {`<p id="p1.e1"><a href="javascript:x">text</a></p>`, `a link to "javascript:x"`},
		"a level left out":                   {good + `<h2></h2>`, "h2 after h0"},
		"an element where it may not stand":  {`<p id="p1.e1"><span><div>text</div></span></p>`, "a browser reads"},
		"a row without cells":                {good + `<table><tbody><tr><td rowspan="2"></td></tr><tr></tr></tbody></table>`, "no cell begins in a row"},
		"cells that overlap":                 {good + `<table><tbody><tr><td></td><td rowspan="2"></td></tr><tr><td colspan="2"></td></tr></tbody></table>`, "cells overlap"},
		"rows of different widths":           {good + `<table><tbody><tr><td></td></tr><tr><td></td><td></td></tr></tbody></table>`, "a row of 2 columns after one of 1"},
		"an element without its anchor":      {`<p>text</p>`, "no anchor for paragraph p1.e1"},
		"another text":                       {`<p id="p1.e1">test</p>`, "blocks of the HTML"},
		"another block":                      {`<h1 id="p1.e1">text</h1>`, "blocks of the HTML"},
		"a block that the document has not":  {good + `<p>text</p>`, "blocks of the HTML"},
		"markup that the document has as it": {`<p id="p1.e1">te<em>x</em>t</p><ul><li>x</li></ul>`, "blocks of the HTML"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := checkHTML(htmlPage(c.content), paragraph("text"), option.Default()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("want %q, have %v", c.want, err)
			}
		})
	}
}

func TestMarkdown(t *testing.T) {
	if err := checkMarkdown([]byte("some *te*xt\n"), paragraph("some text"), option.Default()); err != nil {
		t.Error(err)
	}
	for name, source := range map[string]string{
		"another block":         "# some text\n",
		"another text":          "some test\n",
		"markup that was text":  "some <b>text\n\n    code\n",
		"a block too many":      "some text\n\n- \n",
		"blocks that run on":    "some text\n\n---\n",
		"an escape that is not": "some\\ text\n",
	} {
		t.Run(name, func(t *testing.T) {
			if err := checkMarkdown([]byte(source), paragraph("some text"), option.Default()); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestJSON(t *testing.T) {
	if err := CheckOutputs(Outputs{JSON: []byte(`{"kids": [{"type": "word"}]}`)}, option.Default()); err == nil || !strings.Contains(err.Error(), "schema") {
		t.Errorf("have %v", err)
	}
}
