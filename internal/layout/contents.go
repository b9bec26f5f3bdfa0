package layout

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ragify/ragify/internal/document"
)

// contentsTitle is what stands above a table of contents.
var contentsTitle = regexp.MustCompile(`^(?i:(table\s+of\s+|detailed\s+|brief\s+)*contents|list\s+of\s+(figures|tables|illustrations)|inhalt(sverzeichnis|sübersicht)?|verzeichnis|` +
	`sommaire|table\s+des\s+matières|(tabla\s+de\s+)?contenidos?|índice(\s+general)?|indice(\s+generale)?|sommario|sumário|inhoud(sopgave)?|innehåll|содержание|оглавление|目\s*录|目\s*次|目\s*錄|목\s*차|차\s*례)\s*:?$`)

// findContents makes lists of tables of contents: an item for each entry, nested by the left edges, with the page
// number and without the leaders before it. A reader of the text has no other use for the dots; the number may be
// what a citation needs. Titles of parts among the entries, which have no number, are items as well.
func findContents(pages []*page) {
	var run contentsRun
	for i, p := range pages {
		if i > 0 && p.number != pages[i-1].number+1 {
			run.finish()
		}
		for _, b := range p.blocks {
			if b.kind != document.Figure && b.kind != document.Header && b.kind != document.Footer && !b.turned {
				run.add(b)
			}
		}
	}
	run.finish()
	for _, p := range pages {
		p.blocks = slices.DeleteFunc(p.blocks, func(b *block) bool { return b.gone })
	}
}

// A contentsRun is a sequence of blocks that may be a table of contents.
type contentsRun struct {
	titled  bool     // a title of contents stands above
	blocks  []*block // from the first entry on
	last    int      // of blocks, the index after the last entry
	entries int
	leaders int // entries with leaders
	falls   int // entries with a lower page number than the one before
	number  int // page number of the last entry
	roman   bool
}

// add takes the next block in reading order.
func (r *contentsRun) add(b *block) {
	const between = 2 // titles without a number in a row, at most
	text := b.kind == document.Paragraph || b.kind == document.ListItem
	switch {
	case text && b.entry && b.lineCount <= mostHeadingLines:
		r.blocks = append(r.blocks, b)
		r.last = len(r.blocks)
		r.entries++
		r.count(b.tail)
	case len(r.blocks) == 0:
		r.titled = text && contentsTitle.MatchString(b.text) || r.titled && text && b.lineCount == 1 && b.runes < longestHeading
	case text && b.lineCount <= mostHeadingLines && b.runes <= longestHeading && !strings.ContainsRune(".!?", b.last) &&
		len(r.blocks)-r.last < between && !contentsTitle.MatchString(b.text):
		r.blocks = append(r.blocks, b)
	default:
		r.finish()
		r.titled = text && contentsTitle.MatchString(b.text)
	}
}

// count takes the end of an entry: its leaders and page number.
func (r *contentsRun) count(tail string) {
	digits := strings.TrimLeft(tail, leaderSigns)
	if len(digits) < len(tail) {
		r.leaders++
	}
	n, arabic := decimal(digits)
	if !arabic {
		n, _ = roman(digits)
	}
	if r.entries > 1 && n < r.number && r.roman == !arabic {
		r.falls++
	}
	r.number, r.roman = n, !arabic
}

// finish makes list items of the run, when it is a table of contents, and starts another one.
func (r *contentsRun) finish() {
	const (
		fewest   = 3   // entries below a title of contents or with leaders
		untitled = 6   // entries without either: fewer are a list of numbers
		orderly  = 0.9 // of the page numbers are not below the one before
		entries  = 0.6 // of the blocks have a page number
	)
	leaders := 2*r.leaders >= r.entries
	enough := r.entries >= untitled || r.entries >= fewest && (r.titled || leaders) || r.entries > 1 && r.titled && leaders
	inOrder := float64(r.falls) <= (1-orderly)*float64(r.entries)
	if !leaders && !r.titled {
		inOrder = r.falls == 0
	}
	if enough && inOrder && float64(r.entries) >= entries*float64(r.last) {
		blocks := joinWrapped(r.blocks[:r.last])
		for _, b := range blocks {
			b.makeEntry()
		}
		indentNumbered(blocks)
	}
	*r = contentsRun{}
}

