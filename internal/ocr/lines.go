package ocr

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ragify/ragify/internal/document"
)

// clean drops what is no text and settles what the lines have in common.
func (t *Text) clean() {
	for i := range t.lines {
		l := &t.lines[i]
		l.findBullet()
		l.dropNoise()
		l.fixCapitals()
	}
	t.lines = slices.DeleteFunc(t.lines, func(l line) bool { return len(l.words) == 0 })
	t.straighten()
	t.evenSizes()
	t.findBold()
}

// Confidences, 0 to 100, that tell text from noise: grain, a stain, a signature, a part of a picture. Tesseract is sure of
// printed text by 90 and more. Single words of it may have next to none, and are right more often than not; whole lines
// have not.
const (
	// sureLine is the mean of a line whose words are text.
	sureLine = 60
	// leastWord is what a word needs in other lines: of those with less one in three is right.
	leastWord = 30
	// leastMark is what parts of rules need anywhere.
	leastMark = 60
	// leastShort is what a line needs that has no word of three letters or digits: letters that stand below each other, or
	// that Tesseract sees in a pattern, have less; a page number has 95.
	leastShort = 90
)

// dropNoise takes out of a line what is probably no text.
func (l *line) dropNoise() {
	const (
		short = 2   // letters and digits
		tall  = 3.0 // times the size of the line: a frame, a bracket around lines
	)
	mean, longest := l.confidence()
	if longest == 0 || longest <= short && mean < leastShort {
		l.words = nil
		return
	}
	sure := mean >= sureLine
	l.words = slices.DeleteFunc(l.words, func(w word) bool {
		switch {
		case w.box.Height() > tall*l.size:
			return true
		case w.letters == 0 && strings.Trim(w.text, "|¦_") == "": // parts of rules
			return w.confidence < leastMark || w.box.Height() > 1.3*l.size || w.box.Width() > l.size
		case !sure && w.letters <= short:
			return w.confidence < leastShort
		}
		return (!sure || w.letters == 0) && w.confidence < leastWord
	})
}

// confidence is the mean of a line, by letters, and the most letters and digits that a word of it has.
func (l *line) confidence() (mean float64, longest int) {
	sum, letters := 0.0, 0
	for _, w := range l.words {
		sum += w.confidence * float64(w.letters)
		letters += w.letters
		longest = max(longest, w.letters)
	}
	return sum / float64(max(letters, 1)), longest
}

// bullet is what lists begin with.
const bullet = "•"

// findBullet reads the bullet at the beginning of a line as one: models know few of them, and take it for a letter or two marks. What
// stands above the baseline, below the height of small letters, and is about as wide as high is no letter.
func (l *line) findBullet() {
	if len(l.words) < 2 || utf8.RuneCountInString(l.words[0].text) > 2 {
		return
	}
	const (
		raised = 0.1 // of the height of small letters, above the baseline at least
		above  = 1.4 // the same, at most: raised signs such as that of degrees are higher
		oblong = 1.6 // times as wide as high or the reverse, at most: dashes are three times as wide
		apart  = 0.2 // of the line's size, from the text, at least
	)
	w, next := &l.words[0], &l.words[1]
	x := l.smallLetters()
	base := l.baseAt(w.box.Left)
	width, height := w.box.Width(), w.box.Height()
	if w.box.Bottom <= base-raised*x && w.box.Top >= base-above*x && width <= oblong*height && height <= oblong*width &&
		next.box.Left-w.box.Right >= apart*l.size {
		w.text, w.letters, w.confidence = bullet, 0, 100
	}
}

// The shape of text fonts, as shares of what Tesseract gives as the size, from the lowest to the highest point of
// letters: means of Times, Helvetica and their kin.
const (
	smallShare   = 0.53 // height of small letters
	capitalShare = 0.75 // of capitals and digits
	emShare      = 1.09 // the font size
)

// smallLetters is the height of the small letters of the line's size.
func (l *line) smallLetters() float64 { return smallShare * l.size }

func (l *line) baseAt(x float64) float64 { return l.base + l.slope*(x-l.box.Left) }

