// Package stamptest reads tagged PDF files back, for tests and measurements: what their tags say, in their order, and
// whether their pages still look the same.
package stamptest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"os"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/pdfium"
)

// Tags gives the structure tree of a page as PDFium reads it, an element or a text a line, indented by depth. Texts are
// quoted, without what only spaces them.
func Tags(c *document.Content) string {
	var b strings.Builder
	texts := markedTexts(c)
	var walk func(list []document.StructKid, depth int)
	walk = func(list []document.StructKid, depth int) {
		text := ""
		flush := func() {
			if text = strings.Join(strings.Fields(text), " "); text != "" {
				fmt.Fprintf(&b, "%s%q\n", strings.Repeat("  ", depth), text)
			}
			text = ""
		}
		for _, k := range list {
			if k.Element == nil {
				text += " " + texts[k.MCID]
				continue
			}
			flush()
			e := k.Element
			fmt.Fprintf(&b, "%s%s", strings.Repeat("  ", depth), e.Role)
			if e.RowSpan > 1 || e.ColSpan > 1 {
				fmt.Fprintf(&b, " %dx%d", e.RowSpan, e.ColSpan)
			}
			if e.Scope != "" {
				fmt.Fprintf(&b, " scope=%s", e.Scope)
			}
			if e.Alt != "" {
				fmt.Fprintf(&b, " alt=%q", e.Alt)
			}
			b.WriteByte('\n')
			walk(e.Kids, depth+1)
		}
		flush()
	}
	walk(c.Structure, 0)
	return b.String()
}

// order gives the letters and digits of all tags of a page in their order: what remains of a text however lines are
// joined, hyphens handled and characters composed.
func order(c *document.Content) string {
	texts := markedTexts(c)
	var b strings.Builder
	var walk func(list []document.StructKid)
	walk = func(list []document.StructKid) {
		for _, k := range list {
			if k.Element == nil {
				b.WriteString(texts[k.MCID])
				continue
			}
			walk(k.Element.Kids)
		}
	}
	walk(c.Structure)
	return letters(b.String())
}

// markedTexts are the texts of a page by marked-content id.
func markedTexts(c *document.Content) map[int32]string {
	texts := make(map[int32]string)
	for i := range c.Glyphs {
		if g := &c.Glyphs[i]; g.MCID >= 0 && g.Rune != 0 {
			texts[g.MCID] += string(g.Rune) + g.Extra
		}
	}
	return texts
}

// letters are the letters and digits of s, in one form of each.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, norm.NFKD.String(s))
}

// jsonElement is an element of the JSON output, as far as its text goes.
type jsonElement struct {
	Type    document.Kind `json:"type"`
	Page    int           `json:"page_number"`
	Content string        `json:"content"`
	Marker  string        `json:"marker"`
	Cells   []jsonElement `json:"cells"`
	Kids    []jsonElement `json:"kids"`
}

// jsonOrder gives the same as order for the pages of a JSON output, by page number.
func jsonOrder(output []byte) (map[int]string, error) {
	var d jsonElement
	if err := json.Unmarshal(output, &d); err != nil {
		return nil, err
	}
	texts := make(map[int]string)
	for i := range d.Kids {
		texts[d.Kids[i].Page] += letters(d.Kids[i].text())
	}
	return texts, nil
}

func (e *jsonElement) text() string {
	s := e.Marker
	switch e.Type {
	case document.List, document.Table, document.Figure: // their content is that of what is in them
	default:
		s += e.Content
	}
	for i := range e.Cells {
		s += e.Cells[i].text()
	}
	for i := range e.Kids {
		s += e.Kids[i].text()
	}
	return s
}

// A Reader reads files before and after tagging.
type Reader struct {
	before, after *pdfium.Runtime // at most one file may be open on each
	content       document.Content
}

