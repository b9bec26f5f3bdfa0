package layout

import (
	"math"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/ragify/ragify/internal/document"
	"golang.org/x/text/unicode/norm"
)

// A piece is a word, or a part of a word, in one style.
type piece struct {
	text   string
	box    document.Box // ink
	base   float64
	size   float64
	font   int32
	color  uint32
	object int32
	runes  int
	wide   int  // of them, ideographs and the like
	glue   bool // no space before it
	sup    bool
	sub    bool
	link   string // URI
	strike bool   // crossed out
	spaced bool   // the PDF shows a space after it
	// On pages with right-to-left text: the characters in the order of the frame, with their marks, and whether the
	// frame is mirrored. See bidi.
	shown    []string
	mirrored bool
	spans    []document.Span // where they are asked for: the glyphs that it is made of
}

// A fragment is a stretch of text on one baseline without a wide gap: a line of a paragraph, a table
// cell's line, a label. Fragments are what reading order and tables are made of.
type fragment struct {
	pieces []piece
	box    document.Box // ink
	base   float64
	size   float64 // that of the largest pieces
	runes  int
	wide   int // of them, ideographs and the like
	order  int // index of its first glyph on the page
	turned bool
	angle  float64 // of turned ones, as of glyph
}

// length measures text in letters. An ideograph is as wide as two, and says as much.
func (f *fragment) length() int { return f.runes + f.wide }

// core is the vertical room that a line of text really needs. Ink boxes are no use for finding gaps
// between lines: they depend on which letters the line happens to have.
func (f *fragment) core() (top, bottom float64) {
	return f.base - 0.7*f.size, f.base + 0.15*f.size
}

// Spacing thresholds, in ems (shares of the font size).
const (
	// wordGap is the least gap that separates words where the PDF shows no space. Spaces are 0.2 to 0.33
	// in text fonts, a bit less when a justified line is squeezed; kerning moves letters by up to 0.1.
	wordGap = 0.15
	// bidiGap is the same between fragments on pages with right-to-left text, which one word may be cut into. Between
	// boxes of ink it is wider than between advances, and so are spaces.
	bidiGap = 0.22
	// fragmentGap ends a fragment. Justified text in narrow columns has spaces of up to one em, and is put
	// together again as a line; gaps between table columns and gutters start at about one em.
	fragmentGap = 0.9
	// backtrack is how far the next glyph of a fragment may start before the end of the last one: kerning,
	// overhanging italics, accents printed over letters.
	backtrack = 0.5
	// sameBase is how far baselines in one line may differ: rounding, slightly sloping scans.
	sameBase = 0.12
	// supRise and subDrop are the most that superscripts rise above and subscripts drop below the baseline.
	supRise, subDrop = 0.7, 0.4
	// scriptSize is the largest size of a super- or subscript relative to its line; 0.58 to 0.8 are usual.
	scriptSize = 0.88
)

// fragmentBuilder collects glyphs that follow each other on a line.
type fragmentBuilder struct {
	glyphs []glyph
	start  int
	right  float64
	base   float64
	size   float64
	angle  float64
	turned bool
	gap    bool // a space was shown since the last glyph
	spaced []bool
	frame  frame

	// Only on pages with right-to-left text, where a fragment may grow to the left.
	left   float64
	back   bool      // it does
	kind   uint8     // as of runKind
	spaces []float64 // middles of the spaces shown since it began
}

// makeFragments groups glyphs to fragments: first in the order in which the page shows them, which keeps
// overlapping texts apart, then neighbours on a baseline that were shown at different times.
// Turned text is kept apart.
func makeFragments(glyphs []glyph, f frame) (upright, turned []fragment) {
	var out []fragment
	b := fragmentBuilder{frame: f}
	for i := range glyphs {
		g := &glyphs[i]
		if g.space {
			b.gap = true
			if f.bidi {
				b.spaces = append(b.spaces, (g.left+g.right)/2)
			}
			continue
		}
		if len(b.glyphs) > 0 && !b.accepts(g) {
			out = b.flush(out, b.gap || skipsObject(&b.glyphs[len(b.glyphs)-1], g))
		}
		if len(b.glyphs) == 0 {
			b.start, b.base, b.size, b.angle, b.turned = i, g.base, g.size, g.angle, g.turned
			b.gap, b.back, b.kind, b.spaces = false, false, 0, b.spaces[:0]
		}
		b.add(*g)
	}
	out = b.flush(out, b.gap)
	for i := range out {
		if out[i].turned {
			turned = append(turned, out[i])
		} else {
			upright = append(upright, out[i])
		}
	}
	return mergeFragments(upright), turned
}

