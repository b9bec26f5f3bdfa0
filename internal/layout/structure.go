package layout

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/ragify/ragify/internal/document"
)

// A treeReader makes blocks of the part of the structure tree that one page shows: order and roles come from there,
// geometry only divides text into lines. What it takes from the page it removes from its maps, so that nothing is read
// twice even where two elements claim it.
type treeReader struct {
	content *document.Content
	frame   frame
	strike  *edges // rules that may cross out text; nil when nobody asks
	glyphs  map[int32][]glyph
	images  map[int32][]int        // indexes into content.Images
	drawn   map[int32]document.Box // of rules, in the frame
	taken   map[int]bool           // images that figures show
	depth   int                    // of sections, for headings without a level
	open    string                 // element whose text was the last of the page before; "" when none
	out     []*block
}

// treeInfo is what a block that comes from the structure tree remembers of it, for the pages that follow. Elements are
// named by the indexes of their kids from the root down.
type treeInfo struct {
	key               string // the element of a paragraph or table; "" where nothing can go on
	item              string // the element of a list's last item; "" when a list is nested in it
	firstRow, lastRow string // the elements of a table's rows
	goesOn            bool   // the page before ended in the same element
}

// usableShare is the least share of a page's characters that the tree has to cover for its order to be believed: where
// most of the text is not in the tree, what is there is a remainder of some editing.
const usableShare = 0.5

// read makes blocks of what the structure tree covers, in the tree's order, and gives the glyphs that it does not
// cover. ok is false, and all glyphs are left, where the page has no tree that is of use. Running heads and feet are
// kept on request only.
func (t *treeReader) read(glyphs []glyph, keepRunning bool) (rest []glyph, ok bool) {
	claimed := make(map[int32]bool)
	claim(t.content.Structure, claimed)
	covered, all, artifacts := 0, 0, 0
	var head, foot []glyph
	for i := range glyphs {
		g := &glyphs[i]
		in := claimed[g.mcid]
		switch {
		case in:
			t.glyphs[g.mcid] = append(t.glyphs[g.mcid], *g)
		case g.artifact && g.base < runningZone*t.frame.height:
			head = append(head, *g)
		case g.artifact && g.base > (1-runningZone)*t.frame.height:
			foot = append(foot, *g)
		default: // artifacts elsewhere, too: some programs call so what they have no better name for
			rest = append(rest, *g)
		}
		switch {
		case g.space:
		case g.artifact:
			artifacts++
		default:
			all++
			if in {
				covered++
			}
		}
	}
	t.collect(claimed)
	if float64(covered) < usableShare*float64(all) || covered == 0 && artifacts == 0 && len(t.images) == 0 {
		return glyphs, false
	}
	if keepRunning {
		t.emitText(document.Header, t.lines(head), "")
	}
	t.group(t.content.Structure, "")
	if keepRunning {
		t.emitText(document.Footer, t.lines(foot), "")
	}
	return rest, true
}

// collect finds what the page shows as marked content beside glyphs.
func (t *treeReader) collect(claimed map[int32]bool) {
	c := t.content
	for i := range c.Images {
		if id := c.Images[i].MCID; claimed[id] && !c.Images[i].Box.Empty() {
			t.images[id] = append(t.images[id], i)
		}
	}
	for i := range c.Rules {
		if id := c.Rules[i].MCID; claimed[id] {
			t.drawn[id] = t.drawn[id].Union(t.frame.box(c.Rules[i].Box))
		}
	}
}

// claim collects the marked content that a tree names.
func claim(kids []document.StructKid, claimed map[int32]bool) {
	for i := range kids {
		if k := &kids[i]; k.Element == nil {
			claimed[k.MCID] = true
		} else {
			claim(k.Element.Kids, claimed)
		}
	}
}

// role is what a structure type means to the reader.
type role uint8

const (
	groupRole   role = iota // holds other elements
	inlineRole              // a part of a line of text
	textRole                // a paragraph
	headingRole             // H, H1…H6, Title
	listRole
	itemRole
	tableRole
	figureRole
	formulaRole
	captionRole
	noteRole
	artifactRole
)

// roleOf tells what an element is by its structure type (PDF 32000-1 section 14.8.4 and 32000-2 section 14.8.4). A type
// that is none of the standard's is a group when it holds anything but inline elements.
func roleOf(e *document.StructElement) role {
	switch e.Role {
	case "Document", "DocumentFragment", "Part", "Art", "Sect", "Div", "BlockQuote", "Aside", "Index", "NonStruct", "Private",
		"TOC", "THead", "TBody", "TFoot", "TR", "LBody":
		return groupRole
	case "Span", "Quote", "Reference", "Link", "Annot", "Em", "Strong", "Sub", "Lbl",
		"Ruby", "RB", "RT", "RP", "Warichu", "WT", "WP":
		return inlineRole
	case "P", "TOCI", "BibEntry", "Code", "Form", "TH", "TD":
		return textRole
	case "H", "Title":
		return headingRole
	case "L":
		return listRole
	case "LI":
		return itemRole
	case "Table":
		return tableRole
	case "Figure":
		return figureRole
	case "Formula":
		return formulaRole
	case "Caption":
		return captionRole
	case "Note", "FENote":
		return noteRole
	case "Artifact":
		return artifactRole
	}
	if headingNumber(e.Role) > 0 {
		return headingRole
	}
	for i := range e.Kids {
		if k := e.Kids[i].Element; k != nil && roleOf(k) != inlineRole {
			return groupRole
		}
	}
	return textRole
}

