package export

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ragify/ragify/internal/document"
)

// inlineMode is where inline text stands, which decides what has to be escaped and which styles are the block's.
type inlineMode uint8

const (
	inlineBlock inlineMode = iota
	inlineHeading
	inlineItem
	inlineCell
	inlineHeaderCell
)

// inline writes joined lines as Markdown text.
func (m *markdown) inline(lines []document.Line, mode inlineMode) string {
	want := strike | linked
	if mode != inlineHeading && mode != inlineHeaderCell { // these are bold by themselves
		want |= bold | italic
	}
	if m.code {
		want |= fixed
	}
	if m.o.MarkdownWithHTML {
		want |= super | sub
	}
	pieces := joinLines(lines, nil, m.o, want)
	var b strings.Builder
	styled := false // the text so far ends in a closing mark
	for i, p := range pieces {
		if mode == inlineHeading {
			p.text = strings.ReplaceAll(p.text, "\n", " ")
		}
		body := strings.Trim(p.text, " \n")
		at := strings.Index(p.text, body)
		before, after := p.text[:at], p.text[at+len(body):]
		b.WriteString(before)
		next := nextRune(pieces, i, after)
		escaped := m.span(&p, body, escaping{mode: mode, before: last(b.String()), follow: next})
		open, shut := marks(p)
		if open == "" || body == "" || styled && before == "" || !flanks(last(b.String()), escaped, next) {
			b.WriteString(escaped)
			styled = false
		} else {
			b.WriteString(open + escaped + shut)
			styled = true
		}
		if after != "" {
			styled = false
		}
		b.WriteString(after)
	}
	text := b.String()
	if mode == inlineHeading && strings.HasSuffix(text, "#") {
		text = text[:len(text)-1] + `\#` // it would close the heading
	}
	return text
}

// span writes body, the text of a piece, as code, raised, lowered or a link where it is.
func (m *markdown) span(p *piece, body string, at escaping) string {
	if body == "" {
		return ""
	}
	at.inLink = p.linked()
	code := p.style.has(fixed) && at.before != '`' && looksLikeCode(body)
	var text string
	switch {
	case code:
		text = codeSpan(body, at.mode)
	case at.inLink:
		text = escapeBrackets(escapeInline(body, at))
	default:
		text = escapeInline(body, at)
	}
	switch {
	case p.style.has(super):
		text = "<sup>" + text + "</sup>"
	case p.style.has(sub):
		text = "<sub>" + text + "</sub>"
	}
	if at.inLink {
		text = "[" + text + "](" + target(p.link) + ")"
	}
	return text
}

// marks are the emphasis marks around a piece.
func marks(p piece) (open, shut string) {
	switch {
	case p.style.has(bold) && p.style.has(italic):
		open = "***"
	case p.style.has(bold):
		open = "**"
	case p.style.has(italic):
		open = "*"
	}
	if p.style.has(strike) {
		return "~~" + open, open + "~~"
	}
	return open, open
}

// flanks reports whether emphasis marks around text would be read as such between the characters before and
// after it (CommonMark 0.31, left- and right-flanking delimiter runs). 0 is the start or end of the block.
func flanks(before rune, text string, after rune) bool {
	first, _ := utf8.DecodeRuneInString(text)
	final, _ := utf8.DecodeLastRuneInString(text)
	outside := func(r rune) bool { return r == 0 || unicode.IsSpace(r) || unicode.IsPunct(r) || unicode.IsSymbol(r) }
	inside := func(r rune) bool { return !unicode.IsPunct(r) && !unicode.IsSymbol(r) }
	return (inside(first) || outside(before)) && (inside(final) || outside(after))
}

func last(s string) rune {
	if s == "" {
		return 0
	}
	r, _ := utf8.DecodeLastRuneInString(s)
	return r
}

// nextRune is the character that follows the body of piece i.
func nextRune(pieces []piece, i int, after string) rune {
	if after != "" {
		return ' '
	}
	if i+1 < len(pieces) {
		if pieces[i+1].linked() {
			return '['
		}
		r, _ := utf8.DecodeRuneInString(pieces[i+1].text)
		return r
	}
	return 0
}

// linked reports whether the piece is written as a link: it leads somewhere, and does not say where by itself.
func (p piece) linked() bool {
	body := strings.Trim(p.text, " \n")
	return p.link != "" && body != "" && followable(p.link) && !sameTarget(p.link, body)
}

// followable reports whether a link may be offered to readers. Others than these schemes open nothing from a text,
// or, as javascript and data do, run what a stranger wrote where the Markdown is shown.
func followable(uri string) bool {
	scheme, _, ok := strings.Cut(uri, ":")
	if !ok || strings.ContainsAny(scheme, "/?#") {
		return true // relative
	}
	switch strings.ToLower(scheme) {
	case "http", "https", "ftp", "mailto", "tel":
		return true
	}
	return false
}

// sameTarget reports whether a link's text shows its target already.
func sameTarget(uri, text string) bool {
	trim := func(s string) string {
		s = strings.ToLower(strings.TrimSpace(s))
		for _, p := range []string{"mailto:", "https://", "http://"} {
			s = strings.TrimPrefix(s, p)
		}
		return strings.TrimRight(s, "/.")
	}
	t := trim(text)
	return t != "" && strings.Contains(trim(uri), t) && strings.ContainsAny(t, ".@/")
}

// target writes a URI as a link destination.
func target(uri string) string {
	var b strings.Builder
	for i, r := range uri {
		switch {
		case r == '&' && entity.MatchString(uri[i:]):
			b.WriteString("&amp;")
		case r <= ' ' || r == 0x7F || r == '<' || r == '>' || r == '|' || r == '\\' || r == '`' || r == '*':
			const hex = "0123456789ABCDEF"
			b.WriteString("%" + string(hex[r>>4&15]) + string(hex[r&15]))
		case r == '(' || r == ')':
			b.WriteString(`\` + string(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
