package sanitize

import (
	"bytes"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	longestLocal  = 64  // bytes before the @ (RFC 5321, section 4.5.3.1.1)
	longestDomain = 255 // bytes after it
)

// hiddenAt is an @ written so that programs do not see it, with the domain after it.
var hiddenAt = regexp.MustCompile(`^ ?(?:[\[({<] ?(?:(?i:at|ät|arroba|chez)|@) ?[\])}>]) ?((?:[\pL\pN-]+(?:\.| ?[\[({<] ?(?:(?i:dot|punkt|punto|point)|\.) ?[\])}>] ?))+[\pL\pN-]+)`)

var hiddenDot = regexp.MustCompile(` ?[\[({<] ?(?:(?i:dot|punkt|punto|point)|\.) ?[\])}>] ?`)

// emails finds e-mail addresses: around every @, and around what people write instead of one.
func (s *scanner) emails() {
	b := s.t.bytes
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '@':
			if end := s.emailAt(i); end > i {
				i = end - 1
			}
		case '(', '[', '{', '<':
			local := localBefore(b, i-boolByte(s.before(i) == ' '))
			if local == i || s.before(i) == ' ' && local == i-1 {
				continue
			}
			m := hiddenAt.FindSubmatchIndex(s.window(i, longestDomain))
			if m == nil {
				continue
			}
			host := hiddenDot.ReplaceAllString(string(b[i+m[2]:i+m[3]]), ".")
			if !knownHost(host) {
				continue
			}
			name := strings.TrimRight(string(b[local:i]), " ")
			s.take(local, i+m[1], email, strings.ToLower(name+"@"+host))
			i += m[1] - 1
		}
	}
}

func boolByte(v bool) int {
	if v {
		return 1
	}
	return 0
}

// emailAt notes the address around the @ at a position, and gives its end, 0 when there is none.
func (s *scanner) emailAt(at int) int {
	b := s.t.bytes
	left, right := at, at+1
	apart := s.before(at) == ' ' && s.at(right) == ' '
	if apart || s.at(right) == ' ' && isWord(s.before(at)) {
		right++ // "jane @ example.com", "jane@ example.com": often the work of letter spacing
		if apart {
			left--
		}
		apart = true
	}
	start := localBefore(b, left)
	if s.before(left) == '}' { // {jane,john}@example.com, in papers
		if open := bytes.LastIndexByte(b[max(0, left-longestDomain):left], '{'); open >= 0 {
			start = max(0, left-longestDomain) + open
		}
	}
	domain := domainAt(b[right:])
	if start == left || domain == "" || apart && !knownHost(domain) {
		return 0
	}
	end := right + len(domain)
	key := strings.ToLower(string(b[start:left]) + "@" + domain)
	for _, prefix := range []string{"mailto:", "xmpp:", "sip:", "sips:"} {
		if n := start - len(prefix); n >= 0 && bytes.EqualFold(b[n:start], []byte(prefix)) {
			start = n
		}
	}
	s.take(start, end, email, key)
	return end
}

// localBefore is where the part of an address before an @ at end begins, end where there is none.
func localBefore(b []byte, end int) int {
	start := end
	for start > 0 && end-start < longestLocal {
		c := b[start-1]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeLastRune(b[:start])
			if !spaced(r) {
				break
			}
			start -= size
			continue
		}
		if !isWord(c) && strings.IndexByte(".%+-'&~!#$*=", c) < 0 {
			break
		}
		start--
	}
	for start < end && b[start] < utf8.RuneSelf && !isWord(b[start]) && b[start] != '+' {
		start++
	}
	if start < end && b[end-1] == '.' || start == end {
		return end
	}
	return start
}

// domainAt is the domain that b begins with, "" for none. A top-level domain is not looked up: many are made up, in
// examples and for inner networks. But where only a shorter one is known, a sentence goes on without a space after it.
func domainAt(b []byte) string {
	if m := domainLiteral.Find(b); m != nil {
		return string(m)
	}
	name := hostAt(b)
	if i := strings.Index(name, ".."); i >= 0 {
		name = name[:i]
	}
	if name == "" || name[0] == '.' || name[0] == '-' {
		return ""
	}
	const words = 4 // of the sentence
	for shorter, n := name, 0; n < words && !knownHost(shorter); n++ {
		shorter = shorter[:max(strings.LastIndexByte(shorter, '.'), 0)]
		if knownHost(shorter) {
			return shorter
		}
	}
	if i := strings.LastIndexFunc(name, unicode.IsUpper); i > 0 && !knownHost(name) && 'a' <= name[i-1] && name[i-1] <= 'z' && knownHost(name[:i]) {
		return name[:i] // example.comPhone
	}
	dot := strings.LastIndexByte(name, '.')
	top := name[dot+1:]
	if dot < 0 || utf8.RuneCountInString(top) < 2 || strings.ContainsAny(top[:1], "0123456789") {
		return ""
	}
	return name
}

var domainLiteral = regexp.MustCompile(`^\[(?:\d{1,3}(?:\.\d{1,3}){3}|IPv6:[0-9A-Fa-f:.]+)\]`)
