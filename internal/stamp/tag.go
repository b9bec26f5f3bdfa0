package stamp

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"github.com/ragify/ragify/internal/document"
)

// PageText is what the tagger has to know of a page apart from its elements: the objects that PDFium makes of it, as
// document.Span counts them.
type PageText struct {
	Number          int              // 1-based
	Texts, Pictures int              // text and image objects, with those that show nothing
	Flattened       bool             // the last ones are those of annotations
	Glyphs          []GlyphCount     // by text object, as far as any follows that shows something
	Codes           []uint32         // of the glyphs of all text objects, see document.Glyph
	Images          []document.Image // Element.Image counts them from 1
	Links           []LinkText
	// Recognised are the letters that were read from the page's picture. Spans of object -1 count them.
	Recognised []Letter
}

// A Letter is one that the page shows in a picture: where its line goes on from (X, Y) on its baseline, in points from the
// top left, in direction Angle (degrees, clockwise) by Width.
type Letter struct {
	Text                     string
	X, Y, Width, Size, Angle float64
}

// GlyphCount is how much text a text object shows.
type GlyphCount struct {
	First        int32 // index into Codes
	All, Visible int32 // Visible: without spaces and marks over letters
}

// LinkText is the text on the area of a link annotation.
type LinkText struct {
	Box   document.Box
	Spans []document.Span
}

// Tagged tells what Tag did.
type Tagged struct {
	Skipped  []int // pages that were given and could not be tagged, 1-based
	Replaced bool  // the file had a structure tree, which is gone
}

// Keys in the parent tree begin here, above those of any structure that the file had: pages and forms that are not
// tagged may still name those.
const firstParent = 1 << 24

// Tag writes base with the structure of a document as tags (ISO 32000-1, 14.7 and 14.8): a structure element for each
// element, in the order of the document and with its id, whose content the pages' streams mark. Everything else on
// these pages is marked as an artifact. texts are those of d's pages. No page looks different. A page whose content
// cannot be related to its elements stays as it is, without tags; errors come from reading and writing only.
func Tag(out io.Writer, b *Base, d *document.Document, texts []PageText) (Tagged, error) {
	w, err := b.NewWriter(out)
	if err != nil {
		return Tagged{}, err
	}
	t := &tagger{base: b, writer: w, document: d, forms: make(map[int]formCounts), widths: make(map[types.IndirectRef]uint8), root: w.Reserve(), top: w.Reserve(), parents: firstParent}
	catalogRef, catalog, err := b.Catalog()
	if err != nil {
		return Tagged{}, err
	}
	if lang, err := b.Resolve(catalog["Lang"]); err == nil && lang != nil {
		t.language = lang.PDFString()
	}
	t.done.Replaced = catalog["StructTreeRoot"] != nil
	byNumber := make(map[int]*PageText, len(texts))
	for i := range texts {
		byNumber[texts[i].Number] = &texts[i]
	}
	for i := range d.Pages {
		page := &d.Pages[i]
		text := byNumber[page.Number]
		if text == nil {
			continue
		}
		switch err := t.page(page, text); {
		case errors.Is(err, ErrUnreadable):
			t.done.Skipped = append(t.done.Skipped, page.Number)
		case err != nil:
			return Tagged{}, fmt.Errorf("stamp.Tag: page %d: %w", page.Number, err)
		}
	}
	t.writeTree()
	if err := t.describe(catalogRef, catalog); err != nil {
		return Tagged{}, fmt.Errorf("stamp.Tag: %w", err)
	}
	return t.done, w.Close()
}

// A tagger writes the tags of a file, page by page.
type tagger struct {
	base     *Base
	writer   *Writer
	document *document.Document
	forms    map[int]formCounts
	widths   map[types.IndirectRef]uint8
	language string            // of the catalogue, as it is written there; "" for none
	root     types.IndirectRef // the structure tree's root
	top      types.IndirectRef // its only kid, the element Document
	kids     types.Array       // of top
	parents  int               // the next key of the parent tree
	entries  []parentEntry     // of the parent tree
	ids      []namedElement
	headings []int              // levels of the headings that the next one may stand below, from the outermost
	font     *types.IndirectRef // of recognised text, nil before it is needed
	done     Tagged
}

// parentEntry says whose content something is: that of a page's or form's marked content, an array, or of an annotation.
type parentEntry struct {
	key   int
	value types.Object
}

type namedElement struct {
	id  string
	ref types.IndirectRef
}

// A pageTagger tags a page.
type pageTagger struct {
	tagger *tagger
	page   Page
	claims *claims
	links  *linkFinder
	// owners are the elements that have marked content, by its id. Ids may count for each stream; here those of the page
	// and of its forms do together, and share their list: PDFium builds the tree of a page from that of the page, and
	// many readers do not ask which stream an id is of.
	owners  []*node
	keys    []int // of the parent tree: those of the page and its forms
	annots  []*annotation
	kids    []*node
	figures []figureSlot
}

