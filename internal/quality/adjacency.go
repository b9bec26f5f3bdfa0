package main

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// A cell of a table: the slots that it covers, last row and column inclusive, and its text.
type cell struct {
	row, col, lastRow, lastCol int
	text                       string
}

// A relation says that a cell is the nearest one with text to the right of another or below it. Cells are known by
// their normalised text only.
type relation struct {
	from, to string
	down     bool
}

// relations lists the adjacency relations of a table as the ICDAR 2013 table competition defines them (Göbel, Hassan,
// Oro, Orsi: A methodology for evaluating algorithms for table understanding in PDF documents, DocEng 2012): one
// between each cell with text and its nearest neighbours with text, horizontally and vertically; blank cells are
// passed over and not counted. A cell over several rows has a neighbour for each of them, but each neighbour once.
func relations(cells []cell) []relation {
	type slot struct{ row, col int }
	at := make(map[slot]int) // index of the cell with text
	var texts []string
	rows, cols := 0, 0
	for i, c := range cells {
		texts = append(texts, normalize(c.text))
		if texts[i] == "" {
			continue
		}
		rows, cols = max(rows, c.lastRow+1), max(cols, c.lastCol+1)
		for r := c.row; r <= c.lastRow; r++ {
			for k := c.col; k <= c.lastCol; k++ {
				at[slot{r, k}] = i
			}
		}
	}
	var out []relation
	for i, c := range cells {
		if texts[i] == "" {
			continue
		}
		seen := make(map[int]bool)
		for r := c.row; r <= c.lastRow; r++ {
			for k := c.lastCol + 1; k < cols; k++ {
				if n, ok := at[slot{r, k}]; ok {
					if !seen[n] {
						out = append(out, relation{from: texts[i], to: texts[n]})
					}
					seen[n] = true
					break
				}
			}
		}
		for k := c.col; k <= c.lastCol; k++ {
			for r := c.lastRow + 1; r < rows; r++ {
				if n, ok := at[slot{r, k}]; ok {
					if !seen[n] {
						out = append(out, relation{from: texts[i], to: texts[n], down: true})
					}
					seen[n] = true
					break
				}
			}
		}
	}
	return out
}

// normalize leaves the letters, digits and marks of a cell: "normalisation of white space and special characters". A cell
// that has none of those (a dash, a tick) keeps what it has, with all dashes alike, so that it is not taken as blank.
func normalize(s string) string {
	s = strings.ToLower(norm.NFKC.String(s))
	kept := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) {
			return r
		}
		return -1
	}, s)
	if kept != "" {
		return kept
	}
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			return -1
		case unicode.Is(unicode.Dash, r):
			return '-'
		}
		return r
	}, s)
}

// A tally counts relations: those expected, those found, and those of the found that are expected.
type tally struct {
	expected, found, correct int
}

func (t tally) precision() float64 { return share(t.correct, t.found) }
func (t tally) recall() float64    { return share(t.correct, t.expected) }

// f1 is the harmonic mean of precision and recall.
func (t tally) f1() float64 { return share(2*t.correct, t.expected+t.found) }

func share(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// common counts the relations that two lists share; one that occurs twice has to be found twice.
func common(expected, found []relation) int {
	left := make(map[relation]int, len(expected))
	for _, r := range expected {
		left[r]++
	}
	n := 0
	for _, r := range found {
		if left[r] > 0 {
			left[r]--
			n++
		}
	}
	return n
}

// A table is a page's table with its relations.
type table struct {
	page      int
	relations []relation
}

// compareTables matches each expected table with one found table of its page, those with the most relations in common
// first. What is in no match counts too: expected tables as not found and, where all tables of the document are known
// (strict), found ones as false.
func compareTables(expected, found []table, strict bool) tally {
	type pair struct{ e, f, common int }
	var pairs []pair
	for e := range expected {
		for f := range found {
			if expected[e].page != found[f].page {
				continue
			}
			if n := common(expected[e].relations, found[f].relations); n > 0 {
				pairs = append(pairs, pair{e, f, n})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(b.common, a.common) })
	var t tally
	usedE, usedF := make([]bool, len(expected)), make([]bool, len(found))
	for _, p := range pairs {
		if usedE[p.e] || usedF[p.f] {
			continue
		}
		usedE[p.e], usedF[p.f] = true, true
		t.correct += p.common
	}
	for e := range expected {
		t.expected += len(expected[e].relations)
	}
	for f := range found {
		if strict || usedF[f] {
			t.found += len(found[f].relations)
		}
	}
	return t
}

// comparePooled compares the relations of all tables of a page together, for expectations that hold several cuts of a
// page in one list of rows. Found tables that share no relation with them stand elsewhere on the page.
func comparePooled(expected, found []table) tally {
	var want, have []relation
	for _, e := range expected {
		want = append(want, e.relations...)
	}
	for _, f := range found {
		if common(want, f.relations) > 0 && slices.ContainsFunc(expected, func(e table) bool { return e.page == f.page }) {
			have = append(have, f.relations...)
		}
	}
	return tally{expected: len(want), found: len(have), correct: common(want, have)}
}
