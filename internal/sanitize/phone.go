package sanitize

import (
	"bytes"
	"regexp"
	"strings"
)

// joint is what stands between the groups of a telephone number: a space, a hyphen, dot or slash, with spaces around
// the hyphen or slash, or the end of a line.
const joint = `(?:[ \n]?[-/\x1D][ \n]?|\.|[ \n])`

// phoneForm is a way in which telephone numbers are written.
type phoneForm struct {
	pattern *regexp.Regexp
	// fewest and most digits.
	fewest, most int
	// trust says how much it takes to believe it.
	trust trust
	// refuse, if set, takes out what is something else.
	refuse func(number []byte) bool
}

// trust says what has to stand around a number of a form.
type trust uint8

const (
	alone    trust = iota // nothing: nothing else is written so
	isolated              // no other number beside it, nor a word that says that it is something else
	spoken                // a word about telephones in the same sentence
	dialled               // a word right before it that says to call
	labelled              // a word right before it that says that it is a telephone number
)

// phoneForms are tried one after the other. International numbers are not among them, see internationalAt.
var phoneForms = []phoneForm{
	// North America: (212) 555-0147, 212-555-0147, 1.212.555.0147.
	{regexp.MustCompile(`^(?:1[-. \n]?)?\([2-9]\d{2}\)[-./ \n]?[2-9]\d{2}[-. \n\x1D]?\d{4}`), 10, 11, alone, nil},
	{regexp.MustCompile(`^(?:1[-. \n])?[2-9]\d{2}[-./ \n\x1D][2-9]\d{2}[-. \x1D]\d{4}`), 10, 11, isolated, nil},
	// A trunk prefix of nought: 020 7946 0958, (030) 901820, 030/90 18 20, 01.23.45.67.89, 0171-1234567.
	{regexp.MustCompile(`^\(0[ ]?[1-9]\d{0,4}\)` + joint + `?\d{2,8}(?:` + joint + `\d{1,8}){0,4}`), 8, 13, alone, nil},
	{regexp.MustCompile(`^0[1-9]\d{0,4}(?:` + joint + `\(?\d{2,8}\)?)(?:` + joint + `\d{1,8}){0,4}`), 9, 13, isolated, numbersInARow},
	{regexp.MustCompile(`^0[1-9]\d{8,9}`), 10, 11, isolated, nil},
	{regexp.MustCompile(`^0[1-9]\d{1,4} ?/ ?\d{3,8}(?:[- ]\d{1,5})*`), 8, 13, isolated, nil},
	{regexp.MustCompile(`^\(0\) ?[1-9]\d{0,4}(?:` + joint + `\d{2,8}){1,4}`), 9, 13, isolated, nil},
	// An area code in brackets: (11) 91234-5678, 8 (495) 123-45-67.
	{regexp.MustCompile(`^(?:[78][- ]?)?\([1-9]\d{1,4}\)` + joint + `?\d{2,5}(?:` + joint + `\d{2,5}){0,3}`), 9, 12, isolated, yearInBrackets},
	// Russia and its neighbours: 8 800 555-35-35.
	{regexp.MustCompile(`^(?:8[- ])?\d{3}[- ]\d{3}-\d{2}-\d{2}`), 10, 11, isolated, nil},
	// Mobile numbers of China: 138 0013 8000.
	{regexp.MustCompile(`^1[3-9]\d[- ]\d{4}[- ]\d{4}`), 11, 11, isolated, nil},
	// Seven digits, as people dial them within an area: 555-0142.
	{regexp.MustCompile(`^555[-.\x1D]\d{4}`), 7, 7, isolated, nil},
	{regexp.MustCompile(`^[2-9]\d{2}[-.\x1D]\d{4}`), 7, 7, spoken, nil},
	// Anything, behind a word.
	{regexp.MustCompile(`^\d{1,5}(?:[- ]\d{2,5}){1,4}`), 8, 12, dialled, nil},
	{regexp.MustCompile(`^\(?\d{1,12}\)?(?:` + joint + `?\(\d{1,5}\)|` + joint + `\d{1,8}){0,7}`), 5, 15, labelled, nil},
}

