package stamp

import (
	"strings"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// Bounds on the content of a page.
const (
	maxContent = 64 << 20  // decoded bytes of a stream, and of all streams of a page
	maxItems   = 1_000_000 // items of a page; the densest maps have a tenth of that
	maxForms   = 40        // forms within forms: PDFium's limit
	maxDecoded = 256 << 20 // bytes of all streams that are read for a page, forms with them
)

// An item is a part of a content stream that tagging has to do with.
type item struct {
	kind       itemKind
	start, end int // in the stream
	// text and image are the numbers of text and image objects before it in its stream.
	text, image int32
	width       uint8  // text: bytes per character code, 0 when they differ or are not known
	name        string // form: its name in the resources
	form        formCounts
	spoken      spoken // beginSpoken
}

type itemKind uint8

const (
	textItem    itemKind = iota // shows text: one text object of PDFium's
	imageItem                   // paints an image
	formItem                    // runs a form that paints something
	pathItem                    // paints paths or shadings
	beginText                   // BT
	endText                     // ET
	saveState                   // q
	restore                     // Q
	beginKept                   // BDC or BMC of marked content that stays: it is optional content
	beginSpoken                 // the same with a text that it stands for, to be handed on
	beginPlain                  // the same that goes: it belongs to the old structure
	endKept                     // EMC of each
	endSpoken
	endPlain
)

// formCounts is how many objects a form paints, with the forms in it.
type formCounts struct{ texts, images, paths int32 }

// contentStream is the scanned content of a page or form.
type contentStream struct {
	data      []byte
	resources types.Dict
	items     []item
	formCounts
}

// A scanner reads the content streams of one page.
type scanner struct {
	base      *Base
	resources types.Dict                  // of the page, for what a form does not have itself
	language  string                      // of the document, as strings are written: (en)
	forms     map[int]formCounts          // of the file: those with resources of their own
	own       map[int]formCounts          // of the page: those without
	widths    map[types.IndirectRef]uint8 // of the codes of the file's fonts
	active    map[int]bool                // forms being read: one in itself paints nothing
	items     int
	decoded   int // bytes
}

// fontState is the part of the text state that decides whether PDFium makes an object of a string.
type fontState struct {
	set   bool
	width uint8
}

// scan finds the items of a stream. The i-th item that shows text is PDFium's i-th text object: it makes one of each
// string or array of strings that is not empty, once a font is set.
func (s *scanner) scan(data []byte, resources types.Dict, depth int) (*contentStream, error) {
	c := &contentScan{scanner: s, depth: depth, path: -1, fonts: make(map[string]fontState), stream: &contentStream{data: data, resources: resources}}
	t := tokenizer{data: data}
	for op, ok := t.next(); ok; op, ok = t.next() {
		if err := c.operation(op); err != nil {
			return nil, err
		}
	}
	return c.stream, nil
}

// contentScan is the scan of one stream.
type contentScan struct {
	*scanner
	depth  int
	stream *contentStream
	font   fontState
	saved  []fontState
	marks  []itemKind // the ends of open marked content
	path   int        // where the path at hand begins, -1 for none
	fonts  map[string]fontState
}

func (c *contentScan) operation(op operation) error {
	switch string(op.name) {
	case "m", "l", "c", "v", "y", "h", "re":
		if c.path < 0 {
			c.path = op.start
		}
	case "f", "F", "f*", "S", "s", "B", "B*", "b", "b*":
		start := op.start
		if c.path >= 0 {
			start = c.path
		}
		return c.painted(start, op.end)
	case "n":
		c.path = -1
	case "sh":
		return c.painted(op.start, op.end)
	case "q":
		c.saved = append(c.saved, c.font)
		return c.add(item{kind: saveState}, op)
	case "Q":
		if n := len(c.saved); n > 0 {
			c.font, c.saved = c.saved[n-1], c.saved[:n-1]
		}
		return c.add(item{kind: restore}, op)
	case "BT":
		return c.add(item{kind: beginText}, op)
	case "ET":
		return c.add(item{kind: endText}, op)
	case "Tf":
		return c.setFont(op)
	case "gs":
		return c.setState(op)
	case "Tj", "TJ", "'", `"`:
		if c.font.set && showsText(op, c.stream.data) {
			if err := c.add(item{kind: textItem, width: c.font.width}, op); err != nil {
				return err
			}
			c.stream.texts++
		}
	case "BI":
		if err := c.add(item{kind: imageItem}, op); err != nil {
			return err
		}
		c.stream.images++
	case "Do":
		return c.object(op)
	case "BMC", "BDC":
		return c.beginMark(op)
	case "EMC":
		if n := len(c.marks); n > 0 {
			end := c.marks[n-1]
			c.marks = c.marks[:n-1]
			return c.add(item{kind: end}, op)
		}
		return c.add(item{kind: endPlain}, op)
	}
	return nil
}

// add appends an item that takes the place of op.
func (c *contentScan) add(it item, op operation) error {
	it.start, it.end = op.start, op.end
	it.text, it.image = c.stream.texts, c.stream.images
	c.path = -1
	if c.items++; c.items > maxItems {
		return unreadable("more than %d items on a page", maxItems)
	}
	c.stream.items = append(c.stream.items, it)
	return nil
}

// painted notes a painted path. What follows each other is one item.
func (c *contentScan) painted(start, end int) error {
	c.stream.paths++
	c.path = -1
	if n := len(c.stream.items); n > 0 && c.stream.items[n-1].kind == pathItem {
		c.stream.items[n-1].end = end
		return nil
	}
	return c.add(item{kind: pathItem}, operation{start: start, end: end})
}

// showsText reports whether an operation shows a string that is not empty.
func showsText(op operation, data []byte) bool {
	args := op.args
	if string(op.name) != "TJ" { // the last operand counts
		args = args[max(len(args)-1, 0):]
	} else if n := len(args); n == 0 || args[n-1].kind != closeArray {
		return false
	}
	for _, a := range args {
		if (a.kind == literalToken || a.kind == hexToken) && len(a.decoded(data)) > 0 {
			return true
		}
	}
	return false
}

// resource finds an entry of a category of the resources, as PDFium does: those of the page hold where a form's do not.
func (c *contentScan) resource(category, name string) (types.Object, error) {
	for _, r := range []types.Dict{c.stream.resources, c.resources} {
		d, err := c.base.Dict(r[category])
		if err != nil {
			return nil, err
		}
		if o, ok := d[name]; ok {
			return o, nil
		}
	}
	return nil, nil
}

// lastName is the name among the operands that is n-th from the end.
func (c *contentScan) lastName(op operation, n int) (string, bool) {
	if k := len(op.args) - 1 - n; k >= 0 && op.args[k].kind == nameToken {
		return nameOf(c.stream.data[op.args[k].start:op.args[k].end]), true
	}
	return "", false
}

// setFont reads Tf. A font that is not among the resources is Helvetica to PDFium.
func (c *contentScan) setFont(op operation) error {
	name, ok := c.lastName(op, 1)
	if !ok {
		name = ""
	}
	if f, ok := c.fonts[name]; ok {
		c.font = f
		return nil
	}
	o, err := c.resource("Font", name)
	if err != nil {
		return err
	}
	ref, isRef := o.(types.IndirectRef)
	width, known := c.widths[ref]
	if !isRef || !known {
		d, err := c.base.Dict(o)
		if err != nil {
			return err
		}
		width = codeWidth(c.base, d)
	}
	if isRef {
		c.widths[ref] = width
	}
	c.font = fontState{set: true, width: width}
	c.fonts[name] = c.font
	return nil
}

// codeWidth is the number of bytes of a font's character codes, 0 when that is not known.
func codeWidth(b *Base, font types.Dict) uint8 {
	subtype, err := b.Resolve(font["Subtype"])
	if err != nil {
		return 0
	}
	if subtype != types.Name("Type0") {
		return 1
	}
	encoding, err := b.Resolve(font["Encoding"])
	if err != nil {
		return 0
	}
	switch e := encoding.(type) {
	case types.Name:
		// Of the predefined ones (ISO 32000-1, table 118) those for Unicode and the identities have two bytes.
		if n := string(e); n == "Identity-H" || n == "Identity-V" || strings.Contains(n, "UCS2") {
			return 2
		}
	case types.StreamDict: // its own; hardly any has codes of other lengths, and counting the glyphs tells
		return 2
	}
	return 0
}

// setState reads gs: a graphics state may set a font.
func (c *contentScan) setState(op operation) error {
	name, ok := c.lastName(op, 0)
	if !ok {
		return nil
	}
	o, err := c.resource("ExtGState", name)
	if err != nil {
		return err
	}
	d, err := c.base.Dict(o)
	if err != nil {
		return err
	}
	if d["Font"] != nil {
		c.font = fontState{set: true}
	}
	return nil
}

// object reads Do.
func (c *contentScan) object(op operation) error {
	name, ok := c.lastName(op, 0)
	if !ok {
		return nil
	}
	ref, err := c.resource("XObject", name)
	if err != nil {
		return err
	}
	o, err := c.base.Resolve(ref)
	if err != nil {
		return err
	}
	stream, ok := o.(types.StreamDict)
	if !ok {
		return nil
	}
	subtype, err := c.base.Resolve(stream.Dict["Subtype"])
	if err != nil {
		return err
	}
	switch subtype {
	case types.Name("Image"):
		if err := c.add(item{kind: imageItem}, op); err != nil {
			return err
		}
		c.stream.images++
	case types.Name("Form"):
		counts, err := c.formCounts(ref, stream)
		if err != nil || counts == (formCounts{}) {
			return err
		}
		if err := c.add(item{kind: formItem, name: name, form: counts}, op); err != nil {
			return err
		}
		c.stream.texts += counts.texts
		c.stream.images += counts.images
		c.stream.paths += counts.paths
	}
	return nil
}

// formCounts counts what a form paints. A form is read once.
func (c *contentScan) formCounts(o types.Object, stream types.StreamDict) (formCounts, error) {
	ref, isRef := o.(types.IndirectRef)
	number := ref.ObjectNumber.Value()
	if !isRef || c.active[number] {
		return formCounts{}, nil
	}
	known := c.own
	if stream.Dict["Resources"] != nil {
		known = c.forms
	}
	if counts, ok := known[number]; ok {
		return counts, nil
	}
	if c.depth >= maxForms {
		return formCounts{}, unreadable("forms within forms")
	}
	c.active[number] = true
	defer delete(c.active, number)
	inner, err := c.form(stream, c.depth+1)
	if err != nil {
		return formCounts{}, err
	}
	if inner.texts > maxItems || inner.images > maxItems || inner.paths > maxItems {
		return formCounts{}, unreadable("more than %d objects in a form", maxItems)
	}
	known[number] = inner.formCounts
	return inner.formCounts, nil
}

// form scans a form's content.
func (s *scanner) form(stream types.StreamDict, depth int) (*contentStream, error) {
	data, err := s.base.Stream(stream, maxContent)
	if err != nil {
		return nil, err
	}
	if s.decoded += len(data); s.decoded > maxDecoded {
		return nil, unreadable("more than %d bytes of content on a page", maxDecoded)
	}
	resources, err := s.base.Dict(stream.Dict["Resources"])
	if err != nil {
		return nil, err
	}
	if resources == nil {
		resources = s.resources
	}
	return s.scan(data, resources, depth)
}

// beginMark reads BMC and BDC.
func (c *contentScan) beginMark(op operation) error {
	kind, end := beginPlain, endPlain
	if len(op.args) > 0 && op.args[0].kind == nameToken && nameOf(c.stream.data[op.args[0].start:op.args[0].end]) == "OC" {
		kind, end = beginKept, endKept
	}
	it := item{kind: kind}
	if kind == beginPlain && len(op.args) > 1 {
		found, err := c.spoken(op)
		if err != nil {
			return err
		}
		if found != (spoken{}) {
			it, end = item{kind: beginSpoken, spoken: found}, endSpoken
		}
	}
	c.marks = append(c.marks, end)
	return c.add(it, op)
}

// spoken is what a property list says of content, whatever structure that belongs to (ISO 32000-1, 14.9): entries as
// they are written.
type spoken struct {
	actual string // ActualText: what the content really says
	others string // E and Lang
}

// take gives the entries for the next stretch of the content: what it really says is said once.
func (s *spoken) take() string {
	out := s.actual + s.others
	if s.actual != "" {
		s.actual = "/ActualText()"
	}
	return out
}

// put adds an entry; a language that the whole document is in says nothing.
func (s *spoken) put(key, value, language string) {
	switch key {
	case "ActualText":
		s.actual = "/ActualText" + value
	case "E":
		s.others += "/E" + value
	case "Lang":
		if !strings.EqualFold(value, language) {
			s.others += "/Lang" + value
		}
	}
}

// spoken reads a mark's property list.
func (c *contentScan) spoken(op operation) (s spoken, err error) {
	const most = 1 << 16 // bytes of a value: more stands for no word
	if name, ok := c.lastName(op, 0); ok {
		o, err := c.resource("Properties", name)
		if err != nil {
			return s, err
		}
		d, err := c.base.Dict(o)
		if err != nil {
			return s, err
		}
		for _, key := range []string{"ActualText", "E", "Lang"} {
			v, err := c.base.Resolve(d[key])
			if err != nil {
				return s, err
			}
			switch v.(type) {
			case types.StringLiteral, types.HexLiteral:
				if text := v.PDFString(); len(text) <= most {
					s.put(key, text, c.language)
				}
			}
		}
		return s, nil
	}
	depth := 0
	for k, a := range op.args[:len(op.args)-1] {
		switch value := op.args[k+1]; a.kind {
		case openDict:
			depth++
		case closeDict:
			depth--
		case nameToken:
			if depth == 1 && (value.kind == literalToken || value.kind == hexToken) && value.end-value.start <= most {
				s.put(nameOf(c.stream.data[a.start:a.end]), string(c.stream.data[value.start:value.end]), c.language)
			}
		}
	}
	return s, nil
}
