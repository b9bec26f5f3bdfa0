package workbench

import (
	"bufio"
	"bytes"
	_ "embed" // style and script of a page
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"image"
	"image/png"
	"math"
	"strings"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/layout"
)

//go:embed page.css
var pageStyle string

//go:embed page.js
var pageScript string

// A layer is what can be shown or hidden: the picture, the boxes of a stage, or a view of the elements.
type layer struct {
	Name  string // id of its group in the SVG
	Title string // for people
	Shown bool   // from the start
}

// The layers that no stage of the layout tells of.
const (
	pictureLayer = "picture"
	elementLayer = "elements"
	cellLayer    = "cells"
	orderLayer   = "order"
)

// layers lists them all, results first.
func layers() []layer {
	return []layer{
		{elementLayer, "Elements", true},
		{orderLayer, "Reading order", true},
		{cellLayer, "Table cells", true},
		{string(layout.TraceInvalid), "Unknown characters", true},
		{string(layout.TraceBlocks), "Blocks", true},
		{string(layout.TraceLines), "Lines", false},
		{string(layout.TraceColumns), "Columns", false},
		{string(layout.TraceTables), "Tables, figures", false},
		{string(layout.TraceEdges), "Ruled edges", false},
		{string(layout.TraceFragments), "Fragments", false},
		{string(layout.TraceGlyphs), "Glyphs", false},
		{pictureLayer, "Page", true},
	}
}

// stages are the layers of the layout from the largest boxes to the smallest, so that each can be pointed at.
func stages() []layout.TraceLayer {
	return []layout.TraceLayer{
		layout.TraceColumns, layout.TraceBlocks, layout.TraceTables, layout.TraceEdges, layout.TraceLines,
		layout.TraceFragments, layout.TraceGlyphs, layout.TraceInvalid,
	}
}

// A look says how elements of a kind are drawn.
type look struct {
	Kind  document.Kind
	Color string
	short string // in labels
}

// looks gives every kind a colour of its own.
func looks() []look {
	return []look{
		{document.Heading, "#d32f2f", "H"},
		{document.Paragraph, "#1565c0", "P"},
		{document.List, "#00838f", "L"},
		{document.ListItem, "#00acc1", "•"},
		{document.Table, "#2e7d32", "T"},
		{document.Figure, "#7b1fa2", "Fig"},
		{document.Caption, "#c2185b", "Cap"},
		{document.Formula, "#ef6c00", "Fo"},
		{document.Footnote, "#795548", "Fn"},
		{document.Header, "#607d8b", "Hd"},
		{document.Footer, "#607d8b", "Ft"},
	}
}

func lookOf(k document.Kind) look {
	for _, l := range looks() {
		if l.Kind == k {
			return l
		}
	}
	return look{k, "#000000", string(k)}
}

// drawStages begins a page: its picture and what the stages of the layout saw on it.
func drawStages(w *bufio.Writer, s sheet, title string, boxes []layout.TraceBox, picture image.Image) error {
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.2f %.2f" width="%.2fpt" height="%.2fpt">`+"\n",
		s.width, s.height, s.width, s.height)
	fmt.Fprintf(w, "<title>%s</title>\n<style>\n%s", escape(title), pageStyle)
	for _, l := range looks() {
		fmt.Fprintf(w, ".%s { --color: %s }\n", l.Kind, l.Color)
	}
	for _, l := range layers() {
		if !l.Shown {
			fmt.Fprintf(w, "#%s { display: none }\n", l.Name)
		}
	}
	fmt.Fprintf(w, "</style>\n<g id=%q><rect class=\"paper\" width=\"%.2f\" height=\"%.2f\"/>", pictureLayer, s.width, s.height)
	if picture != nil {
		if err := drawPicture(w, s, picture); err != nil {
			return err
		}
	}
	w.WriteString("</g>\n")
	byLayer := make(map[layout.TraceLayer][]layout.TraceBox)
	for _, b := range boxes {
		byLayer[b.Layer] = append(byLayer[b.Layer], b)
	}
	for _, name := range stages() {
		fmt.Fprintf(w, "<g id=%q>\n", name)
		if name == layout.TraceGlyphs {
			drawOutlines(w, byLayer[name])
		} else {
			for _, b := range byLayer[name] {
				drawBox(w, b.Box, "", b.Note)
			}
		}
		w.WriteString("</g>\n")
	}
	return nil
}