// fixCapitals sets the size of a line without small letters from its capitals and digits: Tesseract may take them for
// small ones of a larger size.
func (l *line) fixCapitals() {
	var heights []float64
	for _, w := range l.words {
		if strings.ToUpper(w.text) != w.text || strings.ToLower(w.text) == w.text && !strings.ContainsAny(w.text, "0123456789") {
			if w.letters > 0 {
				return
			}
			continue
		}
		heights = append(heights, w.box.Height()-math.Abs(l.slope)*w.box.Width())
	}
	if len(heights) == 0 {
		return
	}
	slices.Sort(heights)
	const off = 1.1 // times the size that the capitals tell: less is the other fonts' shape
	if size := heights[len(heights)/2] / capitalShare; l.size > off*size {
		l.size = size
	}
}

// straighten turns all lines by their common slope around the middle of the picture, and lays their words on a
// baseline: scans are seldom quite straight, and pages of books are bent at the fold.
func (t *Text) straighten() {
	const fewest = 10 // letters of a line that tells the slope
	var slopes []weighted
	for _, l := range t.lines {
		if n := l.letters(); n >= fewest {
			slopes = append(slopes, weighted{l.slope, n})
		}
	}
	t.angle = math.Atan(median(slopes))
	sin, cos := math.Sincos(-t.angle)
	x0, y0 := t.width/2, t.height/2
	turn := func(x, y float64) (float64, float64) {
		x, y = x-x0, y-y0
		return x0 + x*cos - y*sin, y0 + x*sin + y*cos
	}
	for i := range t.lines {
		l := &t.lines[i]
		middle := (l.box.Left + l.box.Right) / 2
		_, base := turn(middle, l.baseAt(middle))
		for k := range l.words {
			w := &l.words[k]
			x, y := (w.box.Left+w.box.Right)/2, (w.box.Top+w.box.Bottom)/2
			rise := y - l.baseAt(x)
			x, _ = turn(x, y)
			y = base + rise
			width := w.box.Width() / 2
			// The slope has added to the height of the box.
			height := max(w.box.Height()-math.Abs(l.slope)*w.box.Width(), 1) / 2
			w.box = document.Box{Left: x - width, Top: y - height, Right: x + width, Bottom: y + height}
		}
		l.base, l.slope = base, 0
		l.box = l.words[0].box
		for _, w := range l.words {
			l.box = l.box.Union(w.box)
		}
	}
}

// letters of all words of a line.
func (l *line) letters() int {
	n := 0
	for _, w := range l.words {
		n += w.letters
	}
	return n
}

// evenSizes gives lines that are set in one size the same size: measured are whole pixels, and which letters a line
// has makes a difference of some percent. The most common sizes draw those around them to themselves.
func (t *Text) evenSizes() {
	const near = 0.12 // of a size: as much as that of single words is wrong. Headings are larger than text by more.
	var sizes []weighted
	for _, l := range t.lines {
		sizes = append(sizes, weighted{l.size, max(l.letters(), 1)})
	}
	left := make([]int, len(t.lines))
	for i := range left {
		left[i] = i
	}
	for len(left) > 0 {
		common := mode(sizes, left)
		var group []weighted
		in := func(i int) bool { return math.Abs(sizes[i].value-common) <= near*common }
		for _, i := range left {
			if in(i) {
				group = append(group, sizes[i])
			}
		}
		size := median(group)
		left = slices.DeleteFunc(left, func(i int) bool {
			if in(i) {
				t.lines[i].size = size
				return true
			}
			return false
		})
	}
}

// A weighted value counts as often as its weight.
type weighted struct {
	value  float64
	weight int
}

// median of weighted values, 0 of none.
func median(values []weighted) float64 {
	values = slices.Clone(values)
	slices.SortFunc(values, func(a, b weighted) int { return cmp.Compare(a.value, b.value) })
	total, sum := 0, 0
	for _, v := range values {
		total += v.weight
	}
	for _, v := range values {
		if sum += v.weight; 2*sum >= total {
			return v.value
		}
	}
	return 0
}

// mode is the most common of some values, to whole numbers; the larger of two.
func mode(values []weighted, among []int) float64 {
	count := make(map[float64]int)
	for _, i := range among {
		count[math.Round(values[i].value)] += values[i].weight
	}
	best, most := 0.0, 0
	for v, n := range count {
		if n > most || n == most && v > best {
			best, most = v, n
		}
	}
	// The value nearest to it is always within reach of itself.
	nearest := values[among[0]].value
	for _, i := range among {
		if math.Abs(values[i].value-best) < math.Abs(nearest-best) {
			nearest = values[i].value
		}
	}
	return nearest
}
