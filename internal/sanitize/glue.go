package sanitize

import (
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// cutsValue reports whether the end of a line that ends in the word left, and goes on with the word right, is within a
// value: neither word says anything without the other, or the first ends in a character that addresses do not end in.
func cutsValue(left, right string) bool {
	if left == "" || right == "" {
		return false
	}
	end, first := left[len(left)-1], right[0]
	switch {
	case isDigit(first) && end == '-' && len(left) > 1 && isDigit(left[len(left)-2]):
		return true // 212-555-|0147
	case first == '-' && len(right) > 1 && isDigit(right[1]) && isDigit(end):
		return true // 212-555|-0147
	case end == '(', first == ')', end == '+' && isDigit(first):
		return true // (|212) 555-0147
	case cutsNetworkAddress(left, right):
		return true
	case strings.Contains(right, "://"):
		return false
	case webStart(left) >= 0:
		return cutsWebAddress(left[webStart(left):], right)
	case strings.Contains(left, "@"):
		return cutsDomain(left[strings.LastIndexByte(left, '@')+1:], right)
	case first == '@':
		return knownHost(hostAt([]byte(right[1:]))) && localBefore([]byte(left), len(left)) < len(left)
	case strings.Contains(right, "@"):
		// jane.|doe@example.com, also where the first is the end of a sentence: it is better to lose a word.
		at := strings.IndexByte(right, '@')
		return strings.IndexByte("._-+", end) >= 0 && len(left) > 1 && isWord(left[len(left)-2]) && localBefore([]byte(right), at) == 0 && domainAt([]byte(right[at+1:])) != ""
	}
	return false
}

// cutsNetworkAddress reports whether two words are an address only together.
func cutsNetworkAddress(left, right string) bool {
	const longest = 45 // characters of an address
	trim := func(s string) string { return strings.Trim(s, "()[],;\"'") }
	left, right = strings.TrimLeft(left, "([\"'"), strings.TrimRight(trim(right), ".:")
	if len(left)+len(right) > longest || !strings.ContainsAny(left, ".:-") && !strings.ContainsAny(right, ".:-") {
		return false
	}
	whole := func(s string) bool {
		m := macForm.FindString(s)
		if m != "" && m == s {
			return true
		}
		_, err := netip.ParseAddr(s)
		return err == nil
	}
	return whole(left+right) && !whole(strings.TrimRight(left, ".")) && !whole(right)
}

// webStart is where an address begins in a word, -1 for none.
func webStart(s string) int {
	if i := strings.Index(s, "://"); i >= 0 {
		for i > 0 && isSchemeByte(s[i-1]) {
			i--
		}
		return i
	}
	if i := strings.Index(strings.ToLower(s), "www."); i >= 0 {
		return i
	}
	s = s[len(s)-len(strings.TrimLeft(s, "([<\"'")):]
	if i := strings.IndexByte(s, '/'); i > 0 && knownHost(s[:i]) {
		return 0
	}
	return -1
}

// cutsWebAddress reports whether the address left goes on in the word right.
func cutsWebAddress(left, right string) bool {
	host := left
	if _, after, ok := strings.Cut(left, "://"); ok {
		host = after
	}
	name, path, hasPath := host, "", false
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		name, path, hasPath = host[:i], host[i:], true
	}
	body := strings.TrimRight(right, ".,;:!?)]}'\"”’")
	switch end := left[len(left)-1]; {
	case body == "" || strings.Contains(right, "@") && !strings.Contains(path, "@"):
		return false
	case !hasPath && !knownHost(strings.TrimRight(name, ".")):
		return knownHost(strings.TrimSuffix(name, ".")+hostAt([]byte(right))) || knownHost(name+hostAt([]byte(right)))
	case strings.IndexByte("_=?&%#~+", end) >= 0:
		return true
	case end == '/' || end == '-':
		return !plainWord(body) || unicode.IsLower(rune(body[0])) && !endsInWord(body, linkingWords)
	case end == '.':
		return fileName.MatchString(body) || !hasPath && knownHost(name+hostAt([]byte(right))) && unicode.IsLower(rune(right[0]))
	case strings.IndexByte(",;:!)]}'\"", end) >= 0:
		return false
	}
	if strings.IndexByte("/?#&=_%", right[0]) >= 0 || strings.ContainsAny(body, "=&%?#_~") {
		return true
	}
	return hasPath && (strings.Contains(body, "/") && !strings.HasSuffix(left, "/") && strings.ToLower(body) == body || fileName.MatchString(body) || mixed(body))
}

// linkingWords begin what follows an address in a sentence.
var linkingWords = []string{
	"and", "or", "for", "to", "in", "on", "at", "of", "is", "are", "was", "the", "a", "an", "by", "with", "from", "as", "which", "that", "if", "when", "where", "has", "have", "can", "will", "und", "oder",
	"für", "ist", "die", "der", "das", "im", "zu", "mit", "von", "et", "ou", "pour", "est", "le", "la", "les", "de", "y", "o", "para", "es", "el", "e", "per", "è", "il",
}

// plainWord reports whether s is nothing but letters.
func plainWord(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) })
}

// mixed reports whether s is letters and digits in small letters, as a key in an address: 4f3a9c.
func mixed(s string) bool {
	const shortest = 5
	return len(s) >= shortest && strings.Trim(s, "0123456789abcdefghijklmnopqrstuvwxyz-") == "" && strings.ContainsAny(s, "0123456789") && strings.Trim(s, "0123456789-") != ""
}

// cutsDomain reports whether the domain of an e-mail address goes on in the word right.
func cutsDomain(domain, right string) bool {
	c, _ := utf8.DecodeRuneInString(right)
	more := hostAt([]byte(right))
	switch {
	case strings.HasPrefix(right, "."):
		return knownHost(domain + more)
	case more == "" || !isHostRune(c) || strings.Contains(right, "@"):
		return false
	case domain == "":
		return knownHost(more)
	case !knownHost(strings.TrimRight(domain, ".-")):
		return knownHost(domain + more)
	}
	// A whole one: only what makes a longer ending of it belongs to it, as the uk after co.
	whole := strings.TrimSuffix(domain, ".")
	ending := whole[strings.LastIndexByte(whole, '.')+1:]
	return whole != domain && unicode.IsLower(c) && len(more) == 2 && !knownHost(ending+"."+more)
}