func drawPicture(w *bufio.Writer, s sheet, picture image.Image) error {
	fmt.Fprintf(w, `<image width="%.2f" height="%.2f" preserveAspectRatio="none" href="data:image/png;base64,`, s.width, s.height)
	text := base64.NewEncoder(base64.StdEncoding, w)
	fast := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := fast.Encode(text, picture); err != nil {
		return err
	}
	if err := text.Close(); err != nil {
		return err
	}
	w.WriteString(`"/>`)
	return nil
}

// drawOutlines draws boxes as a single shape: a page has thousands of glyphs.
func drawOutlines(w *bufio.Writer, boxes []layout.TraceBox) {
	w.WriteString(`<path d="`)
	for _, b := range boxes {
		fmt.Fprintf(w, "M%.2f %.2fh%.2fv%.2fh%.2fz", b.Box.Left, b.Box.Top, b.Box.Width(), b.Box.Height(), -b.Box.Width())
	}
	w.WriteString(`"/>`)
}

// drawBox draws one box with a note that shows when one points at it.
func drawBox(w *bufio.Writer, b document.Box, class, note string) {
	// Without any extent nothing would be drawn, and edges have none.
	const least = 0.3
	fmt.Fprintf(w, `<rect class=%q x="%.2f" y="%.2f" width="%.2f" height="%.2f"><title>%s</title></rect>`+"\n",
		class, b.Left, b.Top, math.Max(b.Width(), least), math.Max(b.Height(), least), escape(note))
}

// drawElements ends a page with the elements of the document.
func drawElements(w *bufio.Writer, s sheet, list []document.Element) {
	// Labels are readable at the size at which the whole page is: an A4 page gets letters of 6 points.
	unit := math.Sqrt(s.width*s.height) / 700
	all := flatten(list, 0)
	fmt.Fprintf(w, "<g id=%q>\n", cellLayer)
	for _, e := range all {
		if e.element.Grid != nil {
			drawCells(w, e.element.Grid)
		}
	}
	fmt.Fprintf(w, "</g>\n<g id=%q style=\"--unit: %.3fpx\">\n", elementLayer, unit)
	for _, e := range all {
		drawElement(w, e, unit)
	}
	fmt.Fprintf(w, "</g>\n<g id=%q style=\"--unit: %.3fpx\">\n", orderLayer, unit)
	drawOrder(w, all, unit)
	fmt.Fprintf(w, "</g>\n<script><![CDATA[\n%s]]></script>\n</svg>\n", pageScript)
}

// An item is an element with its place in the tree.
type item struct {
	number  int // in reading order, as in the ids of the JSON output
	depth   int
	element *document.Element
}

// flatten lists elements and those in them, in reading order.
func flatten(list []document.Element, depth int) []item {
	var out []item
	var walk func([]document.Element, int)
	walk = func(list []document.Element, depth int) {
		for i := range list {
			out = append(out, item{len(out) + 1, depth, &list[i]})
			walk(list[i].Children, depth+1)
		}
	}
	walk(list, depth)
	return out
}

// label is what the box of an element is marked with.
func (i item) label() string {
	s := fmt.Sprintf("%d %s", i.number, lookOf(i.element.Kind).short)
	switch e := i.element; {
	case e.Kind == document.Heading && e.Level == 0:
		s = fmt.Sprintf("%d Title", i.number)
	case e.Kind == document.Heading:
		s += fmt.Sprint(e.Level)
	case e.Grid != nil:
		s += fmt.Sprintf(" %d×%d", e.Grid.Rows, e.Grid.Cols)
	case e.Code:
		s += " code"
	}
	if i.element.Continues {
		s += " ↩"
	}
	return s
}

