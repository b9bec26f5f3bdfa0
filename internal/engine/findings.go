package engine

import "github.com/ragify/ragify/internal/document"

// findings are the pages on which something was amiss, ascending.
type findings struct {
	damaged, textless, truncated, unmapped, garbled []int

	// Of recognition: read from their picture, meant to be but Tesseract or the languages are not there, took too
	// long, failed.
	recognised, unavailable, slow, unread []int
	ocrError                              string // of the first one that failed

	hidden       []int            // pages from which hidden text was taken
	hiddenPlaces []document.Place // where, but for those that are too many
}

// A pageState is what there is to say of a page's content.
type pageState struct {
	blank     bool // it shows nothing at all
	textless  bool // it shows something, but no character that can be read
	truncated bool
	unmapped  bool // so many characters without a Unicode mapping that its text is unreliable
	illegible bool // most of them have none
	garbled   bool
}

// Shares of a page's characters without a Unicode mapping. From unmappedShare on its text is reported as unreliable:
// below it, it is the odd ornament or bullet. From illegibleShare on it is no use.
const (
	unmappedShare  = 0.05
	illegibleShare = 0.5
)

// examine looks at a page.
func examine(c *document.Content) pageState {
	s := pageState{truncated: c.Truncated, blank: blank(c)}
	if s.blank {
		return s
	}
	s.textless = !hasText(c)
	unmapped := 0
	for i := range c.Glyphs {
		if c.Glyphs[i].Invalid {
			unmapped++
		}
	}
	share := float64(unmapped) / float64(max(len(c.Glyphs), 1))
	s.unmapped, s.illegible = share >= unmappedShare, share >= illegibleShare
	s.garbled = garbled(c)
	return s
}

// note keeps what is amiss on page n.
func (f *findings) note(n int, s pageState) {
	for _, x := range []struct {
		pages *[]int
		amiss bool
	}{{&f.truncated, s.truncated}, {&f.textless, s.textless}, {&f.unmapped, s.unmapped}, {&f.garbled, s.garbled}} {
		if x.amiss {
			*x.pages = append(*x.pages, n)
		}
	}
}

// warnings puts the findings into words.
func (c *conversion) warnings() []document.Warning {
	f := &c.found
	textless := "These pages have no usable text, and none was read from their picture (OCR): they show pictures only, or are scans too poor to read."
	switch {
	case c.options.OCR == "off":
		textless = "These pages have no usable text: they are probably scanned, and the option ocr is off."
	case len(f.unavailable) > 0:
		textless = "These pages have no usable text: they are probably scanned, and no OCR was applied."
	}
	var w []document.Warning
	for _, x := range append([]document.Warning{
		{Code: "damaged_pages", Message: "These pages are damaged and were left out.", Pages: f.damaged},
		{Code: "pages_without_text", Message: textless, Pages: f.textless},
		{Code: "unmapped_characters", Message: "The fonts of these pages do not say which characters they show: parts of their text are missing.", Pages: f.unmapped},
		{Code: "garbled_text", Message: "The text of these pages reads like no language: their fonts say other characters than they show.", Pages: f.garbled},
		{Code: "pages_truncated", Message: "These pages have more content than can be processed: the rest of them was left out.", Pages: f.truncated},
		{
			Code:    "hidden_content_removed",
			Message: "These pages hold text that their readers do not see: it was left out. The option content_safety_off keeps it.",
			Pages:   f.hidden, Places: f.hiddenPlaces,
		},
	}, c.ocrWarnings()...) {
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
