package engine

import (
	"errors"
	"io"
	"slices"
	"unicode"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/pdfium"
	"github.com/ragify/ragify/internal/stamp"
)

// tagging collects, page by page, what tags need besides the document. Its methods do nothing where it is nil.
type tagging struct {
	pages []stamp.PageText
}

// startTagging prepares for tags where they are asked for.
func (c *conversion) startTagging() {
	if slices.Contains(c.options.Format, option.TaggedPDF) {
		c.tagging = &tagging{}
	}
}

// count numbers the glyphs of each text object. It has to come before any is dropped. A page of which a part was left out
// is not counted: it gets no tags, since much of it would be no one's, and reading its content again may take more memory
// than there is.
func (t *tagging) count(c *document.Content) {
	if t == nil || c.Truncated {
		return
	}
	page := stamp.PageText{Number: c.Number, Texts: len(c.Texts), Pictures: c.Pictures, Flattened: c.Flattened}
	page.Codes = make([]uint32, 0, len(c.Glyphs))
	last := int32(-1)
	for i := range c.Glyphs {
		last = max(last, c.Glyphs[i].Object)
	}
	page.Glyphs = make([]stamp.GlyphCount, last+1)
	for i := range c.Glyphs {
		g := &c.Glyphs[i]
		if g.Object < 0 {
			continue
		}
		n := &page.Glyphs[g.Object]
		if n.All == 0 {
			n.First = int32(len(page.Codes))
		}
		g.Index = n.All
		n.All++
		page.Codes = append(page.Codes, g.Code)
		if !unicode.IsSpace(g.Rune) && !unicode.Is(unicode.Mn, g.Rune) {
			n.Visible++
		}
	}
	t.pages = append(t.pages, page)
}

// complete notes what is left of a page that was counted, as it goes into the layout: its pictures, the text on its links,
// and words that were read from its picture.
func (t *tagging) complete(file *pdfium.File, c *document.Content) error {
	if t == nil {
		return nil
	}
	at, counted := slices.BinarySearchFunc(t.pages, c.Number, func(p stamp.PageText, n int) int { return p.Number - n })
	if !counted {
		return nil // a damaged page, or one that has too much on it
	}
	page := &t.pages[at]
	page.Images = slices.Clone(c.Images)
	for i := range c.Glyphs {
		g := &c.Glyphs[i]
		if g.Object >= 0 {
			continue
		}
		g.Index = int32(len(page.Recognised))
		page.Recognised = append(page.Recognised, stamp.Letter{
			Text: string(g.Rune) + g.Extra, X: g.OriginX, Y: g.OriginY, Size: g.Size, Angle: g.Angle,
			Width: advance(g),
		})
	}
	boxes, err := file.LinkBoxes(c.Number)
	if errors.Is(err, errDamagedPage) {
		return nil
	}
	if err != nil {
		return err
	}
	const mostLinks = 2000 // each is compared with all glyphs
	for _, b := range boxes[:min(len(boxes), mostLinks)] {
		if spans := glyphsIn(c.Glyphs, b); spans != nil {
			page.Links = append(page.Links, stamp.LinkText{Box: b, Spans: spans})
		}
	}
	return nil
}

// advance is how far a glyph takes its line, in points.
func advance(g *document.Glyph) float64 {
	if int(g.Angle)%180 == 90 {
		return g.Loose.Height()
	}
	return g.Loose.Width()
}

// glyphsIn gives the glyphs whose middle lies in a box.
func glyphsIn(glyphs []document.Glyph, b document.Box) []document.Span {
	var out []document.Span
	for i := range glyphs {
		g := &glyphs[i]
		x, y := (g.Loose.Left+g.Loose.Right)/2, (g.Loose.Top+g.Loose.Bottom)/2
		if x < b.Left || x > b.Right || y < b.Top || y > b.Bottom {
			continue
		}
		if n := len(out); n > 0 && out[n-1].Object == g.Object && out[n-1].To == g.Index {
			out[n-1].To++
			continue
		}
		out = append(out, document.Span{Object: g.Object, From: g.Index, To: g.Index + 1})
	}
	return out
}

// tag writes the original with the document as its structure.
func (c *conversion) tag(w io.Writer, doc *document.Document) error {
	done, err := stamp.Tag(w, c.original.pdf, doc, c.tagging.pages)
	if err != nil {
		return notWritable(err)
	}
	if done.Replaced {
		doc.Warnings = append(doc.Warnings, document.Warning{
			Code: "tags_replaced", Message: "This PDF has tags of its own: tagged-pdf has new ones instead.",
		})
	}
	left := slices.Clone(done.Skipped)
	for n := 1; n <= doc.NumPages; n++ {
		if _, selected := slices.BinarySearch(c.pages, n); !selected || slices.Contains(c.found.damaged, n) || slices.Contains(c.found.truncated, n) {
			left = append(left, n)
		}
	}
	if len(left) > 0 {
		slices.Sort(left)
		doc.Warnings = append(doc.Warnings, document.Warning{
			Code: "pages_not_tagged", Message: "These pages have no tags in tagged-pdf: they were not selected, or cannot be read, or have too much on them, or are built in a way that cannot be marked.", Pages: slices.Compact(left),
		})
	}
	return nil
}
