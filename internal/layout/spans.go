package layout

import "github.com/ragify/ragify/internal/document"

// glyphSpans gives the stretches of text objects that glyphs are; one for each glyph when they are not to be joined.
func glyphSpans(glyphs []glyph, join bool) []document.Span {
	var out []document.Span
	for i := range glyphs {
		s := document.Span{Object: glyphs[i].object, From: glyphs[i].index, To: glyphs[i].index + 1}
		if join {
			out = appendSpan(out, s)
		} else {
			out = append(out, s)
		}
	}
	return out
}

// pieceSpans gives those of pieces, one after the other; nil where spans were not asked for.
func pieceSpans(pieces []piece) []document.Span {
	var out []document.Span
	for i := range pieces {
		for _, s := range pieces[i].spans {
			out = appendSpan(out, s)
		}
	}
	return out
}

// appendSpan appends s, as part of the last span where it goes on there.
func appendSpan(list []document.Span, s document.Span) []document.Span {
	if n := len(list); n > 0 && list[n-1].Object == s.Object && list[n-1].To == s.From {
		list[n-1].To = s.To
		return list
	}
	return append(list, s)
}

// cutSpans divides spans after a number of glyphs.
func cutSpans(spans []document.Span, glyphs int) (head, tail []document.Span) {
	for _, s := range spans {
		n := min(s.To-s.From, int32(glyphs))
		glyphs -= int(n)
		if n > 0 {
			head = append(head, document.Span{Object: s.Object, From: s.From, To: s.From + n})
		}
		if n < s.To-s.From {
			tail = append(tail, document.Span{Object: s.Object, From: s.From + n, To: s.To})
		}
	}
	return head, tail
}
