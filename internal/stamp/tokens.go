package stamp

import (
	"bytes"
	"encoding/hex"
	"strconv"
)

// A token is an operand of a content stream (ISO 32000-1, 7.8.2): its bytes lie at start up to end.
type token struct {
	kind       tokenKind
	start, end int
}

type tokenKind uint8

const (
	numberToken  tokenKind = iota // also true, false and null
	literalToken                  // (a string)
	hexToken                      // <6120737472696E67>
	nameToken
	openArray
	closeArray
	openDict
	closeDict
)

// An operation is an operator with its operands. An inline image, BI … EI, is one operation BI.
type operation struct {
	name       []byte
	args       []token // valid until the next call of next
	start, end int     // with the operands
}

// maxOperands are kept of one operation, the last ones; more than that only lists and damaged streams have.
const maxOperands = 1 << 16

// A tokenizer reads the operations of a content stream. Whatever the bytes are, it comes to their end.
type tokenizer struct {
	data []byte
	at   int
	args []token
}

// next gives the next operation, false at the end of the stream. What stands after the last operator is dropped.
func (t *tokenizer) next() (op operation, ok bool) {
	t.args = t.args[:0]
	op.start = -1
	for {
		t.skipSpace()
		if t.at >= len(t.data) {
			return op, false
		}
		start := t.at
		if op.start < 0 {
			op.start = start
		}
		if kind, ok := t.operand(); ok {
			if len(t.args) == maxOperands {
				t.args = t.args[:copy(t.args, t.args[maxOperands/2:])]
			}
			t.args = append(t.args, token{kind, start, t.at})
			continue
		}
		if t.at == start { // a delimiter that begins nothing
			t.at++
			continue
		}
		op.name, op.args = t.data[start:t.at], t.args
		if string(op.name) == "BI" {
			t.inlineImage()
		}
		op.end = t.at
		return op, true
	}
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == 0 || c == '\f'
}

func isDelimiter(c byte) bool { return bytes.IndexByte([]byte("()<>[]{}/%"), c) >= 0 }

// skipSpace goes on to what is neither white space nor a comment.
func (t *tokenizer) skipSpace() {
	for t.at < len(t.data) {
		switch c := t.data[t.at]; {
		case isSpace(c):
			t.at++
		case c == '%':
			for t.at < len(t.data) && t.data[t.at] != '\n' && t.data[t.at] != '\r' {
				t.at++
			}
		default:
			return
		}
	}
}

// operand reads an operand; false with the place after it for an operator, or with the same place for what is neither.
func (t *tokenizer) operand() (tokenKind, bool) {
	double := t.at+1 < len(t.data) && t.data[t.at+1] == t.data[t.at]
	switch t.data[t.at] {
	case '(':
		t.literal()
		return literalToken, true
	case '<':
		if double {
			t.at += 2
			return openDict, true
		}
		if end := bytes.IndexByte(t.data[t.at:], '>'); end >= 0 {
			t.at += end + 1
		} else {
			t.at = len(t.data)
		}
		return hexToken, true
	case '>':
		if double {
			t.at += 2
			return closeDict, true
		}
		return 0, false
	case '[':
		t.at++
		return openArray, true
	case ']':
		t.at++
		return closeArray, true
	case '/':
		t.at++
		t.word()
		return nameToken, true
	}
	w := t.word()
	return numberToken, len(w) > 0 && len(bytes.Trim(w, "0123456789+-.")) == 0 || string(w) == "true" || string(w) == "false" || string(w) == "null"
}

// word reads up to white space or a delimiter.
func (t *tokenizer) word() []byte {
	start := t.at
	for t.at < len(t.data) && !isSpace(t.data[t.at]) && !isDelimiter(t.data[t.at]) {
		t.at++
	}
	return t.data[start:t.at]
}

// literal skips a string in parentheses, which may be nested.
func (t *tokenizer) literal() {
	depth := 0
	for ; t.at < len(t.data); t.at++ {
		switch t.data[t.at] {
		case '\\':
			t.at++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				t.at++
				return
			}
		}
	}
	t.at = len(t.data)
}

