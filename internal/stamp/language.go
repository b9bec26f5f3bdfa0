package stamp

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/ragify/ragify/internal/document"
)

// unknownLanguage is the tag of a text in a language that is not known (BCP 47, RFC 5646 section 4.1).
const unknownLanguage = "und"

// scriptLanguage is the language that a letter's script belongs to, nearly always; "" for scripts of several languages.
func scriptLanguage(r rune) string {
	switch {
	case r <= unicode.MaxLatin1:
	case unicode.Is(unicode.Hangul, r):
		return "ko"
	case unicode.In(r, unicode.Hiragana, unicode.Katakana):
		return "ja"
	case unicode.Is(unicode.Greek, r):
		return "el"
	case unicode.Is(unicode.Thai, r):
		return "th"
	case unicode.Is(unicode.Georgian, r):
		return "ka"
	case unicode.Is(unicode.Armenian, r):
		return "hy"
	}
	return ""
}

// particleLanguage is the language in Latin letters that a word in small letters is frequent in, and in which it is more
// frequent than in others; "" for all other words.
func particleLanguage(word string) string {
	switch word {
	case "the", "and", "of", "is", "with", "that", "for", "are", "this", "by":
		return "en"
	case "der", "und", "das", "ist", "mit", "nicht", "für", "eine", "auf", "wird":
		return "de"
	case "le", "les", "et", "est", "des", "du", "dans", "pour", "une", "sur":
		return "fr"
	case "el", "los", "y", "las", "del", "una", "por", "con", "como", "para":
		return "es"
	case "il", "di", "che", "della", "gli", "sono", "nel", "è", "delle", "per":
		return "it"
	case "o", "os", "um", "não", "da", "em", "uma", "ao", "são", "dos":
		return "pt"
	case "het", "een", "van", "zijn", "niet", "voor", "dat", "aan", "wordt", "ook":
		return "nl"
	}
	return ""
}

// languageOf is the language tag of a document: what the file itself says, or else what its letters and words say
// clearly, or else that it is not known. A wrong one would have a screen reader speak nonsense.
func languageOf(d *document.Document) string {
	if s := strings.TrimSpace(d.Meta.Language); s != "" {
		return s
	}
	c := languageCount{words: make(map[string]int), letters: make(map[string]int)}
	for i := range d.Pages {
		c.elements(d.Pages[i].Elements)
		const enough = 20_000 // letters
		if c.total > enough {
			break
		}
	}
	return c.decide()
}

// languageCount counts what tells languages apart.
type languageCount struct {
	words, letters map[string]int // by language tag
	total          int            // letters
	all            int            // words
}

func (c *languageCount) elements(list []document.Element) {
	for i := range list {
		e := &list[i]
		c.lines(e.Lines)
		if e.Grid != nil {
			for k := range e.Grid.Cells {
				c.lines(e.Grid.Cells[k].Lines)
			}
		}
		c.elements(e.Children)
	}
}

func (c *languageCount) lines(lines []document.Line) {
	text := linesText(lines)
	for w := range strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) }) {
		c.all++
		if tag := particleLanguage(strings.ToLower(w)); tag != "" {
			c.words[tag]++
		}
	}
	for _, r := range text {
		if !unicode.IsLetter(r) {
			continue
		}
		c.total++
		if tag := scriptLanguage(r); tag != "" {
			c.letters[tag]++
		}
	}
}

// decide names the language that is clear.
func (c *languageCount) decide() string {
	const (
		script  = 0.2  // of the letters: Japanese has more than that in kana
		fewest  = 20   // particles
		share   = 0.08 // of the words
		clearly = 3    // times as many particles as any other language has
	)
	if tag, most, _ := first(c.letters); float64(most) > script*float64(c.total) {
		return tag
	}
	best, most, second := first(c.words)
	if most < fewest || float64(most) < share*float64(c.all) || most < clearly*second {
		return unknownLanguage
	}
	return best
}

// first gives the tag counted most often, how often it was, and how often the next one. Of equals the first one in the
// alphabet comes first.
func first(counts map[string]int) (best string, most, second int) {
	for _, tag := range slices.Sorted(maps.Keys(counts)) {
		if n := counts[tag]; n > most {
			best, most, second = tag, n, most
		} else {
			second = max(second, n)
		}
	}
	return best, most, second
}
