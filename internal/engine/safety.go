package engine

import (
	"image"
	"slices"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/safety"
)

// screen takes out of a page's content what its readers do not see, where the options do not say otherwise: it is there
// by accident, or to mislead a program that reads the file.
func (c *conversion) screen(content *document.Content) error {
	on := safety.Filters{
		HiddenText: !c.screensOff("hidden-text"), OffPage: !c.screensOff("off-page"),
		Tiny: !c.screensOff("tiny"), HiddenLayers: !c.screensOff("hidden-ocg"),
	}
	paint := func(parts []document.Box, whole, bare []*image.RGBA, without []int32) error {
		return c.file.Compare(content.Number, parts, whole, bare, without)
	}
	places, err := c.server.screener.Screen(content, on, paint)
	c.faint = faintPlaces(places)
	if len(places) > 0 {
		c.found.hidden = append(c.found.hidden, content.Number)
		room := maxPlaces - len(c.found.hiddenPlaces)
		c.found.hiddenPlaces = append(c.found.hiddenPlaces, places[:min(room, len(places))]...)
	}
	return err
}

// faintPlaces are those of hidden text that a reader does not see, but that recognition might: it looks harder.
func faintPlaces(places []document.Place) []document.Box {
	var boxes []document.Box
	for _, p := range places {
		switch p.Reason {
		case safety.LowContrast, safety.Transparent, safety.Tiny:
			boxes = append(boxes, document.Box{Left: p.BBox[0], Top: p.BBox[1], Right: p.BBox[2], Bottom: p.BBox[3]})
		}
	}
	return boxes
}

// screensOff reports whether the job asked to keep what a filter would take out.
func (c *conversion) screensOff(filter string) bool {
	return slices.Contains(c.options.ContentSafetyOff, filter) || slices.Contains(c.options.ContentSafetyOff, "all")
}
