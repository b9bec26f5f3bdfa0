package engine

import "github.com/ragify/ragify/internal/document"

// findings are the pages on which something was amiss.
type findings struct {
	damaged, textless, truncated, unmapped, garbled []int
}

// unmappedShare is the share of a page's characters without a Unicode mapping from which on its text is
// reported as unreliable: below it, it is the odd ornament or bullet.
const unmappedShare = 0.05

// look checks a page.
func (f *findings) look(c *document.Content) {
	if c.Truncated {
		f.truncated = append(f.truncated, c.Number)
	}
	if blank(c) {
		return
	}
	if !hasText(c) {
		f.textless = append(f.textless, c.Number)
	}
	unmapped := 0
	for i := range c.Glyphs {
		if c.Glyphs[i].Invalid {
			unmapped++
		}
	}
	if unmapped > 0 && float64(unmapped) >= unmappedShare*float64(len(c.Glyphs)) {
		f.unmapped = append(f.unmapped, c.Number)
	}
	if garbled(c) {
		f.garbled = append(f.garbled, c.Number)
	}
}

// warnings puts the findings into words.
func (f *findings) warnings() []document.Warning {
	var w []document.Warning
	for _, x := range []document.Warning{
		{Code: "damaged_pages", Message: "These pages are damaged and were left out.", Pages: f.damaged},
		{Code: "pages_without_text", Message: "These pages have no usable text: they are probably scanned, and no OCR was applied.", Pages: f.textless},
		{Code: "unmapped_characters", Message: "The fonts of these pages do not say which characters they show: parts of their text are missing.", Pages: f.unmapped},
		{Code: "garbled_text", Message: "The text of these pages reads like no language: their fonts say other characters than they show.", Pages: f.garbled},
		{Code: "pages_truncated", Message: "These pages have more content than can be processed: the rest of them was left out.", Pages: f.truncated},
	} {
		if len(x.Pages) > 0 {
			w = append(w, x)
		}
	}
	return w
}

// blank reports whether a page shows nothing at all.
func blank(c *document.Content) bool {
	return len(c.Glyphs) == 0 && len(c.Images) == 0 && len(c.Rules) == 0
}

// hasText reports whether a page has any character that can be read.
func hasText(c *document.Content) bool {
	for i := range c.Glyphs {
		if c.Glyphs[i].Rune > ' ' {
			return true
		}
	}
	return false
}