// joinWrapped joins entries of several lines: a line without a number goes with the entry after it when it is the
// only thing that kept it from having one that it was full, or when the next line begins within a sentence.
func joinWrapped(blocks []*block) []*block {
	const full = 0.7 // of the way to the page numbers
	right := 0.0
	for _, b := range blocks {
		right = max(right, b.element.Box.Right)
	}
	out := blocks[:0]
	for _, b := range blocks {
		if n := len(out); n > 0 && !out[n-1].entry && b.entry && out[n-1].leaf == b.leaf && out[n-1].element.Page == b.element.Page {
			a := out[n-1]
			long := a.element.Box.Right-a.element.Box.Left >= full*(right-a.element.Box.Left)
			if (long || unicode.IsLower(b.first)) && b.markLeft >= a.markLeft-0.5*b.style.size && a.below < 1 {
				a.append(b)
				continue
			}
		}
		out = append(out, b)
	}
	return out
}

// indentNumbered tells the levels of entries that all start at one left edge by the depth of their section numbers.
func indentNumbered(blocks []*block) {
	const step = 2.0 // ems a level: anything that lists take for one
	left := blocks[0].markLeft
	for _, b := range blocks {
		if math.Abs(b.markLeft-left) > 0.5*b.style.size {
			return
		}
	}
	for _, b := range blocks {
		b.markLeft += step * b.style.size * float64(max(numberDepth(b.text)-1, 0))
	}
}

// append puts the lines of o after those of b, and leaves o without any.
func (b *block) append(o *block) {
	b.element.Lines = append(b.element.Lines, o.element.Lines...)
	b.element.Box = b.element.Box.Union(o.element.Box)
	b.text, b.runes, b.letters = b.text+" "+o.text, b.runes+o.runes, b.letters+o.letters
	b.lineCount += o.lineCount
	b.entry, b.tail, b.last, b.below = o.entry, o.tail, o.last, o.below
	o.gone = true
}

// makeEntry makes a list item without a mark of its own of an entry.
func (b *block) makeEntry() {
	if b.kind == document.ListItem {
		b.restoreMark()
	}
	b.kind, b.entry, b.mark = document.ListItem, true, mark{}
	if n := len(b.element.Lines); n > 0 {
		dropLeaders(&b.element.Lines[n-1])
	}
}

// leaderSigns are the signs of which leaders are made.
const leaderSigns = " .…·‧⋯・"

// dropLeaders puts a space in place of the leaders before the page number that ends a line.
func dropLeaders(l *document.Line) {
	const fewest = 3
	text := ""
	for i := range l.Runs {
		text += l.Runs[i].Text
	}
	end := len(strings.TrimRightFunc(text, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }))
	start := len(strings.TrimRight(text[:end], leaderSigns))
	if dots := strings.ReplaceAll(text[start:end], " ", ""); len([]rune(strings.ReplaceAll(dots, "…", "..."))) < fewest {
		return
	}
	at := 0
	runs := l.Runs[:0]
	for _, run := range l.Runs {
		from, to := max(start-at, 0), min(end-at, len(run.Text))
		at += len(run.Text)
		if from < to {
			space := ""
			if at >= end {
				space = " "
			}
			run.Text = run.Text[:from] + space + run.Text[to:]
		}
		if run.Text != "" {
			runs = append(runs, run)
		}
	}
	l.Runs = runs
}

// contentsEntry reports whether a row is a title with a page number far behind it or after leaders, and gives the
// leaders and number.
func contentsEntry(row []*fragment) (tail string, ok bool) {
	const apart = 1.5 // ems: wider than any space
	last := row[len(row)-1]
	end := last.pieces[len(last.pieces)-1].text
	number := end
	if i := strings.LastIndexAny(end, leaderSigns); i >= 0 {
		_, width := utf8.DecodeRuneInString(end[i:])
		number = end[i+width:]
	}
	if _, arabic := decimal(number); !arabic || number == "" {
		if _, ok := roman(number); !ok {
			return "", false
		}
	}
	if dots := leadersBefore(row, end[:len(end)-len(number)]); dots != "" {
		return dots + number, true
	}
	if len(row) < 2 || len(last.pieces) > 1 || len(end) != len(number) {
		return "", false
	}
	return number, last.box.Left-row[len(row)-2].box.Right > apart*last.size && row[0].runes > 4
}

// leadersBefore gives the leaders that end a row before its page number, "" when there are too few. The row's last
// piece begins with head.
func leadersBefore(row []*fragment, head string) string {
	const fewest = 3
	title := strings.TrimRight(head, leaderSigns)
	dots := head[len(title):]
	k := len(row[len(row)-1].pieces) - 1
	for i := len(row) - 1; title == "" && i >= 0; i-- {
		if i < len(row)-1 {
			k = len(row[i].pieces)
		}
		for k--; title == "" && k >= 0 && len(dots) < fewest; k-- {
			text := row[i].pieces[k].text
			title = strings.TrimRight(text, leaderSigns)
			dots = text[len(title):] + dots
		}
	}
	if len(strings.ReplaceAll(dots, " ", "")) < fewest {
		return ""
	}
	return dots
}
