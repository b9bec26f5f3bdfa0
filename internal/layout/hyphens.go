package layout

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ragify/ragify/internal/document"
)

// join decides how a line connects to the next one of its paragraph. JoinHyphen is a guess until the whole document
// is known: see undoHyphens.
func join(a, b *document.Line) document.Join {
	if len(a.Runs) == 0 || len(b.Runs) == 0 {
		return document.JoinSpace
	}
	last, first := &a.Runs[len(a.Runs)-1], &b.Runs[0]
	end, size := utf8.DecodeLastRuneInString(last.Text)
	next, _ := utf8.DecodeRuneInString(first.Text)
	switch {
	case cjk(end) && cjk(next), wrappedLink(last, first):
		return document.JoinNone
	case !hyphen(end):
		return document.JoinSpace
	}
	before, _ := utf8.DecodeLastRuneInString(last.Text[:len(last.Text)-size])
	if before == utf8.RuneError && len(a.Runs) > 1 {
		before, _ = utf8.DecodeLastRuneInString(a.Runs[len(a.Runs)-2].Text)
	}
	word, _, _ := strings.Cut(first.Text, " ")
	switch {
	case conjunction(strings.TrimRight(word, ".,")):
		return document.JoinSpace
	case unicode.IsLower(before) && unicode.IsLower(next), unicode.IsUpper(before) && unicode.IsUpper(next):
		return document.JoinHyphen
	case unicode.IsSpace(before), before == utf8.RuneError:
		return document.JoinSpace // a dash
	}
	return document.JoinNone
}

// hyphen reports whether r can divide a word at a line end.
func hyphen(r rune) bool { return r == '-' || r == 0x2010 }

// wrappedLink reports whether an address, linked to itself, goes on in the next line.
func wrappedLink(last, first *document.Run) bool {
	if last.Link == "" || last.Link != first.Link {
		return false
	}
	end := last.Text[strings.LastIndexByte(last.Text, ' ')+1:]
	start, _, _ := strings.Cut(first.Text, " ")
	return end != "" && start != "" && strings.Contains(last.Link, end+start)
}

// A hyphenBreak is a line that ends in a hyphen within what may be one word.
type hyphenBreak struct {
	line        *document.Line
	left, right string // the word's parts in small letters, without hyphens
	capitals    bool
	inner       bool // beside a linking word of a longer compound: "state-of-", "in-depth"
}

// undoHyphens decides for each line that ends in a hyphen whether the hyphen divides a word, and goes, or is part of a
// compound, and stays. What the document prints elsewhere says most: the word with or without the hyphen, other
// compounds with the same first part, and whether words are divided at all. Where nothing is divided nothing is
// read a second time.
func undoHyphens(pages []*page) {
	h := hyphenation{known: make(map[string]wordUse)}
	eachLine(pages, func(a, b *document.Line) {
		h.lines++
		if b != nil && a.Join == document.JoinHyphen {
			h.collect(a, b)
		}
	})
	if len(h.breaks) == 0 {
		return
	}
	divided := false // the line before ended in a part of a word
	eachLine(pages, func(a, b *document.Line) {
		h.read(a, divided)
		divided = b != nil && a.Join == document.JoinHyphen
	})
	h.divides = h.dividesWords()
	for i := range h.breaks {
		if !h.soft(&h.breaks[i]) {
			h.breaks[i].line.Join = document.JoinNone
		}
	}
}

