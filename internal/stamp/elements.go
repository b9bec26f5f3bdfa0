package stamp

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"github.com/ragify/ragify/internal/document"
)

// A node is a structure element to be.
type node struct {
	role, id, alt string
	attributes    types.Array
	kids          []kid
	empty         bool // stands even without content, as cells do
	kept          bool
	ref           types.IndirectRef
}

// A kid of a node is one of an element, a slot for marked content, and an annotation.
type kid struct {
	node  *node
	slot  *slot
	annot *annotation
}

func (n *node) add(kids ...*node) *node {
	for _, k := range kids {
		n.kids = append(n.kids, kid{node: k})
	}
	return n
}

// mark is the name of the marks around the node's content: it need not be that of the element, but is by custom.
func (n *node) mark() string { return n.role }

// prune drops what has no content, and reports whether anything is left.
func (n *node) prune() bool {
	n.kids = slices.DeleteFunc(n.kids, func(k kid) bool {
		switch {
		case k.node != nil:
			return !k.node.prune()
		case k.slot != nil:
			return len(k.slot.marks) == 0
		}
		return false
	})
	n.kept = n.empty || len(n.kids) > 0
	return n.kept
}

// reserve gives the node and those below it their references, in their order.
func (n *node) reserve(w *Writer) {
	n.ref = w.Reserve()
	for _, k := range n.kids {
		if k.node != nil {
			k.node.reserve(w)
		}
	}
}

// write writes the elements of a page.
func (p *pageTagger) write(n *node, parent types.IndirectRef) {
	t := p.tagger
	d := types.Dict{"Type": types.Name("StructElem"), "S": types.Name(n.role), "P": parent, "Pg": p.page.Ref}
	if n.id != "" {
		d["ID"] = Text(n.id)
		t.ids = append(t.ids, namedElement{n.id, n.ref})
	}
	if n.alt != "" {
		d["Alt"] = Text(n.alt)
	}
	switch len(n.attributes) {
	case 0:
	case 1:
		d["A"] = n.attributes[0]
	default:
		d["A"] = n.attributes
	}
	var kids types.Array
	for _, k := range n.kids {
		switch {
		case k.node != nil:
			kids = append(kids, k.node.ref)
			p.write(k.node, n.ref)
		case k.annot != nil:
			kids = append(kids, types.Dict{"Type": types.Name("OBJR"), "Obj": k.annot.ref, "Pg": p.page.Ref})
		default:
			slices.SortStableFunc(k.slot.marks, func(a, b markedContent) int { return int(a.order - b.order) })
			for _, m := range k.slot.marks {
				if m.form == nil {
					kids = append(kids, types.Integer(m.id))
				} else {
					kids = append(kids, types.Dict{"Type": types.Name("MCR"), "Pg": p.page.Ref, "Stm": *m.form, "MCID": types.Integer(m.id)})
				}
			}
		}
	}
	if len(kids) > 0 {
		d["K"] = kids
	}
	t.writer.Set(n.ref, d)
}

// text adds content to a node: the spans, with those on a link below an element of their own.
func (p *pageTagger) text(n *node, spans []document.Span) {
	var s *slot
	var current *annotation
	for _, span := range spans {
		for _, part := range p.links.divide(span) {
			if s == nil || part.annot != current {
				s, current = p.slotFor(n, part.annot), part.annot
			}
			p.claims.add(s, []document.Span{part.span})
		}
	}
}

// slotFor makes a place for further content of n, on a link where one is given that has no element yet.
func (p *pageTagger) slotFor(n *node, link *annotation) *slot {
	if link != nil && link.node == nil {
		link.node = &node{role: "Link"}
		n.add(link.node)
		s := &slot{owner: link.node}
		link.node.kids = append(link.node.kids, kid{slot: s}, kid{annot: link})
		return s
	}
	if link != nil && len(n.kids) > 0 && n.kids[len(n.kids)-1].node == link.node { // it goes on
		return link.node.kids[0].slot
	}
	s := &slot{owner: n}
	n.kids = append(n.kids, kid{slot: s})
	return s
}

// lines adds the content of lines to a node.
func (p *pageTagger) lines(n *node, lines []document.Line) *node {
	var spans []document.Span
	for i := range lines {
		spans = append(spans, lines[i].Spans...)
	}
	p.text(n, spans)
	return n
}

