package export

import (
	"bufio"
	_ "embed"
	"math"
	"strconv"
	"strings"

	"golang.org/x/text/language"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/option"
)

//go:embed html.css
var styleSheet string

// writeHTML writes one page of HTML that needs nothing else. Every element has its id as an anchor and every page
// its number, so that a citation can lead to the place. What a PDF says is text here, never markup, and the page's
// policy lets nothing run or load, whatever a separator of the caller's own brings in.
func writeHTML(w *bufio.Writer, d *document.Document, o option.Options) error {
	pages, joints := flow(d)
	h := htmlWriter{w: w, o: o, code: marksCode(d), joints: joints}
	all := mostlyRightToLeft(pages)
	h.head(d, all)
	for i := range pages {
		p := &pages[i]
		if i > 0 && o.HTMLPageSeparator != "" {
			h.put(separator(o.HTMLPageSeparator, p.Number), "\n")
		}
		number := strconv.Itoa(p.Number)
		h.put(`<div class="page" id="p`, number, `" data-page="`, number, `"`)
		h.rightToLeft = mostlyRightToLeft(pages[i : i+1])
		if h.rightToLeft != all {
			h.put(directionAttribute(h.rightToLeft))
		}
		h.put(">\n")
		h.elements(p.Elements)
		h.put("</div>\n")
	}
	h.put("</main>\n</body>\n</html>\n")
	return h.err // bufio keeps the first error of its own for Flush
}

// htmlWriter writes the elements of one document.
type htmlWriter struct {
	w           *bufio.Writer
	o           option.Options
	open        []int // levels of the headings that a heading may stand below, from the outermost
	code        bool  // fixed-pitch type is code
	rightToLeft bool  // the direction of the page, also that of the columns of its tables
	joints      map[string][]joint
	err         error // the first one of reading a picture
}

func (h *htmlWriter) put(parts ...string) {
	for _, s := range parts {
		h.w.WriteString(s)
	}
}

// head writes what comes before the first page.
func (h *htmlWriter) head(d *document.Document, rightToLeft bool) {
	h.put("<!DOCTYPE html>\n<html", languageAttribute(d.Meta.Language))
	if rightToLeft {
		h.put(directionAttribute(true))
	}
	h.put(">\n<head>\n<meta charset=\"utf-8\">\n",
		`<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:`+h.imageSources()+`; base-uri 'none'; form-action 'none'">`, "\n",
		`<meta name="viewport" content="width=device-width, initial-scale=1">`, "\n")
	if author := metaText(d.Meta.Author); author != "" {
		h.put(`<meta name="author" content="`, escapeHTML(author), "\">\n")
	}
	h.put("<title>", escapeHTML(h.title(d)), "</title>\n<style>\n", styleSheet, "</style>\n</head>\n<body>\n<main>\n")
}

// imageSources are those of the page's policy beside data URIs: where pictures are files, they lie beside the page.
func (h *htmlWriter) imageSources() string {
	if h.o.ImageOutput == "external" {
		return " 'self' file:"
	}
	return ""
}

// title is what the file calls itself, or else its first heading of the highest level.
func (h *htmlWriter) title(d *document.Document) string {
	if s := metaText(d.Meta.Title); s != "" {
		return s
	}
	var first *document.Element
	for i := range d.Pages {
		for k := range d.Pages[i].Elements {
			e := &d.Pages[i].Elements[k]
			if e.Kind == document.Heading && (first == nil || e.Level < first.Level) {
				first = e
			}
		}
	}
	if first != nil {
		if s := plainText(first.Lines, h.o); s != "" {
			return strings.ReplaceAll(s, "\n", " ")
		}
	}
	return "Document" // a page must have a title
}

// metaText is a line of the document information, which may hold anything.
func metaText(s string) string {
	return plainText([]document.Line{{Runs: []document.Run{{Text: s}}}}, option.Options{})
}

// languageAttribute is the attribute for a language that is one. Files name theirs in many ways, and a wrong name
// is worse than none: it decides on voices and hyphens.
func languageAttribute(name string) string {
	tag, err := language.Parse(name)
	if err != nil || tag == language.Und {
		return ""
	}
	return ` lang="` + escapeHTML(tag.String()) + `"`
}

// elements writes the blocks of a page or figure.
func (h *htmlWriter) elements(list []document.Element) {
	captions := pairCaptions(list)
	for i := 0; i < len(list); i++ {
		e := &list[i]
		if i+1 < len(list) && captions[i] {
			if next := &list[i+1]; e.Kind == document.Caption {
				h.figure(next, e, nil)
			} else {
				h.figure(e, nil, next)
			}
			i++
			continue
		}
		h.element(e)
	}
}

func (h *htmlWriter) element(e *document.Element) {
	switch e.Kind {
	case document.Heading:
		if text := h.inline(e.Lines, nil, bold); text != "" {
			name := "h" + strconv.Itoa(h.headingLevel(e.Level))
			h.put("<", name, idAttribute(e.ID), h.direction(e.Lines), ">", text, "</", name, ">\n")
		}
	case document.Table:
		h.table(e)
	case document.List:
		h.list(e)
	case document.Figure:
		h.figure(e, nil, nil)
	case document.Caption:
		h.textBlock("p", ` class="caption"`, e)
	case document.Formula:
		h.textBlock("p", ` class="formula"`, e)
	case document.Footnote:
		h.wrapped("aside", ` role="doc-footnote"`, e)
	case document.Header:
		h.wrapped("header", "", e)
	case document.Footer:
		h.wrapped("footer", "", e)
	default:
		if e.Code {
			h.put("<pre", idAttribute(e.ID), "><code>", escapeHTML(codeText(e.Lines, h.o)), "</code></pre>\n")
			return
		}
		h.textBlock("p", "", e)
	}
}

