package ocr

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ragify/ragify/internal/document"
)

// A line is one line of text in a picture. Lengths are pixels, y runs downwards.
type line struct {
	words []word
	box   document.Box
	// The baseline: its y at x is base + slope × (x − box.Left).
	slope, base float64
	size        float64 // from the lowest descender to the highest ascender
}

// A word is what Tesseract takes for one: text without white space.
type word struct {
	text       string
	letters    int // letters and digits in it
	box        document.Box
	confidence float64 // 0 to 100
	stroke     float64 // see weigh
	bold       bool
}

// Bounds of what is taken from one answer. A page of the smallest print has 10,000 words; words of agglutinating
// languages have 100 letters at most.
const (
	maxWords     = 50_000
	maxWordBytes = 400
)

// parseHOCR reads Tesseract's answer: hOCR 1.2, an XHTML page whose elements have their properties in the attribute
// title, of a picture of the given size. Words that make no sense are left out. The format is described at
// http://kba.github.io/hocr-spec/1.2/.
func parseHOCR(data []byte, width, height float64) ([]line, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.Strict = false
	d.Entity = xml.HTMLEntity
	var (
		lines  []line
		inWord bool
		depth  int // of elements inside the word
		text   []byte
		total  int
	)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return slices.DeleteFunc(lines, func(l line) bool { return len(l.words) == 0 }), nil
		}
		if err != nil {
			return nil, fmt.Errorf("tesseract's answer: %w", err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			class, p := describe(e)
			switch {
			case inWord:
				depth++
			case class == "ocrx_word":
				if len(lines) == 0 || total >= maxWords {
					continue
				}
				l := &lines[len(lines)-1]
				l.words = append(l.words, p.word(width, height))
				inWord, depth, text = true, 0, text[:0]
				total++
			case lineClass(class):
				lines = append(lines, p.line(width, height))
			}
		case xml.CharData:
			if inWord && len(text) <= maxWordBytes {
				text = append(text, e...)
			}
		case xml.EndElement:
			if !inWord {
				continue
			}
			if depth > 0 {
				depth--
				continue
			}
			inWord = false
			l := &lines[len(lines)-1]
			if !l.words[len(l.words)-1].settle(text) {
				l.words = l.words[:len(l.words)-1]
			}
		}
	}
}

// lineClass reports whether elements of a class are lines: what they are called beyond that is a guess.
func lineClass(class string) bool {
	switch class {
	case "ocr_line", "ocr_header", "ocr_caption", "ocr_textfloat":
		return true
	}
	return false
}

// properties are those of an hOCR element: names and their numbers.
type properties map[string][]float64

// describe gives the class of an element and its properties.
func describe(e xml.StartElement) (class string, p properties) {
	for _, a := range e.Attr {
		switch a.Name.Local {
		case "class":
			class = a.Value
		case "title":
			p = make(properties)
			for part := range strings.SplitSeq(a.Value, ";") {
				fields := strings.Fields(part)
				if len(fields) == 0 {
					continue
				}
				var numbers []float64
				for _, f := range fields[1:] {
					n, err := strconv.ParseFloat(f, 64)
					if err != nil || math.IsNaN(n) || math.Abs(n) > 1e6 {
						numbers = nil
						break
					}
					numbers = append(numbers, n)
				}
				p[fields[0]] = numbers
			}
		}
	}
	return class, p
}

// box is the property bbox, within the picture.
func (p properties) box(width, height float64) document.Box {
	b := p["bbox"]
	if len(b) != 4 {
		return document.Box{}
	}
	return document.Box{Left: b[0], Top: b[1], Right: b[2], Bottom: b[3]}.Intersect(document.Box{Right: width, Bottom: height})
}

func (p properties) number(name string) float64 {
	if n := p[name]; len(n) == 1 {
		return n[0]
	}
	return 0
}

// line makes a line of the properties. Where Tesseract gives no baseline, as for text that runs up or down, it is near
// the foot of the box.
func (p properties) line(width, height float64) line {
	l := line{box: p.box(width, height), size: p.number("x_size")}
	if !(l.size > 0 && l.size <= 2*l.box.Height()) {
		l.size = l.box.Height()
	}
	const descent = 0.2 // of the size
	l.base = l.box.Bottom - descent*l.size
	if b := p["baseline"]; len(b) == 2 && math.Abs(b[0]) < steepest && math.Abs(b[1]) < l.size {
		l.slope, l.base = b[0], l.box.Bottom+b[1]
	}
	return l
}

// steepest slope of a line of text: 14 degrees. Tesseract reads none that is steeper.
const steepest = 0.25

func (p properties) word(width, height float64) word {
	return word{box: p.box(width, height), confidence: min(max(p.number("x_wconf"), 0), 100)}
}

// settle gives the word its text. It reports whether the word is one.
func (w *word) settle(text []byte) bool {
	if len(text) > maxWordBytes || !utf8.Valid(text) || w.box.Empty() {
		return false
	}
	w.text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsSpace(r) || unicode.Is(unicode.C, r) {
			return -1
		}
		return r
	}, string(text))
	for _, r := range w.text {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			w.letters++
		}
	}
	return w.text != ""
}
