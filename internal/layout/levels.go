package layout

import (
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/ragify/ragify/internal/document"
)

// markHeadings makes headings of the paragraphs that the bookmarks name, and gives the level that the bookmarks say.
func markHeadings(pages []*page, outline []document.Outline) map[*block]int {
	marked := make(map[*block]int)
	if len(outline) == 0 {
		return marked
	}
	titles := make(map[int]map[string]int) // page number, title, level
	for _, o := range outline {
		if key := titleKey(o.Title); key != "" {
			if titles[o.Page] == nil {
				titles[o.Page] = make(map[string]int)
			}
			titles[o.Page][key] = o.Level
		}
	}
	for _, p := range pages {
		for _, b := range p.blocks {
			if b.kind != document.Heading && b.kind != document.Paragraph && b.kind != document.ListItem || b.lineCount > mostHeadingLines || b.entry {
				continue
			}
			level, ok := titles[p.number][titleKey(b.text)]
			if !ok {
				continue
			}
			marked[b] = min(max(level, 1), 6)
			if b.kind != document.Heading {
				b.makeHeading()
			}
		}
	}
	return marked
}

// titleKey is a title without its number, in small letters and digits only: bookmarks and pages differ in numbers,
// spaces and typographic signs.
func titleKey(s string) string {
	if m := numbering.FindStringSubmatch(s); m != nil {
		s = s[len(m[1])+len(m[2]):]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// setLevels gives headings levels that hold for the whole document: classes of typography, largest first, then
// corrected by section numbers, then by the bookmarks (marked).
func setLevels(pages []*page, marked map[*block]int) {
	type class struct {
		size       float64
		bold, caps bool
	}
	of := func(b *block) class {
		return class{math.Round(b.style.size*2) / 2, b.style.bold, b.style.caps}
	}
	seen := make(map[class]bool)
	var classes []class
	var headings []*block
	for _, p := range pages {
		for _, b := range p.blocks {
			if b.kind != document.Heading {
				continue
			}
			headings = append(headings, b)
			if c := of(b); !seen[c] {
				seen[c] = true
				classes = append(classes, c)
			}
		}
	}
	slices.SortFunc(classes, func(a, b class) int {
		if c := compare(b.size, a.size); c != 0 {
			return c
		}
		return rank(b.bold, b.caps) - rank(a.bold, a.caps)
	})
	for _, b := range headings {
		b.level = min(slices.Index(classes, of(b))+1, 6)
	}
	numberLevels(headings)
	for b, level := range marked {
		b.level = level
	}
	setTitle(headings)
}

// setTitle makes a title, level 0, of the first heading of the file's first page where it is the only one of its level
// and that level is the highest. The other headings keep their distance to each other and begin at level 1.
func setTitle(headings []*block) {
	const fewest = 3 // headings, to speak of a title above them
	if len(headings) < fewest || headings[0].element.Page != 1 || headings[0].level != 1 {
		return
	}
	for _, b := range headings[1:] {
		if b.level <= 1 {
			return
		}
	}
	for _, b := range headings {
		b.level--
	}
}

func rank(bold, caps bool) int {
	r := 0
	if bold {
		r += 2
	}
	if caps {
		r++
	}
	return r
}

// numberLevels makes the depth of section numbers decide between numbered headings: "2.1" is one below "2".
func numberLevels(headings []*block) {
	top := 7 // level of the undivided numbers
	for _, b := range headings {
		if d := numberDepth(b.text); d > 0 {
			top = min(top, max(b.level-d+1, 1))
		}
	}
	for _, b := range headings {
		if d := numberDepth(b.text); d > 0 {
			b.level = min(top+d-1, 6)
		}
	}
}

// numberDepth is the number of parts of a section number at the start of a heading, 0 without one.
func numberDepth(s string) int {
	m := numbering.FindStringSubmatch(s)
	if m == nil || unicode.IsLetter(rune(m[1][0])) && m[2] == "" && !strings.Contains(m[1], ".") && len(m[1]) == 1 {
		return 0
	}
	return strings.Count(strings.Trim(m[1], "."), ".") + 1
}