// headingLevel is the level of the next heading. HTML must not leave out levels on the way down, which documents do:
// a heading's level here is the number of headings that it stands below, plus one.
func (h *htmlWriter) headingLevel(level int) int {
	for len(h.open) > 0 && h.open[len(h.open)-1] >= level {
		h.open = h.open[:len(h.open)-1]
	}
	h.open = append(h.open, level)
	return min(len(h.open), 6)
}

// textBlock writes an element that is nothing but its text.
func (h *htmlWriter) textBlock(name, attributes string, e *document.Element) {
	if text := h.inline(e.Lines, h.joints[e.ID], 0); text != "" {
		h.put("<", name, idAttribute(e.ID), attributes, h.direction(e.Lines), ">", text, "</", name, ">\n")
	}
}

// wrapped writes an element whose text is a paragraph in it, or which has others in it.
func (h *htmlWriter) wrapped(name, attributes string, e *document.Element) {
	if len(e.Children) > 0 {
		h.put("<", name, idAttribute(e.ID), attributes, ">\n")
		h.elements(e.Children)
		h.put("</", name, ">\n")
		return
	}
	if text := h.inline(e.Lines, h.joints[e.ID], 0); text != "" {
		h.put("<", name, idAttribute(e.ID), attributes, h.direction(e.Lines), "><p>", text, "</p></", name, ">\n")
	}
}

// figure writes a figure or table with the caption before or after it.
func (h *htmlWriter) figure(e, before, after *document.Element) {
	id := idAttribute(e.ID)
	if e.Kind == document.Table {
		id = ""
	}
	h.put("<figure", id, ">\n")
	if before != nil {
		h.textBlock("figcaption", "", before)
	}
	h.picture(e)
	switch {
	case e.Kind == document.Table:
		h.table(e)
	case len(e.Children) > 0 && e.Picture != nil:
		h.put("<details class=\"drawn\">\n<summary lang=\"en\">Text in the picture</summary>\n")
		h.elements(e.Children)
		h.put("</details>\n")
	case len(e.Children) > 0:
		h.put("<div class=\"drawn\">\n")
		h.elements(e.Children)
		h.put("</div>\n")
	case e.Picture == nil:
		if text := h.inline(figureLines(e), nil, 0); text != "" {
			h.put(`<p class="drawn"`, h.direction(figureLines(e)), ">", text, "</p>\n")
		}
	}
	if after != nil {
		h.textBlock("figcaption", "", after)
	}
	h.put("</figure>\n")
}

// picture writes the picture of a figure, when it has one: as large as it is on the page, where the screen allows. A
// caption stands beside it and is not repeated as the text that stands for it.
func (h *htmlWriter) picture(e *document.Element) {
	p := e.Picture
	if p == nil || h.err != nil {
		return
	}
	h.put(`<img src="`)
	h.err = writeSource(h.w, p, h.o)
	const pixels = 96.0 / 72 // of CSS in a point
	shown := strconv.Itoa(max(int(math.Round(e.Box.Width()*pixels)), 1))
	h.put(`" width="`, strconv.Itoa(p.Width), `" height="`, strconv.Itoa(p.Height), `" style="width:`, shown,
		`px" alt="`, escapeHTML(altText(e, nil, h.o)), "\">\n")
}

// captionReach in points is the most between a caption and what it is about: three lines of common text.
const captionReach = 36.0

// gap is how far two boxes are from each other in the direction in which it is more, 0 where they touch.
func gap(a, b document.Box) float64 {
	return max(a.Left-b.Right, b.Left-a.Right, a.Top-b.Bottom, b.Top-a.Bottom, 0)
}

// pairCaptions finds which captions belong to a figure or table next to them: those that stand close. Between two, a
// caption belongs to the one on the side where the others of the page have theirs, or else to the nearer one. i is
// true where element i and the next one are such a pair.
func pairCaptions(list []document.Element) map[int]bool {
	const near = captionReach
	distance := func(i, k int) float64 {
		if k < 0 || k >= len(list) || list[k].Kind != document.Table && list[k].Kind != document.Figure || list[k].Page != list[i].Page {
			return math.Inf(1)
		}
		return gap(list[i].Box, list[k].Box)
	}
	above := 0 // captions that stand above what they are about and nothing else, less those that stand below
	for i := range list {
		if list[i].Kind == document.Caption {
			switch before, after := distance(i, i-1) <= near, distance(i, i+1) <= near; {
			case after && !before:
				above++
			case before && !after:
				above--
			}
		}
	}
	pairs := make(map[int]bool)
	for i := range list {
		if list[i].Kind != document.Caption {
			continue
		}
		before, after := distance(i, i-1), distance(i, i+1)
		if pairs[i-2] {
			before = math.Inf(1) // it has one
		}
		switch {
		case min(before, after) > near:
		case after > near, before <= near && above < 0, before < after && above == 0:
			pairs[i-1] = true
		default:
			pairs[i] = true
		}
	}
	return pairs
}
