package export

import (
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ragify/ragify/internal/document"
)

// textBlock is a running text: a paragraph, heading, caption, long list item or table cell. Its units are sentences, or
// parts of those that are too long for a chunk.
type textBlock struct {
	m      *markdown
	lines  []document.Line
	mode   inlineMode
	lead   string // what stands before the first unit: the mark of a heading or list item, the title of a column
	source source
	flat   flatText
	parts  []textUnit
}

// textUnit is the stretch of a flat text from one offset to another.
type textUnit struct {
	from, to int
	plain    bool // part of a word too long for a chunk: escapes and styles, which cost tokens, are left out
	tokens   int
	hash     uint32 // of its Markdown
}

// newText makes the units of a text, none longer than a chunk may be.
func (c *chunker) newText(lines []document.Line, mode inlineMode, lead string, s source) *textBlock {
	b := &textBlock{m: &c.m, lines: lines, mode: mode, source: s, flat: flatten(lines)}
	if lead != "" && c.tokens.count(lead) <= c.max/4 { // in a chunk of few tokens it would leave no room for the text
		b.lead = lead
	}
	starts := append(sentences(b.flat.text), len(b.flat.text))
	for i := range len(starts) - 1 {
		u := textUnit{from: starts[i], to: starts[i+1]}
		b.parts = append(b.parts, u)
		if k := len(b.parts) - 1; c.measure(b, k) > c.max {
			b.parts = b.parts[:k]
			c.splitSentence(b, u)
		}
	}
	return b
}

// measure counts the tokens of a unit.
func (c *chunker) measure(b *textBlock, unit int) int {
	text := b.markdown(unit, unit+1)
	u := &b.parts[unit]
	u.tokens, u.hash = c.tokens.count(text), hashOf(text)
	return u.tokens
}

// splitSentence adds the parts of a sentence that is too long for a chunk: as many words as there is room for.
func (c *chunker) splitSentence(b *textBlock, u textUnit) {
	text := b.flat.text[:u.to]
	for u.from < len(text) {
		n, tokens := 0, 0 // words, and about how many tokens they have
		starts := wordStarts(text[u.from:], func(word string) bool {
			tokens += c.tokens.count(word)
			n++
			return tokens <= c.max || n == 1
		})
		k := len(b.parts)
		b.parts = append(b.parts, textUnit{from: u.from})
		for n = len(starts) - 1; n > 0; {
			b.parts[k].to = u.from + starts[n]
			tokens = c.measure(b, k)
			if tokens <= c.max {
				break
			}
			n -= max(n*(tokens-c.max)/tokens, 1)
		}
		if n <= 0 {
			b.parts = b.parts[:k]
			c.splitWord(b, textUnit{from: u.from, to: u.from + starts[1]})
		}
		u.from = b.parts[len(b.parts)-1].to
	}
}

// splitWord adds the parts of a word that is too long for a chunk. A single character may be more tokens than a chunk
// may have: it is not split.
func (c *chunker) splitWord(b *textBlock, u textUnit) {
	const longest = 4 // bytes a token, about; where they are longer, parts are shorter than they could be
	for u.from < u.to {
		word := b.flat.text[u.from:u.to]
		window := min(len(word), longest*c.max+utf8.UTFMax)
		for window < len(word) && !utf8.RuneStart(word[window]) {
			window++
		}
		var ends []int // of characters
		for i := range word[:window] {
			if i > 0 {
				ends = append(ends, i)
			}
		}
		ends = append(ends, window)
		k := len(b.parts)
		b.parts = append(b.parts, textUnit{from: u.from, plain: true})
		fit := sort.Search(len(ends), func(i int) bool {
			b.parts[k].to = u.from + ends[i]
			return c.measure(b, k) > c.max
		}) - 1
		if fit < 0 && k == 0 && b.lead != "" {
			b.parts, b.lead = b.parts[:k], "" // there is no room for it
			continue
		}
		fit = max(fit, 0)
		for i := fit; i > 0 && ends[i] < len(word); i-- { // marks stay with their letters
			if r, _ := utf8.DecodeRuneInString(word[ends[i]:]); !unicode.Is(unicode.M, r) {
				fit = i
				break
			}
		}
		b.parts[k].to = u.from + ends[fit]
		c.measure(b, k)
		u.from = b.parts[k].to
	}
}