func (b *fragmentBuilder) accepts(g *glyph) bool {
	if b.turned != g.turned || math.Abs(b.angle-g.angle) > 1 {
		return false
	}
	em := math.Max(b.size, g.size)
	gap := g.left - b.right
	if b.frame.bidi {
		if kind := runKind(g.r); kind != 0 && b.kind != 0 && kind != b.kind {
			return false // shown in another direction: their places decide how they follow each other
		}
		if len(b.glyphs) == 1 {
			b.back = g.left+g.right < b.left+b.right
		}
		if b.back {
			gap = b.left - g.right
		}
	}
	if gap < -backtrack*em || gap > fragmentGap*em {
		return false
	}
	return onLine(b.base, b.size, g.base, g.size)
}

// onLine reports whether text of one baseline and size can be in a line with another: on the same
// baseline, or one as super- or subscript of the other.
func onLine(base, size, otherBase, otherSize float64) bool {
	if size < otherSize {
		base, size, otherBase, otherSize = otherBase, otherSize, base, size
	}
	d := otherBase - base
	if math.Abs(d) <= sameBase*size {
		return true
	}
	return otherSize <= scriptSize*size && d >= -supRise*size && d <= subDrop*size
}

func (b *fragmentBuilder) add(g glyph) {
	if g.size > b.size*1.1 { // what came before was a superscript
		b.base, b.size = g.base, g.size
	}
	b.spaced = append(b.spaced, b.gap)
	b.gap = false
	if b.frame.bidi {
		if kind := runKind(g.r); kind != 0 {
			b.kind = kind
		}
		b.left = g.left
	}
	b.glyphs = append(b.glyphs, g)
	b.right = g.right
}

// flush ends the fragment and appends it to out. spaced says whether a space is shown after it.
func (b *fragmentBuilder) flush(out []fragment, spaced bool) []fragment {
	if len(b.glyphs) == 0 {
		return out
	}
	if b.frame.bidi {
		b.sort()
	}
	f := fragment{base: b.base, size: b.size, order: b.start, turned: b.turned, angle: b.angle}
	threshold := b.spaceThreshold()
	start, glue := 0, false
	for i := 1; i < len(b.glyphs); i++ {
		prev, g := &b.glyphs[i-1], &b.glyphs[i]
		space := b.spaced[i] || separates(prev, g, threshold)
		if !space && sameStyle(prev, g) {
			continue
		}
		f.pieces = append(f.pieces, b.makePiece(b.glyphs[start:i], glue))
		start, glue = i, !space
	}
	f.pieces = append(f.pieces, b.makePiece(b.glyphs[start:], glue))
	f.pieces[len(f.pieces)-1].spaced = spaced
	f.settle()
	b.glyphs, b.spaced, b.gap = b.glyphs[:0], b.spaced[:0], false
	return append(out, f)
}

// separates reports whether the gap between two glyphs, with no space shown between them, is one. threshold is in
// ems. Around ideographs gaps are for the look, unless a text object that shows nothing lies between.
func separates(a, b *glyph, threshold float64) bool {
	gap := (b.left - a.right) / math.Max(a.size, b.size)
	return gap > threshold && (skipsObject(a, b) || !typeset(a.r, b.r, gap))
}

// skipsObject reports whether the PDF has another text object between those of two glyphs in a row: one that shows
// nothing but a space, which PDFium keeps for itself.
func skipsObject(a, b *glyph) bool { return b.object-a.object > 1 }

// sort puts glyphs that were shown in any order into the order of the frame. Spaces are where they stand then.
func (b *fragmentBuilder) sort() {
	middle := func(g *glyph) float64 { return (g.left + g.right) / 2 }
	slices.SortStableFunc(b.glyphs, func(x, y glyph) int { return compare(middle(&x), middle(&y)) })
	slices.Sort(b.spaces)
	k := 0
	for i := range b.glyphs {
		at := middle(&b.glyphs[i])
		b.spaced[i] = false
		for ; k < len(b.spaces) && b.spaces[k] < at; k++ {
			b.spaced[i] = i > 0
		}
	}
}

