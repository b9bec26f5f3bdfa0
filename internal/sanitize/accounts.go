package sanitize

import (
	"regexp"
	"slices"
	"strings"
)

// cards finds the numbers of payment cards: 13 to 19 digits in the groups that are printed on cards, or in one, of a
// known issuer and with the right check digit.
func (s *scanner) cards() {
	b := s.t.bytes
	for i := 0; i < len(b); i++ {
		if !isDigit(b[i]) {
			continue
		}
		if s.wordBefore(i) || strings.IndexByte(".-/", s.before(i)) >= 0 && isWord(s.before(i-1)) {
			i = digitsEnd(b, i)
			continue
		}
		if end, number := cardAt(b[i:]); end > 0 && !s.goesOn(i+end, "-.") {
			s.take(i, i+end, card, number)
			i += end
			continue
		}
		i = digitsEnd(b, i)
	}
}

// digitsEnd is where the digits that begin at i end.
func digitsEnd(b []byte, i int) int {
	for i < len(b) && isDigit(b[i]) {
		i++
	}
	return i
}

// cardAt gives the end and the digits of the card number that b begins with, 0 for none. Groups are parted by single
// spaces, hyphens or dots; a line's end may also be within a group.
func cardAt(b []byte) (end int, number string) {
	const most = 19 // digits (ISO/IEC 7812-1)
	var digits []byte
	groups, merged := []int{0}, []int{0} // lengths; merged: line ends part none
	for i := 0; i < len(b) && len(digits) <= most; i++ {
		switch c := b[i]; {
		case isDigit(c):
			digits = append(digits, c)
			groups[len(groups)-1]++
			merged[len(merged)-1]++
			if i+1 < len(b) && isDigit(b[i+1]) || len(digits) > most {
				continue
			}
			if (cardGroups(groups) || cardGroups(merged)) && issued(digits) && luhn(digits) {
				end, number = i+1, string(digits)
			}
		case (c == ' ' || c == '-' || c == '.' || c == lineEnd) && isDigit(b[i-1]) && i+1 < len(b) && isDigit(b[i+1]):
			if groups = append(groups, 0); c != lineEnd {
				merged = append(merged, 0)
			}
		default:
			return end, number
		}
	}
	return end, number
}

// cardGroups reports whether numbers are written in groups of such lengths.
func cardGroups(lengths []int) bool {
	n := len(lengths)
	switch {
	case n == 1:
		return lengths[0] >= 13
	case n == 3 && lengths[0] == 4 && lengths[1] == 6: // American Express, Diners Club
		return lengths[2] == 4 || lengths[2] == 5
	case n < 4 || n > 5 || lengths[n-1] > 4:
		return false
	}
	return !slices.ContainsFunc(lengths[:n-1], func(l int) bool { return l != 4 })
}

// issued reports whether a number has the beginning and the length of a network's cards.
func issued(digits []byte) bool {
	prefix := 0 // the first six digits
	for _, c := range digits[:min(6, len(digits))] {
		prefix = prefix*10 + int(c-'0')
	}
	for _, n := range [...]struct{ from, to, shortest, longest int }{
		{400000, 499999, 13, 19}, // Visa
		{510000, 559999, 16, 16}, // Mastercard
		{222100, 272099, 16, 16}, // Mastercard
		{340000, 349999, 15, 15}, // American Express
		{370000, 379999, 15, 15}, // American Express
		{300000, 305999, 14, 19}, // Diners Club
		{360000, 369999, 14, 19}, // Diners Club
		{380000, 399999, 14, 19}, // Diners Club
		{352800, 358999, 16, 19}, // JCB
		{601100, 601199, 16, 19}, // Discover
		{644000, 659999, 16, 19}, // Discover
		{620000, 629999, 16, 19}, // UnionPay
		{810000, 819999, 16, 19}, // UnionPay, RuPay
		{220000, 220499, 16, 19}, // Mir
		{500000, 509999, 16, 19}, // Maestro, Elo, Verve
		{560000, 589999, 16, 19}, // Maestro
		{600000, 609999, 16, 19}, // RuPay, Hipercard
		{630000, 639999, 16, 19}, // Maestro
		{670000, 679999, 16, 19}, // Maestro
	} {
		if n.from <= prefix && prefix <= n.to && n.shortest <= len(digits) && len(digits) <= n.longest {
			return true
		}
	}
	return false
}

// luhn checks the last digit (ISO/IEC 7812-1, annex B).
func luhn(digits []byte) bool {
	sum := 0
	for i, c := range digits {
		d := int(c - '0')
		if (len(digits)-i)%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

var ibanStart = regexp.MustCompile(`[A-Za-z]\n?[A-Za-z][ \n-]?[0-9]\n?[0-9][ \n.-]?[0-9A-Za-z]`)

// ibans finds bank accounts: the country, its number of letters and digits, in any groups, and the right check digits.
func (s *scanner) ibans() {
	b := s.t.bytes
	for i := 0; i < len(b); {
		loc := ibanStart.FindIndex(b[i:])
		if loc == nil {
			return
		}
		start := i + loc[0]
		i = start + 1
		if s.wordBefore(start) {
			continue
		}
		if end, account := ibanAt(b[start:]); end > 0 && !s.wordAt(start+end) {
			s.take(start, start+end, iban, account)
			i = start + end
		}
	}
}

// ibanAt gives the end and the characters of the account that b begins with, 0 for none.
func ibanAt(b []byte) (end int, account string) {
	second := b[1]
	if second == lineEnd {
		second = b[2]
	}
	length := ibanLength(strings.ToUpper(string([]byte{b[0], second})))
	if length == 0 {
		return 0, ""
	}
	small := 'a' <= b[0] && b[0] <= 'z'
	id := make([]byte, 0, length)
	for i, c := range b {
		switch {
		case isDigit(c), isLetter(c) && ('a' <= c && c <= 'z') == small:
			if id = append(id, c); len(id) == length {
				account = strings.ToUpper(string(id))
				if mod97(account[4:]+account[:4]) != 1 {
					return 0, ""
				}
				return i + 1, account
			}
		case (c == ' ' || c == '-' || c == '.' || c == lineEnd) && isWord(b[i-1]):
		default:
			return 0, ""
		}
	}
	return 0, ""
}

// mod97 is the remainder of the number that a text of digits and capitals stands for, A being 10 (ISO/IEC 7064).
func mod97(s string) int {
	n := 0
	for i := range len(s) {
		if isDigit(s[i]) {
			n = (n*10 + int(s[i]-'0')) % 97
		} else {
			n = (n*100 + int(s[i]-'A') + 10) % 97
		}
	}
	return n
}

// ibanLength is the length of a country's IBANs, 0 for a country that has none (SWIFT IBAN registry, release 99).
func ibanLength(country string) int {
	const lengths = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 " +
		"GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 " +
		"NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30 "
	i := strings.Index(lengths, country)
	if i < 0 || i%5 != 0 {
		return 0
	}
	return int(lengths[i+2]-'0')*10 + int(lengths[i+3]-'0')
}
