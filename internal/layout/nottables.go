package layout

import (
	"strings"
	"unicode"
)

// looksTabular reports whether aligned text could be a table at all: it is neither a table of contents nor a program
// listing, both of which stand in columns, and often between rules or in a box. It looks at printed lines: where rows
// were joined, page numbers and line numbers cannot be told any more. What a caption calls a table has no page numbers.
func (t *textTable) looksTabular(caption bool) bool {
	var frags []fragment
	for i := range t.rows {
		frags = append(frags, t.rows[i].frags...)
	}
	lines := linesOf(frags)
	return (caption || !contentsLines(lines)) && !t.listing(lines)
}

// contentsLines reports whether most lines are a title with a page number behind it, and the numbers ascend. In a table
// numbers ascend by chance over a few rows only, or stand in front.
func contentsLines(lines [][]*fragment) bool {
	const (
		fewest = 6    // entries
		most   = 0.6  // of the lines are entries: long titles take two
		rising = 0.95 // of the numbers are not below the one before
	)
	entries, ascending, last := 0, 0, 0
	for _, line := range lines {
		words := line[len(line)-1].pieces
		title := strings.TrimRight(strings.TrimSuffix(lineText(line), words[len(words)-1].text), " .")
		v, ok := decimal(words[len(words)-1].text)
		if !ok || !titleLike(title) {
			continue
		}
		entries++
		if v >= last {
			ascending++
		}
		last = v
	}
	return entries >= fewest && float64(entries) >= most*float64(len(lines)) && float64(ascending) >= rising*float64(entries)
}

func lineText(line []*fragment) string {
	var b strings.Builder
	for i, f := range line {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(f.text())
	}
	return b.String()
}

// titleLike reports whether a text is mostly letters, and could name a section.
func titleLike(s string) bool {
	letters, others := 0, 0
	for _, r := range s {
		switch {
		case unicode.IsLetter(r):
			letters++
		case !unicode.IsSpace(r):
			others++
		}
	}
	return letters >= 3 && letters > 2*others
}

// listing reports whether the lines are a program's or a terminal's: in type of one width, with line numbers in front,
// or with the signs at the ends of lines that programs have and tables have not.
func (t *textTable) listing(lines [][]*fragment) bool {
	const (
		nearly = 0.8 // of the characters, without line numbers, have one width
		mostly = 0.5 // of them are enough where lines are numbered: text may stand between two listings
		coded  = 0.3 // of the lines end like those of programs
	)
	fixed, runes, numbers, counting, ends, last := 0, 0, 0, 0, 0, 0
	for i, line := range lines {
		first := &line[0].pieces[0]
		v, ok := decimal(first.text)
		if ok {
			numbers++
			if numbers == 1 || v == last+1 || v == 1 {
				counting++
			}
			last = v
		}
		for _, f := range lines[i] {
			for k := range f.pieces {
				if p := &f.pieces[k]; !ok || p != first {
					runes += p.runes
					if fontOf(t.fonts, p.font).Fixed {
						fixed += p.runes
					}
				}
			}
		}
		if s := lineText(line); strings.ContainsRune("{};\\", rune(s[len(s)-1])) || strings.HasSuffix(s, "):") {
			ends++
		}
	}
	numbered := numbers >= 2 && counting == numbers && 3*numbers >= len(lines)
	return numbered && float64(fixed) >= mostly*float64(runes) ||
		float64(fixed) >= nearly*float64(runes) && float64(ends) >= coded*float64(len(lines))
}