// NewReader starts two PDFiums. cacheDir is as of pdfium.Config.
func NewReader(ctx context.Context, cacheDir string) (*Reader, error) {
	c := pdfium.Config{CacheDir: cacheDir}
	before, err := pdfium.New(ctx, c)
	if err != nil {
		return nil, err
	}
	after, err := pdfium.New(ctx, c)
	if err != nil {
		return nil, errors.Join(err, before.Close())
	}
	return &Reader{before: before, after: after}, nil
}

// Close ends them.
func (r *Reader) Close() error { return errors.Join(r.before.Close(), r.after.Close()) }

// A Reading is what came of tagging a file.
type Reading struct {
	Pixels float64  // the largest share of a page's pixels that differ, 1 for a page that cannot be rendered any more
	Page   int      // the page
	Order  string   // where the order of the tags first is another than that of the JSON; "" where it is the same
	Tags   []string // by page, see Tags
}

// Read compares a file with the tagged one made of it, whose JSON output is given, page by page. skipped are pages
// without tags.
func (r *Reader) Read(original, tagged string, output []byte, skipped []int) (reading Reading, err error) {
	before, closeBefore, err := open(r.before, original)
	if err != nil {
		return reading, err
	}
	defer func() { err = errors.Join(err, closeBefore()) }()
	after, closeAfter, err := open(r.after, tagged)
	if err != nil {
		return reading, err
	}
	defer func() { err = errors.Join(err, closeAfter()) }()
	if before.NumPages() != after.NumPages() {
		return reading, fmt.Errorf("%d pages have become %d", before.NumPages(), after.NumPages())
	}
	texts, err := jsonOrder(output)
	if err != nil {
		return reading, err
	}
	for n := 1; n <= after.NumPages(); n++ {
		if d := compare(before, after, n); d > reading.Pixels {
			reading.Pixels, reading.Page = d, n
		}
		if err := after.StructuredContent(n, &r.content); err != nil { // damaged before, too
			reading.Tags = append(reading.Tags, "")
			continue
		}
		reading.Tags = append(reading.Tags, Tags(&r.content))
		if got, want := order(&r.content), texts[n]; got != want && reading.Order == "" && !slices.Contains(skipped, n) {
			reading.Order = fmt.Sprintf("page %d: %s", n, firstDifference(got, want))
		}
	}
	return reading, nil
}

// compare renders a page of two files and gives the share of the pixels that differ.
func compare(a, b *pdfium.File, n int) float64 {
	const dpi = 72
	one, errA := a.Render(n, dpi)
	other, errB := b.Render(n, dpi)
	switch {
	case errA != nil && errB != nil:
		return 0 // damaged before and after
	case errA != nil || errB != nil:
		return 1
	}
	return difference(one, other)
}

// firstDifference shows where two texts begin to differ.
func firstDifference(got, want string) string {
	a, b := []rune(got), []rune(want)
	at := 0
	for at < min(len(a), len(b)) && a[at] == b[at] {
		at++
	}
	const before, after = 20, 40
	excerpt := func(s []rune) string { return string(s[max(0, at-before):min(len(s), at+after)]) }
	return fmt.Sprintf("tags %q, JSON %q (%d and %d letters)", excerpt(a), excerpt(b), len(a), len(b))
}

// open opens a file; the function closes it.
func open(r *pdfium.Runtime, path string) (*pdfium.File, func() error, error) {
	src, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	info, err := src.Stat()
	if err != nil {
		return nil, nil, errors.Join(err, src.Close())
	}
	file, err := r.Open(src, info.Size(), "")
	if err != nil {
		return nil, nil, errors.Join(err, src.Close())
	}
	return file, func() error { return errors.Join(file.Close(), src.Close()) }, nil
}

// difference is the share of pixels that differ.
func difference(a, b *image.RGBA) float64 {
	if a.Rect != b.Rect {
		return 1
	}
	differ := 0
	for i := 0; i < len(a.Pix); i += 4 {
		if !slices.Equal(a.Pix[i:i+4], b.Pix[i:i+4]) {
			differ++
		}
	}
	return float64(differ) / float64(max(len(a.Pix)/4, 1))
}