// spaceThreshold is the gap in ems that separates words in this fragment. In letter-spaced text every
// pair of letters stands apart; there a space is what stands out from the usual gap.
func (b *fragmentBuilder) spaceThreshold() float64 {
	const fewest = 4 // gaps that it takes to speak of a usual one
	if len(b.glyphs) <= fewest {
		return wordGap
	}
	gaps := make([]float64, 0, len(b.glyphs))
	for i := 1; i < len(b.glyphs); i++ {
		leader := b.glyphs[i].r == '.' || b.glyphs[i-1].r == '.' // as of a table of contents
		if !b.spaced[i] && !leader {
			gaps = append(gaps, (b.glyphs[i].left-b.glyphs[i-1].right)/math.Max(b.glyphs[i].size, 1))
		}
	}
	if len(gaps) < fewest {
		return wordGap
	}
	slices.Sort(gaps)
	usual := gaps[len(gaps)/2]
	return math.Max(wordGap, usual+wordGap*0.8)
}

// typeset reports whether a gap in ems between two characters comes from typesetting and is no space: East Asian
// characters stand at any distance, and a quarter of an em sets them apart from letters and digits of other scripts.
func typeset(a, b rune, gap float64) bool {
	const most = 0.4
	return cjk(a) && (cjk(b) || gap < most) || cjk(b) && gap < most
}

func sameStyle(a, b *glyph) bool {
	return a.font == b.font && math.Abs(a.size-b.size) < 0.1*a.size && math.Abs(a.base-b.base) < 0.1*a.size
}

func (b *fragmentBuilder) makePiece(glyphs []glyph, glue bool) piece {
	first := &glyphs[0]
	p := piece{base: first.base, size: first.size, font: first.font, color: first.color, object: first.object, glue: glue}
	text := make([]rune, 0, len(glyphs)+2)
	for i := range glyphs {
		g := &glyphs[i]
		if i > 0 {
			if mark, ok := combining(text[len(text)-1]); ok && overlaps(&glyphs[i-1], g) {
				text[len(text)-1] = g.r // TeX prints the accent first, then the letter below it
				g = &glyph{r: mark, box: g.box}
			} else if mark, ok := combining(g.r); ok && overlaps(g, &glyphs[i-1]) {
				g = &glyph{r: mark, box: g.box}
			}
		}
		text = append(text, g.r)
		text = append(text, []rune(g.extra)...)
		p.box = p.box.Union(g.box)
	}
	if b.frame.spans {
		p.spans = glyphSpans(glyphs, !b.frame.bidi)
	}
	if b.frame.bidi {
		p.mirrored, p.shown = b.frame.mirrored, make([]string, len(glyphs))
		for i := range glyphs {
			p.shown[i] = string(glyphs[i].r) + glyphs[i].extra
		}
	}
	p.text = norm.NFC.String(string(text))
	p.runes = len(text)
	for _, r := range text {
		if cjk(r) {
			p.wide++
		}
	}
	return p
}

// overlaps reports whether the middle of an accent lies over a letter.
func overlaps(accent, letter *glyph) bool {
	x := (accent.box.Left + accent.box.Right) / 2
	return unicode.IsLetter(letter.r) && x > letter.box.Left && x < letter.box.Right
}

// combining gives the combining mark that a spacing accent becomes when it is printed over a letter.
func combining(r rune) (mark rune, ok bool) {
	switch r {
	case 0xB4:
		return 0x301, true
	case 0x60:
		return 0x300, true
	case 0xA8:
		return 0x308, true
	case 0x2C6:
		return 0x302, true
	case 0x2DC:
		return 0x303, true
	case 0xB8:
		return 0x327, true
	case 0x2C7:
		return 0x30C, true
	case 0x2DA:
		return 0x30A, true
	case 0xAF:
		return 0x304, true
	}
	return 0, false
}

// settle computes what follows from the pieces: box, predominant size, which are scripts.
func (f *fragment) settle() {
	f.box, f.runes, f.wide = document.Box{}, 0, 0
	for i := range f.pieces {
		p := &f.pieces[i]
		f.box = f.box.Union(p.box)
		f.runes += p.runes
		f.wide += p.wide
		small := p.size <= scriptSize*f.size
		p.sup = small && p.base < f.base-0.15*f.size
		p.sub = small && p.base > f.base+0.05*f.size
	}
}

// mergeFragments joins neighbours on one baseline. It sorts, so its cost is n log n.
func mergeFragments(frags []fragment) []fragment {
	if len(frags) < 2 {
		return frags
	}
	bases := lineBases(frags)
	index := make([]int, len(frags))
	for i := range index {
		index[i] = i
	}
	slices.SortStableFunc(index, func(a, b int) int { return compare(bases[a], bases[b]) })
	out := frags[:0:0]
	for start := 0; start < len(index); {
		end, anchor := start+1, bases[index[start]]
		for end < len(index) && bases[index[end]]-anchor <= 2*sameBase*frags[index[end]].size {
			end++
		}
		row := index[start:end]
		slices.SortStableFunc(row, func(a, b int) int { return compare(frags[a].box.Left, frags[b].box.Left) })
		out = mergeRow(out, frags, row)
		start = end
	}
	slices.SortStableFunc(out, func(a, b fragment) int { return a.order - b.order })
	return out
}

