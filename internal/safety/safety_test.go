package safety_test

import (
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/safety"
)

// everything is all filters.
var everything = safety.Filters{HiddenText: true, OffPage: true, Tiny: true, HiddenLayers: true}

// page is an empty page of 300 points.
func page() *document.Content {
	return &document.Content{Number: 7, Width: 300, Height: 300, Fonts: []document.Font{{Embedded: true}}}
}

// write adds a line as a text object: letters half as wide as high.
func write(c *document.Content, x, y, size float64, rgba uint32, s string) {
	object := int32(len(c.Texts))
	c.Texts = append(c.Texts, document.Text{Clip: document.Everywhere})
	for _, r := range s {
		box := document.Box{Left: x, Top: y - 0.7*size, Right: x + 0.5*size, Bottom: y}
		loose := document.Box{Left: x, Top: y - 0.9*size, Right: x + 0.5*size, Bottom: y + 0.2*size}
		if r == ' ' {
			box = document.Box{}
		}
		c.Glyphs = append(c.Glyphs, document.Glyph{Rune: r, Box: box, Loose: loose, OriginX: x, OriginY: y, Size: size, Object: object, Color: rgba})
		x += 0.5 * size
	}
}

func textOf(c *document.Content) (s string) {
	for i := range c.Glyphs {
		s += string(c.Glyphs[i].Rune)
	}
	return s
}

// paper is a Painter of pages on which text never shows, or always, in black.
func paper(shows bool) safety.Painter {
	return func(_ []document.Box, whole, bare []*image.RGBA, _ []int32) error {
		for _, img := range bare {
			draw.Draw(img, img.Rect, image.White, image.Point{}, draw.Src)
		}
		for _, img := range whole {
			ground := image.White
			if shows {
				ground = image.NewUniform(color.Black)
			}
			draw.Draw(img, img.Rect, ground, image.Point{}, draw.Src)
		}
		return nil
	}
}

func never(t *testing.T) safety.Painter {
	return func([]document.Box, []*image.RGBA, []*image.RGBA, []int32) error {
		t.Error("the page is painted")
		return nil
	}
}

func TestScreen_paints_no_page_without_doubt(t *testing.T) {
	c := page()
	c.Rules = []document.Rule{{Kind: document.RuleFill, Box: document.Box{Left: 10, Top: 10, Right: 200, Bottom: 40}, Color: 0x000080FF, Fill: 0x000080FF}}
	write(c, 20, 30, 12, 0xFFFFFFFF, "a white title")
	write(c, 20, 100, 12, 0x000000FF, "black text")
	write(c, 20, 120, 12, 0x999999FF, "gray text")
	c.Rules = append(c.Rules, document.Rule{Kind: document.RuleLine, Box: document.Box{Left: 20, Top: 101, Right: 80, Bottom: 102}, Color: 0xFF, After: 3})
	var s safety.Screener
	places, err := s.Screen(c, everything, never(t))
	if err != nil || len(places) > 0 || textOf(c) != "a white titleblack textgray text" {
		t.Errorf("%q, %v, %v", textOf(c), places, err)
	}
}

