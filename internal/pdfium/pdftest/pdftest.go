// Package pdftest makes small PDF files for tests: text at exact places, lines, rectangles, images,
// links, bookmarks, rotation, crop boxes, encryption, and pages that are hostile on purpose. The same
// calls always give the same bytes.
package pdftest

import (
	"bytes"
	"fmt"
	"image"
	"maps"
	"slices"
	"strings"
)

// The standard fonts that text can use; every reader has them, so no font data is needed.
const (
	Regular = "Helvetica"
	Bold    = "Helvetica-Bold"
	Oblique = "Helvetica-Oblique"
	Serif   = "Times-Roman"
	Mono    = "Courier"
)

// fonts are the standard fonts in the order of their resource names F0, F1, …
var fonts = []string{Regular, Bold, Oblique, Serif, Mono}

// Builder puts a file together. Make one with New.
type Builder struct {
	pages     []*Page
	info      map[string]string
	bookmarks []bookmark
	lang      string
	signed    bool
	tags      []*Tag // at the top of the structure tree
	roles     string // entries of the role map
	layers    []layer
}

type bookmark struct {
	title string
	level int
	page  int
	top   float64
}

// New is an empty file: add at least one page.
func New() *Builder { return &Builder{info: make(map[string]string)} }

// Info sets an entry of the document information, e.g. Info("Title", "Report").
func (b *Builder) Info(key, value string) { b.info[key] = value }

// Language sets the catalogue's language tag.
func (b *Builder) Language(tag string) { b.lang = tag }

// Sign adds a signature field with a signature, which is not a valid one.
func (b *Builder) Sign() { b.signed = true }

// Bookmark adds an outline entry: level from 1, page from 1, y of the target in PDF user space.
func (b *Builder) Bookmark(title string, level, page int, y float64) {
	b.bookmarks = append(b.bookmarks, bookmark{title, level, page, y})
}

// Page is one page under construction. All coordinates are PDF user space: points, origin at the bottom
// left of the media box, y upwards.
type Page struct {
	width, height float64
	rotate        int
	crop          []float64
	content       strings.Builder
	links         []link
	fields        []field
	annotations   []annotation
	streams       []attachment
	compressed    bool
	marked        []*Tag       // by marked-content id
	layers        map[int]bool // those in use, by object number
}

// attachment is a further object of a page (a stream when it has data, else a dictionary), with its entry
// in a category of the page's resources (none when empty). %d stands for an object number: in dict for the attachment before this one, in entry for
// this one.
type attachment struct{ dict, data, category, entry string }

type link struct {
	left, bottom, right, top float64
	uri                      string
}

type annotation struct {
	subtype             string
	x, y, width, height float64
	entries, operators  string
}

type field struct {
	x, y, width, height float64
	value               string
}

// Page adds an empty page of the given size in points.
func (b *Builder) Page(width, height float64) *Page {
	p := &Page{width: width, height: height, layers: make(map[int]bool)}
	b.pages = append(b.pages, p)
	return p
}

// Text shows s with its baseline starting at (x, y). Characters beyond Latin-1 become question marks, but
// for the ligatures ﬁ and ﬂ.
func (p *Page) Text(x, y, size float64, font, s string) {
	p.TextMatrix([6]float64{1, 0, 0, 1, x, y}, size, font, s)
}

// TextMatrix shows s under the text matrix m.
func (p *Page) TextMatrix(m [6]float64, size float64, font, s string) {
	n := slices.Index(fonts, font)
	if n < 0 {
		panic("pdftest: unknown font " + font)
	}
	fmt.Fprintf(&p.content, "BT /F%d %g Tf %s Tm %s Tj ET\n", n, size, numbers(m[:]...), literal(s))
}

// Line strokes a line of the given width.
func (p *Page) Line(x0, y0, x1, y1, width float64) {
	p.Raw(fmt.Sprintf("%g w %g %g m %g %g l S", width, x0, y0, x1, y1))
}

// Rect strokes a rectangle with corner (x, y).
func (p *Page) Rect(x, y, width, height, stroke float64) {
	p.Raw(fmt.Sprintf("%g w %s re S", stroke, numbers(x, y, width, height)))
}

