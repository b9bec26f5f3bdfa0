package sanitize

import (
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ragify/ragify/internal/document"
)

// The characters of a text that stand for no printed one. No value has them within it, but for lineEnd.
const (
	lineEnd  = '\n'   // where a line ends and the next one begins another word
	boundary = '\x1F' // what parts two words without a space: the mark of a note, a placeholder, the end of a line of code
	enDash   = '\x1D' // U+2013, between the parts of some numbers; ASCII, like all that stands in numbers
)

// text is a block as it is searched: its lines joined, every character in its plainest form, and where each byte of
// it stands in the runs. Control and format characters, which nobody sees, are left out.
type text struct {
	bytes []byte
	from  []int32 // where a byte comes from: an offset in the texts of all runs one after the other
	size  int32   // of all texts
	runs  []runAt // those with a text, in order
}

// runAt is a run with the offset of its text.
type runAt struct {
	run   *document.Run
	line  *document.Line
	start int32
	page  int
}

// read takes up a block; invalid is what is printed for a character that is none. Lines are joined as the writers join
// them (see joinLines in package export). Where these put a space, but the line's end cuts what can only be one value,
// there is nothing: a reader sees through it.
func (t *text) read(b *block, invalid string) {
	t.bytes, t.from, t.runs, t.size = t.bytes[:0], t.from[:0], t.runs[:0], 0
	join, begun := document.JoinSpace, false // how the line before ends
	for _, p := range b.parts {
		for i := range p.lines {
			l := &p.lines[i]
			if begun {
				t.endLine(join, b.code)
			}
			start := len(t.bytes)
			t.line(l, p.page, invalid)
			if begun && !b.code && join == document.JoinSpace {
				t.glue(start)
			}
			join, begun = l.Join, true
		}
	}
	t.mask()
}

// line adds the runs of a line.
func (t *text) line(l *document.Line, page int, invalid string) {
	for k := range l.Runs {
		r := &l.Runs[k]
		if r.Text == "" {
			continue
		}
		t.runs = append(t.runs, runAt{r, l, t.size, page})
		note := r.Superscript && isNoteMark(r.Text)
		if note {
			t.put(boundary, t.size)
		}
		for i, c := range r.Text {
			at := t.size + int32(i)
			if c != utf8.RuneError {
				t.rune(c, at)
				continue
			}
			for _, c := range invalid {
				t.rune(c, at)
			}
		}
		t.size += int32(len(r.Text))
		if note {
			t.put(boundary, t.size)
		}
	}
}

// isNoteMark reports whether a raised text is a reference to a note: such as 1, 2,3 or *.
func isNoteMark(s string) bool {
	const longest = 8 // bytes
	return len(s) <= longest && strings.Trim(s, "0123456789,* †‡§") == ""
}

// rune adds a character that stands at an offset.
func (t *text) rune(c rune, at int32) {
	switch {
	case c > ' ' && c < 0x7F:
		t.put(byte(c), at)
	case unicode.IsSpace(c):
		if n := len(t.bytes); n > 0 && t.bytes[n-1] != ' ' && t.bytes[n-1] != lineEnd {
			t.put(' ', at)
		}
	case unicode.In(c, unicode.Cc, unicode.Cf, unicode.Noncharacter_Code_Point):
	case c == 0x2010, c == 0x2011, c == 0x2212, c == 0xFE63: // hyphens and the minus sign
		t.put('-', at)
	case c == 0x2013:
		t.put(enDash, at)
	case c >= 0xFF01 && c <= 0xFF5E: // the wide forms of ASCII
		t.put(byte(c-0xFF01)+'!', at)
	case unicode.Is(unicode.Nd, c):
		t.put(digit(c), at)
	default:
		var b [utf8.UTFMax]byte
		for _, c := range b[:utf8.EncodeRune(b[:], c)] {
			t.put(c, at)
		}
	}
}

// digit is the ASCII form of a decimal digit of any script. The ranges of these begin with a zero and hold whole tens.
func digit(c rune) byte {
	for _, r := range unicode.Nd.R16 {
		if uint32(r.Lo) <= uint32(c) && uint32(c) <= uint32(r.Hi) {
			return '0' + byte((c-rune(r.Lo))%10)
		}
	}
	for _, r := range unicode.Nd.R32 {
		if r.Lo <= uint32(c) && uint32(c) <= r.Hi {
			return '0' + byte((c-rune(r.Lo))%10)
		}
	}
	return '0' // not reached: c is one
}

func (t *text) put(c byte, at int32) {
	t.bytes, t.from = append(t.bytes, c), append(t.from, at)
}

