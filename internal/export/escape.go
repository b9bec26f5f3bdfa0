package export

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	entity   = regexp.MustCompile(`^&(#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});`)
	ordinal  = regexp.MustCompile(`^(\d{1,9})([.)])(\s|$)`)
	ruleLine = regexp.MustCompile(`^[-=:|\s]+$`)
)

// escapeInline escapes what a CommonMark or GFM parser would take for markup. Text is read by people as well,
// so characters that mean nothing where they stand stay as they are. follow is the character that comes after s,
// 0 at the end of the block.
func escapeInline(s string, mode inlineMode, lineStart bool, follow rune) string {
	if !lineStart && !strings.ContainsAny(s, "\\`*_[<&~|\n!]") {
		return s
	}
	var b strings.Builder
	lines := strings.Split(s, "\n")
	for n, l := range lines {
		if n > 0 {
			b.WriteByte('\n')
		}
		if n > 0 || lineStart {
			l = escapeStart(&b, l, mode)
		}
		next := follow
		if n+1 < len(lines) {
			next = '\n'
		}
		escapeLine(&b, l, mode, next)
	}
	return b.String()
}

// escapeStart writes what at the start of a line would begin a block, escaped, and gives the rest.
func escapeStart(b *strings.Builder, l string, mode inlineMode) string {
	if mode == inlineCell || mode == inlineHeaderCell || mode == inlineHeading || l == "" {
		return l // no block can begin in a cell or heading
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

func escapeLine(b *strings.Builder, l string, mode inlineMode, follow rune) {
	var prev rune
	for i, r := range l {
		rest := l[i+utf8.RuneLen(r):]
		next := follow
		if rest != "" {
			next, _ = utf8.DecodeRuneInString(rest)
		}
		escape := false
		switch r {
		case '\\', '`', '*', '~':
			escape = true
		case '_':
			escape = !wordRune(prev) || !wordRune(next) || rest == "" // marks may come between it and what follows
		case '[':
			escape = mayLink(rest) || mode == inlineItem && i == 0
		case ']':
			escape = next == '(' || next == '[' || next == ':'
		case '!':
			escape = next == '['
		case '<':
			escape = unicode.IsLetter(next) || next == '/' || next == '!' || next == '?'
		case '&':
			escape = entity.MatchString(l[i:])
		case '|':
			escape = mode == inlineCell || mode == inlineHeaderCell
		}
		if escape {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		prev = r
	}
}

// mayLink reports whether the text after an opening bracket closes it in a way that makes a link.
func mayLink(rest string) bool {
	return strings.Contains(rest, "](") || strings.Contains(rest, "][") || strings.Contains(rest, "]:")
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
