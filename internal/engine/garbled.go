package engine

import (
	"math"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/ragify/ragify/internal/document"
)

// A font may say that its glyphs are other characters than they look like: the mapping is missing and the codes are
// taken for characters ("7KLV LV WKH WH[W"), it belongs to another font, or text in one encoding was written as if it
// were in another ("Ïðèâåò", "â€™"). The page looks right, and its text is useless. Nothing in the file tells, but the
// text does: it does not read like any language. Judged is the text of each font on a page on its own, for usually one
// of them is broken; and only where there is enough of it that no clean text comes near the limits.
const (
	// leastPairs of letters and leastCharacters of anything else are judged: 25 words of prose, three lines. Fewer may be
	// names, part numbers or a formula.
	leastPairs, leastCharacters = 100, 200
	// leastUsual is the mean of pairUsual below which letters follow each other by chance. Prose in 50 languages has
	// 6.4 to 7.7, code and chemistry 5.6 to 7.4; letters replaced at random 3.2 to 5.3, shifted codes 2.5 to 4.0.
	leastUsual = 5.2
	// mostAccented is the share of letters beyond a to z. Vietnamese has 0.25, the other languages in Latin letters
	// less; Cyrillic or Greek read as Latin-1 have 0.9.
	mostAccented = 0.5
	// mostSigns is the share of ASCII signs that are hardly ever in text side by side. Code has 0.2.
	mostSigns = 0.4
	// mostMisread is the share of characters that begin a UTF-8 sequence read as single bytes. It is 0 in clean text, and
	// each character beyond ASCII makes one in garbled text.
	mostMisread = 0.01
	// mostScripts is the share of pairs of neighbouring letters, within words, of scripts that no language mixes.
	mostScripts = 0.15
	// leastCommon is the share of the most common ideographs among ideographs: 0.4 in prose, 0.1 in lists of names, 0.02
	// where codes of one character collection were read as another's.
	leastCommon = 0.04
)

// garbled reports whether the text of a font on the page is something else than what the page shows. Its cost is linear
// in the glyphs.
func garbled(c *document.Content) bool {
	for _, r := range readFonts(c) {
		if r.garbled() {
			return true
		}
	}
	return false
}

// readFonts reads the text of each font of a page.
func readFonts(c *document.Content) []fontReader {
	readers := make([]fontReader, len(c.Fonts))
	var last *document.Glyph
	for i := range c.Glyphs {
		g := &c.Glyphs[i]
		if g.Font < 0 || int(g.Font) >= len(readers) || g.Invalid {
			continue
		}
		r := &readers[g.Font]
		if last == nil || last.Font != g.Font || !follows(last, g) {
			if last != nil {
				readers[last.Font].endWord()
			}
		}
		r.read(g.Rune)
		for _, x := range g.Extra {
			r.read(x)
		}
		last = g
	}
	for i := range readers {
		readers[i].endWord()
	}
	return readers
}

// follows reports whether g is where the character after last is, without a space between: within a seventh of the font
// size, as for the words of the layout.
func follows(last, g *document.Glyph) bool {
	advance := last.Loose.Width()
	if q := math.Mod(last.Angle, 180); q > 45 && q < 135 {
		advance = last.Loose.Height()
	}
	d := math.Hypot(g.OriginX-last.OriginX, g.OriginY-last.OriginY)
	return d-advance < 0.15*g.Size
}

// A fontReader gathers what tells garbled text of one font on a page.
type fontReader struct {
	word          []byte // letters a to z of the word at hand
	mixed         bool   // it has other characters in it, or is an acronym so far
	capitals      int
	previous      rune
	script        *unicode.RangeTable // of the letter before, nil after anything else
	total         int                 // characters, without spaces
	letters       int                 // of the Latin script
	accented      int
	pairs, usual  int // pairs of neighbouring letters, and the sum of pairUsual over them
	signs         int
	misread       int
	joined, clash int // pairs of letters within words, and those of two scripts
	ideographs    int
	common        int
}

func (f *fontReader) read(r rune) {
	if r <= ' ' || unicode.IsSpace(r) {
		f.endWord()
		return
	}
	f.total++
	if misreads(f.previous, r) {
		f.misread++
	}
	switch {
	case r < 0x80 && unicode.IsLetter(r):
		f.letters++
		f.letter(r)
	case r < 0x80:
		if strings.ContainsRune("!\"#$%&'()+/:;<>?@[\\]^`{|}~", r) && r != f.previous {
			f.signs++
		}
		f.mixed = f.mixed || unicode.IsDigit(r)
		if !unicode.IsDigit(r) {
			f.endWord()
		}
	case r < 0x250 && unicode.IsLetter(r):
		f.letters++
		f.accented++
		var buffer [16]byte
		if base := norm.NFD.AppendString(buffer[:0], string(r))[0]; base < 0x80 {
			f.letter(rune(base))
		} else {
			f.endWord()
		}
	case unicode.Is(unicode.Han, r):
		f.ideographs++
		if strings.ContainsRune(commonIdeographs, r) {
			f.common++
		}
		f.endWord()
	}
	f.join(r)
	f.previous = r
}

