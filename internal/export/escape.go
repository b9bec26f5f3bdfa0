package export

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	address  = regexp.MustCompile(`^(?i:(?:https?|ftp)://|www\.)[\pL\pN][^\s<>\x00-\x1F]*`)
	entity   = regexp.MustCompile(`^&(#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});`)
	opening  = regexp.MustCompile(`^&#?[0-9A-Za-z]*$`) // what may become an entity with the text that follows
	ordinal  = regexp.MustCompile(`^(\d{1,9})([.)])(\s|$)`)
	number   = regexp.MustCompile(`^\d{1,9}$`)
	listDot  = regexp.MustCompile(`^[.)](\s|$)`) // after a number
	ruleLine = regexp.MustCompile(`^[-=:|\s]+$`)
)

// escaping is what decides about escapes beside the text itself.
type escaping struct {
	mode           inlineMode
	inLink         bool // the text is that of a link
	before, follow rune // the characters around it, 0 at the start and end of the block
	number         bool // a number that begins the line stands before it
}

// escapeInline escapes what a CommonMark or GFM parser would take for markup. Text is read by people as well,
// so characters that mean nothing where they stand stay as they are.
func escapeInline(s string, at escaping) string {
	lineStart := at.before == 0 || at.before == '\n'
	if at.number && listDot.MatchString(s) && mayBegin(at.mode) {
		return `\` + s[:1] + escapeInline(s[1:], escaping{mode: at.mode, inLink: at.inLink, before: '.', follow: at.follow})
	}
	const may = "\\`*_[<&~|\n!]:." // the last two in web addresses
	if !lineStart && at.before != ']' && !strings.ContainsAny(s, may) {
		return s
	}
	var b strings.Builder
	lines := strings.Split(s, "\n")
	for n, l := range lines {
		if n > 0 {
			b.WriteByte('\n')
		}
		if n > 0 || lineStart {
			l = escapeStart(&b, l, at.mode)
		}
		next := at
		if n > 0 {
			next.before = '\n'
		}
		if n+1 < len(lines) {
			next.follow = '\n'
		}
		escapeLine(&b, l, next)
	}
	return b.String()
}

// mayBegin reports whether a block can begin at the start of a line: not in a cell or heading.
func mayBegin(mode inlineMode) bool {
	return mode != inlineCell && mode != inlineHeaderCell && mode != inlineHeading
}

// escapeStart writes what at the start of a line would begin a block, escaped, and gives the rest.
func escapeStart(b *strings.Builder, l string, mode inlineMode) string {
	if l == "" || !mayBegin(mode) {
		return l
	}
	if m := ordinal.FindStringSubmatch(l); m != nil {
		b.WriteString(m[1] + `\` + m[2])
		return l[len(m[1])+1:]
	}
	switch l[0] {
	case '#':
		rest := strings.TrimLeft(l, "#")
		if rest == "" || rest[0] == ' ' {
			b.WriteString(`\#`)
			return l[1:]
		}
	case '+', '-':
		if len(l) == 1 || l[1] == ' ' || ruleLine.MatchString(l) {
			b.WriteString(`\` + l[:1])
			return l[1:]
		}
	case '>', '=', ':', '|':
		if l[0] == '>' || ruleLine.MatchString(l) {
			b.WriteString(`\` + l[:1])
			return l[1:]
		}
	}
	return l
}

func escapeLine(b *strings.Builder, l string, at escaping) {
	var prev rune
	for i := 0; i < len(l); {
		if !at.inLink && !wordRune(prev) {
			if n := writeURL(b, l[i:], at); n > 0 {
				i += n
				prev = last(l[:i])
				continue
			}
		}
		if n := asciiWord(l[i:]); n > 0 { // means nothing, wherever it stands
			b.WriteString(l[i : i+n])
			i += n
			prev = rune(l[i-1])
			continue
		}
		r, size := utf8.DecodeRuneInString(l[i:])
		next := at.follow
		if i+size < len(l) {
			next, _ = utf8.DecodeRuneInString(l[i+size:])
		}
		escape := false
		switch r {
		case '[', '(', ':':
			// After a bracket it would make a link of what is in there. The brackets stay: people search for what is in
			// them together with them.
			escape = prev == ']' || i == 0 && at.before == ']' || r == '[' && at.mode == inlineItem && i == 0
		case '_':
			escape = !wordRune(prev) || !wordRune(next) || i+size == len(l) // marks may come between it and what follows
		default:
			escape = special(r, next, at.mode) || r == '&' && (entity.MatchString(l[i:]) || at.follow != 0 && opening.MatchString(l[i:]))
		}
		if escape {
			b.WriteByte('\\')
		}
		b.WriteString(l[i : i+size])
		prev = r
		i += size
	}
}

// asciiWord is the length of the ASCII letters and digits that s begins with.
func asciiWord(s string) int {
	for i := range len(s) {
		if c := s[i]; (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') {
			return i
		}
	}
	return len(s)
}

// special reports whether r before next can be markup.
func special(r, next rune, mode inlineMode) bool {
	switch r {
	case '\\', '`', '*', '~':
		return true
	case '!':
		return next == '['
	case '<':
		return unicode.IsLetter(next) || next == '/' || next == '!' || next == '?'
	case '|':
		return mode == inlineCell || mode == inlineHeaderCell
	}
	return false
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// escapeBrackets escapes the brackets in text that is escaped otherwise already, for the text of a link.
func escapeBrackets(s string) string {
	var b strings.Builder
	escaped := false
	for _, r := range s {
		if (r == '[' || r == ']') && !escaped {
			b.WriteByte('\\')
		}
		escaped = r == '\\' && !escaped
		b.WriteRune(r)
	}
	return b.String()
}

// writeURL writes the web address that l begins with, if it does, and gives its length. Parsers with GFM's autolinks
// take an address as it stands in the source, with the escapes; others do not know it. So one with characters that
// need escapes is written as a link: in angle brackets, where no escapes are needed, or with itself as its text.
func writeURL(b *strings.Builder, l string, at escaping) int {
	const prefix = 4
	if len(l) < prefix || !strings.EqualFold(l[:prefix], "http") && !strings.EqualFold(l[:prefix], "www.") && !strings.EqualFold(l[:prefix], "ftp:") {
		return 0
	}
	whole := address.FindString(l)
	const longest = 2000 // bytes; browsers take no longer ones, and this keeps the work in bounds
	if whole == "" || len(whole) > longest {
		return 0
	}
	url := trimURL(whole)
	after := at.follow
	if len(whole) < len(l) {
		after = rune(l[len(whole)])
	}
	plain := after == 0 || unicode.IsSpace(after)
	for i, r := range whole {
		next, _ := utf8.DecodeRuneInString(whole[i+utf8.RuneLen(r):])
		// An underscore between letters is text everywhere, brackets are a matter of what follows.
		plain = plain && (r != '_' || wordRune(last(whole[:i])) && wordRune(next)) && r != '[' && r != ']' &&
			!special(r, next, at.mode) && (r != '&' || !entity.MatchString(whole[i:]))
	}
	if plain {
		b.WriteString(whole)
		return len(whole)
	}
	if !address.MatchString(url) {
		return 0 // nothing but its beginning
	}
	scheme := ""
	if url[0]|0x20 == 'w' {
		scheme = "http://"
	}
	if scheme != "" || strings.Contains(url, "&") {
		inside := escaping{mode: at.mode, inLink: true, before: 'x', follow: ']'}
		b.WriteString("[" + escapeBrackets(escapeInline(url, inside)) + "](" + scheme + target(url) + ")")
		return len(url)
	}
	shown := url
	if at.mode == inlineCell || at.mode == inlineHeaderCell {
		shown = strings.ReplaceAll(url, "|", `\|`)
	}
	b.WriteString("<" + shown + ">")
	return len(url)
}

// trimURL takes off what ends the sentence and not the address: punctuation, and brackets that it does not open.
func trimURL(url string) string {
	for {
		switch end := last(url); {
		case strings.ContainsRune(".,:;!?'\"’”»、。，；：！？）」』", end):
		case end == ')' && strings.Count(url, ")") > strings.Count(url, "("):
		case end == ']' && strings.Count(url, "]") > strings.Count(url, "["):
		default:
			return url
		}
		_, size := utf8.DecodeLastRuneInString(url)
		url = url[:len(url)-size]
	}
}
