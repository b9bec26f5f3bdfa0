package ocr

import (
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ragify/ragify/internal/document"
)

const rulesDPI = 100 // of the pictures here: the shortest rule has 50 pixels, the thickest 4

func TestTakeRules(t *testing.T) {
	for name, c := range map[string]struct {
		ink  []image.Rectangle
		want int
	}{
		"a grid":                               {[]image.Rectangle{image.Rect(50, 50, 350, 52), image.Rect(50, 150, 350, 152), image.Rect(50, 50, 52, 152), image.Rect(348, 50, 350, 152)}, 4},
		"a line under words":                   {[]image.Rectangle{image.Rect(50, 50, 150, 52)}, 1},
		"one with a gap of grain":              {[]image.Rectangle{image.Rect(50, 50, 100, 52), image.Rect(101, 50, 150, 52)}, 1},
		"the bar of a letter is too short":     {[]image.Rectangle{image.Rect(50, 50, 90, 52)}, 0},
		"a bar of a chart is too thick":        {[]image.Rectangle{image.Rect(50, 50, 250, 60)}, 0},
		"the edge of a page meets no other":    {[]image.Rectangle{image.Rect(2, 0, 4, 300)}, 0},
		"a picture is no rule":                 {[]image.Rectangle{image.Rect(50, 50, 250, 250)}, 0},
		"two below each other are two":         {[]image.Rectangle{image.Rect(50, 50, 250, 51), image.Rect(50, 56, 250, 57)}, 2},
		"a column with a rule that it reaches": {[]image.Rectangle{image.Rect(50, 50, 250, 52), image.Rect(150, 55, 152, 150)}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			img := page(400, 300)
			for _, r := range c.ink {
				fill(img, r)
			}
			rules := takeRules(img, rulesDPI)
			if len(rules) != c.want {
				t.Fatalf("%d rules: %+v", len(rules), rules)
			}
			if blank := !slices.ContainsFunc(img.Pix, func(v byte) bool { return v < 128 }); blank != (c.want == len(c.ink) || name == "one with a gap of grain") {
				t.Errorf("the picture is blank afterwards: %v", blank)
			}
		})
	}
}

func TestTakeRules_leaves_what_crosses_them(t *testing.T) {
	img := page(400, 300)
	fill(img, image.Rect(50, 100, 350, 102))
	fill(img, image.Rect(200, 90, 203, 112)) // the tail of a letter
	if rules := takeRules(img, rulesDPI); len(rules) != 1 {
		t.Fatalf("%+v", rules)
	}
	for y := 90; y < 112; y++ {
		if img.GrayAt(201, y).Y > 128 {
			t.Errorf("the letter is cut at %d", y)
		}
	}
	if img.GrayAt(100, 100).Y < 128 {
		t.Error("the rule is still there")
	}
}

func TestTakeRules_of_a_slanting_scan_come_out_straight(t *testing.T) {
	const slope = 0.02
	img := page(800, 600)
	for x := 100; x < 700; x++ {
		y := 300 + int(math.Round(slope*float64(x-400)))
		fill(img, image.Rect(x, y, x+1, y+3))
	}
	text := Text{width: 800, height: 600, dpi: rulesDPI, angle: math.Atan(slope), rules: takeRules(img, rulesDPI)}
	c := document.Content{Width: 576, Height: 432}
	text.AppendTo(&c, nil)
	if len(c.Rules) != 1 {
		t.Fatalf("rules %+v", c.Rules)
	}
	b := c.Rules[0].Box
	if b.Height() > 4 || math.Abs((b.Top+b.Bottom)/2-217) > 1.5 || math.Abs(b.Left-72) > 2 || math.Abs(b.Right-504) > 2 {
		t.Errorf("box %+v", b)
	}
}

func TestTakeRules_bears_grain(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, share := range []float64{0, 0.02, 0.5, 0.98, 1} {
		img := page(300, 200)
		for i := range img.Pix {
			if random.Float64() < share {
				img.Pix[i] = 0
			}
		}
		if rules := takeRules(img, rulesDPI); len(rules) > 0 && share < 0.9 {
			t.Errorf("%g of the pixels dark: %d rules", share, len(rules))
		}
	}
	takeRules(page(1, 1), rulesDPI)
	takeRules(page(3, 300), rulesDPI)
}
