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
				figure := b.kind == document.Figure && least == 1 // of a slide, the labels are the text
				if b.lineCount >= least && (b.kind == document.Paragraph || b.kind == document.ListItem || figure) {
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
	// titleRatio to the body size is that of titles, which may begin with the small letter of a name.
	titleRatio = 1.5
	// leastAbove in ems: a heading keeps more distance above than lines of a paragraph do, unless it stands at the top.
	leastAbove = 0.3
)

// findHeadings turns paragraphs into headings by how they are set: larger than the body, or bold, in capitals, coloured
// or numbered in a face of their own, on lines of their own above text.
func findHeadings(pages []*page, text body) {
	for _, p := range pages {
		for i, b := range p.blocks {
			if b.kind != document.Paragraph && b.kind != document.ListItem || b.turned || b.entry || b.code && b.lineCount > 1 {
				continue
			}
			prev, next := p.beside(i)
			if !p.atEdge(b) && headingLike(b, prev, next, text) {
				b.makeHeading()
			}
		}
		p.dropKickers()
		p.dropBylines()
		p.joinNumbers()
	}
}

// beside gives the blocks before and after block i that are no figures, nil where there is none.
func (p *page) beside(i int) (prev, next *block) {
	for k := i - 1; k >= 0 && prev == nil; k-- {
		if p.blocks[k].kind != document.Figure {
			prev = p.blocks[k]
		}
	}
	for k := i + 1; k < len(p.blocks) && next == nil; k++ {
		if p.blocks[k].kind != document.Figure {
			next = p.blocks[k]
		}
	}
	return prev, next
}

// dropKickers makes paragraphs of the headings that stand right above a larger one: the kicker of a slide or article
// says what it belongs to, and heads nothing. Labels such as "Chapter 3" belong to the heading.
func (p *page) dropKickers() {
	const (
		larger = 1.15 // times its size, at least, is the heading below
		close  = 1.5  // ems of its own between the two, at most
	)
	for i, b := range p.blocks {
		if b.kind != document.Heading || b.lineCount > 1 || strings.ContainsFunc(b.text, unicode.IsDigit) || b.style.caps {
			continue
		}
		_, next := p.beside(i)
		if next != nil && next.kind == document.Heading && next.leaf == b.leaf && next.style.size >= larger*b.style.size && b.below <= close {
			b.kind = document.Paragraph
		}
	}
}

// loneNumber is a section or chapter number on a line of its own.
var loneNumber = regexp.MustCompile(`^(\d{1,2}(\.\d{1,3})*|[A-Z]|[IVX]{1,5})\.?$`)

// joinNumbers puts the number that stands on the line above a heading in front of it.
func (p *page) joinNumbers() {
	const close = 1.5 // ems of the larger one between the two, at most
	kept := p.blocks[:0]
	for _, b := range p.blocks {
		if n := len(kept); b.kind == document.Heading && n > 0 {
			number := kept[n-1]
			em := math.Max(b.style.size, number.style.size) / math.Max(math.Min(b.style.size, number.style.size), 1)
			if number.kind == document.Paragraph && number.leaf == b.leaf && loneNumber.MatchString(number.text) && number.style.bold == b.style.bold &&
				number.style.size >= slightlyRatio*b.style.size && b.above <= close*em && math.Abs(number.markLeft-b.markLeft) < b.style.size {
				b.prepend(number)
				kept = kept[:n-1]
			}
		}
		kept = append(kept, b)
	}
	p.blocks = kept
}

// prepend puts the lines of a before those of b.
func (b *block) prepend(a *block) {
	b.element.Lines = append(slices.Clip(a.element.Lines), b.element.Lines...)
	b.element.Box = a.element.Box.Union(b.element.Box)
	b.text, b.runes, b.letters = a.text+" "+b.text, a.runes+b.runes, a.letters+b.letters
	b.lineCount += a.lineCount
	b.above, b.first, b.markLeft = a.above, a.first, a.markLeft
}

// affiliation is the beginning of a line that says where an author works: the number that the names refer to, not
// followed by a full stop as those of sections and items are.
var affiliation = regexp.MustCompile(`^\d{1,2} ?\p{Lu}`)

// dropBylines makes paragraphs of the authors' names between a title and their affiliations, which begin with marks
// and are set smaller.
func (p *page) dropBylines() {
	const short = 4 // lines of names and affiliations, at most
	var title *block
	for i, b := range p.blocks {
		switch {
		case b.kind != document.Heading && b.lineCount > short:
			title = nil
		case b.kind != document.Heading:
		case title == nil || title.style.size < 1.1*b.style.size:
			title = b
		default:
			if _, next := p.beside(i); next != nil && next.kind == document.Paragraph && next.style.size < b.style.size &&
				(next.note || affiliation.MatchString(next.text)) {
				b.kind = document.Paragraph
			}
		}
	}
}

