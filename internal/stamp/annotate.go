package stamp

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"github.com/ragify/ragify/internal/document"
)

// Annotate writes base to out with a box around each element of d: square annotations (ISO 32000-1, 12.5.6.8) with an
// appearance of their own, so that all readers draw the same, one layer for each type of element, and the number in the
// element's id, its type and the beginning of its text as their contents. The pages' content and what else is on them
// stays as it is, and above the boxes: links and form fields still work.
//
// It gives the pages (1-based, ascending) that it had to leave without boxes because their objects cannot be read.
// Errors that wrap ErrUnreadable blame the base as a whole; others come from reading it or from out.
func Annotate(out io.Writer, base *Base, d *document.Document) (skipped []int, err error) {
	defer func() { err = caught(recover(), err) }()
	w, err := base.NewWriter(out)
	if err != nil {
		return nil, err
	}
	a := annotator{base: base, w: w, layers: make(map[document.Kind]*layer), resources: w.Reserve()}
	for i := range d.Pages {
		switch err := a.page(&d.Pages[i]); {
		case errors.Is(err, ErrUnreadable):
			skipped = append(skipped, d.Pages[i].Number)
		case err != nil:
			return nil, fmt.Errorf("stamp.Annotate: page %d: %w", d.Pages[i].Number, err)
		}
	}
	w.Set(a.resources, a.resourceDict())
	if err := a.catalog(); err != nil {
		return nil, fmt.Errorf("stamp.Annotate: %w", err)
	}
	return skipped, w.Close()
}

// annotator is one Annotate at work.
type annotator struct {
	base      *Base
	w         *Writer
	layers    map[document.Kind]*layer
	resources types.IndirectRef // of all appearances
}

// layer is an optional-content group that has been referred to.
type layer struct {
	ref   types.IndirectRef
	count int // of the boxes in it
}

// layer gives the layer of a kind, with so many more boxes in it.
func (a *annotator) layer(kind document.Kind, more int) types.IndirectRef {
	l := a.layers[kind]
	if l == nil {
		l = &layer{ref: a.w.Reserve()}
		a.layers[kind] = l
	}
	l.count += more
	return l.ref
}

// catalog adds the layers to the document, and has readers show them.
func (a *annotator) catalog() error {
	ref, catalog, err := a.base.Catalog()
	if err != nil {
		return err
	}
	if catalog["OCProperties"], err = a.addLayers(catalog["OCProperties"]); err != nil {
		return err
	}
	catalog["PageMode"] = types.Name("UseOC") // the legend is what the file was made for
	if catalog["Version"] == nil {
		catalog["Version"] = types.Name("1.7") // a header of an older one says that there are no layers
	}
	a.w.Set(ref, catalog)
	return nil
}

// resourceDict is the resource dictionary of all appearances.
func (a *annotator) resourceDict() types.Dict {
	state := func(alpha float64) types.Dict {
		return types.Dict{"Type": types.Name("ExtGState"), "ca": types.Float(alpha), "CA": types.Float(alpha)}
	}
	properties := types.Dict{}
	for kind, l := range a.layers {
		properties[string(kind)] = l.ref
	}
	return types.Dict{
		"ExtGState":  types.Dict{washed: state(washedAlpha), faint: state(faintAlpha), half: state(halfAlpha), solid: state(solidAlpha)},
		"Font":       types.Dict{"F": types.Dict{"Type": types.Name("Font"), "Subtype": types.Name("Type1"), "BaseFont": types.Name(labelFont)}},
		"Properties": properties,
	}
}