// eachLine visits every line of the document's texts with the one that it goes on in, nil for none.
func eachLine(pages []*page, visit func(a, b *document.Line)) {
	lines := func(list []document.Line, follows *document.Line) {
		for i := range list {
			next := follows
			if i+1 < len(list) {
				next = &list[i+1]
			}
			visit(&list[i], next)
		}
	}
	var element func(e *document.Element, follows *document.Line)
	element = func(e *document.Element, follows *document.Line) {
		lines(e.Lines, follows)
		if e.Grid != nil {
			for i := range e.Grid.Cells {
				lines(e.Grid.Cells[i].Lines, nil)
			}
		}
		for i := range e.Children {
			element(&e.Children[i], nil)
		}
	}
	for _, p := range pages {
		for _, b := range p.blocks {
			var follows *document.Line
			if b.next != nil && len(b.next.element.Lines) > 0 {
				follows = &b.next.element.Lines[0]
			}
			element(&b.element, follows)
		}
	}
}

// wordUse counts how a word is printed within lines.
type wordUse struct {
	times int
	lower int // in small letters throughout
	first int // as the first part of a compound
}

// hyphenation is what a document tells about its hyphens.
type hyphenation struct {
	breaks  []hyphenBreak
	known   map[string]wordUse // the words asked for, in small letters
	lines   int
	divides bool // words are divided at line ends
}

// collect takes up a break and the words whose use it depends on.
func (h *hyphenation) collect(a, b *document.Line) {
	k := hyphenBreak{line: a}
	left := a.Runs[len(a.Runs)-1].Text
	for i := len(a.Runs) - 2; i >= 0 && strings.IndexFunc(left, unicode.IsSpace) < 0; i-- {
		left = a.Runs[i].Text + left
	}
	left = strings.TrimFunc(left, hyphen)
	if i := strings.LastIndexFunc(left, outsideWord); i >= 0 {
		_, size := utf8.DecodeRuneInString(left[i:])
		left = left[i+size:]
	}
	right := b.Runs[0].Text
	if end := strings.IndexFunc(right, outsideWord); end >= 0 {
		right = right[:end]
	}
	right = strings.TrimRight(right, "-’'")
	if left == "" || right == "" {
		return
	}
	k.capitals = strings.ToUpper(right) == right && utf8.RuneCountInString(right) > 1
	k.left, k.right = strings.ToLower(left), strings.ToLower(right)
	// Of "state-of-the-" and "art" only the parts beside the break matter.
	if i := strings.LastIndexFunc(k.left, hyphen); i >= 0 {
		_, size := utf8.DecodeRuneInString(k.left[i:])
		k.inner, k.left = linking(k.left[i+size:]), k.left[i+size:]
	}
	if i := strings.IndexFunc(k.right, hyphen); i >= 0 {
		k.inner, k.right = k.inner || linking(k.right[:i]), k.right[:i]
	}
	h.breaks = append(h.breaks, k)
	for _, w := range []string{k.left + k.right, k.left + "-" + k.right, k.left, k.right} {
		h.known[w] = wordUse{}
	}
}

// outsideWord reports whether r ends a word: it is no letter, hyphen or apostrophe.
func outsideWord(r rune) bool {
	return !unicode.IsLetter(r) && !hyphen(r) && r != '\'' && r != '’'
}

// read counts the words of a line that are known; one divided from the line before is left out.
func (h *hyphenation) read(l *document.Line, divided bool) {
	var word []byte
	lower, inner := true, 0 // inner: where the first hyphen is
	flush := func(whole bool) {
		if len(word) > 0 && whole && !divided {
			if u, ok := h.known[string(word)]; ok {
				u.times++
				if lower {
					u.lower++
				}
				h.known[string(word)] = u
			}
			if inner > 0 {
				if u, ok := h.known[string(word[:inner])]; ok {
					u.first++
					h.known[string(word[:inner])] = u
				}
			}
		}
		if len(word) > 0 {
			divided = false
		}
		word, lower, inner = word[:0], true, 0
	}
	for i := range l.Runs {
		for _, r := range l.Runs[i].Text {
			switch {
			case hyphen(r):
				if inner == 0 {
					inner = len(word)
				}
				word = append(word, '-')
			case outsideWord(r):
				flush(true)
			default:
				lower = lower && !unicode.IsUpper(r)
				word = utf8.AppendRune(word, unicode.ToLower(r))
			}
		}
	}
	flush(len(word) > 0 && word[len(word)-1] != '-')
}

