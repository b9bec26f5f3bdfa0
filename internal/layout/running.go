package layout

import (
	"math"
	"regexp"
	"strings"
	"unicode"

	"github.com/ragify/ragify/internal/document"
)

// Running text thresholds.
const (
	// runningZone is the share of the page's height at top and bottom in which running texts stand.
	runningZone = 0.12
	// runningRunes is the longest running text in characters: two lines.
	runningRunes = 200
	// runningLarge is the size, in body sizes, from which on a text at the top of pages is more likely the
	// title of what stands there (a chapter, a slide) than a running head, which is set small.
	runningLarge = 1.2
)

// stamp is the beginning of what servers print at the edge of the pages that they hand out.
var stamp = regexp.MustCompile(`^(?i:(this (content|article) (was )?)?downloaded (from|by|on|at|via)\s)`)

// findRunning finds running headers and footers: texts at the top or bottom of pages that come again on others,
// alike but for their numbers, and others that are set alike at the same place, such as the heads of chapters of one
// page. On one page alone nothing can be known to be running but the stamp of a server. Unless keep is set they are
// removed.
func findRunning(pages []*page, text body, keep bool) {
	found := collectRunning(pages, text)
	several := len(pages) > 1
	for _, p := range pages {
		kept := p.blocks[:0]
		for _, b := range p.blocks {
			k, ok := runningPlaceOf(p, b, text)
			if !ok || !stamp.MatchString(b.text) && !(several && found.running(k)) {
				kept = append(kept, b)
				continue
			}
			b.kind = document.Header
			if k.foot {
				b.kind = document.Footer
			}
			if keep {
				kept = append(kept, b)
			}
		}
		p.blocks = kept
	}
}

// runningPlace is a text and where it stands, as far as it has to agree between pages.
type runningPlace struct {
	text string
	slot
}

// A slot is where and how a running text is set.
type slot struct {
	foot, side, large bool
	y                 int // in steps of a hundredth of the page's height, of its width at a side
	size              int // in half points
	bold, italic      bool
	line              bool // one line only
}

// runningPlaceOf gives b's place; ok is false where no running text stands.
func runningPlaceOf(p *page, b *block, text body) (k runningPlace, ok bool) {
	box := b.element.Box
	if b.kind == document.Table || b.runes > runningRunes || p.height <= 0 || p.width <= 0 {
		return k, false
	}
	k.text = pattern(b.text)
	k.size, k.bold, k.italic, k.line = int(math.Round(2*b.style.size)), b.style.bold, b.style.italic, b.lineCount == 1
	if k.large = b.style.size > runningLarge*text.size && b.letters > 0; k.large {
		k.text = b.text // "Chapter 1" and "Chapter 2" are two titles
	}
	switch {
	case b.turned && (box.Right <= runningZone*p.width || box.Left >= (1-runningZone)*p.width):
		k.side, k.y = true, int(100*box.Left/p.width)
	case box.Bottom <= runningZone*p.height:
		k.y = int(100 * box.Top / p.height)
	case box.Top >= (1-runningZone)*p.height:
		k.foot, k.y = true, int(100*box.Bottom/p.height)
	default:
		return k, false
	}
	return k, true
}

// runningCount counts the pages that have a text at a place.
type runningCount struct {
	pages  map[runningPlace]int
	beside map[runningPlace]int // those of them that have something else, too
	within map[string]int       // how often a text stands anywhere else
	slots  map[slot]int         // how many texts stand at a place
	filled map[slot]int         // those of them that come again
	all    int
}

func collectRunning(pages []*page, text body) runningCount {
	c := runningCount{
		pages: make(map[runningPlace]int), beside: make(map[runningPlace]int), within: make(map[string]int),
		slots: make(map[slot]int), filled: make(map[slot]int), all: len(pages),
	}
	places := make([]map[runningPlace]bool, len(pages))
	for i, p := range pages {
		places[i] = make(map[runningPlace]bool)
		for _, b := range p.blocks {
			switch k, ok := runningPlaceOf(p, b, text); {
			case !ok && b.lineCount == 1 && b.letters > 0:
				c.within[pattern(b.text)]++
			case ok && !places[i][k]:
				places[i][k] = true
				c.pages[k]++
			}
		}
	}
	for i, p := range pages {
		for k := range places[i] {
			c.slots[k.slot]++
			if c.repeated(k) {
				c.filled[k.slot]++
			}
		}
		for _, b := range p.blocks {
			if k, ok := runningPlaceOf(p, b, text); !ok || !c.repeated(k) {
				for k := range places[i] {
					c.beside[k]++
				}
				break
			}
		}
	}
	return c
}

// near adds up n over the places that differ from k by rounding at most.
func (k runningPlace) near(n map[runningPlace]int) int {
	sum := 0
	for dy := -1; dy <= 1; dy++ {
		at := k
		at.y += dy
		sum += n[at]
	}
	return sum
}

// near is the same for slots.
func (s slot) near(n map[slot]int) int {
	sum := 0
	for dy := -1; dy <= 1; dy++ {
		at := s
		at.y += dy
		sum += n[at]
	}
	return sum
}

// repeated reports whether the text comes again on enough pages.
func (c runningCount) repeated(k runningPlace) bool {
	n := k.near(c.pages)
	return n >= 2 && (!k.large || 2*n >= c.all)
}

// running reports whether the text at k is a running one: it comes again, and on most of its pages it
// stands beside something. Text that is all there is on a page is the page's content; what stands within the text
// as often is one of its headings that happened to come to the edge. One line that does not come again is a running
// one where most texts that are set alike at its place do.
func (c runningCount) running(k runningPlace) bool {
	n := k.near(c.pages)
	if c.within[k.text] >= n || 2*k.near(c.beside) < n {
		return false
	}
	const fewest = 4 // texts that come again, to speak of a place for them
	filled := k.slot.near(c.filled)
	return c.repeated(k) || k.line && !k.large && filled >= fewest && 2*filled > k.slot.near(c.slots)
}

// pattern is a text with every number as one sign, so that page and chapter numbers do not matter.
func pattern(s string) string {
	var b strings.Builder
	digits := false
	for _, r := range s {
		if unicode.IsDigit(r) {
			if !digits {
				b.WriteByte('#')
			}
			digits = true
			continue
		}
		digits = false
		b.WriteRune(unicode.ToLower(r))
	}
	// A Roman page number stands at one end.
	words := strings.Fields(b.String())
	for _, i := range []int{0, len(words) - 1} {
		if i >= 0 && i < len(words) {
			if _, ok := roman(words[i]); ok {
				words[i] = "#"
			}
		}
	}
	return strings.Join(words, " ")
}
