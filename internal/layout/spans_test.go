package layout_test

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/tools/txtar"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/layout"
)

// TestSpans checks in all golden cases that the spans of lines, when they are asked for, are glyphs of the page, each in
// one line at most, and that they show the letters of the text.
func TestSpans(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("testdata", "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden cases: %v", err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		pages, outline, err := parseContent(string(section(archive, "content")))
		if err != nil {
			t.Fatal(err)
		}
		a := layout.New(layout.Options{Spans: true})
		c := spanCheck{t: t, name: filepath.Base(path), pages: make(map[int]map[[2]int32]string)}
		for i := range pages {
			c.pages[pages[i].Number] = countGlyphs(&pages[i])
			a.Add(&pages[i])
		}
		for _, p := range a.Document(document.Meta{}, outline, len(pages)).Pages {
			c.elements(p.Elements)
		}
	}
}

// countGlyphs numbers the glyphs of a page's objects and gives what they show.
func countGlyphs(p *document.Content) map[[2]int32]string {
	next := make(map[int32]int32)
	shown := make(map[[2]int32]string)
	for i := range p.Glyphs {
		g := &p.Glyphs[i]
		g.Index = next[g.Object]
		next[g.Object]++
		shown[[2]int32{g.Object, g.Index}] = string(g.Rune) + g.Extra
	}
	return shown
}

// spanCheck looks at the elements of a case.
type spanCheck struct {
	t     *testing.T
	name  string
	pages map[int]map[[2]int32]string // by page, object and index; what is used up goes
}

func (c *spanCheck) elements(list []document.Element) {
	for i := range list {
		e := &list[i]
		c.spans(e, e.Marked, e.Marker)
		c.lines(e, e.Lines)
		if e.Grid != nil {
			for k := range e.Grid.Cells {
				c.lines(e, e.Grid.Cells[k].Lines)
			}
		}
		c.elements(e.Children)
	}
}

func (c *spanCheck) lines(e *document.Element, lines []document.Line) {
	for i := range lines {
		text := ""
		for _, r := range lines[i].Runs {
			text += r.Text
		}
		c.spans(e, lines[i].Spans, text)
	}
}

func (c *spanCheck) spans(e *document.Element, spans []document.Span, text string) {
	shown := ""
	for _, s := range spans {
		for k := s.From; k < s.To; k++ {
			glyph, ok := c.pages[e.Page][[2]int32{s.Object, k}]
			if !ok {
				c.t.Errorf("%s: %s: glyph %d of object %d is not there, or in two places", c.name, e.ID, k, s.Object)
			}
			delete(c.pages[e.Page], [2]int32{s.Object, k})
			shown += glyph
		}
	}
	if got, want := latin(shown), latin(text); got != want {
		c.t.Errorf("%s: %s: spans show %q, the text is %q", c.name, e.ID, got, want)
	}
}

// latin gives the Latin letters of s without what is over them; those of other scripts may be composed.
func latin(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Latin, r) {
			return r
		}
		return -1
	}, norm.NFKD.String(s))
}
