package ocr

import (
	"image"
	"math"
)

// Tesseract does not say what is bold. The picture does: strokes are wider against the size of the letters.

// weigh measures the strokes of all words.
func (t *Text) weigh(img *image.Gray) {
	for i := range t.lines {
		l := &t.lines[i]
		for k := range l.words {
			l.words[k].stroke = strokeWidth(img, l.words[k], l.size) / l.size
		}
	}
}

// strokeWidth is the mean width in pixels of what is dark in a word, along its rows.
func strokeWidth(img *image.Gray, w word, size float64) float64 {
	r := image.Rect(int(w.box.Left), int(w.box.Top), int(math.Ceil(w.box.Right)), int(math.Ceil(w.box.Bottom))).Intersect(img.Rect)
	darkest, lightest := uint8(255), uint8(0)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for _, v := range img.Pix[y*img.Stride+r.Min.X : y*img.Stride+r.Max.X] {
			darkest, lightest = min(darkest, v), max(lightest, v)
		}
	}
	limit := uint8((int(darkest) + int(lightest)) / 2)
	longest := int(0.4 * size) // pixels: bars of letters and lines under them are no stems
	dark, runs := 0, 0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		run := 0
		end := func() {
			if run > 0 && run <= longest {
				dark += run
				runs++
			}
			run = 0
		}
		for _, v := range img.Pix[y*img.Stride+r.Min.X : y*img.Stride+r.Max.X] {
			if v < limit {
				run++
				continue
			}
			end()
		}
		end()
	}
	if runs == 0 {
		return 0
	}
	return float64(dark) / float64(runs)
}

// findBold marks the lines that are set in bold: whose strokes are wider than those of most text.
func (t *Text) findBold() {
	const (
		bolder = 1.25 // times the usual stroke: bold faces have 1.3 to 1.6, single lines of others up to 1.1
		fewest = 3    // letters
	)
	var strokes []weighted
	for _, l := range t.lines {
		for _, w := range l.words {
			strokes = append(strokes, weighted{w.stroke, w.letters})
		}
	}
	usual := median(strokes)
	for i := range t.lines {
		l := &t.lines[i]
		sum, n := 0.0, 0
		for _, w := range l.words {
			sum += w.stroke * float64(w.letters)
			n += w.letters
		}
		bold := n >= fewest && sum >= bolder*usual*float64(n)
		for k := range l.words {
			l.words[k].bold = bold
		}
	}
}