// dividesWords reports whether the document divides words at all. Where it does, many lines end so; where not, the
// few hyphens at line ends are those of compounds.
func (h *hyphenation) dividesWords() bool {
	const (
		fewest = 60    // lines that tell something
		rare   = 0.015 // of the lines: even wide ragged columns have more divided words
	)
	for i := range h.breaks {
		b := &h.breaks[i]
		if h.known[b.left+b.right].times > 0 && h.known[b.left+"-"+b.right].times == 0 {
			return true
		}
	}
	return h.lines < fewest || float64(len(h.breaks)) > rare*float64(h.lines)
}

// soft reports whether the hyphen of a break goes.
func (h *hyphenation) soft(b *hyphenBreak) bool {
	joined, kept := h.known[b.left+b.right].times, h.known[b.left+"-"+b.right].times
	if joined != kept {
		return joined > kept
	}
	left, right := h.known[b.left], h.known[b.right]
	switch {
	case b.capitals:
		return h.divides && left.times == 0 // "INFOR-MATION", but not "US-ASCII"
	case b.inner, !h.divides, setBefore(b.left, b.right), secondPart(b.right) && left.times > 0:
		return false
	case right.lower == 0:
		return true
	case left.first > 0:
		return false // "non-profit" and "linear" speak for "non-linear"
	}
	// Two words of the document make a compound, unless words like them grow together. Short ones are more often
	// syllables of others.
	const shortest = 4 // letters
	long := len(b.left) >= shortest || shortFirstPart(b.left)
	return left.lower == 0 || !long || len(b.right) < shortest || growsTogether(b.left, b.right)
}

// linking reports whether s links the parts of compounds such as "man-in-the-middle".
func linking(s string) bool {
	switch s {
	case "the", "of", "in", "to", "on", "and", "by", "as", "at", "for", "or", "up", "off":
		return true
	}
	return false
}

// setBefore reports whether left is, in English, set before words like right with a hyphen.
func setBefore(left, right string) bool {
	switch left {
	case "self", "quasi", "well":
		return true
	case "high", "low", "large", "small":
		const word = 5 // letters: "highly" and "lower" are divided, too
		return len(right) >= word && !strings.HasPrefix(right, "light")
	}
	return false
}

// conjunction reports whether a word that ends in a hyphen shares its end with one after this: "pre- and post-war".
func conjunction(s string) bool {
	switch s {
	case "and", "or", "und", "oder", "bzw", "et", "ou", "to", "bis":
		return true
	}
	return false
}

// secondPart reports whether s is, in English, set after other words with a hyphen.
func secondPart(s string) bool {
	switch s {
	case "based", "driven", "oriented", "aware", "friendly", "called", "known":
		return true
	}
	return false
}

// shortFirstPart reports whether s, short as it is, is more often the first part of a compound than a syllable.
func shortFirstPart(s string) bool {
	switch s {
	case "two", "six", "all", "ill", "low", "top", "one":
		return true
	}
	return false
}

// growsTogether reports whether two English words are more likely one than a compound with a hyphen: the first of them
// begins, or the second ends, many such words.
func growsTogether(left, right string) bool {
	switch left {
	case "over", "under", "with", "there", "where", "here", "some", "every", "what", "when", "back", "down", "fore", "inter", "micro", "super", "trans", "photo":
		return true
	}
	switch right {
	case "work", "works", "working", "wise", "ever", "over", "line", "lines", "point", "points", "word", "words", "ship", "hood", "less", "like", "time", "times", "side", "ward", "wards", "thing", "things", "body", "where", "fore", "able", "down", "ground", "land", "stand", "standing", "form", "forms", "port", "ports", "book", "books", "view", "views", "room", "house", "tion", "ment":
		return true
	}
	return false
}