var (
	// dateForm is a day, however written, or two years.
	dateForm = regexp.MustCompile(`^(?:\d{1,2}[-./]\d{1,2}[-./](?:19|20)?\d{2}|\d{1,2} \d{1,2} (?:19|20)\d{2}|(?:19|20)\d{2}[-./]\d{1,2}[-./]\d{1,2}|(?:19|20)\d{2} ?[-/\x1D] ?(?:19|20)\d{2}|(?:19|20)\d{2}[01]\d[0-3]\d)$`)
	// notTheNumber is a group behind a space that begins something else: a time, day, share or sum.
	notTheNumber = regexp.MustCompile(`^(?:\d{1,2}[:.]\d\d\b|\d{1,2}[/.]\d{1,2}[/.]|\d{4}-\d\d-\d\d|\d{1,2}\. \pL|\d+ ?[%€$£°]|\d{1,2} ?(?i:am|pm|uhr|h)\b)`)
	// extension is the number behind a number that leads to a person.
	extension = regexp.MustCompile(`^(?:[ ,;]{0,3}(?i:ext(?:ension|n)?|x|durchwahl|dw|poste|anexo|ramal|interno|toestel|#)[.: ]{0,2}\d{1,6}| ?-\d{1,5})\b`)
)

// wordExtension is an extension that follows a number at once.
var wordExtension = regexp.MustCompile(`^(?i:x|ext)[.: ]{0,2}\d{1,6}\b`)

// phones finds telephone numbers.
func (s *scanner) phones() {
	b := s.t.bytes
	done := 0 // where the last one ended
	for i := 0; i < len(b); i++ {
		if c := b[i]; !isDigit(c) && c != '+' && c != '(' {
			continue
		}
		if s.numberGoesOnAt(i, done) {
			if isDigit(b[i]) {
				i = digitsEnd(b, i) - 1
			}
			continue
		}
		end, key := s.phoneAt(i)
		if end == 0 {
			if isDigit(b[i]) {
				i = digitsEnd(b, i) - 1
			}
			continue
		}
		if m := extension.Find(s.window(end, 24)); m != nil && (m[0] != '-' && m[0] != ' ' || m[len(m)-1] != '-') {
			key += "x" + string(onlyDigits(m))
			end += len(m)
		}
		s.take(i, end, phone, key)
		i, done = end-1, end
	}
}

// numberGoesOnAt reports whether what begins at a position is the rest of a word, a larger number or a sum. done is
// where the last telephone number ended: another one may follow behind a slash.
func (s *scanner) numberGoesOnAt(i, done int) bool {
	if s.wordBefore(i) && s.t.bytes[i] != '(' || isDigit(s.before(i)) {
		return true
	}
	switch s.before(i) {
	case '.', ',', '-', '/', ':', '\'', enDash:
		return isDigit(s.before(i-1)) && (i-1 != done || done == 0)
	case '$', '#', '=', '+', '*', '^', '~', '<', '>', '\\', '@', '%':
		return true
	}
	for _, sign := range []string{"€", "£", "¥"} {
		if bytes.HasSuffix(s.t.bytes[:i], []byte(sign)) {
			return true
		}
	}
	return false
}

// phoneAt gives the end and the key of the telephone number that begins at a position, 0 for none.
func (s *scanner) phoneAt(i int) (end int, key string) {
	if end, key = s.internationalAt(i); end > 0 {
		return end, key
	}
	if s.t.bytes[i] == '+' {
		return 0, ""
	}
	const longest = 48 // bytes
	window := s.window(i, longest)
	for k := range phoneForms {
		f := &phoneForms[k]
		n := f.find(window)
		if n == 0 || s.goesOn(i+n, ".-/:,%\x1D") && !wordExtension.Match(s.window(i+n, 12)) || !s.trusts(f.trust, i, i+n) {
			continue
		}
		digits := onlyDigits(window[:n])
		if f.trust <= isolated && len(digits) == 11 && digits[0] == '1' {
			digits = digits[1:] // the same number as without the prefix
		}
		return i + n, string(digits)
	}
	return 0, ""
}