func (b *textBlock) markdown(i, j int) string {
	from, to := b.parts[i].from, b.parts[j-1].to
	lead := ""
	if i == 0 {
		lead = b.lead
	}
	if !slices.ContainsFunc(b.parts[i:j], func(u textUnit) bool { return u.plain }) {
		return lead + b.render(from, to, false)
	}
	var out strings.Builder
	out.WriteString(lead)
	for k := i; k < j; k++ {
		if k > i {
			out.WriteString(b.gap(k))
		}
		out.WriteString(b.render(b.parts[k].from, b.parts[k].to, b.parts[k].plain))
	}
	return out.String()
}

// render writes the text between two offsets.
func (b *textBlock) render(from, to int, plain bool) string {
	lines := b.flat.slice(b.lines, from, to)
	if plain {
		return plainText(lines, b.m.o)
	}
	return b.m.inline(lines, b.mode)
}

// gap is what stands between unit i and the one before where they are written apart.
func (b *textBlock) gap(i int) string { return b.flat.gap(b.parts[i].from) }

// tail is the end of unit i: as many of its last words as have at most the given number of tokens, and where they begin.
func (b *textBlock) tail(c *chunker, i, tokens int) (text string, from int) {
	u := b.parts[i]
	// No more of it can have so few tokens, but for rows of the same character.
	const longest = 16 // bytes a token
	first := max(u.from, u.to-longest*tokens)
	for first < u.to && !utf8.RuneStart(b.flat.text[first]) {
		first++
	}
	starts := wordStarts(b.flat.text[first:u.to], func(string) bool { return true })
	for k := 1; k < len(starts)-1; { // never the whole: what is before it was left out already
		text := b.render(first+starts[k], u.to, u.plain)
		n := c.tokens.count(text)
		if n <= tokens {
			return text, first + starts[k]
		}
		k += max((len(starts)-1-k)*(n-tokens)/n, 1)
	}
	return "", 0
}

func (b *textBlock) places(i, j int, add func(place)) {
	b.placesOf(b.parts[i].from, b.parts[j-1].to, add)
}

func (b *textBlock) placesOf(from, to int, add func(place)) {
	first, last := b.flat.line(from), b.flat.line(max(to-1, from))
	b.source.places(b.lines, first, last+1, add)
}

// source is where the lines of a text stand: in one element, or in one and those that were joined to it.
type source struct {
	id     string
	part   string // the element of which it is a part: itself, or the list that it is an item of
	page   int
	box    document.Box
	joints []joint
}

// places calls add for the parts that lines from to to stand in: with their whole box, or that of these lines.
func (s source) places(lines []document.Line, from, to int, add func(place)) {
	at := place{id: s.id, part: s.part, page: s.page, box: s.box}
	start := 0
	for k := 0; ; k++ {
		end := len(lines)
		if k < len(s.joints) {
			end = s.joints[k].at
		}
		if from < end && to > start {
			p := at
			if from > start || to < end {
				if box := linesBox(lines[max(from, start):min(to, end)]); !box.Empty() {
					p.box = box
				}
			}
			add(p)
		}
		if k == len(s.joints) {
			return
		}
		next := s.joints[k]
		if next.at == 0 { // the list that goes on with this item
			add(place{id: next.id})
			at.part = next.id
			continue
		}
		start, at = next.at, place{id: next.id, part: next.id, page: next.page, box: next.box}
	}
}

func linesBox(lines []document.Line) document.Box {
	var box document.Box
	for i := range lines {
		box = box.Union(lines[i].Box)
	}
	return box
}

// flatText is the text of lines without their styles, in which sentences and words can be seen, and where each part of
// it comes from. Unlike plainText it leaves white space as it is.
type flatText struct {
	text  string
	spans []flatSpan
}

// flatSpan is where the text of a run, or what joins two lines, begins in a flat text.
type flatSpan struct{ at, line, run int }

func flatten(lines []document.Line) flatText {
	var b strings.Builder
	var f flatText
	for i := range lines {
		l := &lines[i]
		for k := range l.Runs {
			text := l.Runs[k].Text
			if i+1 < len(lines) && k == len(l.Runs)-1 && l.Join == document.JoinHyphen {
				text = strings.TrimRight(text, "-\u00AD\u2010")
			}
			f.spans = append(f.spans, flatSpan{b.Len(), i, k})
			b.WriteString(text)
		}
		if i+1 < len(lines) && l.Join == document.JoinSpace {
			f.spans = append(f.spans, flatSpan{b.Len(), i, len(l.Runs)})
			b.WriteByte(' ')
		}
	}
	f.text = b.String()
	return f
}