func (f *fontReader) letter(r rune) {
	if unicode.IsUpper(r) {
		f.capitals++
	}
	f.word = append(f.word, byte(unicode.ToLower(r)))
}

// endWord counts the pairs of letters of the word that ends. Words with digits in them are codes, and short ones in
// capitals are acronyms: both need not read like a language.
func (f *fontReader) endWord() {
	const (
		shortest = 3
		acronym  = 5
	)
	n := len(f.word)
	if n >= shortest && !f.mixed && (f.capitals < n || n > acronym) {
		for i := 1; i < n; i++ {
			f.pairs++
			f.usual += int(pairUsual[int(f.word[i-1]-'a')*26+int(f.word[i]-'a')] - '0')
		}
	}
	f.word, f.mixed, f.capitals, f.script = f.word[:0], false, 0, nil
	f.previous = 0
}

// join compares the script of a letter with that of the letter before it.
func (f *fontReader) join(r rune) {
	before := f.script
	f.script = scriptOf(r)
	if before != nil && f.script != nil {
		f.joined++
		if before != f.script {
			f.clash++
		}
	}
}

// scriptOf gives the script of a letter, nil for what goes with several: Greek letters stand in formulas, East Asian
// ones beside any.
func scriptOf(r rune) *unicode.RangeTable {
	if r < 0x250 {
		if unicode.IsLetter(r) {
			return unicode.Latin
		}
		return nil
	}
	for _, s := range []*unicode.RangeTable{
		unicode.Cyrillic, unicode.Arabic, unicode.Hebrew, unicode.Thai, unicode.Devanagari, unicode.Armenian, unicode.Georgian, unicode.Ethiopic,
	} {
		if unicode.Is(s, r) {
			return s
		}
	}
	return nil
}

// garbled is the verdict on the text read so far.
func (f *fontReader) garbled() bool {
	above := func(n, total int, limit float64) bool {
		return total >= leastCharacters && float64(n) > limit*float64(total)
	}
	return f.pairs >= leastPairs && float64(f.usual) < leastUsual*float64(f.pairs) ||
		above(f.accented, f.letters, mostAccented) ||
		above(f.signs, f.total, mostSigns) ||
		above(f.misread, f.total, mostMisread) ||
		above(f.clash, f.joined, mostScripts) ||
		f.ideographs >= leastCharacters && float64(f.common) < leastCommon*float64(f.ideographs)
}

// misreads reports whether two characters are the first bytes of a UTF-8 sequence, read as Windows-1252.
func misreads(a, b rune) bool {
	switch {
	case a == 'Ã' || a == 'Â': // letters with accents, and signs
		return b >= 0x80 && b < 0xC0 || strings.ContainsRune("€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ", b)
	case a == 'â': // quotes, dashes
		return b == '€' || b == 0x80
	}
	return false
}

// commonIdeographs are among the most frequent ones of Chinese, in both ways of writing it, and Japanese.
const commonIdeographs = "的一是不了在有人这我个中大来上国们到说为子和你地出道也时年得就那要下以生会自着去之过家学对可里后小心多天而能好都然没" +
	"日于起还发成事只作当想看文无开手用主行方又如前所本见经头面公同三已从动两长知分将外但身些与高意进把法此实回二理点月明其种全工" +
	"等十者口相新体定件表数目名字使值入式無時會社東京長後這個來國們說為對學過開動見經頭兩與進實種體數間問合内最重部市場性者品制度業" +
	"及第安全理電話金取引日月円様御申請書期料"

// pairUsual has a digit for each pair of letters a to z, the first one by row: how usual it is that the second follows the
// first, as the logarithm to base 2 of its frequency in words against that of a pair by chance, plus 6, within 0 to 9. It
// is the mean over the software translations into 51 languages with Latin letters, without their accents.
const pairUsual = "" +
	"67785576868989673989775466" +
	"73107005730632700632612040" +
	"70427008725423710546601043" +
	"82159235853435830543632033" +
	"76776675757879563998664656" +
	"60026522710402700534500020" +
	"83237145733535620645724043" +
	"82037101712423710425623030" +
	"76778675468879763888564556" +
	"72027001522323520032510000" +
	"82317015745524831666723040" +
	"94368343954744830256733252" +
	"86228225712454760243612030" +
	"93688585855446830378743064" +
	"56675564657789572987765235" +
	"82437225613624850745610020" +
	"30001001200100300000601000" +
	"95569364945565833667754144" +
	"83638346837644762469743054" +
	"92439337924435830766743354" +
	"76566454646778562777444245" +
	"81118001712304600431400041" +
	"60116014600113500331300040" +
	"42104102400010230004201110" +
	"73446321523445540455312011" +
	"73136024613335520223432042"
