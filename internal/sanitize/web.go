package sanitize

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

var (
	// scheme is what an absolute address begins with (RFC 3986, section 3.1), as far as it says that one follows.
	scheme = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]{0,19}://`)
	www    = regexp.MustCompile(`(?i)www\d{0,2}\.`)
	// hostPath is what may follow a host: a port, and what is asked of it.
	hostPath = regexp.MustCompile(`^(?::\d{1,5})?[/?#]`)
	fileName = regexp.MustCompile(`^[a-z0-9_-]*\.?(?:html?|php|aspx?|jsp|pdf|xml|json|txt|zip|png|jpe?g|git)\b`)
)

// webAddresses finds the addresses that say that they are: by a scheme, or by www.
func (s *scanner) webAddresses() {
	b := s.t.bytes
	for i := 0; i < len(b); {
		at := bytes.Index(b[i:], []byte("://"))
		if at < 0 {
			break
		}
		colon := i + at
		i = colon + len("://")
		start := colon
		for start > 0 && colon-start < 20 && isSchemeByte(b[start-1]) {
			start--
		}
		for start < colon && !isLetter(b[start]) {
			start++
		}
		for _, known := range []string{"https", "http", "ftp"} { // where the space before it is missing
			if n := colon - len(known); n > start && bytes.EqualFold(b[n:colon], []byte(known)) {
				start = n
				break
			}
		}
		first, _ := utf8.DecodeRune(b[i:])
		if start == colon || !unicode.IsLetter(first) && !unicode.IsDigit(first) && first != '[' && first != '/' {
			continue
		}
		end := addressEnd(b, i)
		s.take(start, end, webAddress, addressKey(string(b[start:end])))
		i = end
	}
	for _, m := range findFold(b, "www") {
		if s.wordBefore(m) || s.before(m) == '@' {
			continue
		}
		loc := www.FindIndex(s.window(m, 8))
		if loc == nil || loc[0] != 0 {
			continue
		}
		if name := hostAt(b[m+loc[1]:]); strings.Contains(name, ".") {
			end := addressEnd(b, m)
			s.take(m, end, webAddress, addressKey(string(b[m:end])))
		}
	}
}

func isSchemeByte(c byte) bool {
	return isLetter(c) || isDigit(c) || c == '+' || c == '.' || c == '-'
}

// findFold gives where word, in small letters, stands in b, in letters of any size.
func findFold(b []byte, word string) []int {
	var at []int
	for i := 0; i+len(word) <= len(b); i++ {
		if b[i]|0x20 == word[0] && bytes.EqualFold(b[i:i+len(word)], []byte(word)) {
			at = append(at, i)
			i += len(word) - 1
		}
	}
	return at
}

// addressEnd is where an address ends that goes on from start: before white space, what never is in one (RFC 3987
// allows no quotes and angle brackets), or wide scripts, which have no spaces to end it; and before the punctuation
// of the sentence and brackets that it does not open.
func addressEnd(b []byte, start int) int {
	end := start
	for end < len(b) {
		c, size := utf8.DecodeRune(b[end:])
		if isSpace(b[end]) || strings.ContainsRune("<>\"“”„«»‹›`|\\", c) || c >= 0x3000 && c < 0xFE00 || c == 0x2014 || c == 0x2026 {
			break
		}
		end += size
	}
	open := make(map[rune]int, len("()[]{}")) // brackets of each kind
	for _, c := range b[start:end] {
		open[rune(c)]++
	}
	for end > start {
		c, size := utf8.DecodeLastRune(b[start:end])
		switch other, bracket := opening(c); {
		case strings.ContainsRune(".,:;!?'’‘*", c):
		case bracket && open[other] < open[c]:
			open[c]--
		default:
			return end
		}
		end -= size
	}
	return end
}

// opening is the bracket that one closes, if it does.
func opening(c rune) (rune, bool) {
	switch c {
	case ')':
		return '(', true
	case ']':
		return '[', true
	case '}':
		return '{', true
	}
	return 0, false
}

