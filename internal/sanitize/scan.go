package sanitize

import (
	"cmp"
	"regexp"
	"slices"
	"unicode/utf8"
)

// match is a value in a text.
type match struct {
	start, end int // in text.bytes
	kind       kind
	key        string // what all ways of writing the value have in common
}

// placeholderForm is what every placeholder looks like.
var placeholderForm = regexp.MustCompile(`\[(?:EMAIL|PHONE|CARD|IBAN|IP|MAC|URL|ID)_[0-9]+\]`)

// scanner finds the values of a block, one kind after the other. What one search finds the later ones do not see.
type scanner struct {
	t     *text
	block *block
	found []match
}

// scan adds the values in a text to found, in order and without overlaps.
func scan(t *text, b *block, found []match) []match {
	s := scanner{t: t, block: b, found: found}
	s.webAddresses() // they may hold all others
	s.emails()
	digits := slices.ContainsFunc(t.bytes, isDigit)
	if digits {
		s.ibans()
		s.cards()
	}
	s.machineReadable()
	if digits {
		s.networkAddresses()
	}
	s.hosts()
	if digits {
		s.identities()
		s.phones()
	}
	slices.SortFunc(s.found, func(a, b match) int { return cmp.Compare(a.start, b.start) })
	return s.found
}

// take notes a value. A value of nothing but boundaries is none.
func (s *scanner) take(start, end int, k kind, key string) {
	s.found = append(s.found, match{start, end, k, key})
	s.t.cover(start, end)
}

// before is the byte before a position, a boundary at the start.
func (s *scanner) before(i int) byte {
	if i <= 0 {
		return boundary
	}
	return s.t.bytes[i-1]
}

// at is the byte at a position, a boundary at the end.
func (s *scanner) at(i int) byte {
	if i >= len(s.t.bytes) {
		return boundary
	}
	return s.t.bytes[i]
}

// wordBefore reports whether the character before a position makes one word with what begins there.
func (s *scanner) wordBefore(i int) bool {
	c, _ := utf8.DecodeLastRune(s.t.bytes[:i])
	return i > 0 && (c < utf8.RuneSelf && isWord(byte(c)) || spaced(c))
}

// wordAt reports whether the character at a position makes one word with what ends there.
func (s *scanner) wordAt(i int) bool {
	c, _ := utf8.DecodeRune(s.t.bytes[i:])
	return i < len(s.t.bytes) && (c < utf8.RuneSelf && isWord(byte(c)) || spaced(c))
}

// window is the text from a position on, as far as a pattern may look.
func (s *scanner) window(i, size int) []byte {
	return s.t.bytes[i:min(i+size, len(s.t.bytes))]
}