// note is all that is known of an element.
func (i item) note() string {
	e := i.element
	s := fmt.Sprintf("%s: %s", e.ID, e.Kind)
	switch {
	case e.Kind == document.Heading && e.Level == 0:
		s += ", the title"
	case e.Kind == document.Heading:
		s += fmt.Sprintf(", level %d", e.Level)
	case e.Grid != nil:
		s += fmt.Sprintf(", %d rows, %d of them header rows, %d columns", e.Grid.Rows, e.Grid.HeaderRows, e.Grid.Cols)
	}
	if e.Continues {
		s += ", continued from before"
	}
	if e.FontName != "" {
		s += fmt.Sprintf("\n%s %.1f pt", e.FontName, e.FontSize)
	}
	s += fmt.Sprintf("\n%.1f, %.1f – %.1f, %.1f pt", e.Box.Left, e.Box.Top, e.Box.Right, e.Box.Bottom)
	if text := excerpt(e, 400); text != "" {
		s += "\n\n" + text
	}
	return s
}

func drawElement(w *bufio.Writer, i item, unit float64) {
	b, label := i.element.Box, i.label()
	class := string(i.element.Kind)
	if i.element.Continues {
		class += " continues"
	}
	fmt.Fprintf(w, "<g id=\"e%d\" class=%q>\n", i.number, class)
	drawBox(w, b, "", i.note())
	if i.element.Kind != document.List { // its items are labelled
		// In the margin or the gutter, where it covers no text; characters are about 0.55 of their size wide.
		width, height := unit*(3.4*float64(len([]rune(label)))+2), 8*unit
		x, y := math.Max(b.Left-width-unit, 0), b.Top
		fmt.Fprintf(w, `<rect class="label" x="%.2f" y="%.2f" width="%.2f" height="%.2f" rx="%.2f"/>`, x, y, width, height, unit)
		fmt.Fprintf(w, `<text x="%.2f" y="%.2f">%s</text>`+"\n", x+unit, y+6*unit, escape(label))
	}
	w.WriteString("</g>\n")
}

func drawCells(w *bufio.Writer, g *document.Grid) {
	for i := range g.Cells {
		c := &g.Cells[i]
		class := "cell"
		if c.Row < g.HeaderRows {
			class = "head cell"
		}
		note := fmt.Sprintf("row %d, column %d", c.Row+1, c.Col+1)
		if c.RowSpan > 1 || c.ColSpan > 1 {
			note += fmt.Sprintf(", over %d rows and %d columns", c.RowSpan, c.ColSpan)
		}
		drawBox(w, c.Box, class, note+"\n\n"+textOf(c.Lines))
	}
}

// drawOrder draws the way that a reader takes from element to element.
func drawOrder(w *bufio.Writer, all []item, unit float64) {
	fmt.Fprintf(w, `<marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="4" markerHeight="4" orient="auto"><path d="M0 0L8 4L0 8z"/></marker>`+"\n")
	var path strings.Builder
	for _, i := range all {
		if i.element.Kind == document.List {
			continue
		}
		command := 'L'
		if path.Len() == 0 {
			command = 'M'
		}
		fmt.Fprintf(&path, "%c%.2f %.2f", command, i.element.Box.Left+unit, i.element.Box.Top+4*unit)
	}
	fmt.Fprintf(w, `<path class="way" d="%s"/>`+"\n", path.String())
}

// excerpt is the beginning of an element's own text, cut after most characters.
func excerpt(e *document.Element, most int) string {
	text := textOf(e.Lines)
	if e.Grid != nil {
		var cells []string
		for i := range e.Grid.Cells {
			cells = append(cells, textOf(e.Grid.Cells[i].Lines))
		}
		text = strings.Join(cells, " | ")
	}
	if e.Marker != "" {
		text = e.Marker + " " + text
	}
	if e.Alt != "" && text == "" {
		text = e.Alt
	}
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	return text
}

// textOf is the text of lines as one, hyphens at their ends undone.
func textOf(lines []document.Line) string {
	var s []byte
	for i := range lines {
		for _, r := range lines[i].Runs {
			s = append(s, r.Text...)
		}
		if i+1 == len(lines) {
			break
		}
		switch lines[i].Join {
		case document.JoinSpace:
			s = append(s, ' ')
		case document.JoinHyphen:
			s = bytes.TrimSuffix(s, []byte("-"))
		}
	}
	return string(s)
}

// escape makes text of a PDF harmless in XML.
func escape(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		panic(err) // a strings.Builder takes everything
	}
	return b.String()
}