// inlineImage skips the image that begins after BI. Its data may hold anything: where its size is known they are
// skipped by it, else they end at an EI between white space that is followed by what looks like operators.
func (t *tokenizer) inlineImage() {
	size := t.imageHeader()
	if size >= 0 && size <= len(t.data)-t.at {
		probe := tokenizer{data: t.data, at: t.at + size}
		probe.skipSpace()
		if string(probe.word()) == "EI" {
			t.at = probe.at
			return
		}
	}
	for {
		i := bytes.Index(t.data[t.at:], []byte("EI"))
		if i < 0 {
			t.at = len(t.data)
			return
		}
		t.at += i + 2
		before, after := t.data[:t.at-2], t.data[t.at:]
		if (len(before) == 0 || isSpace(before[len(before)-1])) && (len(after) == 0 || isSpace(after[0]) || isDelimiter(after[0])) && readable(after) {
			return
		}
	}
}

// imageHeader reads the entries of an inline image up to its data, and gives the size of the data in bytes; -1 when
// they are compressed, or their colour space is known to the page only.
func (t *tokenizer) imageHeader() int {
	width, height, bits, components, plain := 0, 0, 8, 0, true
	var key string
	for {
		t.skipSpace()
		start := t.at
		if t.at >= len(t.data) {
			return -1
		}
		kind, ok := t.operand()
		word := string(t.data[start:t.at])
		switch {
		case !ok && word == "ID":
			if t.at < len(t.data) {
				t.at++ // one white space
			}
			const most = 1 << 15 // pixels in a direction: larger ones are no inline images
			if !plain || components == 0 || width <= 0 || height <= 0 || width > most || height > most || bits <= 0 || bits > 16 {
				return -1
			}
			return (width*components*bits + 7) / 8 * height
		case !ok && t.at == start:
			t.at++
			continue
		case !ok:
			continue
		case kind == nameToken && key == "":
			key = word
			continue
		}
		value, _ := strconv.Atoi(word)
		switch key {
		case "/W", "/Width":
			width = value
		case "/H", "/Height":
			height = value
		case "/BPC", "/BitsPerComponent":
			bits = value
		case "/IM", "/ImageMask":
			if word == "true" {
				bits, components = 1, 1
			}
		case "/F", "/Filter":
			plain = false
		case "/CS", "/ColorSpace":
			components = map[string]int{"/G": 1, "/DeviceGray": 1, "/RGB": 3, "/DeviceRGB": 3, "/CMYK": 4, "/DeviceCMYK": 4}[word]
		}
		key = ""
	}
}

// readable reports whether the next bytes are text, as operators are and pictures hardly ever.
func readable(b []byte) bool {
	const enough = 20
	for _, c := range b[:min(len(b), enough)] {
		if c >= 0x7F || c < ' ' && !isSpace(c) {
			return false
		}
	}
	return true
}

// decoded gives the bytes of a string.
func (t token) decoded(data []byte) []byte {
	raw := data[t.start:t.end]
	switch t.kind {
	case hexToken:
		return decodeHex(raw)
	case literalToken:
		return decodeLiteral(raw)
	}
	return nil
}

func decodeHex(raw []byte) []byte {
	digits := make([]byte, 0, len(raw)+1)
	for _, c := range raw {
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' {
			digits = append(digits, c)
		}
	}
	if len(digits)%2 == 1 {
		digits = append(digits, '0')
	}
	out := make([]byte, len(digits)/2)
	_, _ = hex.Decode(out, digits) // they are digits
	return out
}

func decodeLiteral(raw []byte) []byte {
	raw = bytes.TrimSuffix(bytes.TrimPrefix(raw, []byte("(")), []byte(")"))
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '\\' || i+1 == len(raw) {
			out = append(out, c)
			continue
		}
		i++
		switch c = raw[i]; c {
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case '\r':
			if i+1 < len(raw) && raw[i+1] == '\n' {
				i++
			}
		case '\n':
		default:
			if c < '0' || c > '7' {
				out = append(out, c)
				break
			}
			v := 0
			for k := 0; k < 3 && i < len(raw) && raw[i] >= '0' && raw[i] <= '7'; k++ {
				v = 8*v + int(raw[i]-'0')
				i++
			}
			i--
			out = append(out, byte(v))
		}
	}
	return out
}

// nameOf is the name that a name token stands for, without its slash.
func nameOf(raw []byte) string {
	raw = bytes.TrimPrefix(raw, []byte("/"))
	if bytes.IndexByte(raw, '#') < 0 {
		return string(raw)
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] == '#' && i+2 < len(raw) {
			if v, err := strconv.ParseUint(string(raw[i+1:i+3]), 16, 8); err == nil {
				out = append(out, byte(v))
				i += 2
				continue
			}
		}
		out = append(out, raw[i])
	}
	return string(out)
}