// addressKey is an address without what does not lead elsewhere: its scheme, the size of its host's letters, a slash
// at its end.
func addressKey(s string) string {
	if loc := scheme.FindStringIndex(s); loc != nil && loc[0] == 0 {
		s = s[loc[1]:]
	}
	host := s
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		host = s[:i]
	}
	return strings.TrimRight(strings.ToLower(host)+s[len(host):], "/")
}

// hosts finds addresses that begin with the name of a host: example.com/account, and example.com alone where the name
// can be no file, no part of a program, and no sentence that lacks a space.
func (s *scanner) hosts() {
	b := s.t.bytes
	for i := 0; i < len(b); {
		dot := bytes.IndexByte(b[i:], '.')
		if dot < 0 {
			return
		}
		dot += i
		start := dot
		for start > i {
			c, size := utf8.DecodeLastRune(b[i:start])
			if !isHostRune(c) {
				break
			}
			start -= size
		}
		name := hostAt(b[start:])
		i = max(dot+1, start+len(name))
		for name != "" && (name[0] == '.' || name[0] == '-') {
			name, start = name[1:], start+1
		}
		if name == "" || strings.IndexByte("@/\\_:=#$&~", s.before(start)) >= 0 || !knownHost(name) {
			continue
		}
		end := start + len(name)
		switch {
		case hostPath.Match(s.window(end, len(":65535/"))) && strings.ToLower(name) == name:
			end = addressEnd(b, end)
		case s.at(end) == '@' || s.at(end) == '(' || s.at(end) == '_' || s.at(end) == '/' || s.at(end) == '\\':
			continue
		case !plainHost(name) && !s.labelled(start, siteWords):
			continue
		}
		s.take(start, end, webAddress, addressKey(string(b[start:end])))
		i = end
	}
}

func isHostRune(c rune) bool {
	return c < utf8.RuneSelf && (isWord(byte(c)) && c != '_' || c == '.' || c == '-') || spaced(c)
}

// hostAt is the name of a host that b begins with, "" for none.
func hostAt(b []byte) string {
	end := 0
	for end < len(b) && end < longestDomain {
		c, size := utf8.DecodeRune(b[end:])
		if !isHostRune(c) {
			break
		}
		end += size
	}
	return string(bytes.TrimRight(b[:end], ".-"))
}

// knownHost reports whether name is one of a public domain (publicsuffix.org), or of one that is kept for examples
// (RFC 2606).
func knownHost(name string) bool {
	labels := strings.Split(strings.ToLower(name), ".")
	if len(name) > longestDomain || len(labels) < 2 || slices.ContainsFunc(labels, func(l string) bool {
		return l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-'
	}) {
		return false
	}
	top := labels[len(labels)-1]
	if strings.Trim(top, "0123456789") == "" {
		return false
	}
	if top == "example" || top == "test" || top == "invalid" {
		return true
	}
	ascii, err := idna.ToASCII(strings.Join(labels, "."))
	if err != nil {
		return false
	}
	suffix, icann := publicsuffix.PublicSuffix(ascii)
	return (icann || strings.Contains(suffix, ".")) && suffix != ascii
}

// plainHost reports whether a name is that of a host wherever it stands. The domains of countries and many of the newer
// ones are endings of files (.md, .py, .zip), parts of programs (.name, .info) or words (.is, .it, .to).
func plainHost(name string) bool {
	labels := strings.Split(name, ".")
	top := labels[len(labels)-1]
	switch top {
	case "com", "org", "edu", "gov", "net":
		return true
	}
	if len(labels) < 3 || len(top) != 2 {
		return false
	}
	switch labels[len(labels)-2] { // example.co.uk
	case "co", "com", "ac", "org", "gov", "gob", "gouv", "edu", "net":
		return true
	}
	return false
}