// find gives the length of the number in a form that b begins with, 0 for none. A line's end may also cut one of its
// groups.
func (f *phoneForm) find(b []byte) int {
	if n := len(f.pattern.Find(b)); n > 0 {
		if n = f.cut(b[:n]); n > 0 {
			return n
		}
	}
	joined, at := unbroken(b)
	if n := len(f.pattern.Find(joined)); n > at {
		if n = f.cut(joined[:n]); n > at {
			return n + 1
		}
	}
	return 0
}

// unbroken is b without its first line end where this cuts a group of digits, and where it was; nothing otherwise.
func unbroken(b []byte) (joined []byte, at int) {
	at = bytes.IndexByte(b, lineEnd)
	if at < 1 || at+1 == len(b) || !isDigit(b[at-1]) || !isDigit(b[at+1]) {
		return nil, 0
	}
	return append(append(make([]byte, 0, len(b)), b[:at]...), b[at+1:]...), at
}

// cut gives the length of a number without what does not belong to it, 0 when nothing is left that can be one.
func (f *phoneForm) cut(number []byte) int {
	for i := 1; i < len(number); i++ {
		if isSpace(number[i-1]) && notTheNumber.Match(number[i:]) {
			number = bytes.TrimRight(number[:i], " \n-/")
			break
		}
	}
	digits := len(onlyDigits(number))
	if digits < f.fewest || digits > f.most || dateForm.Match(number) || bytes.Count(number, []byte("(")) != bytes.Count(number, []byte(")")) || f.refuse != nil && f.refuse(number) {
		return 0
	}
	return len(number)
}

// trusts reports whether a number in a form that takes so much stands where it is one.
func (s *scanner) trusts(t trust, start, end int) bool {
	switch t {
	case alone:
		return true
	case isolated:
		return s.labelled(start, phoneWords) || !s.labelled(start, otherWords) && !s.numberBeside(start, end)
	case spoken:
		return !s.labelled(start, otherWords) && (s.mentioned(start, phoneWords) || s.mentioned(start, callWords))
	case dialled:
		return s.labelled(start, dialWords)
	default:
		return s.labelled(start, phoneWords)
	}
}

// numberBeside reports whether another number stands beside a stretch with nothing but a space between, as in a row of
// figures.
func (s *scanner) numberBeside(start, end int) bool {
	return isSpace(s.before(start)) && isDigit(s.before(start-1)) || s.at(end) == ' ' && isDigit(s.at(end+1))
}

// numbersInARow reports whether the groups of a number are figures that count on, such as 01 02 03 04 05, or a share
// of something, such as 05/12345678.
func numbersInARow(number []byte) bool {
	groups := bytes.FieldsFunc(number, func(r rune) bool { return !isDigitRune(r) })
	if len(groups) < 4 {
		return false
	}
	for i := 1; i < len(groups); i++ {
		if len(groups[i]) != 2 || groups[i][0]*10+groups[i][1] != groups[i-1][0]*10+groups[i-1][1]+1 {
			return false
		}
	}
	return true
}

// yearInBrackets reports whether what stands in the brackets of a number is a year, as in a reference.
func yearInBrackets(number []byte) bool {
	open, shut := bytes.IndexByte(number, '('), bytes.IndexByte(number, ')')
	in := string(number[open+1 : shut])
	return len(in) == 4 && (strings.HasPrefix(in, "19") || strings.HasPrefix(in, "20"))
}

// onlyDigits are the digits in b.
func onlyDigits(b []byte) []byte {
	digits := make([]byte, 0, len(b))
	for _, c := range b {
		if isDigit(c) {
			digits = append(digits, c)
		}
	}
	return digits
}

