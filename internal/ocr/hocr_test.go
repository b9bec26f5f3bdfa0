package ocr

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/ragify/ragify/internal/document"
)

const answer = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head><title></title><meta name='ocr-system' content='tesseract 5.3.0' /></head>
 <body>
  <div class='ocr_page' id='page_1' title='image "stdin"; bbox 0 0 2550 3300; ppageno 0; scan_res 300 300'>
   <div class='ocr_carea' id='block_1_1' title="bbox 347 380 2189 574">
    <p class='ocr_par' id='par_1_1' lang='eng' title="bbox 347 380 2189 423">
     <span class='ocr_header' id='line_1_1' title="bbox 347 380 2189 423; baseline -0.001 -12; x_size 38; x_descenders 8; x_ascenders 10">
      <span class='ocrx_word' id='word_1_1' title='bbox 347 380 412 410; x_wconf 93'>AT&amp;T’s</span>
      <span class='ocrx_word' id='word_1_2' title='bbox 424 380 676 417; x_wconf 90'><strong>fi<em>rst</em></strong></span>
     </span>
    </p>
    <p class='ocr_par'><span class='ocr_line' title="bbox 350 482 2094 527"></span></p>
   </div>
  </div>
 </body>
</html>`

func TestParseHOCR(t *testing.T) {
	lines, err := parseHOCR([]byte(answer), 2550, 3300)
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 1 || len(lines[0].words) != 2 {
		t.Fatalf("lines %+v", lines)
	}
	l := lines[0]
	if l.size != 38 || l.slope != -0.001 || l.base != 411 {
		t.Errorf("size %g, slope %g, baseline at %g", l.size, l.slope, l.base)
	}
	for i, want := range []word{
		{text: "AT&T’s", letters: 4, box: document.Box{Left: 347, Top: 380, Right: 412, Bottom: 410}, confidence: 93},
		{text: "first", letters: 5, box: document.Box{Left: 424, Top: 380, Right: 676, Bottom: 417}, confidence: 90},
	} {
		if l.words[i] != want {
			t.Errorf("word %+v, want %+v", l.words[i], want)
		}
	}
}

func TestParseHOCR_leaves_out_what_makes_no_sense(t *testing.T) {
	for name, span := range map[string]string{
		"a word off the picture":      word1("bbox 5000 10 5100 20", "x"),
		"a box without area":          word1("bbox 10 10 10 20", "x"),
		"a box of words":              word1("bbox a b c d", "x"),
		"a box that is not a number":  word1("bbox NaN NaN NaN NaN", "x"),
		"a box beyond all numbers":    word1("bbox 0 0 1e300 1e300", "x"),
		"no box":                      word1("x_wconf 90", "x"),
		"white space":                 word1("bbox 1 1 9 9", " \n\t "),
		"control characters":          word1("bbox 1 1 9 9", "&#x200e;&#xfeff;"),
		"a word longer than all":      word1("bbox 1 1 9 9", strings.Repeat("x", maxWordBytes+1)),
		"a word without a line":       `<span class='ocrx_word' title='bbox 1 1 9 9'>x</span>`,
		"text outside of words":       `<span class='ocr_line' title='bbox 1 1 9 9'>x</span>`,
		"a line that does not end":    `<span class='ocr_line' title='bbox 1 1 9 9'><span class='ocrx_word' title='bbox 1 1 1 1'>`,
		"replacement characters only": word1("bbox 1 1 9 9", "\uFFFD"),
	} {
		t.Run(name, func(t *testing.T) {
			lines, err := parseHOCR([]byte("<html>"+span+"</html>"), 100, 100)
			if len(lines) != 0 {
				t.Errorf("%+v, %v", lines, err)
			}
		})
	}
}

func word1(title, text string) string {
	return fmt.Sprintf(`<span class='ocr_line' title='bbox 0 0 50 50'><span class='ocrx_word' title=%q>%s</span></span>`, title, text)
}

func TestParseHOCR_bounds_the_words(t *testing.T) {
	many := "<html><span class='ocr_line' title='bbox 0 0 50 50'>" + strings.Repeat("<span class='ocrx_word' title='bbox 1 1 9 9'>x</span>", maxWords+10) + "</span></html>"
	lines, err := parseHOCR([]byte(many), 100, 100)
	if err != nil || len(lines) != 1 || len(lines[0].words) != maxWords {
		t.Errorf("%d lines, error %v", len(lines), err)
	}
}

// FuzzRead takes any answer through all steps: what comes out are characters on the page, or nothing.
func FuzzRead(f *testing.F) {
	f.Add([]byte(answer))
	f.Add([]byte(hocrWord("word", 1, 1, 90, 20, 95)))
	f.Add([]byte(sideways(5, 5, 50, 90)))
	f.Fuzz(func(t *testing.T, data []byte) {
		const width, height = 200, 300
		lines, err := parseHOCR(data, width, height)
		if err != nil {
			return
		}
		text := &Text{lines: lines, width: width, height: height, dpi: 72}
		text.weigh(page(width, height))
		_, _, _ = text.turns(), text.doubtful(), text.quality()
		text.clean()
		c := document.Content{Width: width, Height: height}
		text.AppendTo(&c, nil)
		for _, g := range c.Glyphs {
			sum := g.OriginX + g.OriginY + g.Size + g.Loose.Left + g.Loose.Top + g.Loose.Right + g.Loose.Bottom + g.Box.Left + g.Box.Bottom
			if math.IsNaN(sum) || math.IsInf(sum, 0) || g.Size <= 0 || g.Loose.Left > g.Loose.Right || g.Loose.Top > g.Loose.Bottom || g.Box.Left > g.Box.Right || g.Box.Top > g.Box.Bottom {
				t.Fatalf("glyph %+v", g)
			}
			if int(g.Font) >= len(c.Fonts) {
				t.Fatalf("font %d of %d", g.Font, len(c.Fonts))
			}
		}
	})
}