// headingNumber is the n of a type Hn, 0 for any other.
func headingNumber(role string) int {
	if len(role) < 2 || role[0] != 'H' {
		return 0
	}
	n, err := strconv.Atoi(role[1:])
	if err != nil || n < 1 {
		return 0
	}
	return n
}

// A located element is one with its name in the file: the indexes from the root down.
type located struct {
	*document.StructElement
	key string
}

func locate(k *document.StructKid, parent string) located {
	return located{k.Element, parent + "/" + strconv.Itoa(k.Index)}
}

// group reads kids that are blocks of their own. Text among them that is in no element of its own has no more than
// geometry to be divided by.
func (t *treeReader) group(kids []document.StructKid, key string) {
	var loose []glyph
	flush := func() {
		for _, b := range makeParagraphs(t.lines(loose)) {
			t.emit(b, "")
		}
		loose = nil
	}
	for i := range kids {
		k := &kids[i]
		if k.Element == nil {
			loose = append(loose, t.take(k.MCID)...)
			continue
		}
		e := locate(k, key)
		if roleOf(e.StructElement) == inlineRole {
			found, apart := t.gather(e, besideText)
			loose = append(loose, found...)
			if len(apart) > 0 {
				flush()
				t.each(apart)
			}
			continue
		}
		flush()
		t.block(e)
	}
	flush()
}

func (t *treeReader) each(list []located) {
	for _, e := range list {
		t.block(e)
	}
}

// block reads an element that stands on lines of its own.
func (t *treeReader) block(e located) {
	switch roleOf(e.StructElement) {
	case groupRole:
		if e.Role == "Sect" || e.Role == "Part" || e.Role == "Art" {
			t.depth++
			defer func() { t.depth-- }()
		}
		t.group(e.Kids, e.key)
	case headingRole:
		t.heading(e)
	case listRole:
		t.list(e)
	case itemRole: // without a list around it
		t.list(located{&document.StructElement{Role: "L", Kids: []document.StructKid{{Element: e.StructElement}}}, e.key})
	case tableRole:
		t.table(e)
	case figureRole:
		t.figure(e)
	case formulaRole:
		t.text(e, document.Formula)
	case captionRole:
		t.text(e, document.Caption)
	case noteRole:
		t.text(e, document.Footnote)
	case artifactRole:
		t.gather(e, func(role) bool { return false }) // taken, and left out
	default:
		t.text(e, document.Paragraph)
	}
}

// text reads an element of running text, then what stands in it but is no part of its lines.
func (t *treeReader) text(e located, kind document.Kind) *block {
	glyphs, apart := t.gather(e, besideText)
	b := t.emitText(kind, t.lines(glyphs), e.key)
	if b != nil && kind == document.Formula {
		b.element.Alt = e.Alt
	}
	t.each(apart)
	return b
}

func (t *treeReader) heading(e located) {
	level := headingNumber(e.Role)
	if e.Role == "H" {
		level = max(t.depth, 1)
	}
	if b := t.text(e, document.Heading); b != nil {
		b.level = min(level, 6)
	}
}

// besideText reports whether elements of a role are no part of the lines of the text that they stand in.
func besideText(r role) bool {
	switch r {
	case listRole, itemRole, tableRole, figureRole, captionRole, noteRole:
		return true
	}
	return false
}

// gather takes the glyphs below e in the tree's order, and gives the elements that apart sets aside.
func (t *treeReader) gather(e located, apart func(role) bool) (glyphs []glyph, aside []located) {
	for i := range e.Kids {
		k := &e.Kids[i]
		if k.Element == nil {
			glyphs = append(glyphs, t.take(k.MCID)...)
			continue
		}
		kid := locate(k, e.key)
		if apart(roleOf(kid.StructElement)) {
			aside = append(aside, kid)
			continue
		}
		found, more := t.gather(kid, apart)
		glyphs, aside = append(glyphs, found...), append(aside, more...)
	}
	if e.ActualText != "" {
		glyphs = spoken(glyphs, e.ActualText)
	}
	return glyphs, aside
}