var (
	internationalStart = regexp.MustCompile(`^(?:\(?(?:\+|00) ?[1-9]|\+ ?\([1-9])`)
	// anotherGroup is a group with what is before it; a trunk prefix in brackets is not dialled from abroad.
	anotherGroup = regexp.MustCompile(`^(?:` + joint + `?\(0\)` + joint + `?\d{1,12}|` + joint + `?\(\d{1,5}\)|\)` + joint + `?\d{1,12}|` + joint + `\d{1,12})`)
)

// anotherNumber is a group that begins another number behind a slash.
var anotherNumber = regexp.MustCompile(`^[ \n]?/[ \n]?0`)

// internationalAt gives the end and the key of the number with a country's code that begins at a position, 0 for none
// (ITU-T E.164: at most 15 digits; a country's numbers have their own lengths).
func (s *scanner) internationalAt(i int) (end int, key string) {
	const longest = 64 // bytes
	b := s.window(i, longest)
	m := internationalStart.Find(b)
	if m == nil {
		return 0, ""
	}
	at := len(m) - 1
	stop := digitsEnd(b, at)
	digits := append(make([]byte, 0, 24), b[at:stop]...)
	open := bytes.Count(b[:at], []byte("("))
	fewest, most := 0, 0
	for {
		if fewest, most = internationalLength(digits); len(digits) > most {
			break
		}
		if len(digits) >= fewest && open <= 0 && !s.goesOn(i+stop, "") {
			end, key = stop, string(digits)
		}
		next := anotherGroup.Find(b[stop:])
		if next == nil || anotherNumber.Match(next) || end > 0 && isSpace(next[0]) && notTheNumber.Match(b[stop+1:]) {
			break
		}
		open += bytes.Count(next, []byte("(")) - bytes.Count(next, []byte(")"))
		digits = append(digits, onlyDigits(bytes.TrimPrefix(bytes.TrimLeft(next, " \n-./\x1D"), []byte("(0)")))...)
		stop += len(next)
	}
	if end == 0 {
		return 0, ""
	}
	// Without a plus sign it may be any number, but for what people group as one.
	if !bytes.ContainsRune(m, '+') && (!bytes.ContainsAny(b[:end], " -./()") || s.labelled(i, otherWords) || s.numberBeside(i, i+end)) && !s.labelled(i, phoneWords) {
		return 0, ""
	}
	return i + end, "+" + key
}

// internationalLength gives the fewest and most digits that a number with the given first ones has, with the country's
// code; 0 for a code that is none (ITU-T E.164, list of assigned country codes; national numbering plans).
func internationalLength(digits []byte) (fewest, most int) {
	const longest = 15
	if len(digits) == 0 || digits[0] == '0' {
		return 0, 0
	}
	code := string(digits[:min(2, len(digits))])
	switch {
	case digits[0] == '1':
		if len(digits) > 1 && digits[1] < '2' {
			return 0, 0
		}
		return 11, 11
	case digits[0] == '7':
		return 11, 11
	case code == "28", code == "83", code == "89":
		return 0, 0
	}
	for _, c := range [...]struct {
		code         string
		fewest, most int
	}{
		{"20", 9, 12},
		{"27", 11, 11},
		{"30", 12, 12},
		{"31", 10, 11},
		{"32", 10, 11},
		{"33", 11, 11},
		{"34", 11, 11},
		{"36", 10, 11},
		{"39", 8, 13},
		{"40", 11, 11},
		{"41", 11, 11},
		{"44", 11, 12},
		{"45", 10, 10},
		{"46", 9, 12},
		{"47", 10, 10},
		{"48", 11, 11},
		{"51", 10, 11},
		{"52", 12, 13},
		{"54", 12, 13},
		{"55", 12, 13},
		{"56", 11, 11},
		{"57", 10, 12},
		{"61", 11, 11},
		{"64", 10, 12},
		{"65", 10, 10},
		{"66", 10, 11},
		{"81", 11, 12},
		{"82", 10, 12},
		{"86", 12, 13},
		{"90", 12, 12},
		{"91", 12, 12},
	} {
		if c.code == code {
			return c.fewest, c.most
		}
	}
	return 9, longest
}
