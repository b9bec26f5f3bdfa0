package engine

import (
	"cmp"

	"github.com/ragify/ragify/internal/document"
)

// An altText is the text that stands for a figure in the file's own tags, and where on its page that figure is.
type altText struct {
	box  document.Box
	text string
}

// altTexts finds the figures with a text in the structure tree of a page. They are where their marked content is, or
// where they say themselves.
func altTexts(c *document.Content) []altText {
	var out []altText
	at := make(map[int32]int) // by marked content
	var find func(kids []document.StructKid, figure int)
	find = func(kids []document.StructKid, figure int) {
		for i := range kids {
			e := kids[i].Element
			if e == nil {
				if figure >= 0 {
					at[kids[i].MCID] = figure
				}
				continue
			}
			inside := figure
			if text := cmp.Or(e.Alt, e.ActualText); e.Role == "Figure" && text != "" {
				inside = len(out)
				out = append(out, altText{e.Box, text})
			}
			find(e.Kids, inside)
		}
	}
	find(c.Structure, -1)
	if len(out) == 0 {
		return nil
	}
	add := func(id int32, b document.Box) {
		if i, ok := at[id]; ok && !b.Empty() {
			out[i].box = out[i].box.Union(b)
		}
	}
	for i := range c.Images {
		add(c.Images[i].MCID, c.Images[i].Box)
	}
	for i := range c.Rules {
		add(c.Rules[i].MCID, c.Rules[i].Box)
	}
	for i := range c.Glyphs {
		add(c.Glyphs[i].MCID, c.Glyphs[i].Box)
	}
	return out
}

// giveAltTexts gives the figures of a page the texts that stand for them, each to the one that it covers best, unless
// they have some already.
func giveAltTexts(figures []*document.Element, texts []altText) {
	const least = 0.5 // of the smaller one's area that two have in common
	area := func(b document.Box) float64 { return b.Width() * b.Height() }
	for _, t := range texts {
		var best *document.Element
		closest := 0.0
		for _, e := range figures {
			common := area(e.Box.Intersect(t.box))
			share := common / (area(e.Box) + area(t.box) - common)
			if e.Alt == "" && share > closest && common >= least*min(area(e.Box), area(t.box)) {
				best, closest = e, share
			}
		}
		if best != nil {
			best.Alt = t.text
		}
	}
}
