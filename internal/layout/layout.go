// Package layout turns what pages show (document.Content) into what they say (document.Document).
//
// One page goes through these stages, each in files of its own: columns of vertical text turned (vertical), bold by
// strokes (embolden), the frame in which its text is upright and begins at the left (orient, bidi), clean glyphs
// (glyphs, forms), fragments of lines (fragments, initials, ruby), edges and ruled tables (edges, lattice, tables),
// pictures that come in tiles (tiles), charts and diagrams (figures), reading order (order), lines, paragraphs, list items, listings and displayed formulas
// (lines, paragraphs, marks, code, formulas), titles of tables (headerrows). What needs the whole document follows at
// its end: running headers and footers (running), headings and their levels (headings, levels), captions and notes
// (notes), lists (lists), texts and tables that go on in the next column or page (flow, tableflow), words divided at
// line ends (hyphens). docs/engine.md is the guide.
package layout

import (
	"fmt"
	"slices"

	"github.com/ragify/ragify/internal/document"
)

// Options chooses between ways to read a page. The zero value reads like the defaults of a job.
type Options struct {
	ReadingOrder     string // "xycut" (also ""): recursive spatial cut; "off": the PDF's own object order
	TableMethod      string // "default" (also ""): ruled and unmistakable tables; "cluster": more borderless ones
	KeepHeaderFooter bool   // keep running headers and footers, as Header and Footer elements
	Strikethrough    bool   // mark runs that a rule crosses out
	StructTree       bool   // take order and roles from the structure tree, where a page has one
	Spans            bool   // say of each line which glyphs of the page show it: document.Line.Spans
	// Trace, when not nil, is told of every page what the stages made of it. It costs as much time as the layout.
	Trace func(Trace)
}

// Analyzer collects the pages of one file and makes a document of them. It is not safe for concurrent use.
type Analyzer struct {
	options Options
	pages   []*page

	// Of the structure tree, where it is to be used.
	trees    bool   // some page has one
	treeless []int  // the pages with content that have none
	open     string // element in which the page before ended
	language string // of the element around all others; "" when it does not say

	crowded []int // the pages with more lines than are looked at
	typing  typing
}

// A page is what the document stages need of an analysed page: its blocks in reading order.
type page struct {
	number        int
	width, height float64
	frame         frame
	blocks        []*block
	headRule      float64  // y of a rule across the page below its running head, 0 when there is none
	footRule      float64  // the same above its foot
	noteRules     []edge   // short horizontal lines
	fromTree      []*block // those of kind treeKind among the blocks
}

// New starts a document.
func New(o Options) *Analyzer { return &Analyzer{options: o} }

// Add analyses one page. Pages come in ascending order; c is not retained.
func (a *Analyzer) Add(c *document.Content) {
	shown := *c
	shown.Glyphs, shown.Fonts = boldStroked(turnColumns(c.Glyphs), c.Fonts)
	shown.Images = uniteTiles(c.Images)
	c = &shown
	f := findFrame(c)
	f.spans = a.options.Spans
	fonts := a.typing.fonts(c)
	trace := a.trace(c, f)
	glyphs := cleanGlyphs(c, f)
	trace.glyphs(glyphs)
	e := findEdges(c, f)
	if e.tooMany {
		a.crowded = append(a.crowded, c.Number)
	}
	tree, glyphs := a.readTree(c, f, glyphs, e)
	frags, turned := makeFragments(glyphs, f)
	frags = setRuby(dropInitials(frags))
	trace.fragments(frags)
	trace.fragments(turned)
	linkPieces(frags, c.Links, f)
	if a.options.Strikethrough {
		strikePieces(frags, e)
	}
	trace.edges(e)
	survey := newSurveyor(c, f, e, a.options.TableMethod == "cluster")
	tables, rest := survey.shadedTables(frags)
	trace.found(tables, "shaded")
	ruled, rest := ruledTables(e, rest, fonts)
	trace.found(ruled, "ruled")
	tables = append(tables, ruled...)
	broken, rest := survey.brokenRuleTables(findBrokenRules(c, f), rest, tables)
	trace.found(broken, "between broken rules")
	tables = append(tables, broken...)
	rest, turned = settleTurned(rest, turned)
	bullets := drawnBullets(c, f, rest) // first: a list on a coloured panel is no chart
	figures, rest, turned := findFigures(c, f, tables, bullets, rest, turned, fonts)
	trace.found(figures, "drawn")
	tables = append(tables, figures...)
	framed, rest := survey.framedTables(rest, tables)
	trace.found(framed, "framed")
	tables = append(tables, framed...)
	rest = append(rest, outsideTables(bullets, tables)...)
	p := &page{number: c.Number, width: c.Width, height: c.Height, frame: f}
	p.edgeRules(e, f)
	leaves := a.readingOrder(atomsOf(rest, tables), survey)
	trace.columns(leaves)
	for i, l := range leaves {
		p.addLeaf(i, l, fonts)
	}
	survey.findHeaders(p.blocks)
	p.addTurned(turned, f, fonts)
	p.addFigures(c, f)
	trace.blocks(p.blocks)
	for _, b := range p.blocks {
		b.finish(c.Number, f, fonts)
	}
	if tree != nil {
		trace.blocks(tree.out)
		p.addTree(tree)
	}
	trace.deliver(a.options.Trace)
	a.pages = append(a.pages, p)
}

