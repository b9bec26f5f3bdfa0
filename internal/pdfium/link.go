package pdfium

import (
	"strings"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/fault"
)

// actionURI is PDFium's type of an action that opens a web address.
const actionURI = 3

// maxLinks bounds the links of a page, and the rectangles of a link.
const maxLinks = 10_000

// readLinks appends the page's links to web addresses, one per rectangle: a link that runs over two
// lines has two.
func (f *File) readLinks(page uint64, g geometry, into *document.Content) {
	i := f.inst
	const outPos, outLink, outRect = 0, 4, 16
	copy(i.out(outPos, 4), make([]byte, 4))
	for n := 0; n < maxLinks && i.ok(fnLinkEnumerate, page, i.at(outPos), i.at(outLink)); n++ {
		pos := append([]byte(nil), i.out(outPos, 4)...) // the calls below overwrite the scratch block
		link := uint64(u32(i.out(outLink, 4)))
		if uri := f.uriOf(link); uri != "" {
			into.Links = f.appendRectangles(link, uri, g, into.Links)
		}
		copy(i.out(outPos, 4), pos)
	}
}

// LinkBoxes gives the areas of page n's links, to the web and within the file, as far as they can be read.
func (f *File) LinkBoxes(n int) (boxes []document.Box, err error) {
	defer fault.Op(&err, "pdfium.LinkBoxes(%d)", n)
	page, err := f.loadPage(n)
	if err != nil {
		return nil, err
	}
	i := f.inst
	defer i.call(fnClosePage, page)
	g := i.readGeometry(page)
	var links []document.Link
	const outPos, outLink = 0, 4
	copy(i.out(outPos, 4), make([]byte, 4))
	for k := 0; k < maxLinks && i.ok(fnLinkEnumerate, page, i.at(outPos), i.at(outLink)); k++ {
		pos := append([]byte(nil), i.out(outPos, 4)...) // the calls below overwrite the scratch block
		links = f.appendRectangles(uint64(u32(i.out(outLink, 4))), "", g, links)
		copy(i.out(outPos, 4), pos)
	}
	for k := range links {
		boxes = append(boxes, links[k].Box)
	}
	return boxes, f.crashed()
}

// uriOf is the web address that a link opens, "" when it does something else.
func (f *File) uriOf(link uint64) string {
	i := f.inst
	action := i.ptr(fnLinkGetAction, link)
	if action == 0 || i.num(fnActionGetType, action) != actionURI {
		return ""
	}
	return strings.ToValidUTF8(strings.TrimSpace(i.text8(fnActionGetURIPath, f.doc, action)), "\uFFFD")
}

// appendRectangles adds the link's areas: its quadrilaterals, or else its rectangle.
func (f *File) appendRectangles(link uint64, uri string, g geometry, links []document.Link) []document.Link {
	i := f.inst
	quads := min(i.num(fnLinkCountQuadPoints, link), maxLinks)
	found := false
	for k := 0; k < quads && len(links) < maxLinks; k++ {
		if !i.ok(fnLinkGetQuadPoints, link, uint64(k), i.at(0)) {
			continue
		}
		var b bounds
		q := i.out(0, 32) // FS_QUADPOINTSF: x1, y1 … x4, y4
		for c := 0; c < 32; c += 8 {
			b.add(g.toPage.point(f32(q[c:]), f32(q[c+4:])))
		}
		links, found = append(links, document.Link{Box: b.box(), URI: uri}), true
	}
	if !found && i.ok(fnLinkGetAnnotRect, link, i.at(0)) {
		r := i.out(0, 16) // FS_RECTF: left, top, right, bottom
		links = append(links, document.Link{Box: g.toPage.box(f32(r), f32(r[12:]), f32(r[8:]), f32(r[4:])), URI: uri})
	}
	return links
}