// elements are those of a list and all below them, outer ones first.
func elements(list []document.Element) func(yield func(*document.Element) bool) {
	return func(yield func(*document.Element) bool) {
		for i := range list {
			if !yield(&list[i]) {
				return
			}
			for e := range elements(list[i].Children) {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// sizeTolerance is how far a page may differ from the one that the boxes were measured on, in points: coordinates are
// 32-bit in PDFium. One that differs by more has been understood in another way there, and boxes would be out of place.
const sizeTolerance = 1.0

// page puts the boxes on one page.
func (a *annotator) page(p *document.Page) error {
	if ref, ok := a.base.PageRef(p.Number); len(p.Elements) == 0 || ok && a.w.IsSet(ref) { // the tree may have a page twice
		return nil
	}
	page, err := a.base.Page(p.Number)
	if err != nil {
		return err
	}
	if w, h := page.Size(); math.Abs(w-p.Width) > sizeTolerance || math.Abs(h-p.Height) > sizeTolerance {
		return unreadable("size of page %d", p.Number)
	}
	existing, err := a.base.Array(page.Dict["Annots"])
	if err != nil {
		return err
	}
	sheet := newSheet(p)
	var boxes types.Array
	for i := range p.Elements {
		boxes = a.element(boxes, sheet, &page, &p.Elements[i])
	}
	page.Dict["Annots"] = append(boxes, existing...)
	a.w.Set(page.Ref, page.Dict)
	return nil
}

// element appends the annotations of e and what is in it, lower ones first. Of a table the cells are lower, for they are
// one annotation and a click is to reach the table's; elsewhere what is inside is higher.
func (a *annotator) element(to types.Array, s *sheet, page *Page, e *document.Element) types.Array {
	if e.Grid != nil {
		if cells, ok := s.drawCells(e); ok {
			to = append(to, a.annotation(page, cells, cellKind, types.Dict{"Contents": Text("cells of " + e.ID), "NM": Text(e.ID + ".cells")}))
		}
	}
	if box, ok := s.draw(e); ok {
		to = append(to, a.annotation(page, box, e.Kind, types.Dict{"Contents": Text(describe(e)), "NM": Text(e.ID), "Subj": Text(typeOf(e))}))
	}
	for i := range e.Children {
		to = a.element(to, s, page, &e.Children[i])
	}
	return to
}

// The annotation flags (ISO 32000-1, table 165): printed with the page, and not to be moved or edited by accident. It is
// not ReadOnly, for then readers show no contents.
const (
	flagPrint          = 1 << 2
	flagLocked         = 1 << 7
	flagLockedContents = 1 << 9
)

// annotation writes one annotation with its appearance and gives its reference. more is changed.
func (a *annotator) annotation(page *Page, d drawing, kind document.Kind, more types.Dict) types.IndirectRef {
	upright := [4][4]int{{1, 0, 0, 1}, {0, 1, -1, 0}, {-1, 0, 0, -1}, {0, -1, 1, 0}}[page.turns]
	look := lookOf(kind)
	layer := a.layer(look.kind, d.boxes)
	// The content is marked as the layer's as well, for PDFium draws annotations whatever their own entry says.
	operators := fmt.Sprintf("/OC /%s BDC\n%sEMC\n", look.kind, d.operators)
	appearance := a.w.AddStream(types.Dict{
		"Type": types.Name("XObject"), "Subtype": types.Name("Form"), "Resources": a.resources,
		"BBox":   reals(0, 0, d.extent.Width(), d.extent.Height()),
		"Matrix": types.NewIntegerArray(append(upright[:], 0, 0)...),
	}, []byte(operators))
	rect, inner := page.ToUser(d.extent), page.ToUser(d.box)
	more["Type"], more["Subtype"] = types.Name("Annot"), types.Name("Square")
	more["Rect"] = reals(rect[:]...)
	more["RD"] = reals(max(inner[0]-rect[0], 0), max(inner[1]-rect[1], 0), max(rect[2]-inner[2], 0), max(rect[3]-inner[3], 0))
	more["P"] = page.Ref
	more["T"] = Text("Ragify")
	more["F"] = types.Integer(flagPrint | flagLocked | flagLockedContents)
	more["C"] = reals(look.color[:]...)
	more["BS"] = types.Dict{"W": types.Float(look.stroke)}
	more["AP"] = types.Dict{"N": appearance}
	more["OC"] = layer
	return a.w.Add(more)
}

// reals is an array of numbers, exact to the thousandth.
func reals(v ...float64) types.Array {
	a := make(types.Array, len(v))
	for i, x := range v {
		a[i] = types.Float(math.Round(x*1000) / 1000)
	}
	return a
}

// typeOf names e's type as the JSON output does, with its level.
func typeOf(e *document.Element) string {
	switch {
	case e.Kind == document.Heading:
		return "heading " + levelName(e.Level)
	case e.Kind == document.Paragraph && e.Code:
		return "paragraph (code)"
	case e.Kind == document.List && e.Ordered:
		return "list (ordered)"
	case e.Kind == document.Table && e.Grid != nil:
		return fmt.Sprintf("table %d × %d", e.Grid.Rows, e.Grid.Cols)
	}
	return strings.ReplaceAll(string(e.Kind), "_", " ")
}

// levelName names heading levels as the JSON output does.
func levelName(level int) string {
	if level <= 0 {
		return "Title"
	}
	return fmt.Sprintf("H%d", min(level, 6))
}

// numberOf is the number in an element's id, which counts the elements of a page in reading order: "p3.e12" has 12.
func numberOf(e *document.Element) string {
	_, number, _ := strings.Cut(e.ID, ".e")
	return number
}

// describe is what a person reads who asks for an element: its number in reading order, type and id, and how it begins.
func describe(e *document.Element) string {
	s := numberOf(e) + " · " + typeOf(e) + " · " + e.ID
	if e.Continues {
		s += " · continued"
	}
	text := beginning(e.Lines)
	if e.Kind == document.ListItem {
		text = strings.TrimSpace(e.Marker + " " + text)
	}
	if text == "" {
		text = clip(e.Alt)
	}
	if text != "" {
		s += "\n" + text
	}
	return s
}

// mostText is how much of an element's text its annotation repeats, in characters: about two lines, to tell it by.
const mostText = 160

// beginning is the beginning of a text.
func beginning(lines []document.Line) string {
	var b strings.Builder
	for _, l := range lines {
		if b.Len() > 4*mostText {
			break
		}
		for _, r := range l.Runs {
			b.WriteString(r.Text)
		}
		switch l.Join {
		case document.JoinSpace:
			b.WriteByte(' ')
		case document.JoinHyphen:
			s := strings.TrimRight(b.String(), "-\u00AD\u2010")
			b.Reset()
			b.WriteString(s)
		}
	}
	return clip(b.String())
}

// clip cuts a text to what annotations repeat, without control characters.
func clip(s string) string {
	letters := []rune(strings.Join(strings.Fields(s), " "))
	letters = slices.DeleteFunc(letters, func(r rune) bool { return r < ' ' || r >= 0x7F && r < 0xA0 })
	if len(letters) > mostText {
		return strings.TrimSpace(string(letters[:mostText])) + "…"
	}
	return string(letters)
}
