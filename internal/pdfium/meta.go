package pdfium

import (
	"strings"
	"time"

	"github.com/ragify/ragify/internal/document"
)

// Limits of the outline, against cycles and absurd files.
const (
	maxBookmarks     = 20_000
	maxBookmarkDepth = 32
)

// Meta is the document information dictionary and what the catalogue says.
func (f *File) Meta() document.Meta {
	i := f.inst
	return document.Meta{
		Title: f.info("Title"), Author: f.info("Author"), Subject: f.info("Subject"), Keywords: f.info("Keywords"),
		Creator: f.info("Creator"), Producer: f.info("Producer"),
		CreationDate: parseDate(f.info("CreationDate")), ModificationDate: parseDate(f.info("ModDate")),
		Language:  clean(i.text16(fnCatalogGetLanguage, f.doc)),
		Tagged:    i.ok(fnCatalogIsTagged, f.doc),
		Encrypted: i.num(fnGetSecurityHandlerRevision, f.doc) > 0,
	}
}

// info is an entry of the information dictionary.
func (f *File) info(key string) string {
	p := f.inst.cstring(key)
	defer f.inst.free(p)
	return clean(f.inst.text16(fnGetMetaText, f.doc, uint64(p)))
}

// clean takes control characters and outer white space off a string that a file brought along.
func clean(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\r':
			return ' '
		case r < ' ', r >= 0x7F && r < 0xA0, r == 0xFEFF:
			return -1
		}
		return r
	}, s))
}

// parseDate turns a PDF date (D:YYYYMMDDHHmmSSOHH'mm', everything after the year optional) into RFC
// 3339; "" when it is none. Times without a zone are taken as UTC.
func parseDate(s string) string {
	s = strings.NewReplacer("'", "", ":", "", " ", "").Replace(strings.TrimPrefix(strings.TrimSpace(s), "D:"))
	zone := ""
	if k := strings.IndexAny(s, "+-Zz"); k >= 0 {
		s, zone = s[:k], s[k:]
	}
	const full = "20060102150405"
	if len(s) > len(full) {
		s = s[:len(full)]
	}
	if len(s) < 4 || len(s)%2 != 0 {
		return ""
	}
	t, err := time.Parse(full[:len(s)], s)
	if err != nil {
		return ""
	}
	if zone = strings.TrimLeft(zone, "Zz"); len(zone) == 3 {
		zone += "00"
	}
	if len(zone) >= 5 {
		offset, err := time.Parse("-0700", zone[:5])
		if err == nil {
			_, seconds := offset.Zone()
			t = t.Add(-time.Duration(seconds) * time.Second).In(offset.Location())
		}
	}
	return t.Format(time.RFC3339)
}

// Outline is the file's bookmarks in order, depth first. Targets of pages that Content has read are
// exact; for others, the page's box is taken to start at the origin.
func (f *File) Outline() []document.Outline {
	w := outlineWalker{file: f, seen: make(map[uint64]bool), heights: make(map[int]float64)}
	w.siblings(f.inst.ptr(fnBookmarkGetFirstChild, f.doc, 0), 1)
	return w.items
}

type outlineWalker struct {
	file    *File
	seen    map[uint64]bool
	heights map[int]float64
	items   []document.Outline
}

// siblings adds a bookmark, what is below it, and the bookmarks that follow it on its level.
func (w *outlineWalker) siblings(mark uint64, level int) {
	f, i := w.file, w.file.inst
	for ; mark != 0 && !w.seen[mark] && len(w.items) < maxBookmarks; mark = i.ptr(fnBookmarkGetNextSibling, f.doc, mark) {
		w.seen[mark] = true
		item := document.Outline{Title: clean(i.text16(fnBookmarkGetTitle, mark)), Level: level, Top: -1}
		w.target(mark, &item)
		w.items = append(w.items, item)
		if level < maxBookmarkDepth {
			w.siblings(i.ptr(fnBookmarkGetFirstChild, f.doc, mark), level+1)
		}
	}
}

// target fills in where a bookmark leads.
func (w *outlineWalker) target(mark uint64, item *document.Outline) {
	f, i := w.file, w.file.inst
	dest := i.ptr(fnBookmarkGetDest, f.doc, mark)
	if dest == 0 {
		if action := i.ptr(fnBookmarkGetAction, mark); action != 0 {
			dest = i.ptr(fnActionGetDest, f.doc, action)
		}
	}
	if dest == 0 {
		return
	}
	page := i.num(fnDestGetDestPageIndex, f.doc, dest) + 1
	if page < 1 || page > f.numPages {
		return
	}
	item.Page = page
	// Out: hasX, hasY, hasZoom (ints), x, y, zoom (floats).
	if !i.ok(fnDestGetLocationInPage, dest, i.at(0), i.at(4), i.at(8), i.at(12), i.at(16), i.at(20)) {
		return
	}
	b := i.out(0, 24)
	hasX, hasY, x, y := u32(b) != 0, u32(b[4:]) != 0, f32(b[12:]), f32(b[16:])
	g, known := f.geometry[page]
	switch {
	case known && hasY:
		if !hasX {
			x = 0
		}
		_, item.Top = g.toPage.point(x, y)
	case hasY:
		item.Top = w.height(page) - y
	}
	if item.Top != -1 {
		item.Top = max(item.Top, 0)
	}
}

// height is the height of a page that Content has not read.
func (w *outlineWalker) height(page int) float64 {
	h, ok := w.heights[page]
	if !ok {
		i := w.file.inst
		if i.ok(fnGetPageSizeByIndex, w.file.doc, uint64(page-1), i.at(32)) {
			h = f32(i.out(36, 4)) // FS_SIZEF: width, height
		}
		w.heights[page] = h
	}
	return h
}
