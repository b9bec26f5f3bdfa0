package layout

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// evidence that aligned text is a table, besides its alignment.
type evidence struct {
	rules    []float64 // y of the horizontal rules as wide as the table, in and around it
	framed   bool      // a rule above and one below
	headed   bool      // a row of column backgrounds at the top
	caption  bool      // a caption that begins with "Table" stands next to it
	eager    bool      // table_method "cluster"
	drawings int       // curves inside
	bars     int       // filled areas inside without text on them
}

// convincing decides whether rows and columns of text are a table. Text set in columns, lists with wide gaps, tables
// of contents and charts are aligned as well; tables are regular: most rows fill most columns, cells are short, and
// often hold numbers.
func (t *textTable) convincing(e evidence) bool {
	rows, cols := len(t.rows), len(t.columns)
	if rows < 2 || cols < 2 || e.drawings > 2*rows || e.bars >= 2 && !e.headed || !e.framed && t.rowsOfCells() < 2 || !t.looksTabular(e.caption) {
		return false
	}
	s := t.measure()
	support := 0
	for _, b := range []bool{e.framed, e.headed, e.headed, e.caption, e.caption, s.boldHeader, len(e.rules) >= 2} {
		if b {
			support++
		}
	}
	if s.contents || s.marks || s.listing || s.wordless && s.regular < 0.9 || s.longest > 400 {
		return false
	}
	if e.eager {
		support++
	}
	switch {
	case s.regular < 0.5, s.meanRunes > 60:
		return support >= 3 && s.regular >= 0.3
	case cols == 2:
		return rows >= 3 && (support >= 2 || support == 1 && s.numeric >= 0.6 && s.regular >= 0.8) && s.meanRunes <= 45
	case rows == 2:
		return s.regular >= 0.8 && (support >= 2 || cols >= 4 && s.boldHeader && s.numeric >= 0.75)
	}
	return s.regular >= 0.6 && (s.numeric >= 0.4 && (s.meanRunes <= 25 || cols >= 4) || support >= 1) && s.meanRunes <= 45
}

// rowsOfCells counts the rows with text in several columns. Lines below a single such row, such as the two ends of a
// running head, are in no columns.
func (t *textTable) rowsOfCells() int {
	n := 0
	for i := range t.rows {
		if t.rows[i].count > 1 {
			n++
		}
	}
	return n
}

// tableStats describe the cells of a textTable.
type tableStats struct {
	regular    float64 // share of filled slots
	numeric    float64 // share of filled cells, outside the first column and row, that hold numbers
	meanRunes  float64 // characters a filled cell
	longest    int
	boldHeader bool // the first row is bold and the next is not
	contents   bool // the last column holds ascending page numbers after titles
	marks      bool // the first column holds list marks only
	listing    bool // the first column numbers the lines of a listing
	wordless   bool // no letter in it: labels of a chart
}

func (t *textTable) measure() tableStats {
	var s tableStats
	slots, full, runes, numbers, inner := 0, 0, 0, 0, 0
	marks, leaders, letters := 0, 0, 0
	ascending, lastNumber := 0, -1
	counted, lastLine := 0, 0
	for r := range t.rows {
		row := &t.rows[r]
		slots += len(t.columns)
		full += row.count
		perColumn := make([]int, len(t.columns))
		for i := range row.frags {
			f := &row.frags[i]
			c, _ := t.columnsOf(f)
			runes += f.runes
			letters += f.letters()
			perColumn[c] += f.runes
			text := f.text()
			if c == 0 && parseMark(text).text != "" {
				marks++
			}
			if strings.Contains(text, "....") || strings.Contains(text, ". . .") {
				leaders++
			}
			if r > 0 && c > 0 {
				inner++
				if numberLike(text) {
					numbers++
				}
			}
			v, ok := decimal(text)
			if ok && c == len(t.columns)-1 {
				if v >= lastNumber {
					ascending++
				}
				lastNumber = v
			}
			if ok && c == 0 {
				if v > lastLine && v <= lastLine+2 {
					counted++
				}
				lastLine = v
			}
		}
		s.longest = max(s.longest, slices.Max(perColumn))
	}
	s.regular = float64(full) / float64(slots)
	s.meanRunes = float64(runes) / float64(max(full, 1))
	s.numeric = float64(numbers) / float64(max(inner, 1))
	s.marks = 2*marks > len(t.rows)
	s.contents = leaders*3 > len(t.rows) || len(t.columns) == 2 && ascending*4 > len(t.rows)*3 && s.meanRunes > 6
	s.listing = 2*counted > len(t.rows) && t.fixedPitch()
	s.wordless = letters == 0
	s.boldHeader = len(t.rows) > 1 && t.bold(0) && !t.bold(1)
	return s
}

// fixedPitch reports whether the words stand in a type whose letters are all as wide, told by their widths: many fonts
// do not say so.
func (t *textTable) fixedPitch() bool {
	const (
		fewest, shortest = 4, 4 // words to tell it from, and their length
		same             = 0.07 // relative difference of widths: what the sides of the outer letters leave
		most             = 0.8  // of the words
	)
	var widths []float64 // of a letter, in ems
	for r := range t.rows {
		for i := range t.rows[r].frags {
			for k := range t.rows[r].frags[i].pieces {
				p := &t.rows[r].frags[i].pieces[k]
				if p.runes >= shortest && strings.IndexFunc(p.text, unicode.IsLetter) >= 0 {
					widths = append(widths, p.box.Width()/(math.Max(p.size, 1)*float64(p.runes)))
				}
			}
		}
	}
	if len(widths) < fewest {
		return false
	}
	slices.Sort(widths)
	usual, n := widths[len(widths)/2], 0
	for _, w := range widths {
		if math.Abs(w-usual) <= same*usual {
			n++
		}
	}
	return float64(n) >= most*float64(len(widths))
}

func (t *textTable) bold(row int) bool {
	for i := range t.rows[row].frags {
		for k := range t.rows[row].frags[i].pieces {
			if !fontOf(t.fonts, t.rows[row].frags[i].pieces[k].font).Bold {
				return false
			}
		}
	}
	return len(t.rows[row].frags) > 0
}

// valueLike reports whether a cell holds a number of at least two digits; a single one may be a note's.
func valueLike(s string) bool {
	digits := 0
	for _, r := range s {
		if unicode.IsDigit(r) {
			digits++
		}
	}
	return digits >= 2 && numberLike(s)
}

// yearLike reports whether a cell holds a year or school year: a number that often is a title.
func yearLike(s string) bool {
	if len(s) < 4 || len(s) > 4 && s[4] >= '0' && s[4] <= '9' {
		return false
	}
	v, err := strconv.Atoi(s[:4])
	return err == nil && v >= 1500 && v <= 2200
}

// numberLike reports whether a cell holds a value: digits with at most a unit or a few signs around them, a dash,
// "N/A".
func numberLike(s string) bool {
	digits, letters := 0, 0
	for _, r := range s {
		switch {
		case unicode.IsDigit(r):
			digits++
		case unicode.IsLetter(r):
			letters++
		}
	}
	return digits > 0 && letters <= digits+2 || digits == 0 && letters <= 3 && len(s) <= 4
}
