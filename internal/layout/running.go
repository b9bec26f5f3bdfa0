package layout

import (
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

// findRunning finds running headers and footers: texts at the top or bottom of pages that come again on others,
// alike but for their numbers. On one page alone nothing can be known to be running. Unless keep is set
// they are removed.
func findRunning(pages []*page, text body, keep bool) {
	if len(pages) < 2 {
		return
	}
	found := collectRunning(pages, text)
	for _, p := range pages {
		kept := p.blocks[:0]
		for _, b := range p.blocks {
			k, ok := runningPlaceOf(p, b, text)
			if !ok || !found.running(k) {
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
	text  string
	foot  bool
	large bool
	y     int // in steps of a hundredth of the page's height
}

// runningPlaceOf gives b's place; ok is false where no running text stands.
func runningPlaceOf(p *page, b *block, text body) (k runningPlace, ok bool) {
	box := b.element.Box
	if b.kind == document.Table || b.runes > runningRunes || p.height <= 0 {
		return k, false
	}
	k = runningPlace{text: pattern(b.text), large: b.style.size > runningLarge*text.size && b.letters > 0}
	if k.large {
		k.text = b.text // "Chapter 1" and "Chapter 2" are two titles
	}
	switch {
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
	all    int
}

func collectRunning(pages []*page, text body) runningCount {
	c := runningCount{make(map[runningPlace]int), make(map[runningPlace]int), make(map[string]int), len(pages)}
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

// repeated reports whether the text comes again on enough pages.
func (c runningCount) repeated(k runningPlace) bool {
	n := k.near(c.pages)
	return n >= 2 && (!k.large || 2*n >= c.all)
}

// running reports whether the text at k is a running one: it comes again, and on most of its pages it
// stands beside something. Text that is all there is on a page is the page's content; what stands within the text
// as often is one of its headings that happened to come to the edge.
func (c runningCount) running(k runningPlace) bool {
	n := k.near(c.pages)
	return c.repeated(k) && 2*k.near(c.beside) >= n && c.within[k.text] < n
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
	out := b.String()
	if _, ok := roman(out); ok {
		return "#"
	}
	return out
}
