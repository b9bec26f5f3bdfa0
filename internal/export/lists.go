package export

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/ragify/ragify/internal/document"
)

// isDecimal reports whether a mark can be one of a numbered list in Markdown.
func isDecimal(mark string) bool {
	const longest = 9 // digits, by CommonMark
	digits := strings.TrimRight(mark, ".)")
	return len(mark)-len(digits) == 1 && digits != "" && len(digits) <= longest && strings.Trim(digits, "0123456789") == ""
}

// isOrdinal reports whether a mark says something: a number or letter, not a bullet.
func isOrdinal(mark string) bool {
	return strings.ContainsFunc(mark, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) && mark != "o"
}

// numbering is how HTML counts the items of a list.
type numbering struct {
	kind   string // of the list: "1", "a", "A", "i", "I"; "" when it does not count them
	values []int
}

// countItems finds the numbering that gives all marks of a list: any numbers, letters or Roman numerals that follow
// one another.
func countItems(list *document.Element) numbering {
	cores := make([]string, len(list.Children))
	for i := range list.Children {
		cores[i] = strings.Trim(list.Children[i].Marker, "()[].:")
	}
	if len(cores) == 0 {
		return numbering{}
	}
	for _, kind := range []struct {
		name string
		read func(string) int
		row  bool // one after the other
	}{
		{"1", decimal, false},
		{"i", func(s string) int { return roman(s, "ivxlcdm") }, true},
		{"I", func(s string) int { return roman(s, "IVXLCDM") }, true},
		{"a", func(s string) int { return letter(s, 'a') }, true},
		{"A", func(s string) int { return letter(s, 'A') }, true},
	} {
		n := numbering{kind: kind.name, values: make([]int, len(cores))}
		fits := true
		for i, s := range cores {
			n.values[i] = kind.read(s)
			fits = fits && n.values[i] > 0 && (!kind.row || i == 0 || n.values[i] == n.values[i-1]+1)
		}
		// A single letter is a Roman numeral only as the first: "c", "d" and "v" are mostly letters.
		if fits && (kind.name[0]|0x20 != 'i' || len(cores) > 1 || n.values[0] == 1) {
			return n
		}
	}
	return numbering{}
}

// mark is what a browser prints before an item.
func (n numbering) mark(i int) string {
	v := n.values[i]
	switch n.kind {
	case "a", "A":
		return string(rune(n.kind[0])+rune(v-1)) + "."
	case "i":
		return strings.ToLower(romanNumeral(v)) + "."
	case "I":
		return romanNumeral(v) + "."
	}
	return strconv.Itoa(v) + "."
}

func decimal(s string) int {
	const longest = 9 // digits: what every browser can count
	if len(s) > longest || s == "" || strings.Trim(s, "0123456789") != "" {
		return -1
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}

func letter(s string, first byte) int {
	if len(s) != 1 || s[0] < first || s[0] >= first+26 {
		return 0
	}
	return int(s[0]-first) + 1
}

// roman reads a Roman numeral written with the given seven letters, 0 for anything else.
func roman(s, letters string) int {
	const longest = 15 // letters: MMMDCCCLXXXVIII
	if s == "" || len(s) > longest {
		return 0
	}
	value := [...]int{1, 5, 10, 50, 100, 500, 1000}
	total, before := 0, 0
	for i := range len(s) {
		at := strings.IndexByte(letters, s[i])
		if at < 0 {
			return 0
		}
		v := value[at]
		if total += v; before < v {
			total -= 2 * before
		}
		before = v
	}
	if romanNumeral(total) != strings.ToUpper(s) {
		return 0
	}
	return total
}

func romanNumeral(n int) string {
	var b strings.Builder
	for _, step := range [...]struct {
		value int
		text  string
	}{
		{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"},
	} {
		for ; n >= step.value; n -= step.value {
			b.WriteString(step.text)
		}
	}
	return b.String()
}

// list writes a list: numbered where HTML can count its marks, else with the marks that say something as text. A mark
// that browsers would write in another way is given with the item.
func (h *htmlWriter) list(e *document.Element) {
	count := countItems(e)
	name, attributes := "ul", ""
	var marked bool
	if count.kind != "" {
		name = "ol"
		if count.kind != "1" {
			attributes = ` type="` + count.kind + `"`
		}
		if count.values[0] != 1 {
			attributes += ` start="` + strconv.Itoa(count.values[0]) + `"`
		}
	} else if marked = printsMarks(e); marked {
		attributes = ` class="marks"`
	}
	h.put("<", name, idAttribute(e.ID), attributes, ">\n")
	for i := range e.Children {
		item := &e.Children[i]
		h.put("<li", idAttribute(item.ID))
		if count.kind != "" {
			if i > 0 && count.values[i] != count.values[i-1]+1 {
				h.put(` value="`, strconv.Itoa(count.values[i]), `"`)
			}
			if item.Marker != count.mark(i) {
				h.put(` data-mark="`, escapeHTML(item.Marker), `"`)
			}
		}
		h.put(h.direction(item.Lines), ">")
		if marked && item.Marker != "" {
			h.put(`<span class="mark">`, escapeHTML(item.Marker), "</span> ")
		}
		h.put(h.inline(item.Lines, h.joints[item.ID], 0))
		for k := range item.Children {
			h.put("\n")
			h.list(&item.Children[k])
		}
		h.put("</li>\n")
	}
	h.put("</", name, ">\n")
}

// printsMarks reports whether the marks of a list that is not numbered stand in its text, because they say something,
// or there are none.
func printsMarks(e *document.Element) bool {
	none := true
	for i := range e.Children {
		if isOrdinal(e.Children[i].Marker) {
			return true
		}
		none = none && e.Children[i].Marker == ""
	}
	return none
}