// elements makes nodes of the elements of a page. A caption beside a table or figure becomes part of it.
func (p *pageTagger) elements(list []document.Element) []*node {
	var out []*node
	for i := 0; i < len(list); i++ {
		e := &list[i]
		if e.Kind == document.Caption {
			if i > 0 && captioned(&list[i-1]) && (i+1 == len(list) || !captioned(&list[i+1]) || list[i-1].Kind == document.Figure) {
				owner := out[len(out)-1]
				if owner.role != "Table" || len(owner.kids) == 0 || owner.kids[0].node.role != "Caption" {
					owner.add(p.element(e))
					continue
				}
			}
			if i+1 < len(list) && captioned(&list[i+1]) {
				caption := p.element(e)
				owner := p.element(&list[i+1])
				owner.kids = slices.Insert(owner.kids, 0, kid{node: caption})
				if list[i+1].Kind == document.Figure && list[i+1].Alt == "" {
					owner.alt = captionAlt(e)
				}
				out = append(out, owner)
				i++
				continue
			}
		}
		n := p.element(e)
		if e.Kind == document.Figure && e.Alt == "" && i+1 < len(list) && list[i+1].Kind == document.Caption {
			n.alt = captionAlt(&list[i+1])
		}
		out = append(out, n)
	}
	return out
}

// captioned reports whether an element may have a caption.
func captioned(e *document.Element) bool {
	return e.Kind == document.Table || e.Kind == document.Figure
}

// captionAlt is what a figure is called after its caption.
func captionAlt(e *document.Element) string {
	if s := clip(linesText(e.Lines)); s != "" {
		return s
	}
	return unnamed
}

// unnamed stands for a figure that nothing is known of. Figures have to have something (ISO 14289-1, 7.3).
const unnamed = "Figure"

// element makes the node of an element, with those below it.
func (p *pageTagger) element(e *document.Element) *node {
	n := &node{role: "P", id: e.ID}
	switch e.Kind {
	case document.Heading:
		n.role = "H" + strconv.Itoa(p.tagger.headingLevel(e.Level))
	case document.Table:
		return p.table(n, e)
	case document.List:
		return p.list(n, e)
	case document.ListItem: // outside of a list there is none
		return p.item(n, e, "LI", "LBody")
	case document.Figure:
		return p.figure(n, e)
	case document.Caption:
		n.role = "Caption"
	case document.Footnote:
		n.role = "Note"
	case document.Formula:
		n.role, n.alt = "Formula", clip(linesText(e.Lines))
	case document.Paragraph:
		if e.Code {
			code := &node{role: "Code"}
			return n.add(p.lines(code, e.Lines))
		}
	}
	return p.lines(n, e.Lines)
}

// headingLevel is the level of the next heading. Tags must not leave out levels on the way down, which documents do: a
// heading's level here is the number of headings that it stands below, plus one.
func (t *tagger) headingLevel(level int) int {
	for len(t.headings) > 0 && t.headings[len(t.headings)-1] >= level {
		t.headings = t.headings[:len(t.headings)-1]
	}
	t.headings = append(t.headings, level)
	return min(len(t.headings), 6)
}

// list makes a list, or a table of contents where its items are entries of one.
func (p *pageTagger) list(n *node, e *document.Element) *node {
	n.role = "L"
	item, body := "LI", "LBody"
	if len(e.Children) > 0 && e.Children[0].Entry {
		n.role, item, body = "TOC", "TOCI", "Reference"
	} else {
		n.attributes = types.Array{types.Dict{"O": types.Name("List"), "ListNumbering": types.Name(numbering(e))}}
	}
	for i := range e.Children {
		n.add(p.item(&node{id: e.Children[i].ID}, &e.Children[i], item, body))
	}
	return n
}

// numbering is how the items of a list are marked (ISO 32000-1, table 347).
func numbering(e *document.Element) string {
	marker := ""
	if len(e.Children) > 0 {
		marker = strings.Trim(e.Children[0].Marker, "().[] ")
	}
	switch {
	case marker == "":
		return "None"
	case !e.Ordered:
		switch marker {
		case "•", "●", "∙", "⚫":
			return "Disc"
		case "○", "◦", "o":
			return "Circle"
		case "▪", "■", "◼":
			return "Square"
		}
		return "None"
	case marker[0] >= '0' && marker[0] <= '9':
		return "Decimal"
	case strings.Trim(marker, "ivxl") == "":
		return "LowerRoman"
	case strings.Trim(marker, "IVXL") == "":
		return "UpperRoman"
	case strings.ToUpper(marker) == marker:
		return "UpperAlpha"
	}
	return "LowerAlpha"
}

