package layout

import (
	"math"
	"regexp"
	"strings"
	"unicode"

	"github.com/ragify/ragify/internal/document"
)

var (
	captionStart = regexp.MustCompile(`^(?i:fig(ure|\.)?|table|tab\.|chart|exhibit|photo|map|scheme|plate|abb(ildung|\.)|tabelle|tableau|figura|tabla|图|表)\s*[\dA-Z]+([.\-]\d+)*\s*([.:|–—-]|$|\s)`)
	sourceStart  = regexp.MustCompile(`^(?i:source|sources|note|notes|quelle)\s*:`)
	numbering    = regexp.MustCompile(`^((?:\d{1,2}|[A-Z])(?:\.\d{1,3})*|[IVX]{1,5})([.)]?)\s+\S`)
	sentences    = regexp.MustCompile(`\p{Ll}{3}[.!?]["”’)]? +\p{Lu}`)
	address      = regexp.MustCompile(`(?i)https?://|www\.|@[a-z0-9-]+\.|doi:`)
)

// body is how the running text of the document is set.
type body struct {
	size       float64
	bold, caps bool
	color      uint32
}

// before decides between two that are equally common, so that the choice does not depend on chance.
func (b body) before(o body) bool {
	switch {
	case b.size != o.size:
		return b.size > o.size
	case b.bold != o.bold:
		return o.bold
	case b.caps != o.caps:
		return o.caps
	}
	return b.color < o.color
}

// findBody takes the size and style in which most characters of paragraphs of several lines are set; of
// documents without such paragraphs, most characters at all.
func findBody(pages []*page) body {
	type key struct {
		size       float64
		bold, caps bool
		color      uint32
	}
	for _, least := range []int{3, 1} {
		weights := make(map[key]int)
		total := 0
		for _, p := range pages {
			for _, b := range p.blocks {
				if b.lineCount >= least && (b.kind == document.Paragraph || b.kind == document.ListItem) {
					weights[key{math.Round(b.style.size*2) / 2, b.style.bold, b.style.caps, b.style.color}] += b.runes
					total += b.runes
				}
			}
		}
		var best key
		most := 0
		for k, n := range weights {
			if n > most || n == most && body(k).before(body(best)) {
				best, most = k, n
			}
		}
		if total > 0 {
			return body(best)
		}
	}
	return body{size: 10}
}

// Heading thresholds.
const (
	// largerRatio to the body size makes a heading by itself. The next step of type sizes above 10 is 12, but
	// 11 beside 10 is just another text.
	largerRatio = 1.15
	// slightlyRatio allows for headings set in a face that is scaled down a little.
	slightlyRatio = 0.92
	// longestHeading in characters: two full lines of 10-point text.
	longestHeading = 170
	// mostHeadingLines of a heading in narrow columns.
	mostHeadingLines = 4
)

// findHeadings turns paragraphs into headings by how they are set: larger than the body, or bold, in capitals or
// numbered in a face of their own, on lines of their own above text.
func findHeadings(pages []*page, text body) {
	for _, p := range pages {
		contents := p.contents()
		for i, b := range p.blocks {
			if b.kind != document.Paragraph && b.kind != document.ListItem || b.turned || b.entry {
				continue
			}
			if contents && i > 0 {
				continue // the titles in a table of contents are entries without a number
			}
			var next *block
			for _, n := range p.blocks[i+1:] {
				if n.kind != document.Figure {
					next = n
					break
				}
			}
			if !p.atEdge(b) && headingLike(b, next, text) {
				b.makeHeading()
			}
		}
	}
}

// makeHeading turns a paragraph or list item into a heading. A number that looked like an item's mark is part of it.
func (b *block) makeHeading() {
	if b.kind == document.ListItem && len(b.element.Lines) > 0 {
		first := &b.element.Lines[0]
		lead := document.Run{Text: b.mark.text + " "}
		if len(first.Runs) > 0 {
			lead = first.Runs[0]
			lead.Text = b.mark.text + " " + lead.Text
			first.Runs = first.Runs[1:]
		}
		first.Runs = append([]document.Run{lead}, first.Runs...)
		b.element.Marker = ""
	}
	b.kind = document.Heading
}

// atEdge reports whether a block is set as a running head or foot: beyond a rule across the page near its edge, or
// on its outermost line with a part at each margin. That it comes again on other pages cannot be asked of a
// single page.
func (p *page) atEdge(b *block) bool {
	const edge = 0.08 // of the page's height
	box := b.element.Box
	if b.parted && (box.Bottom < 2*edge*p.height || box.Top > (1-2*edge)*p.height) {
		return true
	}
	return p.headRule > 0 && box.Bottom <= p.headRule+2 || p.footRule > 0 && box.Top >= p.footRule-2
}

// edgeRules finds the rules across the page under its running head and above its foot.
func (p *page) edgeRules(e edges, f frame) {
	const (
		edge = 0.08 // of the page's height, as of atEdge
		most = 0.6  // of its width
	)
	for _, h := range e.horizontal {
		if f.quarter != 0 || h.fill || h.length() < most*f.width {
			continue
		}
		if h.at < edge*f.height {
			p.headRule = math.Max(p.headRule, h.at)
		} else if h.at > (1-edge)*f.height && (p.footRule == 0 || h.at < p.footRule) {
			p.footRule = h.at
		}
	}
}

// contents reports whether most of a page is a table of contents.
func (p *page) contents() bool {
	const least = 5
	n := 0
	for _, b := range p.blocks {
		if b.entry {
			n++
		}
	}
	return n >= least && 2*n >= len(p.blocks)
}

func headingLike(b, next *block, text body) bool {
	if b.runes > longestHeading || b.lineCount > mostHeadingLines || b.letters < 2 || b.kind == document.ListItem && b.mark.kind == bulletMark {
		return false
	}
	if captionStart.MatchString(b.text) || sourceStart.MatchString(b.text) || address.MatchString(b.text) {
		return false
	}
	if strings.ContainsRune(",;", b.last) || b.letters*2 <= b.runes {
		return false
	}
	if strings.ContainsRune("*†‡", b.first) || strings.ContainsRune(b.text, '_') {
		return false // notes, and names of things
	}
	ratio := b.style.size / text.size
	numbered := numbering.MatchString(b.text)
	if unicode.IsLower(b.first) && !numbered {
		return false
	}
	if b.last == ':' && !b.style.bold && !b.style.caps && !numbered {
		return false // it introduces what follows
	}
	if ratio >= largerRatio {
		return !(b.lineCount >= 3 && b.last == '.') && b.runes <= longestHeading
	}
	if ratio < slightlyRatio {
		return false
	}
	distinct := b.style.bold && !text.bold || b.style.caps && !text.caps
	if !distinct {
		return false
	}
	if b.last == '.' && !numbered || b.lineCount > 2 || sentences.MatchString(b.text) {
		return false
	}
	if next == nil || next.leaf != b.leaf && next.style.bold {
		return false
	}
	// A heading keeps more distance above than lines of a paragraph do, unless it stands at the top.
	const leastAbove = 0.3 // ems beyond touching lines
	return b.above >= leastAbove
}
