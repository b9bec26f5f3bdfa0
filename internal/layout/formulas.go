package layout

import (
	"math"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ragify/ragify/internal/document"
)

// equationNumber is what stands at the margin beside a formula.
var equationNumber = regexp.MustCompile(`^\(\d+([.\-]\d+)*[a-z]?\)$`)

// maths is what a line has of a formula.
type maths struct {
	runes    int  // in fonts for maths, and signs and letters of maths in others
	words    int  // words of text: formulas have "if" and "sin"
	relation bool // has a sign that makes a statement: "=", "≤", "→"
}

// measureMaths counts the mathematics in a line.
func measureMaths(pieces []piece, fonts []document.Font) maths {
	var m maths
	for i := range pieces {
		p := &pieces[i]
		f := fontOf(fonts, p.font)
		if f.Math {
			m.runes += p.runes
		}
		if i > 0 && i == len(pieces)-1 && equationNumber.MatchString(p.text) {
			m.runes += p.runes
			continue
		}
		letters := 0
		for _, r := range p.text {
			switch {
			case strings.ContainsRune("=<>≤≥≈≡≠∼≃∈→⇒⇔↔∝≪≫⊂⊆", r):
				m.relation = true
				fallthrough
			case unicode.Is(unicode.Sm, r), unicode.Is(unicode.Greek, r), r >= 0x1D400 && r <= 0x1D7FF:
				if !f.Math {
					m.runes++
				}
			case f.Italic && !f.Math && p.runes <= 2:
				m.runes++ // a variable
			}
			if unicode.IsLetter(r) && !unicode.Is(unicode.Greek, r) {
				letters++
			}
		}
		const word = 4 // letters
		if first, _ := utf8.DecodeRuneInString(p.text); letters >= word && !f.Math && unicode.IsLetter(first) {
			m.words++
		}
	}
	return m
}

// findFormulas finds the lines of displayed formulas: those that say something in mathematics and stand apart from
// the text, set in or with space around, and the numerators, denominators and limits that touch them.
// Items of lists, such as exercises, stay what they are.
func findFormulas(lines []line, marks []mark, leading []float64, margin interval) []bool {
	var found []bool
	for i := range lines {
		if marks[i].text == "" && lines[i].statement() && displayed(lines, leading, margin, i) {
			if found == nil {
				found = make([]bool, len(lines))
			}
			found[i] = true
		}
	}
	if found == nil {
		return nil
	}
	const rounds = 3 // a fraction with limits in its numerator has so many lines above
	for range rounds {
		for i := range lines {
			if !found[i] && (i > 0 && found[i-1] && lines[i].touches(&lines[i-1]) || i+1 < len(lines) && found[i+1] && lines[i].touches(&lines[i+1])) {
				found[i] = true
			}
		}
	}
	return found
}

// statement reports whether a line can be a formula by itself.
func (l *line) statement() bool {
	const (
		mostWords = 2
		share     = 0.3 // of the characters: figures and brackets are set in the fonts of the text
	)
	return l.maths.words <= mostWords && l.maths.relation && l.runes >= 3 && float64(l.maths.runes) >= share*float64(l.runes) && !l.entry &&
		strings.ContainsFunc(l.text(), func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}

// displayed reports whether line i stands as a formula does: set in at least as far as a paragraph's first line and
// not to the full width, or with more space around it than lines have.
func displayed(lines []line, leading []float64, margin interval, i int) bool {
	const (
		inset = 1.2 // ems
		apart = 1.2 // times the usual distance of lines
	)
	l := &lines[i]
	far := func(k int) bool { // line k from the one before
		if k == 0 || k == len(lines) {
			return true
		}
		d := (lines[k].base - lines[k-1].base) / math.Max(math.Max(lines[k].size, lines[k-1].size), 1)
		return d > apart*leading[i] || lines[k].maths.words == 0 && lines[k-1].maths.words == 0
	}
	above, below := far(i), far(i+1)
	if above && below {
		return true
	}
	// The last line of a paragraph may be all formula, and is set in when the paragraph is.
	with := i - 1
	if above {
		with = i + 1
	}
	return l.box.Left > margin.from+inset*l.size && (above || below) && math.Abs(l.box.Left-lines[with].box.Left) > 0.5*l.size
}

// touches reports whether a line is a part of the formula in the next or previous line o: of maths, close by, and
// within its width.
func (l *line) touches(o *line) bool {
	const (
		near  = 1.6 // ems between the baselines
		wider = 2.0 // ems by which it may be wider
		share = 0.3 // of the characters are of maths, unless there are few
		few   = 6   // characters: a number above a fraction's bar
	)
	em := math.Max(l.size, o.size)
	within := l.box.Left > o.box.Left-wider*em && l.box.Right < o.box.Right+wider*em
	mathematical := float64(l.maths.runes) >= share*float64(l.runes) || l.runes <= few
	return within && mathematical && l.maths.words == 0 && math.Abs(l.base-o.base) < near*em
}
