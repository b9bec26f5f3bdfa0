package pdftest

import (
	"fmt"
	"strings"
)

// Tag is an element of the structure tree. Make one with Builder.Tag or Tag.Tag.
type Tag struct {
	role    string
	entries string
	kids    []tagKid
	id      int
}

// tagKid is an element, or marked content of a page.
type tagKid struct {
	tag  *Tag
	page *Page
	mcid int
}

// Role adds an entry to the role map: the files' own type own is the standard's.
func (b *Builder) Role(own, standard string) { b.roles += fmt.Sprintf("/%s /%s ", own, standard) }

// Tag adds an element to the top of the structure tree. entries go into its dictionary as they are.
func (b *Builder) Tag(role, entries string) *Tag {
	t := &Tag{role: role, entries: entries}
	b.tags = append(b.tags, t)
	return t
}

// Tag adds an element below t.
func (t *Tag) Tag(role, entries string) *Tag {
	kid := &Tag{role: role, entries: entries}
	t.kids = append(t.kids, tagKid{tag: kid})
	return kid
}

// Mark makes what show adds to the page's content the content of t, and gives its marked-content id.
func (p *Page) Mark(t *Tag, show func()) int {
	id := len(p.marked)
	p.marked = append(p.marked, t)
	t.kids = append(t.kids, tagKid{page: p, mcid: id})
	p.Raw(fmt.Sprintf("/%s << /MCID %d >> BDC", t.role, id))
	show()
	p.Raw("EMC")
	return id
}

// Artifact marks what show adds to the page's content as no part of its text.
func (p *Page) Artifact(show func()) {
	p.Raw("/Artifact << /Type /Pagination >> BDC")
	show()
	p.Raw("EMC")
}

// writeTags adds the structure tree and gives its entries in the catalogue.
func (b *Builder) writeTags(w *writer, pages []int) string {
	if len(b.tags) == 0 {
		return ""
	}
	root := w.reserve()
	number := make(map[*Page]int, len(pages))
	for i, p := range b.pages {
		number[p] = pages[i]
	}
	var top strings.Builder
	for _, t := range b.tags {
		t.write(w, root, number)
		fmt.Fprintf(&top, "%d 0 R ", t.id)
	}
	var parents strings.Builder
	for i, p := range b.pages {
		if len(p.marked) == 0 {
			continue
		}
		fmt.Fprintf(&parents, "%d [ ", i)
		for _, t := range p.marked {
			fmt.Fprintf(&parents, "%d 0 R ", t.id)
		}
		parents.WriteString("] ")
	}
	w.object(root, fmt.Sprintf("<< /Type /StructTreeRoot /K [ %s] /RoleMap << %s>> /ParentTree << /Nums [ %s] >> >>", top.String(), b.roles, parents.String()))
	return fmt.Sprintf(" /MarkInfo << /Marked true >> /StructTreeRoot %d 0 R", root)
}

// write adds the object of t and those below it.
func (t *Tag) write(w *writer, parent int, pages map[*Page]int) {
	t.id = w.reserve()
	var kids strings.Builder
	for _, k := range t.kids {
		if k.tag != nil {
			k.tag.write(w, t.id, pages)
			fmt.Fprintf(&kids, "%d 0 R ", k.tag.id)
			continue
		}
		fmt.Fprintf(&kids, "<< /Type /MCR /Pg %d 0 R /MCID %d >> ", pages[k.page], k.mcid)
	}
	w.object(t.id, fmt.Sprintf("<< /Type /StructElem /S /%s /P %d 0 R %s /K [ %s] >>", t.role, parent, t.entries, kids.String()))
}
