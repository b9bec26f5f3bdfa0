// Package layout turns what pages show (document.Content) into what they say (document.Document).
package layout

import "github.com/ragify/ragify/internal/document"

// Options chooses between ways to read a page. The zero value reads like the defaults of a job.
type Options struct {
	ReadingOrder     string // "xycut" (also ""): recursive spatial cut; "off": the PDF's own object order
	TableMethod      string // "default" (also ""): ruled and unmistakable tables; "cluster": more borderless ones
	KeepHeaderFooter bool   // keep running headers and footers, as Header and Footer elements
	Strikethrough    bool   // mark runs that a rule crosses out
}

// Analyzer collects the pages of one file and makes a document of them. It is not safe for concurrent use.
type Analyzer struct {
	options Options
	pages   []document.Page
}

// New starts a document.
func New(o Options) *Analyzer { return &Analyzer{options: o} }

// Add analyses one page. Pages come in ascending order; c is not retained.
func (a *Analyzer) Add(c *document.Content) {
	p := document.Page{Number: c.Number, Width: c.Width, Height: c.Height}
	var text []rune
	var box document.Box
	for _, g := range c.Glyphs {
		if g.Rune != 0 {
			text = append(text, g.Rune)
		}
		box = box.Union(g.Box)
	}
	if len(text) > 0 {
		line := document.Line{Runs: []document.Run{{Text: string(text)}}, Box: box}
		p.Elements = append(p.Elements, document.Element{Kind: document.Paragraph, Page: c.Number, Box: box, Lines: []document.Line{line}})
	}
	a.pages = append(a.pages, p)
}

// Document joins the pages added so far into a document. The analyzer must not be used afterwards.
func (a *Analyzer) Document(meta document.Meta, outline []document.Outline, numPages int) *document.Document {
	_ = outline
	return &document.Document{Meta: meta, Pages: a.pages, NumPages: numPages}
}