// parents gives a key of the parent tree for the page or one of its forms.
func (p *pageTagger) parents() int {
	p.keys = append(p.keys, p.tagger.parents)
	p.tagger.parents++
	return p.tagger.parents - 1
}

// page tags one page. Nothing that the file refers to has been written when it fails.
func (t *tagger) page(from *document.Page, text *PageText) (err error) {
	defer func() { err = caught(recover(), err) }()
	page, err := t.base.Page(from.Number)
	if err != nil {
		return err
	}
	if t.writer.IsSet(page.Ref) {
		return unreadable("page %d is another page, too", from.Number)
	}
	data, err := t.content(page)
	if err != nil {
		return err
	}
	s := &scanner{base: t.base, resources: page.Resources, language: t.language, forms: t.forms, widths: t.widths, own: make(map[int]formCounts), active: make(map[int]bool)}
	stream, err := s.scan(data, page.Resources, 0)
	if err != nil {
		return err
	}
	if !text.matches(stream) {
		return unreadable("page %d: %d text objects instead of %d", from.Number, stream.texts, text.Texts)
	}
	p := &pageTagger{tagger: t, page: page, claims: newClaims(text)}
	if p.annots, err = t.annotations(page); err != nil {
		return err
	}
	p.links = newLinkFinder(p, text.Links)
	headings := slices.Clone(t.headings)
	p.kids = p.elements(from.Elements)
	p.claimImages(int(stream.images))
	r := rewriter{page: p, scanner: s, stream: stream}
	out, err := r.rewrite()
	if err != nil {
		t.headings = headings
		return err
	}
	d, resources := maps.Clone(page.Dict), page.Resources
	if r.names != nil {
		if resources, err = with(t.base, resources, "XObject", r.names); err != nil {
			return err
		}
	}
	if len(p.claims.recognised) > 0 {
		out = p.addText(out, stream.items)
		if resources, err = with(t.base, resources, "Font", types.Dict{textFont: t.textFont()}); err != nil {
			return err
		}
	}
	if resources != nil {
		d["Resources"] = resources
	}
	p.finish(d, out)
	return nil
}

// matches reports whether the scan found the objects that PDFium did.
func (p *PageText) matches(s *contentStream) bool {
	if p.Flattened {
		return int(s.texts) <= p.Texts && int(s.images) <= p.Pictures
	}
	return int(s.texts) == p.Texts
}

// content is the decoded content of a page. Its streams are one, as PDFium and the standard have it, with white space
// between them.
func (t *tagger) content(page Page) ([]byte, error) {
	o, err := t.base.Resolve(page.Dict["Contents"])
	if err != nil {
		return nil, err
	}
	if _, ok := o.(types.StreamDict); ok {
		return t.base.Stream(o, maxContent)
	}
	list, _ := o.(types.Array)
	const most = 100_000 // streams; some programs write one a line
	if len(list) > most {
		return nil, unreadable("%d content streams", len(list))
	}
	var out []byte
	for _, ref := range list {
		data, err := t.base.Stream(ref, maxContent-int64(len(out)))
		if err != nil {
			return nil, err
		}
		out = append(append(out, data...), '\n')
	}
	return out, nil
}

// finish writes the page, d, with its new content, and the elements.
func (p *pageTagger) finish(d types.Dict, content []byte) {
	t := p.tagger
	d["Contents"] = t.writer.AddStream(nil, content)
	delete(d, "StructParents")
	if len(p.owners) > 0 {
		d["StructParents"] = types.Integer(p.parents())
	}
	d["Tabs"] = types.Name("S")
	p.addLooseAnnotations()
	for _, n := range p.kids {
		if n.prune() {
			n.reserve(t.writer)
			t.kids = append(t.kids, n.ref)
		}
	}
	p.writeAnnotations(d)
	for _, n := range p.kids {
		if n.kept {
			p.write(n, t.top)
		}
	}
	if len(p.owners) > 0 {
		owners := make(types.Array, len(p.owners))
		for k, n := range p.owners {
			owners[k] = n.ref
		}
		list := t.writer.Add(owners)
		for _, key := range p.keys {
			t.entries = append(t.entries, parentEntry{key, list})
		}
	}
	t.writer.Set(p.page.Ref, d)
}

// leafSize is the number of entries in a leaf of a tree of names or numbers.
const leafSize = 512

