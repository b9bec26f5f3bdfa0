package layout

import (
	"cmp"
	"slices"
	"strings"

	"github.com/ragify/ragify/internal/document"
)

// list reads a list with all lists in it. The end of an item that began on the page before is a paragraph that goes
// on: its mark stands there.
func (t *treeReader) list(e located) {
	r := listReader{tree: t}
	r.kids(e)
	if len(r.list.Children) > 0 {
		t.out = append(t.out, &block{kind: document.List, box: t.frame.box(r.list.Box), element: r.list, tree: &treeInfo{item: r.last}})
	}
	t.each(r.aside)
}

// A listReader makes the items of one list.
type listReader struct {
	tree  *treeReader
	list  document.Element
	last  string    // key of the last item, "" when something is nested in it
	aside []located // tables, figures, notes: they follow the list
}

// kids reads items, and whatever else a list has in it.
func (r *listReader) kids(e located) {
	for i := range e.Kids {
		k := &e.Kids[i]
		if k.Element == nil {
			r.item(located{&document.StructElement{Role: "LI", Kids: []document.StructKid{*k}}, e.key})
			continue
		}
		kid := locate(k, e.key)
		switch roleOf(kid.StructElement) {
		case itemRole:
			r.item(kid)
		case listRole:
			r.nested(kid)
		case captionRole, tableRole, figureRole, noteRole, artifactRole:
			r.aside = append(r.aside, kid)
		case groupRole:
			r.kids(kid)
		default:
			r.item(located{&document.StructElement{Role: "LI", Kids: []document.StructKid{*k}}, e.key})
		}
	}
}

// nested puts a list into the item before it.
func (r *listReader) nested(e located) {
	in := listReader{tree: r.tree}
	in.kids(e)
	r.aside = append(r.aside, in.aside...)
	n := len(r.list.Children)
	switch {
	case len(in.list.Children) == 0:
	case n == 0: // nothing to be in
		r.list, r.last = in.list, in.last
	default:
		parent := &r.list.Children[n-1]
		parent.Children = append(parent.Children, in.list)
		r.list.Box, r.last = r.list.Box.Union(in.list.Box), ""
	}
}

// item reads one item: its label, its text, and the lists in it.
func (r *listReader) item(e located) {
	t := r.tree
	label, rest := splitLabel(e)
	glyphs, aside := t.gather(rest, besideText)
	nested := slices.DeleteFunc(slices.Clone(aside), func(a located) bool { return roleOf(a.StructElement) != listRole })
	r.aside = append(r.aside, slices.DeleteFunc(aside, func(a located) bool { return roleOf(a.StructElement) == listRole })...)
	b := &block{kind: document.ListItem}
	var labelBox document.Box
	b.mark, b.lines, labelBox = t.marked(label, glyphs)
	if len(b.lines) > 0 {
		b.settle()
		b.finish(t.content.Number, t.frame, t.content.Fonts)
		goesOn := len(r.list.Children) == 0 && e.key == t.open && b.mark.text == ""
		if b.mark.pieces == 0 && !goesOn {
			if !labelBox.Empty() {
				b.element.Box = round(b.element.Box.Union(t.frame.back(labelBox)))
			}
			b.element.Marker = cmp.Or(b.mark.text, "•") // one that prints none gets the plainest
		}
		if goesOn {
			b.kind, b.continues, b.tree = document.Paragraph, true, &treeInfo{key: e.key, goesOn: true}
			t.out = append(t.out, b)
		} else {
			r.add(b, e.key)
		}
	}
	for _, in := range nested {
		r.nested(in)
	}
}

func (r *listReader) add(b *block, key string) {
	if len(r.list.Children) == 0 {
		r.list = document.Element{Kind: document.List, Page: r.tree.content.Number, Ordered: b.mark.text != "" && b.mark.kind != bulletMark}
	}
	r.list.Children = append(r.list.Children, b.element)
	r.list.Box = r.list.Box.Union(b.element.Box)
	r.last = key
}

// splitLabel takes the label off an item, where there is one.
func splitLabel(e located) (label located, rest located) {
	rest = e
	at := slices.IndexFunc(e.Kids, func(k document.StructKid) bool { return k.Element != nil && k.Element.Role == "Lbl" })
	if at < 0 {
		return label, rest
	}
	without := *e.StructElement
	without.Kids = slices.Delete(slices.Clone(e.Kids), at, at+1)
	return locate(&e.Kids[at], e.key), located{&without, e.key}
}

// marked makes lines of an item and finds its mark: the label, if it is one that lists have, or the beginning of the
// text. A label of another kind, the term of a definition, is text. labelBox is zero unless the label is the mark.
func (t *treeReader) marked(label located, glyphs []glyph) (m mark, text []line, labelBox document.Box) {
	if label.StructElement != nil {
		said, _ := t.gather(label, func(role) bool { return false })
		lines := t.lines(said)
		if m = labelMark(lines); m.text != "" {
			if text = t.lines(glyphs); len(text) > 0 {
				return m, text, lines[0].box
			}
		}
		glyphs = append(said, glyphs...)
	}
	text = t.lines(glyphs)
	if len(text) == 0 {
		return mark{}, nil, labelBox
	}
	if m = readMark(&text[0]); m.text == "" {
		m = mark{} // readMark says where it has looked
	}
	return m, text, labelBox
}

// labelMark reads a label as a mark. It has no piece in the item's text.
func labelMark(lines []line) mark {
	if len(lines) != 1 {
		return mark{}
	}
	text := strings.TrimSpace(lines[0].text())
	m := parseMark(text)
	if m.text == "" {
		m = parseMark(text + ".") // a number and nothing more
	}
	m.pieces = 0
	return m
}
