package sanitize

import (
	"bytes"
	"net/netip"
	"regexp"
	"strings"
)

// networkAddresses finds the addresses of hosts and of network cards. What may follow an address, as a port and the
// length of a prefix, stays.
func (s *scanner) networkAddresses() {
	b := s.t.bytes
	for i := 0; i < len(b); i++ {
		c := b[i]
		if !isHex(c) && c != ':' || i > 0 && (isHex(b[i-1]) || b[i-1] == ':') {
			continue
		}
		if s.wordBefore(i) {
			continue
		}
		for _, find := range []func(int) int{s.macAt, s.ipv6At, s.ipv4At} {
			if end := find(i); end > i {
				i = end - 1
				break
			}
		}
	}
}

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

var macForm = regexp.MustCompile(`^(?:[0-9A-Fa-f]{2}(?:(?::[0-9A-Fa-f]{2}){7}|(?::[0-9A-Fa-f]{2}){5}|(?:-[0-9A-Fa-f]{2}){7}|(?:-[0-9A-Fa-f]{2}){5})|[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2})`)

// macAt notes the address of a network card (EUI-48 or EUI-64, IEEE 802) at a position, and gives its end, 0 for none.
// Groups of nothing but digits are one only with colons: with others they may be any number.
func (s *scanner) macAt(i int) int {
	m := macForm.Find(s.window(i, 24))
	if m == nil || s.goesOn(i+len(m), ":-.") || strings.IndexByte("-.:", s.before(i)) >= 0 {
		return 0
	}
	digits := strings.Map(func(r rune) rune {
		if r == ':' || r == '-' || r == '.' {
			return -1
		}
		return r
	}, strings.ToLower(string(m)))
	if m[2] != ':' && strings.Trim(digits, "0123456789") == "" && !s.labelled(i, macWords) {
		return 0
	}
	s.take(i, i+len(m), mac, digits)
	return i + len(m)
}

// goesOn reports whether a number or word goes on at a position, at once or after one of the given characters.
func (s *scanner) goesOn(i int, joints string) bool {
	return s.wordAt(i) || strings.IndexByte(joints, s.at(i)) >= 0 && s.wordAt(i+1)
}

var ipv6Form = regexp.MustCompile(`^(?:[0-9A-Fa-f]{1,4})?(?::{1,2}[0-9A-Fa-f]{1,4}){1,7}(?:(?:\.\d{1,3}){3}|::)?`)

// ipv6At notes the IPv6 address (RFC 4291, section 2.2) at a position, with its zone, and gives its end, 0 for none.
// Parts of programs and times look alike: an address that leaves out groups has a digit, and a group that is no number of
// one or two digits, or nothing before.
func (s *scanner) ipv6At(i int) int {
	m := ipv6Form.Find(s.window(i, 48))
	if m == nil {
		return 0
	}
	a, err := netip.ParseAddr(string(m))
	if err != nil || s.goesOn(i+len(m), ":.") {
		return 0
	}
	groups := strings.FieldsFunc(string(m), func(r rune) bool { return r == ':' })
	likely := len(groups) == 8 || strings.HasPrefix(string(m), "::")
	digits := false
	for _, g := range groups {
		likely = likely || len(g) > 2 || strings.ContainsAny(g, "abcdefABCDEF")
		digits = digits || strings.ContainsAny(g, "0123456789")
	}
	if !likely || !digits {
		return 0
	}
	end := i + len(m)
	if zone := zoneForm.Find(s.window(end, 20)); zone != nil {
		end += len(zone)
	}
	if s.before(i) == '[' && s.at(end) == ']' {
		i, end = i-1, end+1
	}
	s.take(i, end, ip, a.String())
	return end
}

var zoneForm = regexp.MustCompile(`^%[0-9A-Za-z]{1,15}`)

var ipv4Form = regexp.MustCompile(`^(?:\d{1,3}\.){3}\d{1,3}`)

// ipv4At notes the IPv4 address at a position, and gives its end, 0 for none. Versions and the numbers of sections and
// tables look alike.
func (s *scanner) ipv4At(i int) int {
	m := ipv4Form.Find(s.window(i, len("255.255.255.255")))
	if m == nil || s.block.software || s.goesOn(i+len(m), ".") || strings.IndexByte(".-,", s.before(i)) >= 0 && s.before(i-1) != boundary && isWord(s.before(i-1)) {
		return 0
	}
	a, err := netip.ParseAddr(string(m)) // which takes no leading zeros and nothing above 255
	if err != nil {
		return 0
	}
	parts := a.As4()
	if s.versioned(i, parts) || parts[0] == 255 || a.IsUnspecified() { // a mask, which says nothing of anyone
		return 0
	}
	if s.likeSection(i, i+len(m), parts) && !s.labelled(i, hostWords) && !s.mentioned(i, networkWords) {
		return 0
	}
	s.take(i, i+len(m), ip, a.String())
	return i + len(m)
}

// likeSection reports whether an address may as well be the number of a section: all of it are small numbers. Nobody
// refers to sections with a port or the length of a prefix. Numbers of private networks, which begin with 10, are
// sections where they stand before a title.
func (s *scanner) likeSection(start, end int, a [4]byte) bool {
	const most = 40 // sections of one chapter
	for _, part := range a {
		if part == 0 || part > most {
			return false
		}
	}
	if a[0] == a[1] && a[1] == a[2] && a[2] == a[3] && !s.block.heading { // 1.1.1.1, 8.8.8.8
		return false
	}
	if (s.at(end) == ':' || s.at(end) == '/') && isDigit(s.at(end+1)) {
		return false
	}
	return a[0] != 10 || s.block.heading || s.block.mark || s.before(start) == lineEnd || len(bytes.TrimLeft(s.t.bytes[:start], " ")) == 0
}

// versioned reports whether what stands before a number says that it is a version or, where it is small enough, that of
// a section or table; also when others stand between: "sections 1.2.3.4 and 1.2.3.5".
func (s *scanner) versioned(i int, a [4]byte) bool {
	const most = 99 // of sections
	before := s.textBefore(i)
	return versionWords.MatchString(before) || max(a[0], a[1], a[2], a[3]) <= most && sectionWords.MatchString(before)
}

// otherNumbers are those of the same kind between a word and a number.
const otherNumbers = `[.:#]? ?(?:(?:no|nr)\.? ?)?(?:\d+(?:\.\d+)+[a-z]?(?:[,;/]| ?-| ?\x1D)? ?(?:(?:and|or|to|und|oder|bis|et|ou|à|y|o|e|a) )?)*$`

var (
	versionWords = regexp.MustCompile(`(?:^|[^\pL])(?:versions?|versión|versione|versão|ver|v|releases?|rev(?:ision)?s?|builds?|firmware|update|patch|kernel|software|driver|windows|linux|chrome|` +
		`firefox|android|ios|macos|java|oid)` + otherNumbers)
	sectionWords = regexp.MustCompile(`(?:^|[^\pL])(?:sections?|sect?s?|§+|clauses?|chapters?|parts?|paragraphs?|para|annex|appendix|tables?|tab|figures?|figs?|equations?|eqs?|items?|steps?|rules?|` +
		`controls?|requirements?|abschnitte?n?|abschn|kapitel|ziffer|punkt|tabellen?|abbildung|abb|anhang|anlage|sección|secciones|apartado|capítulo|tabla|figura|chapitre|tableau|article|art|sezione|` +
		`capitolo|tabella|seção|tabela)` + otherNumbers)
)