// writeTree writes what holds the structure together.
func (t *tagger) writeTree() {
	w := t.writer
	w.Set(t.top, types.Dict{"Type": types.Name("StructElem"), "S": types.Name("Document"), "P": t.root, "K": t.kids})
	root := types.Dict{"Type": types.Name("StructTreeRoot"), "K": types.Array{t.top}, "ParentTreeNextKey": types.Integer(t.parents)}
	slices.SortFunc(t.entries, func(a, b parentEntry) int { return a.key - b.key })
	root["ParentTree"] = writeLeaves(w, "Nums", len(t.entries), func(i int) (types.Object, types.Object) {
		return types.Integer(t.entries[i].key), t.entries[i].value
	})
	if len(t.ids) > 0 {
		slices.SortFunc(t.ids, func(a, b namedElement) int { return strings.Compare(a.id, b.id) })
		root["IDTree"] = writeLeaves(w, "Names", len(t.ids), func(i int) (types.Object, types.Object) {
			return Text(t.ids[i].id), t.ids[i].ref
		})
	}
	w.Set(t.root, root)
}

// writeLeaves writes a name or number tree (ISO 32000-1, 7.9.6) of n entries in order.
func writeLeaves(w *Writer, key string, n int, entry func(int) (types.Object, types.Object)) types.IndirectRef {
	var leaves types.Array
	for start := 0; start < n; start += leafSize {
		end := min(start+leafSize, n)
		var list types.Array
		for i := start; i < end; i++ {
			k, v := entry(i)
			list = append(list, k, v)
		}
		leaves = append(leaves, w.Add(types.Dict{"Limits": types.Array{list[0], list[len(list)-2]}, key: list}))
	}
	if len(leaves) == 0 {
		return w.Add(types.Dict{key: types.Array{}})
	}
	return w.Add(types.Dict{"Kids": leaves})
}

// describe replaces the catalogue, and the document information where it has no title.
func (t *tagger) describe(ref types.IndirectRef, catalog types.Dict) error {
	info, err := t.base.Dict(t.writer.info)
	if err != nil {
		return err
	}
	d := maps.Clone(catalog)
	d["StructTreeRoot"] = t.root
	mark, err := t.base.Dict(catalog["MarkInfo"])
	if err != nil {
		return err
	}
	marked := types.Dict{"Marked": types.Boolean(true)}
	if mark["UserProperties"] != nil {
		marked["UserProperties"] = types.Boolean(false)
	}
	d["MarkInfo"] = marked
	lang, err := t.base.Resolve(catalog["Lang"])
	if err != nil {
		return err
	}
	if s, ok := textOf(lang); !ok || strings.TrimSpace(s) == "" {
		d["Lang"] = Text(languageOf(t.document))
	}
	title := strings.TrimSpace(t.document.Meta.Title)
	if title == "" {
		if title = titleOf(t.document); title != "" {
			named := make(types.Dict, len(info)+1)
			maps.Copy(named, info)
			named["Title"] = Text(title)
			t.writer.SetInfo(t.writer.Add(named))
		}
	}
	if title != "" {
		preferences, err := t.base.Dict(catalog["ViewerPreferences"])
		if err != nil {
			return err
		}
		shown := make(types.Dict, len(preferences)+1)
		maps.Copy(shown, preferences)
		shown["DisplayDocTitle"] = types.Boolean(true)
		d["ViewerPreferences"] = shown
	}
	t.writer.Set(ref, d)
	return nil
}

// textOf is a string object's text, false for what is none. Only whether it is blank matters to callers.
func textOf(o types.Object) (string, bool) {
	switch o := o.(type) {
	case types.StringLiteral:
		return string(o), true
	case types.HexLiteral:
		return string(o), true
	}
	return "", false
}

// titleOf is the document's title: its title heading, or else the first heading of the highest level, or else the beginning of
// its text, by which a person knows it as well. "" when it has no text.
func titleOf(d *document.Document) string {
	best, level, first := "", 100, ""
	for i := range d.Pages {
		for k := range d.Pages[i].Elements {
			e := &d.Pages[i].Elements[k]
			if first == "" {
				first = firstLine(e)
			}
			if e.Kind == document.Heading && e.Level < level {
				if s := strings.TrimSpace(linesText(e.Lines)); s != "" {
					best, level = s, e.Level
				}
			}
		}
	}
	if best == "" {
		return clip(first)
	}
	return best
}

// firstLine is that of the first text in an element, "" when it has none.
func firstLine(e *document.Element) string {
	if len(e.Lines) > 0 {
		if s := strings.TrimSpace(linesText(e.Lines[:1])); s != "" {
			return s
		}
	}
	for i := range e.Children {
		if s := firstLine(&e.Children[i]); s != "" {
			return s
		}
	}
	if e.Grid != nil {
		for i := range e.Grid.Cells {
			if lines := e.Grid.Cells[i].Lines; len(lines) > 0 {
				return strings.TrimSpace(linesText(lines[:1]))
			}
		}
	}
	return ""
}
