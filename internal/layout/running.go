package layout

import (
	"strings"
	"unicode"

	"github.com/ragify/ragify/internal/document"
)

// findRunning finds running headers and footers: texts at the top or bottom of pages that come again on others,
// alike but for their numbers. On one page alone nothing can be known to be running. Unless keep is set
// they are removed.
func findRunning(pages []*page, keep bool) {
	if len(pages) < 2 {
		return
	}
	type place struct {
		text string
		foot bool
		y    int // in steps of a hundredth of the page's height
	}
	const (
		// zone is the share of the page's height at top and bottom in which running texts stand.
		zone = 0.12
		// longest running text in characters: two lines.
		longest = 200
	)
	of := func(p *page, b *block) (place, bool) {
		box := b.element.Box
		if b.kind == document.Table || b.runes > longest || p.height <= 0 {
			return place{}, false
		}
		switch {
		case box.Bottom <= zone*p.height:
			return place{pattern(b.text), false, int(100 * box.Top / p.height)}, true
		case box.Top >= (1-zone)*p.height:
			return place{pattern(b.text), true, int(100 * box.Bottom / p.height)}, true
		}
		return place{}, false
	}
	count := make(map[place]int)
	for _, p := range pages {
		seen := make(map[place]bool)
		for _, b := range p.blocks {
			if k, ok := of(p, b); ok && !seen[k] {
				seen[k] = true
				count[k]++
			}
		}
	}
	for _, p := range pages {
		kept := p.blocks[:0]
		for _, b := range p.blocks {
			k, ok := of(p, b)
			again := 0
			for dy := -1; dy <= 1; dy++ {
				again += count[place{k.text, k.foot, k.y + dy}]
			}
			if !ok || again < 2 {
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
