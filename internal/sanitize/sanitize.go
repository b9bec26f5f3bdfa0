// Package sanitize replaces personal data in a parsed document by placeholders: e-mail addresses, telephone numbers,
// payment cards, bank accounts (IBAN), network addresses, web addresses, and numbers of passports and the like.
//
// It works on the document and not on the outputs, so that every format says the same, and looks at texts as a reader
// sees them: lines joined, styles ignored, what goes on in the next column or on the next page with its beginning. A
// placeholder stands where the value began; the rest of the value is taken out, from whichever run, line, element or
// page it stood in. Within a document the same value always gets the same placeholder.
//
// What has a check is checked: card numbers by their issuer and check digit (ISO/IEC 7812-1), IBANs by the length that
// their country uses and their check digits (ISO 13616), addresses by parsing them. Telephone numbers have none: they
// are told from dates, versions, orders and other numbers by the ways in which people group them, and by the words
// before them. A number that could be anything counts only behind a word that says what it is.
package sanitize

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ragify/ragify/internal/document"
)

// kind is a sort of personal data.
type kind uint8

// The kinds, in the order in which a report names them.
const (
	email kind = iota
	phone
	card
	iban
	ip
	mac
	webAddress
	identity
	numKinds
)

// names of a kind: in placeholders, of one in a report, and of several.
func (k kind) names() (placeholder, one, many string) {
	names := [numKinds][3]string{
		email:      {"EMAIL", "e-mail address", "e-mail addresses"},
		phone:      {"PHONE", "telephone number", "telephone numbers"},
		card:       {"CARD", "payment card", "payment cards"},
		iban:       {"IBAN", "bank account", "bank accounts"},
		ip:         {"IP", "IP address", "IP addresses"},
		mac:        {"MAC", "MAC address", "MAC addresses"},
		webAddress: {"URL", "web address", "web addresses"},
		identity:   {"ID", "identity document or number", "identity documents or numbers"},
	}
	return names[k][0], names[k][1], names[k][2]
}

// Document replaces the personal data in d, in its texts and in what the file says of itself, and takes the targets
// off its links: they are addresses, whatever their texts say. invalid is what the writers print for a character that
// is none.
//
// What it gives is a warning for the client: how much of what was replaced, and on which pages; nil when d has
// nothing of the kind. It takes time in proportion to the length of the texts.
func Document(d *document.Document, invalid string) []document.Warning {
	s := sanitizer{invalid: invalid, numbers: make(map[value]int), pages: make(map[int]bool)}
	list := blocks(d)
	for i := range list {
		s.block(&list[i])
	}
	return s.report()
}

// value is something that was found, in the one form that all ways of writing it have in common.
type value struct {
	kind kind
	key  string
}

// sanitizer goes through one document.
type sanitizer struct {
	invalid string
	numbers map[value]int // of the placeholders given out
	last    [numKinds]int // the highest of them
	links   bool          // targets were taken off
	pages   map[int]bool  // 1-based, on which something was replaced
	text    text          // of the block at hand
	found   []match
}

// block replaces what is found in a block.
func (s *sanitizer) block(b *block) {
	if b.field != nil {
		run := document.Run{Text: *b.field}
		b.parts[0].lines = []document.Line{{Runs: []document.Run{run}}}
		defer func() { *b.field = b.parts[0].lines[0].Runs[0].Text }()
	}
	s.unlink(b)
	s.text.read(b, s.invalid)
	s.found = scan(&s.text, b, s.found[:0])
	if len(s.found) == 0 {
		return
	}
	placeholders := make([]string, len(s.found))
	for i, m := range s.found {
		placeholders[i] = s.placeholder(value{m.kind, m.key})
		if page := s.text.page(m.start); page > 0 {
			s.pages[page] = true
		}
	}
	s.text.replace(s.found, placeholders)
}

// placeholder gives the one for a value.
func (s *sanitizer) placeholder(v value) string {
	n, known := s.numbers[v]
	if !known {
		s.last[v.kind]++
		n = s.last[v.kind]
		s.numbers[v] = n
	}
	name, _, _ := v.kind.names()
	return "[" + name + "_" + strconv.Itoa(n) + "]"
}

// unlink takes the targets off the links of a block.
func (s *sanitizer) unlink(b *block) {
	for _, p := range b.parts {
		for i := range p.lines {
			for k := range p.lines[i].Runs {
				r := &p.lines[i].Runs[k]
				if r.Link == "" {
					continue
				}
				s.links = true
				if r.Link = ""; p.page > 0 {
					s.pages[p.page] = true
				}
			}
		}
	}
}

// report says what was replaced, without saying what it was.
func (s *sanitizer) report() []document.Warning {
	var counts []string
	for k := range numKinds {
		if n := s.last[k]; n > 0 {
			_, one, many := k.names()
			counts = append(counts, counted(n, one, many))
		}
	}
	var sentences []string
	if len(counts) > 0 {
		sentences = append(sentences, "Personal data was replaced by placeholders: "+strings.Join(counts, ", ")+".")
	}
	if s.links {
		sentences = append(sentences, "The targets of links were removed.")
	}
	if sentences == nil {
		return nil
	}
	pages := make([]int, 0, len(s.pages))
	for n := range s.pages {
		pages = append(pages, n)
	}
	slices.Sort(pages)
	return []document.Warning{{Code: "sanitized", Message: strings.Join(sentences, " "), Pages: pages}}
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