// Fill fills a rectangle with corner (x, y) in the given colour, components 0 to 1.
func (p *Page) Fill(x, y, width, height, red, green, blue float64) {
	p.Raw(fmt.Sprintf("q %s rg %s re f Q", numbers(red, green, blue), numbers(x, y, width, height)))
}

// Image paints a 2 × 1 pixel picture, half gray and half white, over the rectangle with corner (x, y).
func (p *Page) Image(x, y, width, height float64) {
	p.Raw(fmt.Sprintf("q %s cm BI /W 2 /H 1 /CS /G /BPC 8 /F /AHx ID 80FF> EI Q", numbers(width, 0, 0, height, x, y)))
}

// Picture paints img over the rectangle with corner (x, y), as a scanner's program would.
func (p *Page) Picture(x, y, width, height float64, img *image.Gray) {
	name := fmt.Sprintf("/X%d", len(p.streams))
	p.Raw(fmt.Sprintf("q %s cm %s Do Q", numbers(width, 0, 0, height, x, y), name))
	size := img.Bounds().Size()
	pixels := make([]byte, 0, size.X*size.Y)
	for row := range size.Y {
		pixels = append(pixels, img.Pix[row*img.Stride:][:size.X]...)
	}
	p.streams = append(p.streams, attachment{
		dict: fmt.Sprintf("/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /FlateDecode", size.X, size.Y),
		data: deflate(string(pixels)), category: "XObject", entry: name + " %d 0 R",
	})
}

// Form runs the given operators as a form XObject under matrix m.
func (p *Page) Form(m [6]float64, operators string) { p.form(m, "", operators) }

// form is Form with further entries of its dictionary.
func (p *Page) form(m [6]float64, entries, operators string) {
	name := fmt.Sprintf("/X%d", len(p.streams))
	p.Raw(fmt.Sprintf("q %s cm %s Do Q", numbers(m[:]...), name))
	p.streams = append(p.streams, attachment{
		dict: formDict + entries + " /Resources << " + fontResources() + " >>", data: operators,
		category: "XObject", entry: name + " %d 0 R",
	})
}

// FormInForm runs the given operators as a form XObject under matrix inner, within one under matrix outer.
func (p *Page) FormInForm(outer, inner [6]float64, operators string) {
	name := fmt.Sprintf("/X%d", len(p.streams))
	p.Raw(fmt.Sprintf("q %s cm %s Do Q", numbers(outer[:]...), name))
	p.streams = append(p.streams,
		attachment{dict: formDict + " /Resources << " + fontResources() + " >>", data: operators},
		attachment{
			dict: formDict + " /Resources << /XObject << /In %d 0 R >> >>", data: fmt.Sprintf("%s cm /In Do", numbers(inner[:]...)),
			category: "XObject", entry: name + " %d 0 R",
		})
}

// Alpha shows what show adds to the page's content with the given opacity, 0 to 1.
func (p *Page) Alpha(opacity float64, show func()) {
	p.State(fmt.Sprintf("/ca %g /CA %g", opacity, opacity), show)
}

// State shows what show adds to the page's content with the given entries of a graphics state.
func (p *Page) State(entries string, show func()) {
	name := fmt.Sprintf("/G%d", len(p.streams))
	p.streams = append(p.streams, attachment{dict: "/Type /ExtGState " + entries, category: "ExtGState", entry: name + " %d 0 R"})
	p.Raw("q " + name + " gs")
	show()
	p.Raw("Q")
}

// Shade fills a rectangle with corner (x, y) with an axial shading from left to right, between two colours.
func (p *Page) Shade(x, y, width, height float64, left, right [3]float64) {
	name := fmt.Sprintf("/S%d", len(p.streams))
	p.streams = append(p.streams, attachment{
		dict: fmt.Sprintf("/ShadingType 2 /ColorSpace /DeviceRGB /Coords [%s] /Function << /FunctionType 2 /Domain [0 1] /N 1 /C0 [%s] /C1 [%s] >>",
			numbers(x, 0, x+width, 0), numbers(left[:]...), numbers(right[:]...)),
		category: "Shading", entry: name + " %d 0 R",
	})
	p.Raw(fmt.Sprintf("q %s re W n %s sh Q", numbers(x, y, width, height), name))
}

