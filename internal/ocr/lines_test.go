package ocr

import (
	"image"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/document"
)

// typed makes a line of words on a straight baseline, each with a confidence after a slash ("word/90"; 95 without).
// Letters are half as wide as the line's size.
func typed(t *testing.T, left, base, size float64, text string) line {
	t.Helper()
	l := line{base: base, size: size}
	x := left
	for field := range strings.FieldsSeq(text) {
		name, confidence, found := strings.Cut(field, "/")
		w := word{confidence: 95}
		if found {
			w.confidence = float64(len(confidence)) * 10
		}
		width := size / 2 * float64(len([]rune(name)))
		w.box = document.Box{Left: x, Top: base - 0.78*size, Right: x + width, Bottom: base}
		if !w.settle([]byte(name)) {
			t.Fatalf("no word: %q", name)
		}
		l.words = append(l.words, w)
		x += width + 0.3*size
	}
	l.box = document.Box{Left: left, Top: base - 0.8*size, Right: x, Bottom: base + 0.2*size}
	return l
}

func (l *line) String() string {
	var words []string
	for _, w := range l.words {
		words = append(words, w.text)
	}
	return strings.Join(words, " ")
}

func TestDropNoise(t *testing.T) {
	// Confidences are strokes: xxx is 30.
	for name, c := range map[string]struct{ in, want string }{
		"keeps a doubtful word among sure ones":   {"the year 2O24/x was good", "the year 2O24 was good"},
		"drops doubtful words of a doubtful line": {"Lh/xx Hathaway/x margin/xxxx", "margin"},
		"drops single letters of a doubtful line": {"a/xxxx Br/xxxxx", ""},
		"drops marks that it is not sure of":      {"the ~/x end", "the end"},
		"keeps marks that it is sure of":          {"1999 – 2024", "1999 – 2024"},
		"drops rules that it takes for letters":   {"No. |/xxxxx Name", "No. Name"},
		"keeps a bar between words":               {"Home | News", "Home | News"},
		"keeps short lines that it is sure of":    {"7", "7"},
		"drops a line of marks":                   {"~ =", ""},
		"drops letters below each other":          {"N/xxxxxxxx", ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := typed(t, 100, 100, 20, c.in)
			l.dropNoise()
			if diff := cmp.Diff(c.want, l.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("drops what is much higher than the line", func(t *testing.T) {
		l := typed(t, 100, 100, 20, "( text")
		l.words[0].box.Top -= 60
		l.dropNoise()
		if got := l.String(); got != "text" {
			t.Errorf("%q", got)
		}
	})
}

func TestFindBullet(t *testing.T) {
	const base, size = 100, 40.0 // small letters are 21 pixels high
	for name, c := range map[string]struct {
		box  document.Box
		want string
	}{
		"a dot above the baseline is one":     {document.Box{Left: 100, Top: 78, Right: 116, Bottom: 94}, bullet},
		"a letter stands on the baseline":     {document.Box{Left: 100, Top: 79, Right: 116, Bottom: 100}, "e"},
		"a raised sign stands higher":         {document.Box{Left: 100, Top: 68, Right: 112, Bottom: 80}, "e"},
		"a dash is wider than high":           {document.Box{Left: 100, Top: 86, Right: 118, Bottom: 90}, "e"},
		"what touches the text is part of it": {document.Box{Left: 118, Top: 78, Right: 134, Bottom: 94}, "e"},
	} {
		t.Run(name, func(t *testing.T) {
			l := typed(t, 100, base, size, "e text")
			l.words[0].box = c.box
			l.words[1].box.Left = 136
			l.findBullet()
			if got := l.words[0].text; got != c.want {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestEvenSizes_makes_one_size_of_those_that_differ_by_chance(t *testing.T) {
	text := Text{width: 1000, height: 1000, dpi: 300}
	for i, size := range []float64{60, 33, 35, 34, 36, 34} {
		text.lines = append(text.lines, typed(t, 100, 100+float64(i)*60, size, "Words of the same length"))
	}
	text.evenSizes()
	var got []float64
	for _, l := range text.lines {
		got = append(got, l.size)
	}
	if diff := cmp.Diff([]float64{60, 34, 34, 34, 34, 34}, got); diff != "" {
		t.Error(diff)
	}
}

func TestFixCapitals_measures_capitals_by_their_height(t *testing.T) {
	l := typed(t, 100, 100, 40, "SUMMARY 2024")
	for i := range l.words {
		l.words[i].box.Top = l.base - 0.75*30
	}
	l.fixCapitals()
	if math.Abs(l.size-30) > 0.01 {
		t.Errorf("size %g", l.size)
	}
	l = typed(t, 100, 100, 40, "Summary 2024")
	l.fixCapitals()
	if l.size != 40 {
		t.Errorf("with small letters: %g", l.size)
	}
}

func TestStraighten_lays_words_of_a_sloping_page_on_lines(t *testing.T) {
	const slope = 0.03
	text := Text{width: 1000, height: 1000, dpi: 300}
	for _, y := range []float64{100, 500, 900} {
		l := typed(t, 100, y, 20, "a sloping line of several words")
		l.slope = slope
		for i := range l.words {
			w := &l.words[i]
			down := slope * ((w.box.Left+w.box.Right)/2 - l.box.Left)
			w.box.Top, w.box.Bottom = w.box.Top+down, w.box.Bottom+down
		}
		text.lines = append(text.lines, l)
	}
	text.straighten()
	for _, l := range text.lines {
		for _, w := range l.words {
			if math.Abs(w.box.Bottom-l.base) > 1.5 {
				t.Errorf("%q ends %g pixels off its baseline", w.text, w.box.Bottom-l.base)
			}
		}
	}
	if d := text.lines[2].base - text.lines[0].base; math.Abs(d-800) > 1 {
		t.Errorf("the lines are %g pixels apart", d)
	}
	if y := text.lines[1].base; math.Abs(y-500) > 15 {
		t.Errorf("the middle line has moved to %g", y)
	}
}

func TestFindBold_takes_lines_with_wider_strokes(t *testing.T) {
	img := page(1000, 400)
	text := Text{width: 1000, height: 400, dpi: 300}
	for i, stem := range []int{4, 6, 4, 4} {
		l := typed(t, 100, 100+float64(i)*80, 40, "Strokes of a line")
		for _, w := range l.words {
			for x := int(w.box.Left); x+stem < int(w.box.Right); x += 20 {
				fill(img, image.Rect(x, int(w.box.Top), x+stem, int(w.box.Bottom)))
			}
		}
		text.lines = append(text.lines, l)
	}
	text.weigh(img)
	text.findBold()
	var got []bool
	for _, l := range text.lines {
		got = append(got, l.words[0].bold)
	}
	if diff := cmp.Diff([]bool{false, true, false, false}, got); diff != "" {
		t.Error(diff)
	}
}

func fill(img *image.Gray, r image.Rectangle) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			img.Pix[y*img.Stride+x] = 0
		}
	}
}

func TestAppendTo(t *testing.T) {
	text := Text{width: 600, height: 300, dpi: 144, lines: []line{typed(t, 100, 100, 40, "two words"), typed(t, 100, 200, 40, "第一 章")}}
	c := document.Content{Width: 300, Height: 150}
	text.AppendTo(&c, nil)
	if got := shown(&c); got != "two words第一章" {
		t.Errorf("shown %q", got)
	}
	g := c.Glyphs[0]
	if g.OriginX != 50 || g.OriginY != 50 || g.Size != 22 || g.Object != -1 || g.MCID != -1 || g.Mode != 3 || c.Fonts[g.Font].Name != FontName {
		t.Errorf("glyph %+v in %+v", g, c.Fonts)
	}
	t.Run("leaves out words where they are not wanted, with the space before them", func(t *testing.T) {
		c := document.Content{Width: 300, Height: 150}
		text.AppendTo(&c, func(b document.Box) bool { return b.Left > 70 })
		if got := shown(&c); got != "two第一" {
			t.Errorf("shown %q", got)
		}
	})
	t.Run("spreads words that are read from the right from there", func(t *testing.T) {
		text := Text{width: 600, height: 300, dpi: 144, lines: []line{typed(t, 100, 100, 40, "שלום")}}
		c := document.Content{Width: 300, Height: 150}
		text.AppendTo(&c, nil)
		if len(c.Glyphs) != 4 || c.Glyphs[0].Loose.Left < c.Glyphs[3].Loose.Right {
			t.Errorf("glyphs %+v", c.Glyphs)
		}
	})
}