// item makes a list item: its mark, its text and the lists in it.
func (p *pageTagger) item(n *node, e *document.Element, role, body string) *node {
	n.role = role
	if len(e.Marked) > 0 {
		label := &node{role: "Lbl"}
		p.text(label, e.Marked)
		n.add(label)
	}
	text := p.lines(&node{role: body}, e.Lines)
	n.add(text)
	for i := range e.Children {
		inner := p.element(&e.Children[i])
		if role == "LI" {
			text.add(inner)
		} else {
			n.add(inner)
		}
	}
	return n
}

// table makes a table of rows of cells.
func (p *pageTagger) table(n *node, e *document.Element) *node {
	n.role = "Table"
	n.attributes = types.Array{p.layout(e.Box)}
	g := e.Grid
	if g == nil {
		return p.lines(n, e.Lines)
	}
	rows := make([]*node, 0, min(g.Rows, len(g.Cells)))
	last := -1
	header := 0 // rows
	for i := range g.Cells {
		c := &g.Cells[i]
		if c.Row != last {
			rows, last = append(rows, &node{role: "TR"}), c.Row
			if c.Row < g.HeaderRows {
				header = len(rows)
			}
		}
		rows[len(rows)-1].add(p.cell(c, c.Row < g.HeaderRows))
	}
	if header == 0 || header == len(rows) {
		return n.add(rows...)
	}
	return n.add((&node{role: "THead"}).add(rows[:header]...), (&node{role: "TBody"}).add(rows[header:]...))
}

// cell makes a cell of a table.
func (p *pageTagger) cell(c *document.Cell, header bool) *node {
	n := &node{role: "TD", empty: true}
	a := types.Dict{"O": types.Name("Table")}
	if header {
		n.role = "TH"
		a["Scope"] = types.Name("Column")
	}
	if c.RowSpan > 1 {
		a["RowSpan"] = types.Integer(c.RowSpan)
	}
	if c.ColSpan > 1 {
		a["ColSpan"] = types.Integer(c.ColSpan)
	}
	if len(a) > 1 {
		n.attributes = types.Array{a}
	}
	return p.lines(n, c.Lines)
}

// figure makes a figure: its pictures are claimed by claimImages, its text is below it.
func (p *pageTagger) figure(n *node, e *document.Element) *node {
	n.role, n.alt, n.empty = "Figure", clip(e.Alt), true
	if n.alt == "" {
		n.alt = unnamed
	}
	n.attributes = types.Array{p.layout(e.Box)}
	s := &slot{owner: n}
	n.kids = append(n.kids, kid{slot: s})
	p.figures = append(p.figures, figureSlot{s, e.Box, e.Image})
	for i := range e.Children {
		n.add(p.element(&e.Children[i]))
	}
	return n
}

// layout is the attribute that says where something is.
func (p *pageTagger) layout(b document.Box) types.Dict {
	box := p.page.ToUser(b)
	return types.Dict{
		"O": types.Name("Layout"), "Placement": types.Name("Block"),
		"BBox": types.Array{types.Float(box[0]), types.Float(box[1]), types.Float(box[2]), types.Float(box[3])},
	}
}

// A figureSlot is the place for a figure's pictures.
type figureSlot struct {
	slot  *slot
	box   document.Box
	image int // as of Element
}

// claimImages gives images to the figures that they are in: each to the smallest one around its middle. shown is the
// number of images found in the content: where PDFium counted otherwise, nobody knows which is which.
func (p *pageTagger) claimImages(shown int) {
	text := p.claims.text
	if shown != text.Pictures && !text.Flattened {
		p.claims.images = make([]*slot, shown)
		return
	}
	for i := range text.Images {
		image := &text.Images[i]
		if image.Object < 0 || int(image.Object) >= len(p.claims.images) {
			continue
		}
		x, y := (image.Box.Left+image.Box.Right)/2, (image.Box.Top+image.Box.Bottom)/2
		var best *figureSlot
		for k := range p.figures {
			f := &p.figures[k]
			if f.image == i+1 {
				best = f
				break
			}
			in := x >= f.box.Left && x <= f.box.Right && y >= f.box.Top && y <= f.box.Bottom
			if in && (best == nil || f.box.Width()*f.box.Height() < best.box.Width()*best.box.Height()) {
				best = f
			}
		}
		if best != nil {
			p.claims.images[image.Object] = best.slot
		}
	}
}

// linesText is the text of lines.
func linesText(lines []document.Line) string {
	var b strings.Builder
	for i := range lines {
		for k := range lines[i].Runs {
			b.WriteString(lines[i].Runs[k].Text)
		}
		if i+1 < len(lines) && lines[i].Join == document.JoinSpace {
			b.WriteByte(' ')
		}
	}
	return b.String()
}
