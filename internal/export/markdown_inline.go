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
	if mode == inlineHeading {
		for i := range pieces {
			pieces[i].text = strings.ReplaceAll(pieces[i].text, "\n", " ")
		}
	}
	w := inlineWriter{mode: mode}
	for len(pieces) > 0 {
		n := 1 // pieces of one link, or without
		for n < len(pieces) && pieces[n].link == pieces[0].link {
			n++
		}
		w.group(pieces[:n], pieces[n:])
		pieces = pieces[n:]
	}
	text := w.b.String()
	if mode == inlineHeading && strings.HasSuffix(text, "#") {
		text = text[:len(text)-1] + `\#` // it would close the heading
	}
	return text
}

// inlineWriter collects the Markdown text of one block.
type inlineWriter struct {
	b      strings.Builder
	mode   inlineMode
	inLink bool
	styled bool // the text so far ends in a closing mark
}

// group writes pieces that lead to the same place, or nowhere, before the others in rest.
func (w *inlineWriter) group(pieces, rest []piece) {
	follow := rune(0)
	if len(rest) > 0 {
		follow, _ = utf8.DecodeRuneInString(rest[0].text)
		if follow != ' ' && follow != '\n' && leads(rest) {
			follow = '['
		}
	}
	if !leads(pieces) {
		w.pieces(pieces, follow)
		return
	}
	first, final := &pieces[0], &pieces[len(pieces)-1]
	start := first.text[:len(first.text)-len(strings.TrimLeft(first.text, " \n"))]
	first.text = first.text[len(start):]
	end := final.text[len(strings.TrimRight(final.text, " \n")):]
	final.text = final.text[:len(final.text)-len(end)]
	w.b.WriteString(start + "[")
	w.inLink = true
	w.pieces(pieces, ']')
	w.inLink, w.styled = false, false
	w.b.WriteString("](" + target(first.link) + ")" + end)
}

// leads reports whether the pieces at the start that lead to the same place are written as a link: they lead somewhere,
// and do not say where by themselves.
func leads(pieces []piece) bool {
	uri := pieces[0].link
	if uri == "" || !followable(uri) {
		return false
	}
	var text strings.Builder
	for i := 0; i < len(pieces) && pieces[i].link == uri; i++ {
		text.WriteString(pieces[i].text)
	}
	body := strings.Trim(text.String(), " \n")
	return body != "" && !sameTarget(uri, body)
}

// pieces writes pieces with the marks of their styles; follow is the character after them, 0 at the end.
func (w *inlineWriter) pieces(list []piece, follow rune) {
	for i := range list {
		p := &list[i]
		body := strings.Trim(p.text, " \n")
		at := strings.Index(p.text, body)
		before, after := p.text[:at], p.text[at+len(body):]
		next := follow
		switch {
		case after != "":
			next = ' '
		case i+1 < len(list):
			next, _ = utf8.DecodeRuneInString(list[i+1].text)
		}
		w.b.WriteString(before)
		text := w.span(p.style, body, next)
		open, shut := marks(p.style)
		if open == "" || body == "" || w.styled && before == "" || !flanks(last(w.b.String()), text, next, p.style.has(strike)) {
			w.b.WriteString(text)
			w.styled = false
		} else {
			w.b.WriteString(open + text + shut)
			w.styled = true
		}
		if after != "" {
			w.styled = false
		}
		w.b.WriteString(after)
	}
}

// span writes text as code, raised or lowered where it is.
func (w *inlineWriter) span(s style, text string, follow rune) string {
	if text == "" {
		return ""
	}
	at := escaping{mode: w.mode, inLink: w.inLink, before: last(w.b.String()), follow: follow, number: endsInNumber(w.b.String())}
	switch {
	case s.has(fixed) && at.before != '`' && looksLikeCode(text):
		text = codeSpan(text, at.mode)
	case at.inLink:
		text = escapeBrackets(escapeInline(text, at))
	default:
		text = escapeInline(text, at)
	}
	switch {
	case s.has(super):
		return "<sup>" + text + "</sup>"
	case s.has(sub):
		return "<sub>" + text + "</sub>"
	}
	return text
}

// endsInNumber reports whether the last line of s is a number that could be that of a list.
func endsInNumber(s string) bool {
	const longest = 9 // digits, and the line end before them
	s = s[max(len(s)-longest-1, 0):]
	return number.MatchString(s[strings.LastIndexByte(s, '\n')+1:])
}

// marks are the emphasis marks around text.
func marks(s style) (open, shut string) {
	switch {
	case s.has(bold) && s.has(italic):
		open = "***"
	case s.has(bold):
		open = "**"
	case s.has(italic):
		open = "*"
	}
	if s.has(strike) {
		return "~~" + open, open + "~~"
	}
	return open, open
}

// flanks reports whether emphasis marks around text would be read as such between the characters before and
// after it (CommonMark 0.31, left- and right-flanking delimiter runs). 0 is the start or end of the block.
//
// Parsers do not agree on struck-out parts of words, nor on a tilde before the marks, so struck text has neither.
func flanks(before rune, text string, after rune, struck bool) bool {
	first, _ := utf8.DecodeRuneInString(text)
	final, _ := utf8.DecodeLastRuneInString(text)
	outside := func(r rune) bool { return r == 0 || unicode.IsSpace(r) || unicode.IsPunct(r) || unicode.IsSymbol(r) }
	inside := func(r rune) bool { return !unicode.IsPunct(r) && !unicode.IsSymbol(r) }
	if struck && (!outside(before) || !outside(after) || before == '~' || final == '~') {
		return false
	}
	return (inside(first) || outside(before)) && (inside(final) || outside(after))
}

func last(s string) rune {
	if s == "" {
		return 0
	}
	r, _ := utf8.DecodeLastRuneInString(s)
	return r
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
