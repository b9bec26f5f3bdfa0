package layout_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/layout"
)

// Pages made to exhaust us, or drawn by programs without mercy, must not take a time that grows with the square of
// what is on them. The limits are some ten times what a slow machine needs.
func TestDegeneratePages(t *testing.T) {
	const limit = 30 * time.Second
	random := rand.New(rand.NewPCG(1, 2))
	glyph := func(x, y, size float64) document.Glyph {
		return document.Glyph{
			Rune: rune('a' + random.IntN(26)), OriginX: x, OriginY: y, Size: size, MCID: -1, Color: 0xFF,
			Box:   document.Box{Left: x, Top: y - size, Right: x + size/2, Bottom: y},
			Loose: document.Box{Left: x, Top: y - size, Right: x + size/2, Bottom: y},
		}
	}
	for name, fill := range map[string]func(*document.Content){
		"100,000 glyphs anywhere": func(c *document.Content) {
			for range 100_000 {
				c.Glyphs = append(c.Glyphs, glyph(random.Float64()*600, random.Float64()*800, 8))
			}
		},
		"50,000 glyphs on 1,000 lines": func(c *document.Content) {
			for i := range 1000 {
				for k := range 50 {
					c.Glyphs = append(c.Glyphs, glyph(float64(k)*6+float64(k/10)*20, float64(i)*3, 3))
				}
			}
		},
		"100,000 glyphs at one place": func(c *document.Content) {
			for range 100_000 {
				c.Glyphs = append(c.Glyphs, glyph(300, 400, 10))
			}
		},
		"100,000 glyphs on one line": func(c *document.Content) {
			for i := range 100_000 {
				c.Glyphs = append(c.Glyphs, glyph(float64(i)*5, 400, 10))
			}
		},
		"100,000 tiny superscripts": func(c *document.Content) {
			for i := range 50_000 {
				x, y := float64(i%300)*2, float64(i/300)*2
				c.Glyphs = append(c.Glyphs, glyph(x, y, 2), glyph(x+1, y-0.5, 1))
			}
		},
		"100,000 rules anywhere": func(c *document.Content) {
			for i := range 100_000 {
				x, y := random.Float64()*600, random.Float64()*800
				b := document.Box{Left: x, Top: y, Right: x + 50, Bottom: y + 0.5}
				if i%2 == 0 {
					b = document.Box{Left: x, Top: y, Right: x + 0.5, Bottom: y + 50}
				}
				c.Rules = append(c.Rules, document.Rule{Kind: document.RuleKind(i / 2 % 4), Box: b, Color: 0xFF})
			}
		},
		"a grid of 300 × 300 lines with a glyph in each cell": func(c *document.Content) {
			for i := range 300 {
				at := float64(i) * 5
				c.Rules = append(c.Rules,
					document.Rule{Box: document.Box{Left: 0, Top: at, Right: 1500, Bottom: at + 0.3}, Color: 0xFF},
					document.Rule{Box: document.Box{Left: at, Top: 0, Right: at + 0.3, Bottom: 1500}, Color: 0xFF})
				for k := range 300 {
					c.Glyphs = append(c.Glyphs, glyph(float64(k)*5+1, at+4, 3))
				}
			}
		},
		"20,000 backgrounds in rows": func(c *document.Content) {
			for i := range 20_000 {
				x, y := float64(i%100)*6, float64(i/100)*8
				c.Rules = append(c.Rules, document.Rule{Kind: document.RuleFill, Box: document.Box{Left: x, Top: y, Right: x + 6, Bottom: y + 8}, Color: 0x808080FF})
				c.Glyphs = append(c.Glyphs, glyph(x+1, y+6, 5))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := document.Content{Number: 1, Width: 600, Height: 800, Fonts: []document.Font{{Name: "R"}}}
			fill(&c)
			start := time.Now()
			a := layout.New(layout.Options{TableMethod: "cluster"})
			a.Add(&c)
			a.Document(document.Meta{}, nil, 1)
			took := time.Since(start)
			t.Logf("%v", took.Round(time.Millisecond))
			if took > limit {
				t.Errorf("took %v, more than %v", took, limit)
			}
		})
	}
}