// span is the last one that begins at an offset or before; an empty one if there is none.
func (f flatText) span(offset int) flatSpan {
	i := sort.Search(len(f.spans), func(i int) bool { return f.spans[i].at > offset }) - 1
	if i < 0 {
		return flatSpan{}
	}
	return f.spans[i]
}

func (f flatText) line(offset int) int { return f.span(offset).line }

// slice is what lines say between two offsets.
func (f flatText) slice(lines []document.Line, from, to int) []document.Line {
	if from == 0 && to == len(f.text) {
		return lines
	}
	if from >= to {
		return nil
	}
	a, z := f.span(from), f.span(to-1) // z has the last character
	out := slices.Clone(lines[a.line : z.line+1])
	if last := &out[len(out)-1]; z.run < len(last.Runs) {
		last.Runs = slices.Clone(last.Runs[:z.run+1])
		if end := to - z.at; end < len(last.Runs[z.run].Text) {
			last.Runs[z.run].Text = last.Runs[z.run].Text[:end]
		}
	}
	first := &out[0]
	if a.run == len(first.Runs) {
		return out[1:] // it begins with what joins two lines
	}
	first.Runs = slices.Clone(first.Runs[a.run:])
	first.Runs[0].Text = first.Runs[0].Text[from-a.at:]
	return out
}

// gap is the space at an offset, "" where there is none.
func (f flatText) gap(offset int) string {
	before, _ := utf8.DecodeLastRuneInString(f.text[:offset])
	after, _ := utf8.DecodeRuneInString(f.text[offset:])
	if unicode.IsSpace(before) || unicode.IsSpace(after) {
		return " "
	}
	return ""
}

// sentences gives where the sentences of a text begin: after a mark that ends one, and the brackets and quotes that it
// closes, if a space and no small letter follows, or if the mark is a wide one, which needs no space. It rather leaves
// out an end than to see one in an abbreviation. Unicode's rules (UAX 29) know no abbreviations, and programs that
// follow them take quadratic time for some texts.
func sentences(text string) []int {
	starts := []int{0}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		i += size
		if !unicode.Is(unicode.Sentence_Terminal, r) {
			continue
		}
		end := i - size
		wide := isWide(r)
		for i < len(text) {
			next, size := utf8.DecodeRuneInString(text[i:])
			if !unicode.Is(unicode.Sentence_Terminal, next) && !unicode.In(next, unicode.Pe, unicode.Pf) && next != '"' && next != '\'' {
				break
			}
			i += size
		}
		start := i
		for start < len(text) {
			next, size := utf8.DecodeRuneInString(text[start:])
			if !unicode.IsSpace(next) {
				break
			}
			start += size
		}
		next, _ := utf8.DecodeRuneInString(text[start:])
		if start < len(text) && (wide || start > i && !unicode.IsLower(next) && !(r == '.' && abbreviates(text[starts[len(starts)-1]:end], next))) {
			starts = append(starts, start)
		}
		i = start
	}
	return starts
}

// abbreviates reports whether the last word of text, which a full stop and next follow, may be an abbreviation: it is a
// single letter, has a full stop in it, is a short word with a capital ("Dr.", "Fig.", "Inc."), or one before a number.
func abbreviates(text string, next rune) bool {
	const short, longest = 4, 8 // letters, and with full stops between them
	word := text[max(len(text)-longest*utf8.UTFMax, 0):]
	word = strings.TrimLeftFunc(word[strings.LastIndexFunc(word, unicode.IsSpace)+1:], unicode.IsPunct)
	first, _ := utf8.DecodeRuneInString(word)
	n := utf8.RuneCountInString(word)
	if !unicode.IsLetter(first) || n > longest {
		return false
	}
	return n == 1 || strings.Contains(word, ".") || n <= short && (unicode.IsUpper(first) || unicode.IsDigit(next))
}

// wordStarts gives where the words of a text begin, and its end. Between letters of scripts that are written without
// spaces, where lines may break as well, each is one. It ends, after the word, when more is false for one.
func wordStarts(text string, more func(word string) bool) []int {
	starts := []int{0}
	var before rune
	for i, r := range text {
		begins := unicode.IsSpace(before) && !unicode.IsSpace(r) ||
			isWide(r) && unicode.IsLetter(r) && isWide(before) && !unicode.In(before, unicode.Ps, unicode.Pi)
		if begins && i > 0 {
			if !more(text[starts[len(starts)-1]:i]) {
				return append(starts, i)
			}
			starts = append(starts, i)
		}
		before = r
	}
	return append(starts, len(text))
}