func TestScreen_asks_the_page(t *testing.T) {
	for _, c := range []struct {
		name  string
		shows bool
		want  string
	}{{"text that shows stays", true, "black white"}, {"text that does not goes", false, "black "}} {
		t.Run(c.name, func(t *testing.T) {
			p := page()
			write(p, 20, 30, 12, 0x000000FF, "black ")
			write(p, 20, 60, 12, 0xFFFFFFFF, "white")
			var s safety.Screener
			if _, err := s.Screen(p, everything, paper(c.shows)); err != nil {
				t.Fatal(err)
			}
			if got := textOf(p); got != c.want {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestScreen_tells_lines(t *testing.T) {
	c := page()
	write(c, 20, 60, 12, 0xFFFFFFFF, "two ")
	write(c, 44, 60, 12, 0xFFFFFFFF, "words")
	write(c, 20, 90, 12, 0xFFFFFFFF, "line")
	write(c, -500, 90, 12, 0x000000FF, "far")
	var s safety.Screener
	places, err := s.Screen(c, everything, paper(false))
	if err != nil {
		t.Fatal(err)
	}
	want := []document.Place{
		{Page: 7, BBox: [4]float64{20, 51.6, 74, 60}, Reason: safety.LowContrast},
		{Page: 7, BBox: [4]float64{20, 81.6, 44, 90}, Reason: safety.LowContrast},
		{Page: 7, BBox: [4]float64{-500, 81.6, -482, 90}, Reason: safety.OffPage},
	}
	if diff := cmp.Diff(want, places); diff != "" {
		t.Error(diff)
	}
}

// A fault of the renderer must not pass for a page without hidden text.
func TestScreen_fails_with_its_painter(t *testing.T) {
	c := page()
	write(c, 20, 60, 12, 0xFFFFFFFF, "white")
	broken := errors.New("broken")
	var s safety.Screener
	_, err := s.Screen(c, everything, func([]document.Box, []*image.RGBA, []*image.RGBA, []int32) error { return broken })
	if !errors.Is(err, broken) || textOf(c) != "white" {
		t.Errorf("%v, %q", err, textOf(c))
	}
}

// A page of nothing but areas over each other and text among them takes bounded work.
func TestScreen_bounds_its_work(t *testing.T) {
	c := page()
	for i := range 20_000 {
		write(c, 20, 60, 12, 0xFFFFFFFF, "x")
		c.Rules = append(c.Rules, document.Rule{Kind: document.RuleCurve, Box: document.Box{Right: 300, Bottom: 300}, Fill: 0x808080FF, After: int32(i)})
	}
	var s safety.Screener
	if _, err := s.Screen(c, everything, paper(true)); err != nil {
		t.Fatal(err)
	}
}

// FuzzScreen screens pages of any numbers: what stays is part of what was there, in its order, and places are numbers.
func FuzzScreen(f *testing.F) {
	f.Add([]byte("\x00\x10\x20\x30\x40\x50\x60\x70"), true)
	f.Add([]byte("\x01\x10\x20\x30\x40\x50\x60\x70\x02\x10\x20\x30\x40\x50\x60\x70\x03\x10\x20\x30\x40\x50\x60\x70"), false)
	f.Fuzz(func(t *testing.T, data []byte, shows bool) {
		c := page()
		number := func(b []byte) float64 {
			if b[0] == 0xFF {
				return math.Float64frombits(uint64(binary.BigEndian.Uint16(b)) << 48)
			}
			return float64(binary.BigEndian.Uint16(b)) / 64
		}
		for data = data[:min(len(data), 1000)]; len(data) >= 10; data = data[10:] {
			x, y := number(data[1:]), number(data[3:])
			box := document.Box{Left: x, Top: y, Right: x + number(data[5:]), Bottom: y + number(data[7:])}
			after := int32(data[9])
			switch data[0] % 5 {
			case 0:
				write(c, x, y, number(data[5:]), uint32(data[7])*0x01010100|0xFF, "Text")
				last := &c.Texts[len(c.Texts)-1]
				last.Layer, last.Unsure = int32(data[8]%3), data[9]%2 == 0
				c.Glyphs[len(c.Glyphs)-1].Mode = data[9] % 8
			case 1:
				c.Rules = append(c.Rules, document.Rule{Kind: document.RuleKind(data[0] / 5 % 4), Box: box, Fill: uint32(after) * 0x01010101, After: after})
			case 2:
				c.Images = append(c.Images, document.Image{Box: box, After: after})
			case 3:
				c.Covers = append(c.Covers, document.Cover{Box: box, After: after})
			case 4:
				if len(c.Texts) > 0 {
					c.Texts[len(c.Texts)-1].Clip = box
				}
			}
		}
		before := len(c.Glyphs)
		for i := range c.Glyphs {
			c.Glyphs[i].MCID = int32(i)
		}
		var s safety.Screener
		places, err := s.Screen(c, everything, paper(shows))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.IsSortedFunc(c.Glyphs, func(a, b document.Glyph) int { return int(a.MCID - b.MCID) }) || len(places) > before-len(c.Glyphs) {
			t.Errorf("%d of %d glyphs, %d places", len(c.Glyphs), before, len(places))
		}
		for _, p := range places {
			for _, v := range p.BBox {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Errorf("place %v", p)
				}
			}
		}
	})
}