// endLine ends a line that is not the last.
func (t *text) endLine(join document.Join, code bool) {
	switch n := len(t.bytes); {
	case code:
		t.put(boundary, t.size)
	case join == document.JoinSpace:
		if n > 0 && t.bytes[n-1] == ' ' {
			t.bytes[n-1] = lineEnd
		} else if n > 0 && t.bytes[n-1] != lineEnd {
			t.put(lineEnd, t.size)
		}
	case join == document.JoinHyphen && n > 1 && t.bytes[n-1] == '-' && !isDigit(t.bytes[n-2]):
		// The hyphen goes. Between digits it is one of theirs.
		t.bytes, t.from = t.bytes[:n-1], t.from[:n-1]
	}
}

// glue takes away the line end before the line that begins at start when it cuts a value.
func (t *text) glue(start int) {
	at := start - 1
	if at < 1 || start >= len(t.bytes) || t.bytes[at] != lineEnd {
		return
	}
	begin, end := at, start
	for begin > 0 && !isSpace(t.bytes[begin-1]) && at-begin < longestToken {
		begin--
	}
	for end < len(t.bytes) && !isSpace(t.bytes[end]) && end-start < longestToken {
		end++
	}
	if cutsValue(string(t.bytes[begin:at]), string(t.bytes[start:end])) {
		t.bytes, t.from = slices.Delete(t.bytes, at, start), slices.Delete(t.from, at, start)
	}
}

// longestToken is the length in bytes up to which a word is searched: browsers take no longer addresses.
const longestToken = 2048

// mask makes boundaries of placeholders, so that a document comes out of a second run as it went in.
func (t *text) mask() {
	for _, m := range placeholderForm.FindAllIndex(t.bytes, -1) {
		t.cover(m[0], m[1])
	}
}

// cover makes boundaries of a stretch, which no further search finds anything in.
func (t *text) cover(start, end int) {
	for i := start; i < end; i++ {
		t.bytes[i] = boundary
	}
}

// offset is where a position in the text stands in the runs.
func (t *text) offset(i int) int32 {
	if i < len(t.from) {
		return t.from[i]
	}
	return t.size
}

// runAt is the index of the run in which an offset lies.
func (t *text) runIndex(offset int32) int {
	return sort.Search(len(t.runs), func(i int) bool { return t.runs[i].start > offset }) - 1
}

// page is the page on which a position stands, 0 for none.
func (t *text) page(i int) int {
	return t.runs[t.runIndex(t.offset(i))].page
}

// printedLine is the line in which a position stands.
func (t *text) printedLine(i int) *document.Line {
	return t.runs[t.runIndex(t.offset(i))].line
}

// original is the first byte of the character at a position, as it is in its run.
func (t *text) original(i int) byte {
	r := &t.runs[t.runIndex(t.offset(i))]
	return r.run.Text[t.offset(i)-r.start]
}

// replace puts the i-th placeholder in the place of the i-th match. Matches are in order, without overlaps.
func (t *text) replace(found []match, placeholders []string) {
	type stretch struct{ start, end int32 }
	stretches := make([]stretch, len(found))
	for i, m := range found {
		end := m.end
		if t.printedLine(m.start) != t.printedLine(m.end-1) {
			// The punctuation behind it comes along: it would begin the line after the placeholder's.
			for end < len(t.bytes) && strings.IndexByte(".,;:!?)]", t.bytes[end]) >= 0 && t.original(end) == t.bytes[end] {
				placeholders[i] += string(t.bytes[end : end+1])
				end++
			}
		}
		stretches[i] = stretch{t.offset(m.start), t.offset(end)}
	}
	next := 0 // the first stretch that does not end before the run
	for i := range t.runs {
		r := &t.runs[i]
		end := r.start + int32(len(r.run.Text))
		for next < len(stretches) && stretches[next].end <= r.start {
			next++
		}
		if next == len(stretches) || stretches[next].start >= end {
			continue
		}
		var b strings.Builder
		at := r.start // up to where the run is written
		for k := next; k < len(stretches) && stretches[k].start < end; k++ {
			s := stretches[k]
			if s.start >= r.start {
				b.WriteString(r.run.Text[at-r.start : s.start-r.start])
				b.WriteString(placeholders[k])
			}
			at = min(s.end, end)
			if s.end > end && i+1 < len(t.runs) && t.runs[i+1].line != r.line {
				r.line.Join = document.JoinNone // the line's end was within the value
			}
		}
		b.WriteString(r.run.Text[at-r.start:])
		r.run.Text = b.String()
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// isWord reports whether an ASCII character is part of words, in text or programs.
func isWord(c byte) bool { return isDigit(c) || isLetter(c) || c == '_' }

// isSpace reports whether no word has c in it.
func isSpace(c byte) bool { return c == ' ' || c == lineEnd || c == boundary }

// spaced reports whether r, a letter beyond ASCII or a mark on one, is of a script that has spaces between its words:
// in Chinese and Japanese an address may stand right behind a letter.
func spaced(r rune) bool {
	return r >= utf8.RuneSelf && (r < 0x3000 || r >= 0xFE00) && (unicode.IsLetter(r) || unicode.IsMark(r))
}