// formDict begins every form's dictionary.
const formDict = "/Type /XObject /Subtype /Form /BBox [-10000 -10000 10000 10000]"

// Link adds a link annotation to a web address over a rectangle given by two corners.
func (p *Page) Link(left, bottom, right, top float64, uri string) {
	p.links = append(p.links, link{left, bottom, right, top, uri})
}

// Field adds a form field with corner (x, y) that shows a value.
func (p *Page) Field(x, y, width, height float64, value string) {
	p.fields = append(p.fields, field{x, y, width, height, value})
}

// Annotate adds an annotation of a type over the rectangle with corner (x, y), with further entries, that looks as the
// operators paint it in coordinates of its own.
func (p *Page) Annotate(subtype string, x, y, width, height float64, entries, operators string) {
	p.annotations = append(p.annotations, annotation{subtype, x, y, width, height, entries, operators})
}

// Entry is the entry by which an annotation is on a layer.
func (l Layer) Entry() string { return fmt.Sprintf("/OC %d 0 R", l.id) }

// Rotate sets /Rotate: clockwise degrees, a multiple of 90.
func (p *Page) Rotate(degrees int) { p.rotate = degrees }

// Crop sets the crop box by two corners.
func (p *Page) Crop(left, bottom, right, top float64) { p.crop = []float64{left, bottom, right, top} }

// Raw appends operators to the page's content stream.
func (p *Page) Raw(operators string) { p.content.WriteString(operators + "\n") }

// Pages is a file of n pages; page i shows the heading "Page i of n" and a short paragraph.
func Pages(n int) []byte {
	b := New()
	for i := 1; i <= n; i++ {
		p := b.Page(612, 792)
		p.Text(72, 700, 24, Bold, fmt.Sprintf("Page %d of %d", i, n))
		p.Text(72, 660, 11, Regular, fmt.Sprintf("This is the text of page %d. It is there to be read,", i))
		p.Text(72, 646, 11, Regular, "and it runs over two lines.")
	}
	return b.Bytes()
}

// Text is a one-page file with the given lines in 11 point type, one below the other.
func Text(lines ...string) []byte {
	b := New()
	p := b.Page(612, 792)
	for i, s := range lines {
		p.Text(72, 720-14*float64(i), 11, Regular, s)
	}
	return b.Bytes()
}

// Bytes is the finished file.
func (b *Builder) Bytes() []byte {
	w := &writer{}
	w.buf.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	catalog, pageTree := w.reserve(), w.reserve()
	for _, name := range fonts {
		w.object(w.reserve(), "<< /Type /Font /Subtype /Type1 /BaseFont /"+name+" /Encoding << /BaseEncoding /WinAnsiEncoding /Differences [ 1 /fi /fl /nameless ] >> >>")
	}
	b.writeLayers(w)
	first := make([]int, len(b.pages))
	var kids strings.Builder
	for i := range b.pages {
		first[i] = w.reserve()
		fmt.Fprintf(&kids, "%d 0 R ", first[i])
	}
	for i, p := range b.pages {
		p.write(w, first[i], pageTree, i)
	}
	w.object(pageTree, fmt.Sprintf("<< /Type /Pages /Count %d /Kids [ %s] >>", len(b.pages), kids.String()))
	root := fmt.Sprintf("<< /Type /Catalog /Pages %d 0 R", pageTree)
	if b.lang != "" {
		root += " /Lang " + text(b.lang)
	}
	root += b.writeTags(w, first) + b.layerEntries()
	if b.signed {
		field := w.reserve()
		w.object(field, "<< /FT /Sig /T (signature) /V << /Type /Sig /Filter /Adobe.PPKLite /SubFilter /adbe.pkcs7.detached /ByteRange [ 0 1 2 3 ] /Contents <00> >> >>")
		root += fmt.Sprintf(" /AcroForm << /SigFlags 3 /Fields [ %d 0 R ] >>", field)
	}
	if len(b.bookmarks) > 0 {
		root += fmt.Sprintf(" /Outlines %d 0 R", b.writeBookmarks(w, first))
	}
	w.object(catalog, root+" >>")
	info := w.reserve()
	var entries strings.Builder
	for _, key := range slices.Sorted(maps.Keys(b.info)) {
		fmt.Fprintf(&entries, "/%s %s ", key, text(b.info[key]))
	}
	w.object(info, "<< "+entries.String()+">>")
	return w.finish(catalog, info)
}

