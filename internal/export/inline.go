package export

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/option"
)

// style is what sets text off from its neighbours.
type style uint8

// The styles. linked is not one of its own: it asks joinLines to keep links.
const (
	bold style = 1 << iota
	italic
	fixed
	strike
	super
	sub
	linked
)

// piece is a stretch of joined text in one style.
type piece struct {
	text  string
	style style
	link  string
	joint *joint // the part of an element that begins with this piece; nil for most
}

func (s style) has(other style) bool { return s&other != 0 }

func styleOf(r *document.Run, o option.Options) style {
	var s style
	for _, on := range [...]struct {
		is bool
		s  style
	}{{r.Bold, bold}, {r.Italic, italic}, {r.Fixed, fixed}, {r.Strike && o.DetectStrikethrough, strike}, {r.Superscript, super}, {r.Subs, sub}} {
		if on.is {
			s |= on.s
		}
	}
	return s
}

// joinLines puts lines together as their joins say, or with line ends where the options keep them. White space is
// single, none at either end; invalid characters are replaced, control characters left out. Neighbours that agree
// in what the writer wants to know of styles become one piece. A joint begins a piece in any case.
func joinLines(lines []document.Line, joints []joint, o option.Options, want style) []piece {
	size := 0
	for i := range lines {
		for k := range lines[i].Runs {
			size += len(lines[i].Runs[k].Text) + 1
		}
	}
	j := joiner{text: make([]byte, 0, size)}
	for i := range lines {
		l := &lines[i]
		var at *joint
		if len(joints) > 0 && joints[0].at == i {
			at, joints = &joints[0], joints[1:]
		}
		for k := range l.Runs {
			r := &l.Runs[k]
			p := piece{style: styleOf(r, o) & want, joint: at}
			if want&linked != 0 {
				p.link = r.Link
			}
			text := r.Text
			if i+1 < len(lines) && k == len(l.Runs)-1 && l.Join == document.JoinHyphen && !o.KeepLineBreaks {
				text = strings.TrimRight(text, "-\u00AD\u2010")
			}
			if text == "" {
				continue
			}
			at = nil
			j.begin(p)
			j.add(text, o.ReplaceInvalidChars)
		}
		switch {
		case i+1 == len(lines):
		case o.KeepLineBreaks:
			j.endLine()
		case l.Join == document.JoinSpace:
			j.add(" ", "")
		}
	}
	return j.finish()
}

// joiner collects the text of pieces in one buffer.
type joiner struct {
	text   []byte
	pieces []piece
	starts []int // of the pieces in text
}

// begin makes what is added next part of p, or of the piece before when they agree.
func (j *joiner) begin(p piece) {
	if n := len(j.pieces); n > 0 && p.joint == nil && j.pieces[n-1].style == p.style && j.pieces[n-1].link == p.link {
		return
	}
	j.pieces, j.starts = append(j.pieces, p), append(j.starts, len(j.text))
}

// add adds text, with replacement for its invalid characters.
func (j *joiner) add(text, replacement string) {
	for i := 0; i < len(text); {
		plain := i // most text is printable ASCII
		for plain < len(text) && text[plain] > ' ' && text[plain] < 0x7F {
			plain++
		}
		j.text = append(j.text, text[i:plain]...)
		if i = plain; i == len(text) {
			return
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		i += size
		if r != utf8.RuneError {
			j.addRune(r)
			continue
		}
		for _, r := range replacement {
			j.addRune(r)
		}
	}
}

func (j *joiner) addRune(r rune) {
	switch {
	case unicode.IsSpace(r):
		if n := len(j.text); n > 0 && j.text[n-1] != ' ' && j.text[n-1] != '\n' {
			j.text = append(j.text, ' ')
		}
	case unicode.IsControl(r) || unicode.Is(unicode.Noncharacter_Code_Point, r): // no text may hold these
	default:
		j.text = utf8.AppendRune(j.text, r)
	}
}

func (j *joiner) endLine() {
	j.trim(" ")
	if n := len(j.text); n > 0 && j.text[n-1] != '\n' {
		j.text = append(j.text, '\n')
	}
}

func (j *joiner) trim(cutset string) {
	j.text = bytes.TrimRight(j.text, cutset)
	for i := len(j.starts) - 1; i >= 0 && j.starts[i] > len(j.text); i-- {
		j.starts[i] = len(j.text)
	}
}

// finish gives the pieces that have a text.
func (j *joiner) finish() []piece {
	j.trim(" \n")
	text := string(j.text)
	out := j.pieces[:0]
	for i, p := range j.pieces {
		end := len(text)
		if i+1 < len(j.starts) {
			end = j.starts[i+1]
		}
		if p.text = text[j.starts[i]:end]; p.text != "" {
			out = append(out, p)
		}
	}
	return out
}

// plainText is the joined text of lines without styles.
func plainText(lines []document.Line, o option.Options) string {
	for _, p := range joinLines(lines, nil, o, 0) {
		return p.text // styles do not part it
	}
	return ""
}