// mergeRow appends the fragments of one row, given from left to right, joining close ones.
func mergeRow(out []fragment, frags []fragment, row []int) []fragment {
	cur := frags[row[0]]
	for _, i := range row[1:] {
		next := frags[i]
		// What stands side by side counts: a drop initial before the line does not bridge the gutter after it.
		em := math.Max(cur.pieces[len(cur.pieces)-1].size, next.size)
		gap := next.box.Left - cur.box.Right
		if gap > fragmentGap*em || gap < -0.3*em || !onLine(cur.base, cur.size, next.base, next.size) {
			out = append(out, cur)
			cur = next
			continue
		}
		next.pieces[0].glue = cur.glues(&next, gap/em)
		cur.pieces = append(slices.Clip(cur.pieces), next.pieces...)
		cur.order = min(cur.order, next.order)
		if next.size > cur.size*1.1 {
			cur.base, cur.size = next.base, next.size
		}
		cur.settle()
	}
	return append(out, cur)
}

// lineBases gives each fragment the baseline of the line that it belongs to: its own, or for a super- or
// subscript shown on its own that of the larger fragment that it touches.
func lineBases(frags []fragment) []float64 {
	const window = 64 // fragments looked at around each script; a line has fewer neighbours
	bases := make([]float64, len(frags))
	byBase := make([]int, len(frags))
	for i := range frags {
		bases[i], byBase[i] = frags[i].base, i
	}
	slices.SortStableFunc(byBase, func(a, b int) int { return compare(frags[a].base, frags[b].base) })
	for at, i := range byBase {
		for step := 1; step <= window; step++ {
			if at-step >= 0 && scriptOf(&frags[i], &frags[byBase[at-step]]) {
				bases[i] = frags[byBase[at-step]].base
				break
			}
			if at+step < len(byBase) && scriptOf(&frags[i], &frags[byBase[at+step]]) {
				bases[i] = frags[byBase[at+step]].base
				break
			}
		}
	}
	return bases
}

// scriptOf reports whether s is a super- or subscript that touches host.
func scriptOf(s, host *fragment) bool {
	const touch = 0.3 // ems of the host: a thin space
	if s.size > scriptSize*host.size || s.runes > 12 || !onLine(s.base, s.size, host.base, host.size) {
		return false
	}
	after, before := s.box.Left-host.box.Right, host.box.Left-s.box.Right
	return after > -touch*host.size && after < touch*host.size || before > -touch*host.size && before < touch*host.size
}

// glues reports whether a fragment belongs to the same word as the one before it, gap ems to the left.
func (f *fragment) glues(next *fragment, gap float64) bool {
	switch {
	case gap <= wordGap:
		return true
	case gap <= fragmentGap && typeset(f.lastRune(), firstRune(next.pieces), gap):
		return !f.pieces[len(f.pieces)-1].spaced
	}
	return next.pieces[0].shown != nil && gap <= bidiGap
}

// lastRune is the last character of the fragment.
func (f *fragment) lastRune() rune {
	r, _ := utf8.DecodeLastRuneInString(f.pieces[len(f.pieces)-1].text)
	return r
}

// firstRune is the first character of pieces.
func firstRune(pieces []piece) rune {
	r, _ := utf8.DecodeRuneInString(pieces[0].text)
	return r
}

// text is the fragment's text with single spaces between words.
func (f *fragment) text() string { return joinPieces(logicalPieces(f.pieces)) }

// letters counts the letters of the fragment.
func (f *fragment) letters() int {
	n := 0
	for i := range f.pieces {
		for _, r := range f.pieces[i].text {
			if unicode.IsLetter(r) {
				n++
			}
		}
	}
	return n
}

func joinPieces(pieces []piece) string {
	var b []byte
	for i := range pieces {
		if i > 0 && !pieces[i].glue {
			b = append(b, ' ')
		}
		b = append(b, pieces[i].text...)
	}
	return string(b)
}

// cjk reports whether r belongs to a script that is written without spaces.
func cjk(r rune) bool {
	return r >= 0x2E80 && (unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) ||
		r >= 0x3000 && r <= 0x303F || r >= 0xFF00 && r <= 0xFF60)
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
