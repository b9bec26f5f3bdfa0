package stamp

import (
	"math"
	"strconv"
	"strings"

	"github.com/pdfcpu/pdfcpu/pkg/font"

	"github.com/ragify/ragify/internal/document"
)

// cellKind stands for the cells of tables, which are no elements of their own but have a layer.
const cellKind document.Kind = "cell"

// look is how the elements of a kind are drawn.
type look struct {
	kind  document.Kind
	layer string // the layer's name, with how to know its boxes: readers list layers without colours
	label string // the kind in labels; headings have their level there
	// color has components of 0 to 1. The colours are those of Paul Tol's schemes "bright", "vibrant" and "muted"
	// (https://personal.sron.nl/~pault/), which people with any colour vision can tell apart, as far as twelve can be;
	// labels and dashes say the rest.
	color  [3]float64
	wash   string  // graphics state of the filling, "" for none
	line   string  // graphics state of the outline
	stroke float64 // width of the outline, points
	dash   float64 // length of its dashes and gaps, points; 0 is a solid line
	// outside: the label is looked for above the box first, because what is inside the box has labels at its left.
	outside bool
}

// Graphics states and their opacities. Fillings have so little that print stays as black as it is, labels so much that
// they can be read on anything, and the many lines of cells half of it.
const (
	washed      = "Washed"
	faint       = "Faint"
	washedAlpha = 0.13
	faintAlpha  = 0.06
	half        = "Half"
	halfAlpha   = 0.5
	solid       = "Solid"
	solidAlpha  = 0.88
)

// looks are the kinds in the order of the legend.
var looks = [...]look{
	{kind: document.Heading, layer: "Headings – red", color: rgb(0xCC3311), wash: washed, line: solid, stroke: 1},
	{kind: document.Paragraph, layer: "Paragraphs – blue", label: "P", color: rgb(0x4477AA), wash: washed, line: solid, stroke: 0.6},
	{kind: document.List, layer: "Lists – green", label: "List", color: rgb(0x117733), line: solid, stroke: 1, outside: true},
	{kind: document.ListItem, layer: "List items – teal, dashed", label: "Item", color: rgb(0x009988), wash: washed, line: solid, stroke: 0.5, dash: 2},
	{kind: document.Table, layer: "Tables – purple", label: "Table", color: rgb(0xAA3377), wash: faint, line: solid, stroke: 1.2, outside: true},
	{kind: cellKind, layer: "Table cells – purple, thin", color: rgb(0xAA3377), wash: washed, line: half, stroke: 0.5},
	{kind: document.Figure, layer: "Figures – orange", label: "Figure", color: rgb(0xEE7733), wash: faint, line: solid, stroke: 1.2, outside: true},
	{kind: document.Caption, layer: "Captions – ochre, dashed", label: "Caption", color: rgb(0x997700), wash: washed, line: solid, stroke: 0.6, dash: 3},
	{kind: document.Formula, layer: "Formulas – indigo", label: "Formula", color: rgb(0x332288), wash: washed, line: solid, stroke: 0.8},
	{kind: document.Footnote, layer: "Footnotes – wine, dashed", label: "Note", color: rgb(0x882255), wash: washed, line: solid, stroke: 0.6, dash: 1.5},
	{kind: document.Header, layer: "Page headers – dark grey, dotted", label: "Header", color: rgb(0x444444), wash: washed, line: solid, stroke: 0.6, dash: 1},
	{kind: document.Footer, layer: "Page footers – grey, dotted", label: "Footer", color: rgb(0x777777), wash: washed, line: solid, stroke: 0.6, dash: 1},
}

// rgb splits 0xRRGGBB.
func rgb(v int) [3]float64 {
	part := func(shift int) float64 { return math.Round(float64(v>>shift&0xFF)/255*1000) / 1000 }
	return [3]float64{part(16), part(8), part(0)}
}

// lookOf is the look of a kind, that of paragraphs for one that there is none for.
func lookOf(kind document.Kind) *look {
	for i := range looks {
		if looks[i].kind == kind {
			return &looks[i]
		}
	}
	return lookOf(document.Paragraph)
}

// labelFont is one of the fonts that every reader has (ISO 32000-1, 9.6.2.2).
const labelFont = "Helvetica-Bold"

// labelText is what stands on an element's label: its number and short type.
func labelText(e *document.Element) string {
	label := lookOf(e.Kind).label
	switch {
	case e.Kind == document.Heading:
		label = levelName(e.Level)
	case e.Kind == document.Paragraph && e.Code:
		label = "Code"
	}
	return numberOf(e) + " " + label
}

// textWidth is the width of a label's text.
func textWidth(s string, size float64) float64 {
	w, err := font.TextWidthFloat(s, labelFont, size)
	if err != nil { // only for fonts that it does not have
		return size * float64(len(s))
	}
	return w
}

// pen writes operators of a content stream in a space with its origin at the bottom left of a box of the page.
type pen struct {
	origin document.Box
	b      strings.Builder
}

// op appends numbers and an operator.
func (p *pen) op(name string, v ...float64) {
	for _, x := range v {
		p.b.WriteString(strconv.FormatFloat(math.Round(x*100)/100, 'f', -1, 64))
		p.b.WriteByte(' ')
	}
	p.b.WriteString(name)
	p.b.WriteByte('\n')
}

// rect appends a rectangle to the path.
func (p *pen) rect(b document.Box) {
	p.op("re", b.Left-p.origin.Left, p.origin.Bottom-b.Bottom, b.Width(), b.Height())
}

// fill fills boxes in a look's colour.
func (p *pen) fill(l *look, state string, boxes ...document.Box) {
	if len(boxes) == 0 || state == "" {
		return
	}
	p.op("q")
	p.op("/" + state + " gs")
	p.op("rg", l.color[:]...)
	for _, b := range boxes {
		p.rect(b)
	}
	p.op("f")
	p.op("Q")
}

// outline strokes boxes in a look's line, within them.
func (p *pen) outline(l *look, boxes ...document.Box) {
	p.op("q")
	p.op("/" + l.line + " gs")
	p.op("RG", l.color[:]...)
	p.op("w", l.stroke)
	if l.dash > 0 {
		p.op("[" + strconv.FormatFloat(l.dash, 'f', -1, 64) + "] 0 d")
	}
	half := l.stroke / 2
	for _, b := range boxes {
		p.rect(grow(b, -half, -half))
	}
	p.op("S")
	p.op("Q")
}

// label draws a label: white print on the look's colour. text has letters, digits and spaces only.
func (p *pen) label(l *look, at document.Box, text string, size float64) {
	p.fill(l, solid, at)
	p.op("BT")
	p.op("/F " + strconv.FormatFloat(size, 'f', 2, 64) + " Tf 1 g")
	p.op("Td", at.Left+labelMargin*size-p.origin.Left, p.origin.Bottom-at.Bottom+labelDescent*size)
	p.op("(" + text + ") Tj")
	p.op("ET")
}

// grow moves the sides of b outwards by so many points, inwards where they are negative, but not past its middle.
func grow(b document.Box, x, y float64) document.Box {
	x, y = max(x, -b.Width()/2), max(y, -b.Height()/2)
	return document.Box{Left: b.Left - x, Top: b.Top - y, Right: b.Right + x, Bottom: b.Bottom + y}
}
