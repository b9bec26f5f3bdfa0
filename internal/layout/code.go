package layout

import (
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/ragify/ragify/internal/document"
)

// typing counts how much of a document is set in fixed pitch. Where most of it is, as on a typewriter, fixed pitch
// says nothing.
type typing struct {
	fixed, all int // glyphs of the pages so far
}

// fonts gives the page's fonts, without fixed ones in a typewritten document.
func (t *typing) fonts(c *document.Content) []document.Font {
	for i := range c.Glyphs {
		t.all++
		if fontOf(c.Fonts, c.Glyphs[i].Font).Fixed {
			t.fixed++
		}
	}
	if 2*t.fixed <= t.all {
		return c.Fonts
	}
	fonts := slices.Clone(c.Fonts)
	for i := range fonts {
		fonts[i].Fixed = false
	}
	return fonts
}

// findCode finds the lines of listings: lines in fixed pitch that stand apart from the text, of which not most read
// like sentences. A line of a paragraph may happen to hold nothing but a long name in fixed pitch.
func findCode(lines []line, leading []float64) []bool {
	const (
		apart     = 1.2 // times the usual distance of lines
		standing  = 3   // lines that are a listing even without space around them
		mostProse = 0.4 // of the lines
	)
	var code []bool
	far := func(i int) bool { // line i from the one before
		if i == 0 || i == len(lines) {
			return true
		}
		d := (lines[i].base - lines[i-1].base) / math.Max(math.Max(lines[i].size, lines[i-1].size), 1)
		return d > apart*leading[min(i, len(lines)-1)] || math.Abs(lines[i].box.Left-lines[i-1].box.Left) > indent*lines[i].size
	}
	for start := 0; start < len(lines); {
		end := start
		prose := 0
		for end < len(lines) && codeLine(&lines[end]) {
			if proseLine(&lines[end]) {
				prose++
			}
			end++
		}
		n := end - start
		above, below := n > 0 && far(start), n > 0 && far(end)
		if n > 0 && float64(prose) <= mostProse*float64(n) && (above && below || n > 1 && (above || below) || n >= standing) {
			if code == nil {
				code = make([]bool, len(lines))
			}
			for i := start; i < end; i++ {
				code[i] = true
			}
		}
		start = max(end, start+1)
	}
	return code
}

// codeLine reports whether a line can be one of a listing. Fonts of wide scripts are all of one pitch, and addresses
// are often set in fixed pitch wherever they stand.
func codeLine(l *line) bool {
	if !l.style.fixed {
		return false
	}
	for _, r := range l.text() {
		if cjk(r) {
			return false
		}
	}
	return !address.MatchString(l.text())
}

// proseLine reports whether a line reads like one of a sentence: many words of letters and little else.
func proseLine(l *line) bool {
	const (
		fewest = 6   // words
		share  = 0.8 // of them are of letters only
	)
	words := strings.Fields(l.text())
	plain := 0
	for _, w := range words {
		if strings.IndexFunc(strings.TrimRight(w, ".,;:!?"), func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' && r != '-' }) < 0 {
			plain++
		}
	}
	return len(words) >= fewest && float64(plain) >= share*float64(len(words))
}

// codeLines makes the lines of a listing, with the indents, inner spaces and empty lines that the page shows.
func codeLines(lines []line, fonts []document.Font) []document.Line {
	const (
		mostEmpty  = 3   // lines in a row
		mostSpaces = 100 // in a row
	)
	advance := pitchOf(lines)
	left, leading := math.Inf(1), math.Inf(1)
	for i := range lines {
		left = math.Min(left, lines[i].box.Left)
		if i > 0 {
			leading = math.Min(leading, math.Max(lines[i].base-lines[i-1].base, 0.8*lines[i].size))
		}
	}
	spaces := func(gap float64) string {
		return strings.Repeat(" ", min(max(int(math.Round(gap/advance)), 0), mostSpaces))
	}
	var out []document.Line
	for i := range lines {
		l := &lines[i]
		if i > 0 {
			empty := int(math.Round((l.base-lines[i-1].base)/leading)) - 1
			for range min(max(empty, 0), mostEmpty) {
				out = append(out, document.Line{})
			}
		}
		runs := makeRuns(l.pieces[:1], fonts)
		runs[0].Text = spaces(l.box.Left-left) + runs[0].Text
		for k := 1; k < len(l.pieces); k++ {
			p := &l.pieces[k]
			more := makeRuns(l.pieces[k:k+1], fonts)
			if !p.glue {
				more[0].Text = " " + strings.TrimPrefix(spaces(p.box.Left-l.pieces[k-1].box.Right), " ") + more[0].Text
			}
			runs = append(runs, more...)
		}
		out = append(out, document.Line{Runs: runs, Box: l.box, Spans: pieceSpans(l.pieces)})
	}
	return out
}

// pitchOf is the advance width of the characters of a listing in points: that of its longer words, which is their ink
// and the white at the sides of a character.
func pitchOf(lines []line) float64 {
	const (
		long  = 5    // characters
		white = 0.2  // of a character
		usual = 0.55 // ems, where there are no longer words
	)
	var list []float64
	for i := range lines {
		for k := range lines[i].pieces {
			if p := &lines[i].pieces[k]; p.runes >= long {
				list = append(list, p.box.Width()/(float64(p.runes)-white))
			}
		}
	}
	if len(list) == 0 {
		return math.Max(usual*lines[0].size, 1)
	}
	slices.Sort(list)
	return math.Max(list[len(list)/2], 1)
}
