package layout

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/ragify/ragify/internal/document"
)

var (
	captionStart = regexp.MustCompile(`^(?i:fig(ure|\.)?|table|tab\.|chart|exhibit|photo|map|scheme|plate|abb(ildung|\.)|tabelle|tableau|figura|tabla|图|表)\s*[\dA-Z]+([.\-]\d+)*\s*([.:|–—-]|$|\s)`)
	sourceStart  = regexp.MustCompile(`^(?i:source|sources|note|notes|quelle)\s*:`)
	numbering    = regexp.MustCompile(`^((?:\d{1,2}|[A-Z])(?:\.\d{1,3})*|[IVX]{1,5})([.)]?)\s+\S`)
	address      = regexp.MustCompile(`(?i)https?://|www\.|@[a-z0-9-]+\.|doi:`)
)

// body is how the running text of the document is set.
type body struct {
	size       float64
	bold, caps bool
	color      uint32
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
			if n > most || n == most && k.size > best.size {
				best, most = k, n
			}
		}
		if total > 0 {
			return body{size: best.size, bold: best.bold, caps: best.caps, color: best.color}
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
			if i+1 < len(p.blocks) {
				next = p.blocks[i+1]
			}
			if headingLike(b, next, text) {
				b.kind = document.Heading
			}
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
	if strings.ContainsRune(",;", b.last) || b.letters*2 < b.runes {
		return false
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
	if b.last == '.' && !numbered || b.lineCount > 2 {
		return false
	}
	if next == nil || next.leaf != b.leaf && next.style.bold {
		return false
	}
	// A heading keeps more distance above than lines of a paragraph do, unless it stands at the top.
	const leastAbove = 0.3 // ems beyond touching lines
	return b.above >= leastAbove
}

// setLevels gives headings levels that hold for the whole document: classes of typography, largest first, then
// corrected by section numbers.
func setLevels(pages []*page) {
	type class struct {
		size       float64
		bold, caps bool
	}
	of := func(b *block) class {
		return class{math.Round(b.style.size*2) / 2, b.style.bold, b.style.caps}
	}
	seen := make(map[class]bool)
	var classes []class
	var headings []*block
	for _, p := range pages {
		for _, b := range p.blocks {
			if b.kind != document.Heading {
				continue
			}
			headings = append(headings, b)
			if c := of(b); !seen[c] {
				seen[c] = true
				classes = append(classes, c)
			}
		}
	}
	slices.SortFunc(classes, func(a, b class) int {
		if c := compare(b.size, a.size); c != 0 {
			return c
		}
		return rank(b.bold, b.caps) - rank(a.bold, a.caps)
	})
	for _, b := range headings {
		b.level = min(slices.Index(classes, of(b))+1, 6)
	}
	numberLevels(headings)
}

func rank(bold, caps bool) int {
	r := 0
	if bold {
		r += 2
	}
	if caps {
		r++
	}
	return r
}

// numberLevels makes the depth of section numbers decide between numbered headings: "2.1" is one below "2".
func numberLevels(headings []*block) {
	top := 7 // level of the undivided numbers
	for _, b := range headings {
		if d := numberDepth(b.text); d > 0 {
			top = min(top, max(b.level-d+1, 1))
		}
	}
	for _, b := range headings {
		if d := numberDepth(b.text); d > 0 {
			b.level = min(top+d-1, 6)
		}
	}
}

// numberDepth is the number of parts of a section number at the start of a heading, 0 without one.
func numberDepth(s string) int {
	m := numbering.FindStringSubmatch(s)
	if m == nil || unicode.IsLetter(rune(m[1][0])) && m[2] == "" && !strings.Contains(m[1], ".") && len(m[1]) == 1 {
		return 0
	}
	return strings.Count(strings.Trim(m[1], "."), ".") + 1
}
