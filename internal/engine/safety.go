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
	if len(places) > 0 {
		c.found.hidden = append(c.found.hidden, content.Number)
		room := maxPlaces - len(c.found.hiddenPlaces)
		c.found.hiddenPlaces = append(c.found.hiddenPlaces, places[:min(room, len(places))]...)
	}
	return err
}

// screensOff reports whether the job asked to keep what a filter would take out.
func (c *conversion) screensOff(filter string) bool {
	return slices.Contains(c.options.ContentSafetyOff, filter) || slices.Contains(c.options.ContentSafetyOff, "all")
}