// firstFont is the object number of fonts[0]: the catalogue and the page tree come before it.
const firstFont = 3

// fontResources is the font category of a resource dictionary.
func fontResources() string {
	s := "/Font <<"
	for i := range fonts {
		s += fmt.Sprintf(" /F%d %d 0 R", i, firstFont+i)
	}
	return s + " >>"
}

// write adds the page's objects. index counts pages from 0.
func (p *Page) write(w *writer, self, parent, index int) {
	dict, operators := "", p.content.String()
	if p.compressed {
		dict, operators = "/Filter /FlateDecode", deflate(operators)
	}
	content := w.stream(dict, operators)
	categories := make(map[string]string)
	previous := 0
	for _, a := range p.streams {
		if strings.Contains(a.dict, "%d") {
			a.dict = fmt.Sprintf(a.dict, previous)
		}
		if a.data != "" {
			previous = w.stream(a.dict, a.data)
		} else {
			previous = w.reserve()
			w.object(previous, "<< "+a.dict+" >>")
		}
		if a.category != "" {
			categories[a.category] += fmt.Sprintf(a.entry, previous) + " "
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.layers)) {
		categories["Properties"] += fmt.Sprintf("/L%d %d 0 R ", id, id)
	}
	resources := fontResources()
	for _, category := range slices.Sorted(maps.Keys(categories)) {
		resources += fmt.Sprintf(" /%s << %s>>", category, categories[category])
	}
	var annots strings.Builder
	for _, l := range p.links {
		id := w.reserve()
		w.object(id, fmt.Sprintf("<< /Type /Annot /Subtype /Link /Border [0 0 0] /Rect [%s] /A << /S /URI /URI %s >> >>",
			numbers(l.left, l.bottom, l.right, l.top), text(l.uri)))
		fmt.Fprintf(&annots, "%d 0 R ", id)
	}
	for _, d := range p.fields {
		look := w.stream(fmt.Sprintf("/Type /XObject /Subtype /Form /BBox [0 0 %s] /Resources << %s >>", numbers(d.width, d.height), fontResources()),
			fmt.Sprintf("/Tx BMC BT /F0 10 Tf 2 4 Td %s Tj ET EMC", literal(d.value)))
		id := w.reserve()
		w.object(id, fmt.Sprintf("<< /Type /Annot /Subtype /Widget /FT /Tx /F 4 /T %s /V %s /Rect [%s] /AP << /N %d 0 R >> >>",
			text(fmt.Sprint("field", id)), text(d.value), numbers(d.x, d.y, d.x+d.width, d.y+d.height), look))
		fmt.Fprintf(&annots, "%d 0 R ", id)
	}
	for _, a := range p.annotations {
		look := w.stream(fmt.Sprintf("/Type /XObject /Subtype /Form /BBox [0 0 %s] /Resources << %s >>", numbers(a.width, a.height), fontResources()), a.operators)
		id := w.reserve()
		w.object(id, fmt.Sprintf("<< /Type /Annot /Subtype /%s /Rect [%s] /AP << /N %d 0 R >> %s >>",
			a.subtype, numbers(a.x, a.y, a.x+a.width, a.y+a.height), look, a.entries))
		fmt.Fprintf(&annots, "%d 0 R ", id)
	}
	var box strings.Builder
	fmt.Fprintf(&box, "/MediaBox [0 0 %s]", numbers(p.width, p.height))
	if p.crop != nil {
		fmt.Fprintf(&box, " /CropBox [%s]", numbers(p.crop...))
	}
	if p.rotate != 0 {
		fmt.Fprintf(&box, " /Rotate %d", p.rotate)
	}
	if len(p.marked) > 0 {
		fmt.Fprintf(&box, " /StructParents %d", index)
	}
	w.object(self, fmt.Sprintf("<< /Type /Page /Parent %d 0 R %s /Contents %d 0 R /Annots [ %s] /Resources << %s >> >>",
		parent, box.String(), content, annots.String(), resources))
}

