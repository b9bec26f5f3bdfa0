package sanitize

import (
	"bytes"
	"regexp"
	"strings"
)

// machineReadable finds the lines at the foot of passports and on cards (ICAO 9303, parts 4 to 6): 30, 36 or 44
// capitals, digits and fillers.
func (s *scanner) machineReadable() {
	b := s.t.bytes
	for i := 0; i < len(b); {
		at := bytes.IndexByte(b[i:], '<')
		if at < 0 {
			return
		}
		start, end := i+at, i+at
		for start > 0 && isMachineReadable(b[start-1]) {
			start--
		}
		for end < len(b) && isMachineReadable(b[end]) {
			end++
		}
		line := b[start:end]
		i = end
		// OCR and fonts lose a filler or two.
		if n := len(line); n < 28 || n > 46 || bytes.Count(line, []byte("<")) < 2 || s.wordBefore(start) || s.wordAt(end) {
			continue
		}
		s.take(start, end, identity, string(line))
	}
}

func isMachineReadable(c byte) bool { return c == '<' || isDigit(c) || 'A' <= c && c <= 'Z' }

var (
	// identityForm is a number of an identity document: capitals and digits, also in groups.
	identityForm = regexp.MustCompile(`^[A-Z0-9]+(?:[ \n./-]?[A-Z0-9]+)*`)
	// socialSecurity is a number as the Social Security Administration of the United States gives it out.
	socialSecurity = regexp.MustCompile(`^\d{3}-\d{2}-\d{4}`)
)

// identities finds the numbers of identity documents and of persons behind a word that says that they are, and
// those of American social security, which have a form of their own.
func (s *scanner) identities() {
	const longest = 40 // bytes, of a number in groups
	b := s.t.bytes
	for i := 0; i < len(b); i++ {
		if c := b[i]; !isDigit(c) && (c < 'A' || c > 'Z') {
			continue
		}
		if s.wordBefore(i) || strings.IndexByte(".-/", s.before(i)) >= 0 && isWord(s.before(i-1)) {
			continue
		}
		window := s.window(i, longest)
		if len(onlyDigits(window)) < fewestDigits {
			continue
		}
		end, number := identityAt(window)
		if end > 0 && !s.wordAt(i+end) && s.labelled(i, identityWords) {
			s.take(i, i+end, identity, number)
			i += end
			continue
		}
		if end, number = securityNumber(s.window(i, 14)); end > 0 && !s.goesOn(i+end, "-./") && !s.labelled(i, otherWords) {
			s.take(i, i+end, identity, number)
			i += end
		}
	}
}

// fewestDigits is how many an identity number has at least.
const fewestDigits = 4

// identityAt gives the end and the characters of the number that b may begin with, 0 for none. Behind a space it goes on
// where it is written in short groups.
func identityAt(b []byte) (end int, number string) {
	const (
		fewest, most = 5, 20 // characters
		shortGroup   = 4     // that another one may follow
	)
	form := identityForm.Find(b)
	if dateForm.Match(form) {
		return 0, ""
	}
	var id []byte
	digits := 0
	for at := 0; at < len(form); {
		stop := at
		group := make([]byte, 0, most)
		for stop < len(form) && !isSpace(form[stop]) {
			if c := form[stop]; isDigit(c) || isLetter(c) {
				group = append(group, c)
			}
			stop++
		}
		n := len(bytes.Trim(group, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
		if len(id)+len(group) > most || at > 0 && n == 0 && len(group) > 1 {
			break
		}
		id, digits, end, at = append(id, group...), digits+n, stop, stop+1
		if len(group) > shortGroup {
			break
		}
	}
	if len(id) < fewest || digits < fewestDigits {
		return 0, ""
	}
	return end, string(id)
}

// securityNumber gives the end and the digits of the number of American social security that b begins with, or of the one
// that the tax office gives instead; 0 for none that can have been given out.
func securityNumber(b []byte) (end int, number string) {
	n := socialSecurity.Find(b)
	end = len(n)
	if n == nil {
		joined, at := unbroken(b)
		if n = socialSecurity.Find(joined); len(n) <= at {
			return 0, ""
		}
		end = len(n) + 1
	}
	if string(n[:3]) == "000" || string(n[:3]) == "666" || n[0] == '9' && n[4] < '5' || string(n[4:6]) == "00" || string(n[7:]) == "0000" {
		return 0, ""
	}
	return end, string(onlyDigits(n))
}