func (a *Analyzer) readingOrder(atoms []atom, s *surveyor) []leaf {
	if a.options.ReadingOrder == "off" {
		return objectOrder(atoms)
	}
	return cutPage(atoms, s)
}

// addLeaf appends the blocks of one leaf: paragraphs between tables.
func (p *page) addLeaf(number int, l leaf, fonts []document.Font) {
	var frags []*fragment
	first := len(p.blocks)
	flush := func() {
		for _, b := range p.paragraphs(makeLines(frags, fonts)) {
			b.leaf = number
			p.blocks = append(p.blocks, b)
		}
		frags = nil
	}
	for _, a := range l.atoms {
		if a.table == nil {
			frags = append(frags, a.frag)
			continue
		}
		flush()
		a.table.leaf = number
		p.blocks = append(p.blocks, a.table)
	}
	flush()
	for _, b := range p.blocks[first:] {
		b.aside = l.aside
	}
}

// addTurned puts text that does not run like the rest of the page (axis titles, side notes) before the first block
// that ends below its middle; what runs along much of the page stands outside the order, at its end.
func (p *page) addTurned(frags []fragment, f frame, fonts []document.Font) {
	const longest = 0.25 // of the page's height
	for len(frags) > 0 {
		n := turnedLines(frags)
		b := &block{kind: document.Paragraph, turned: true, leaf: -1, above: openSpace, below: openSpace}
		for i := range frags[:n] {
			b.lines = append(b.lines, makeLine([]*fragment{&frags[i]}, fonts))
		}
		frags = frags[n:]
		b.settle()
		at := len(p.blocks)
		if b.box.Height() < longest*f.height {
			y := (b.box.Top + b.box.Bottom) / 2
			for k, o := range p.blocks {
				if o.box.Bottom > y && o.box.Left < b.box.Right+b.box.Height() && o.box.Right > b.box.Left {
					at = k
					break
				}
			}
		}
		p.blocks = slices.Insert(p.blocks, at, b)
	}
}

// finish makes the block's element and drops what only the page stages need.
func (b *block) finish(number int, f frame, fonts []document.Font) {
	b.element = b.makeElement(number, f, fonts)
	b.measureText()
	b.lines, b.grid = nil, nil
}

// Document joins the pages added so far into a document. The analyzer must not be used afterwards.
func (a *Analyzer) Document(meta document.Meta, outline []document.Outline, numPages int) *document.Document {
	showTree(a.pages)
	text := findBody(a.pages)
	findRunning(a.pages, text, a.options.KeepHeaderFooter)
	findContents(a.pages)
	findCaptions(a.pages)
	findFootnotes(a.pages, text)
	findHeadings(a.pages, text)
	marked := markHeadings(a.pages, outline)
	setLevels(a.pages, marked)
	joinFlow(a.pages)
	joinLists(a.pages)
	joinTables(a.pages)
	restoreTree(a.pages)
	undoHyphens(a.pages)
	if meta.Language == "" {
		meta.Language = a.language
	}
	d := &document.Document{Meta: meta, NumPages: numPages, Warnings: append(a.treeWarnings(), a.crowdedWarnings()...)}
	for _, p := range a.pages {
		d.Pages = append(d.Pages, p.document())
	}
	return d
}

// crowdedWarnings says on which pages no lines were looked at.
func (a *Analyzer) crowdedWarnings() []document.Warning {
	if len(a.crowded) == 0 {
		return nil
	}
	return []document.Warning{{
		Code:    "lines_ignored",
		Message: "These pages have more lines than tables can have: they were ignored, and tables that they draw may be missing.",
		Pages:   a.crowded,
	}}
}

// document makes elements of the page's blocks.
func (p *page) document() document.Page {
	out := document.Page{Number: p.number, Width: p.width, Height: p.height}
	var items []listItem
	var figures []document.Element // a figure beside or in a list does not divide it
	flush := func() {
		out.Elements = append(append(out.Elements, makeList(items)...), figures...)
		items, figures = nil, nil
	}
	for _, b := range p.blocks {
		e := b.element
		e.Kind, e.Level, e.Continues = b.kind, b.level, b.continues
		e.Aside = b.aside
		e.Code = b.code && b.kind == document.Paragraph
		if e.Kind == document.ListItem {
			e.Entry = b.entry && b.mark.text == ""
			items = append(items, listItem{e, b.markLeft, b.mark, b.style.size, b.around})
			continue
		}
		if e.Kind == document.Figure && len(items) > 0 {
			figures = append(figures, e)
			continue
		}
		flush()
		out.Elements = append(out.Elements, e)
	}
	flush()
	n := 0
	number(out.Elements, p.number, &n)
	return out
}

// number gives the elements of a page their ids in reading order.
func number(list []document.Element, page int, n *int) {
	for i := range list {
		*n++
		list[i].ID = fmt.Sprintf("p%d.e%d", page, *n)
		number(list[i].Children, page, n)
	}
}