// writeBookmarks adds the outline tree and gives the number of its root.
func (b *Builder) writeBookmarks(w *writer, pages []int) int {
	root := w.reserve()
	ids := make([]int, len(b.bookmarks))
	parents := make([]int, len(b.bookmarks)) // index of the parent, -1 for the root
	for i, m := range b.bookmarks {
		ids[i], parents[i] = w.reserve(), -1
		for k := i - 1; k >= 0; k-- {
			if b.bookmarks[k].level < m.level {
				parents[i] = k
				break
			}
		}
	}
	family := func(parent int) (kids []int) {
		for i := range b.bookmarks {
			if parents[i] == parent {
				kids = append(kids, i)
			}
		}
		return kids
	}
	for i, m := range b.bookmarks {
		parent := root
		if parents[i] >= 0 {
			parent = ids[parents[i]]
		}
		d := fmt.Sprintf("<< /Title %s /Parent %d 0 R /Dest [%d 0 R /XYZ 0 %g 0]", text(m.title), parent, pages[m.page-1], m.top)
		siblings := family(parents[i])
		if at := slices.Index(siblings, i); at+1 < len(siblings) {
			d += fmt.Sprintf(" /Next %d 0 R", ids[siblings[at+1]])
		}
		if kids := family(i); len(kids) > 0 {
			d += fmt.Sprintf(" /First %d 0 R /Last %d 0 R", ids[kids[0]], ids[kids[len(kids)-1]])
		}
		w.object(ids[i], d+" >>")
	}
	top := family(-1)
	w.object(root, fmt.Sprintf("<< /Type /Outlines /First %d 0 R /Last %d 0 R >>", ids[top[0]], ids[top[len(top)-1]]))
	return root
}

// writer lays objects out and keeps the cross-reference table.
type writer struct {
	buf     bytes.Buffer
	offsets []int // by object number - 1
}

// reserve gives the next object number.
func (w *writer) reserve() int {
	w.offsets = append(w.offsets, 0)
	return len(w.offsets)
}

func (w *writer) object(id int, body string) {
	w.offsets[id-1] = w.buf.Len()
	fmt.Fprintf(&w.buf, "%d 0 obj\n%s\nendobj\n", id, body)
}

// stream adds a stream object and gives its number.
func (w *writer) stream(dict, data string) int {
	id := w.reserve()
	w.object(id, fmt.Sprintf("<< %s /Length %d >>\nstream\n%s\nendstream", dict, len(data), data))
	return id
}

// text is a string object.
func text(s string) string { return fmt.Sprintf("<%x>", latin1(s)) }

// finish adds the cross-reference table and the trailer.
func (w *writer) finish(catalog, info int) []byte {
	trailer := fmt.Sprintf("/Root %d 0 R /Info %d 0 R", catalog, info)
	start := w.buf.Len()
	fmt.Fprintf(&w.buf, "xref\n0 %d\n0000000000 65535 f \n", len(w.offsets)+1)
	for _, o := range w.offsets {
		fmt.Fprintf(&w.buf, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&w.buf, "trailer\n<< /Size %d %s >>\nstartxref\n%d\n%%%%EOF\n", len(w.offsets)+1, trailer, start)
	return w.buf.Bytes()
}

// numbers joins numbers with spaces.
func numbers(v ...float64) string {
	s := make([]string, len(v))
	for i, x := range v {
		s[i] = fmt.Sprintf("%g", x)
	}
	return strings.Join(s, " ")
}

// literal is a PDF string operand in a content stream.
func literal(s string) string {
	return "(" + strings.NewReplacer(`\`, `\\`, "(", `\(`, ")", `\)`).Replace(latin1(s)) + ")"
}

// latin1 gives one byte per character.
func latin1(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		switch {
		case r == 'ﬁ' || r == 'ﬂ':
			r += 1 - 'ﬁ' // as the fonts' encoding has them
		case r > 0xFF:
			r = '?'
		}
		b = append(b, byte(r))
	}
	return string(b)
}