// makeHeading turns a paragraph or list item into a heading. A number that looked like an item's mark is part of it.
func (b *block) makeHeading() {
	if b.kind == document.ListItem {
		b.restoreMark()
	}
	b.kind = document.Heading
}

// restoreMark makes the mark of a list item part of its text again.
func (b *block) restoreMark() {
	if len(b.element.Lines) == 0 || b.mark.text == "" {
		return
	}
	first := &b.element.Lines[0]
	lead := document.Run{Text: b.mark.text + " "}
	if len(first.Runs) > 0 {
		lead = first.Runs[0]
		lead.Text = b.mark.text + " " + lead.Text
		first.Runs = first.Runs[1:]
	}
	first.Runs = append([]document.Run{lead}, first.Runs...)
	first.Spans = slices.Concat(b.element.Marked, first.Spans)
	b.element.Marker, b.element.Marked = "", nil
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

// edgeRules finds the rules across the page under its running head and above its foot, and the short ones above notes.
func (p *page) edgeRules(e edges, f frame) {
	const (
		edge = 0.08 // of the page's height, as of atEdge
		most = 0.6  // of its width
		// Rules above notes are an inch or two long, at least as wide as a word.
		shortest, longest = 30.0, 0.4 // points; of the page's width
	)
	for _, h := range e.horizontal {
		if f.quarter != 0 || h.fill {
			continue
		}
		if h.length() < most*f.width {
			if h.length() >= shortest && h.length() <= longest*f.width {
				p.noteRules = append(p.noteRules, h)
			}
			continue
		}
		if h.at < edge*f.height {
			p.headRule = math.Max(p.headRule, h.at)
		} else if h.at > (1-edge)*f.height && (p.footRule == 0 || h.at < p.footRule) {
			p.footRule = h.at
		}
	}
}

// headingLike reports whether b is set as a heading between prev and next, which may be nil.
func headingLike(b, prev, next *block, text body) bool {
	if b.runes > longestHeading || b.lineCount > mostHeadingLines || b.letters < 2 || b.kind == document.ListItem && b.mark.kind == bulletMark {
		return false
	}
	ratio := b.style.size / text.size
	larger := ratio >= largerRatio
	if !larger && (ratio < slightlyRatio || next == nil || b.above < leastAbove) {
		return false
	}
	if strings.ContainsRune(",;", b.last) || b.letters*2 <= b.runes {
		return false
	}
	if strings.ContainsRune("*†‡", b.first) || strings.ContainsRune(b.text, '_') {
		return false // notes, and names of things
	}
	if captionStart.MatchString(b.text) || sourceStart.MatchString(b.text) || address.MatchString(b.text) {
		return false
	}
	numbered := numbering.MatchString(b.text)
	if unicode.IsLower(b.first) && !numbered && ratio < titleRatio {
		return false
	}
	if b.last == ':' && !b.style.bold && !b.style.caps && !numbered {
		return false // it introduces what follows
	}
	if larger {
		return !(b.lineCount >= 3 && b.last == '.') && b.runes <= longestHeading
	}
	if b.style.bold && !text.bold || b.style.caps && !text.caps && !b.linked {
		if b.last == '.' && !numbered || b.lineCount > 2 || sentences.MatchString(b.text) {
			return false
		}
		return next.leaf == b.leaf || !next.style.bold
	}
	return b.colored(text) && setApart(b, prev, next, text)
}

// colored reports whether b is set in a colour that a reader sees is not that of the running text. Links are
// coloured for another reason.
func (b *block) colored(text body) bool {
	const least = 0x30 // of 0xFF, in red, green or blue; printers' blacks differ by half of it
	for shift := 8; shift < 32; shift += 8 {
		x, y := int(b.style.color>>shift&0xFF), int(text.color>>shift&0xFF)
		if x-y >= least || y-x >= least {
			return !b.linked
		}
	}
	return false
}

// setApart reports whether b is one line that stands as headings do above running text: with space around it, at the
// left edge of the text, without a sentence's end, and the only one of its kind.
func setApart(b, prev, next *block, text body) bool {
	const (
		space   = 0.5 // ems above, at least: lines of a paragraph have less
		longest = 90  // characters: one line
	)
	if b.lineCount != 1 || b.runes > longest || b.above < space || sentenceEnds(b.last) || next.leaf != b.leaf || b.kind != document.Paragraph {
		return false
	}
	if prev != nil && prev.kind == document.Paragraph && prev.leaf == b.leaf && prev.style.color == b.style.color {
		return false
	}
	running := next.kind == document.Paragraph && next.lineCount > 1 || next.kind == document.ListItem
	return running && next.style.color == text.color && math.Abs(next.markLeft-b.markLeft) < 2*b.style.size
}
