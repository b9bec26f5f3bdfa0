package engine

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/document"
)

// words are those of two lines, ten points high, at the top of a page.
func words() []document.Box {
	var boxes []document.Box
	for _, y := range []float64{100, 120} {
		for x := 50.0; x < 350; x += 60 {
			boxes = append(boxes, document.Box{Left: x, Top: y, Right: x + 50, Bottom: y + 10})
		}
	}
	return boxes
}

func TestDropScans_takes_pictures_of_text_and_leaves_others(t *testing.T) {
	page := document.Image{Box: document.Box{Right: 400, Bottom: 500}}
	paragraph := document.Image{Box: document.Box{Left: 45, Top: 95, Right: 355, Bottom: 135}}
	chart := document.Image{Box: document.Box{Left: 45, Top: 115, Right: 255, Bottom: 315}} // a line of words is its title
	photo := document.Image{Box: document.Box{Left: 45, Top: 350, Right: 355, Bottom: 450}}
	c := document.Content{Width: 400, Height: 500, Images: []document.Image{page, paragraph, chart, photo}}
	dropScans(&c, words())
	if diff := cmp.Diff([]document.Image{chart, photo}, c.Images); diff != "" {
		t.Error(diff)
	}
}

func TestDropOutlines_takes_letters_drawn_as_paths(t *testing.T) {
	letter := document.Rule{Kind: document.RuleCurve, Box: document.Box{Left: 52, Top: 101, Right: 58, Bottom: 110}}
	tail := document.Rule{Kind: document.RuleCurve, Box: document.Box{Left: 171, Top: 122, Right: 176, Bottom: 131}}
	frame := document.Rule{Kind: document.RuleCurve, Box: document.Box{Left: 40, Top: 90, Right: 360, Bottom: 140}}
	between := document.Rule{Kind: document.RuleCurve, Box: document.Box{Left: 102, Top: 101, Right: 108, Bottom: 110}}
	line := document.Rule{Kind: document.RuleLine, Box: document.Box{Left: 52, Top: 105, Right: 58, Bottom: 106}}
	c := document.Content{Width: 400, Height: 500, Rules: []document.Rule{letter, tail, frame, between, line}}
	dropOutlines(&c, words())
	if diff := cmp.Diff([]document.Rule{frame, between, line}, c.Rules); diff != "" {
		t.Error(diff)
	}
}