// take removes marked content from what is left on the page.
func (t *treeReader) take(id int32) []glyph {
	found := t.glyphs[id]
	delete(t.glyphs, id)
	return found
}

// spoken gives glyphs the text that they really say: the first one says all of it, over the room of those on its line.
func spoken(glyphs []glyph, text string) []glyph {
	first := slices.IndexFunc(glyphs, func(g glyph) bool { return !g.space })
	if first < 0 {
		return glyphs
	}
	g := glyphs[first]
	for _, o := range glyphs[first+1:] {
		if !o.space && math.Abs(o.base-g.base) <= supRise*g.size {
			g.box, g.right = g.box.Union(o.box), math.Max(g.right, o.right)
		}
	}
	if text == "\u00AD" {
		g.r, g.extra, g.hyphen = '-', "", true
		return []glyph{g}
	}
	said := []rune(text)
	g.r, g.extra, g.hyphen = said[0], string(said[1:]), false
	return []glyph{g}
}

// lines divides glyphs into lines, in their order: where the text goes up the page, in the next column, it starts anew.
func (t *treeReader) lines(glyphs []glyph) []line {
	frags, turned := makeFragments(glyphs, t.frame)
	linkPieces(frags, t.content.Links, t.frame)
	if t.strike != nil {
		strikePieces(frags, *t.strike)
	}
	frags, turned = settleTurned(frags, turned)
	var out []line
	for _, l := range objectOrder(atomsOf(frags, nil)) {
		inLeaf := make([]*fragment, 0, len(l.atoms))
		for _, a := range l.atoms {
			inLeaf = append(inLeaf, a.frag)
		}
		out = append(out, makeLines(inLeaf, t.content.Fonts)...)
	}
	for i := range turned {
		out = append(out, makeLine([]*fragment{&turned[i]}, t.content.Fonts))
	}
	return out
}

// emitText appends a block of lines; nil when there are none.
func (t *treeReader) emitText(kind document.Kind, lines []line, key string) *block {
	if len(lines) == 0 {
		return nil
	}
	b := &block{kind: kind, lines: lines}
	b.settle()
	return t.emit(b, key)
}

// emit appends a block and makes its element. It goes on from the page before when that ended in the same element.
func (t *treeReader) emit(b *block, key string) *block {
	b.finish(t.content.Number, t.frame, t.content.Fonts)
	b.tree = &treeInfo{key: key}
	b.leaf, b.above, b.below = -1, openSpace, openSpace
	if n := len(t.out); n > 0 {
		prev := t.out[n-1]
		if gap := b.box.Top - prev.box.Bottom; gap > 0 && b.box.Left < prev.box.Right && prev.box.Left < b.box.Right {
			b.above = gap / math.Max(b.style.size, 1)
			prev.below = b.above
		}
	}
	b.continues = key != "" && key == t.open && b.kind == document.Paragraph
	b.tree.goesOn = b.continues
	t.out = append(t.out, b)
	return b
}

// figure reads a picture with the text in it.
func (t *treeReader) figure(e located) {
	var box document.Box
	image, area := 0, 0.0
	for _, id := range markedContent(e.StructElement, nil) {
		box = box.Union(t.drawn[id])
		for _, i := range t.images[id] {
			b := t.frame.box(t.content.Images[i].Box)
			box = box.Union(b)
			if size := b.Width() * b.Height(); size > area && !t.taken[i] {
				image, area = i+1, size
			}
		}
	}
	glyphs, aside := t.gather(located{&document.StructElement{Kids: e.Kids}, e.key}, func(r role) bool { return besideText(r) && r != figureRole })
	inside := makeParagraphs(t.lines(glyphs))
	for _, b := range inside {
		box = box.Union(b.box)
	}
	if box.Empty() {
		box = t.frame.box(e.Box)
	}
	for _, in := range inside {
		in.kind = document.Paragraph // what looks like an item's mark is text here
	}
	box = box.Intersect(document.Box{Right: t.frame.width, Bottom: t.frame.height})
	if box.Empty() { // nothing to be seen, but for text that is off the page
		for _, in := range inside {
			t.emit(in, "")
		}
		t.each(aside)
		return
	}
	b := t.emit(&block{kind: document.Figure, box: box, image: image}, "")
	if image > 0 {
		t.taken[image-1] = true
	}
	b.element.Alt = cmp.Or(e.Alt, e.ActualText)
	for _, in := range inside {
		in.finish(t.content.Number, t.frame, t.content.Fonts)
		b.element.Children = append(b.element.Children, in.element)
	}
	t.each(aside)
}

// markedContent appends the ids of all marked content below e to list.
func markedContent(e *document.StructElement, list []int32) []int32 {
	for i := range e.Kids {
		if k := &e.Kids[i]; k.Element != nil {
			list = markedContent(k.Element, list)
		} else {
			list = append(list, k.MCID)
		}
	}
	return list
}
