package export

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/ragify/ragify/internal/document"
)

// idAttribute is the attribute for an element's id, nothing without one.
func idAttribute(id string) string {
	if id == "" {
		return ""
	}
	return ` id="` + escapeHTML(id) + `"`
}

// attributes are those of the element that begins at j.
func (j *joint) attributes() string {
	return idAttribute(j.id) + ` data-page="` + strconv.Itoa(j.page) + `"`
}

// anchor is an element that shows nothing, for where no other one begins at j.
func (j *joint) anchor() string { return "<span" + j.attributes() + "></span>" }

// escapeHTML escapes text for the content of elements and for attributes in double quotes.
func escapeHTML(s string) string {
	if !strings.ContainsAny(s, `&<>"`) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		switch s[i] {
		case '&':
			b.WriteString("&amp;")
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '"':
			b.WriteString("&quot;")
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// inline writes joined lines as HTML text, without the styles in plain: those of the block that it stands in. Where
// another element was joined to this one its anchor stands.
func (h *htmlWriter) inline(lines []document.Line, joints []joint, plain style) string {
	want := bold | italic | strike | super | sub | linked
	if h.code {
		want |= fixed
	}
	pieces := joinLines(lines, joints, h.o, want&^plain)
	var b strings.Builder
	href, gap := "", "" // of the link that is open; white space before the next piece, which is in no style
	for i := range pieces {
		p := &pieces[i]
		body := strings.Trim(p.text, " \n")
		at := strings.Index(p.text, body)
		gap += p.text[:at]
		to := safeURL(p.link)
		if href != "" && (to != href || p.joint != nil) {
			b.WriteString("</a>")
			href = ""
		}
		b.WriteString(strings.ReplaceAll(gap, "\n", "<br>\n"))
		gap = p.text[at+len(body):]
		if p.joint != nil {
			b.WriteString(p.joint.anchor())
		}
		if to != href && body != "" {
			b.WriteString(`<a href="` + escapeHTML(to) + `" rel="nofollow noreferrer">`)
			href = to
		}
		writeStyled(&b, p.style, body)
	}
	if href != "" {
		b.WriteString("</a>")
	}
	return b.String()
}

// writeStyled writes text within the tags of a style.
func writeStyled(b *strings.Builder, s style, text string) {
	if s.has(super) {
		s &^= sub
	}
	if s.has(fixed) && !looksLikeCode(text) {
		s &^= fixed
	}
	if text == "" {
		return
	}
	tags := [...]struct {
		style style
		name  string
	}{{bold, "strong"}, {italic, "em"}, {strike, "del"}, {super, "sup"}, {sub, "sub"}, {fixed, "code"}}
	for _, t := range tags {
		if s.has(t.style) {
			b.WriteString("<" + t.name + ">")
		}
	}
	b.WriteString(strings.ReplaceAll(escapeHTML(text), "\n", "<br>\n"))
	for _, t := range slices.Backward(tags[:]) {
		if s.has(t.style) {
			b.WriteString("</" + t.name + ">")
		}
	}
}

// safeURL is a link's target as HTML may hold it, "" for what a stranger's document should not lead to: other schemes
// than these run something or open nothing, and a relative address leads wherever the page happens to lie.
func safeURL(uri string) string {
	if uri == "" {
		return ""
	}
	u, err := url.Parse(strings.TrimSpace(uri))
	if err != nil {
		return ""
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "https":
		if u.Hostname() == "" || strings.ContainsAny(u.Host, " %<>[]^`{|}\"\\") || u.User != nil {
			return ""
		}
	case "mailto", "tel":
		if u.Opaque == "" {
			return ""
		}
	default:
		return ""
	}
	return encodeURL(u.String())
}

// encodeURL encodes the characters that no URL may hold (WHATWG, URL code points).
func encodeURL(s string) string {
	var b strings.Builder
	fragment := false
	for i := range len(s) {
		c := s[i]
		allowed := c >= 0x80 || 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("!$&'()*+,-./:;=?@_~", c) >= 0
		switch {
		case c == '%':
			allowed = i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2])
		case c == '#':
			allowed, fragment = !fragment, true
		}
		if allowed {
			b.WriteByte(c)
			continue
		}
		const hex = "0123456789ABCDEF"
		b.WriteString("%" + string(hex[c>>4]) + string(hex[c&15]))
	}
	return b.String()
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

// direction is the attribute for text whose direction is not that of the page.
func (h *htmlWriter) direction(lines []document.Line) string {
	left, right := letters(lines)
	if left == right || right > left == h.rightToLeft {
		return ""
	}
	return directionAttribute(right > left)
}

func directionAttribute(rightToLeft bool) string {
	if rightToLeft {
		return ` dir="rtl"`
	}
	return ` dir="ltr"`
}

// mostlyRightToLeft reports whether most letters of pages belong to scripts from right to left.
func mostlyRightToLeft(pages []document.Page) bool {
	left, right := 0, 0
	eachText(pages, func(lines []document.Line) {
		l, r := letters(lines)
		left, right = left+l, right+r
	})
	return right > left
}

// letters counts those written from left to right and from right to left.
func letters(lines []document.Line) (left, right int) {
	for i := range lines {
		for k := range lines[i].Runs {
			for _, r := range lines[i].Runs[k].Text {
				switch {
				case 'a' <= r|0x20 && r|0x20 <= 'z':
					left++
				case r < 0xAA || !unicode.IsLetter(r):
				case isRightToLeft(r):
					right++
				default:
					left++
				}
			}
		}
	}
	return left, right
}

// isRightToLeft reports whether a letter belongs to a script from right to left: Hebrew, Arabic and their neighbours
// in Unicode.
func isRightToLeft(r rune) bool {
	return r >= 0x590 && r <= 0x8FF || r >= 0xFB1D && r <= 0xFDFF || r >= 0xFE70 && r <= 0xFEFF || r >= 0x10800 && r <= 0x10FFF || r >= 0x1E800 && r <= 0x1EFFF
}
