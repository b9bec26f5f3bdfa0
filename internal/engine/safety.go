package engine

import (
	"slices"

	"github.com/ragify/ragify/internal/document"
)

// screen takes out of a page's content what its readers do not see, where the options do not say otherwise: it is there
// by accident, or to mislead a program that reads the file.
func (c *conversion) screen(content *document.Content) {
	if !c.screensOff("off-page") {
		dropOffPage(content)
	}
}

// screensOff reports whether the job asked to keep what a filter would take out.
func (c *conversion) screensOff(filter string) bool {
	return slices.Contains(c.options.ContentSafetyOff, filter) || slices.Contains(c.options.ContentSafetyOff, "all")
}

// dropOffPage removes glyphs and images that lie wholly off the page: no reader sees them. They are left
// over from cut pages, or hidden there on purpose.
func dropOffPage(c *document.Content) {
	off := func(b document.Box) bool {
		return b.Right <= 0 || b.Bottom <= 0 || b.Left >= c.Width || b.Top >= c.Height
	}
	c.Glyphs = slices.DeleteFunc(c.Glyphs, func(g document.Glyph) bool { return off(g.Loose) })
	c.Images = slices.DeleteFunc(c.Images, func(i document.Image) bool { return off(i.Box) })
}
