package ocr

import "image"

// unturn gives a picture turned back by quarter clockwise quarter turns, so that text that was turned so is upright. The
// picture's rows follow each other without gaps.
func unturn(img *image.Gray, quarter int) *image.Gray {
	if quarter == 0 {
		return img
	}
	w, h := img.Rect.Dx(), img.Rect.Dy()
	if quarter == 2 {
		out := image.NewGray(image.Rect(0, 0, w, h))
		for i, n := 0, w*h; i < n; i++ {
			out.Pix[n-1-i] = img.Pix[i]
		}
		return out
	}
	out := image.NewGray(image.Rect(0, 0, h, w))
	for y := range h {
		row := img.Pix[y*img.Stride:][:w]
		for x, v := range row {
			if quarter == 1 { // the text runs down: its top is at the right
				out.Pix[(w-1-x)*h+y] = v
			} else {
				out.Pix[x*h+h-1-y] = v
			}
		}
	}
	return out
}

// turns gives the turns that are worth a try, after a picture was read as if it were upright. Tesseract finds lines of
// text that run up or down, too, but reads them in one direction only; upside-down text it reads as nonsense.
func (t *Text) turns() []int {
	if !t.sideways() {
		if t.doubtful() {
			return []int{2}
		}
		return nil
	}
	down := 0
	for i := range t.lines {
		words := t.lines[i].words
		for k := 1; k < len(words); k++ {
			if words[k].box.Top > words[k-1].box.Top {
				down++
			} else {
				down--
			}
		}
	}
	// What was read downwards and makes sense runs down.
	if (down >= 0) != t.doubtful() {
		return []int{1, 3}
	}
	return []int{3, 1}
}

// sideways reports whether most words are much higher than wide: words of three letters are not, in any script that
// Tesseract writes from left to right.
func (t *Text) sideways() bool {
	const (
		fewest = 3   // letters
		slim   = 1.3 // times as high as wide
	)
	high, all := 0, 0
	for _, l := range t.lines {
		for _, w := range l.words {
			if w.letters < fewest {
				continue
			}
			all += w.letters
			if w.box.Height() > slim*w.box.Width() {
				high += w.letters
			}
		}
	}
	return 2*high > all
}

// doubtful reports whether what was read is probably not what is there. Tesseract is sure of text of fair quality by 90
// and more of 100, of upside-down text by less than 40.
func (t *Text) doubtful() bool {
	const sure = 65
	sum, letters := 0.0, 0
	for _, l := range t.lines {
		for _, w := range l.words {
			sum += w.confidence * float64(w.letters)
			letters += w.letters
		}
	}
	return letters > 0 && sum < sure*float64(letters)
}

// quality tells which of two readings of a picture is better: how many letters it is sure of. Text that it holds to run up
// or down counts half: its words may be right, but they have no baseline, and lines are cut.
func (t *Text) quality() float64 {
	const likely = 60
	sum := 0.0
	for _, l := range t.lines {
		for _, w := range l.words {
			if w.confidence >= likely {
				sum += w.confidence * float64(w.letters)
			}
		}
	}
	if t.sideways() {
		return sum / 2
	}
	return sum
}
