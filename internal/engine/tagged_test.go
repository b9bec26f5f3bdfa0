package engine_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

func TestConvert_with_the_structure_tree(t *testing.T) {
	e := newEngine(t, 1)
	tagged := func() []byte {
		b := pdftest.New()
		p := b.Page(300, 300)
		second, first := b.Tag("P", ""), b.Tag("H2", "")
		p.Mark(first, func() { p.Text(50, 100, 12, pdftest.Regular, "Heading by its tag") })
		p.Mark(second, func() { p.Text(50, 200, 12, pdftest.Regular, "Text before it.") })
		p.Artifact(func() { p.Text(50, 290, 12, pdftest.Regular, "Running head") })
		return b.Bytes()
	}
	for _, c := range []struct {
		name  string
		pdf   []byte
		want  string
		codes []string
	}{
		{"decides about order, roles and running heads", tagged(), "Text before it.\n\n## Heading by its tag\n", nil},
		{"of an untagged file is missed aloud", pdftest.Text("Plain text."), "Plain text.\n", []string{"no_structure_tree"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := request(t, save(t, c.pdf), option.Markdown)
			r.Options.UseStructTree = true
			result, err := e.Convert(within(t), r, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(r.OutDir, "out.md"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Error(diff)
			}
			var codes []string
			for _, w := range result.Warnings {
				codes = append(codes, w.Code)
			}
			if diff := cmp.Diff(c.codes, codes); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The tagged documents of the corpus come with their structure trees as another program prints them: the elements that
// we make are as many, and say the same in the same order.
func TestConvert_tagged_corpus(t *testing.T) {
	dir := pdftest.Shared(t, "corpus/tagged")
	index, err := os.ReadFile(filepath.Join(dir, "index.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(t, 1)
	for _, row := range strings.Split(strings.TrimSpace(string(index)), "\n")[1:] {
		fields := strings.Split(row, "\t")
		t.Run(fields[0], func(t *testing.T) {
			tree, err := os.ReadFile(filepath.Join(dir, fields[1]))
			if err != nil {
				t.Fatal(err)
			}
			var want taggedText
			want.readTree(strings.Split(string(tree), "\n"))
			got := convertTagged(t, e, filepath.Join(dir, fields[0]))
			if diff := cmp.Diff(want.counts, got.counts); diff != "" {
				t.Errorf("elements (-file +ours):\n%s", diff)
			}
			if diff := cmp.Diff(want.text(), got.text()); diff != "" {
				t.Errorf("text (-file +ours):\n%s", diff)
			}
		})
	}
}

// taggedText is what a structured document says: how many elements of a kind there are, and their text.
type taggedText struct {
	counts taggedCounts
	words  strings.Builder
}

type taggedCounts struct {
	Headings            [7]int // by level
	Tables, Rows, Cells int
	Items, Figures      int
}

// text is all letters and digits, in lines that can be compared.
func (w *taggedText) text() []string {
	var letters []rune
	for _, r := range w.words.String() {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			letters = append(letters, r)
		}
	}
	const width = 100
	var out []string
	for len(letters) > width {
		out, letters = append(out, string(letters[:width])), letters[width:]
	}
	return append(out, string(letters))
}

// readTree reads a tree with one element or text a line, set in by two spaces for each level. Elements without text
// do not count, but for figures and cells.
func (w *taggedText) readTree(lines []string) {
	depth := func(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
	for i, line := range lines {
		body := strings.TrimSpace(line)
		if strings.HasPrefix(body, `"`) {
			w.words.WriteString(strings.Trim(body, `"`))
			continue
		}
		role, _, _ := strings.Cut(strings.TrimSuffix(body, ":"), " ")
		spoken := false
		for _, inner := range lines[i+1:] {
			if depth(inner) <= depth(line) {
				break
			}
			text := strings.TrimSpace(inner)
			spoken = spoken || strings.HasPrefix(text, `"`) && strings.TrimSpace(strings.Trim(text, `"`)) != ""
		}
		c := &w.counts
		switch {
		case role == "Figure":
			c.Figures++
		case role == "TH", role == "TD":
			c.Cells++
		case !spoken:
		case len(role) == 2 && role[0] == 'H':
			c.Headings[role[1]-'0']++
		case role == "LI":
			c.Items++
		case role == "Table":
			c.Tables++
		case role == "TR":
			c.Rows++
		}
	}
}

// taggedElement is an element of the JSON output, as far as it is compared.
type taggedElement struct {
	Type    document.Kind
	Level   string
	Content string
	Marker  string
	Rows    [][]string
	Cells   []struct{ Content string }
	Kids    []taggedElement
}

func convertTagged(t *testing.T, e *engine.Engine, path string) (w taggedText) {
	t.Helper()
	r := request(t, path, option.JSON)
	r.Options.UseStructTree = true
	if _, err := e.Convert(within(t), r, nil); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(r.OutDir, "out.json"))
	if err != nil {
		t.Fatal(err)
	}
	var doc taggedElement
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	w.add(doc.Kids)
	return w
}

func (w *taggedText) add(list []taggedElement) {
	for i := range list {
		e := &list[i]
		switch e.Type {
		case document.Table:
			w.counts.Tables++
			w.counts.Rows += len(e.Rows)
			w.counts.Cells += len(e.Cells)
			for _, c := range e.Cells {
				w.words.WriteString(c.Content)
			}
		case document.List, document.Figure: // their content is that of their kids
		default:
			w.words.WriteString(e.Marker + e.Content)
		}
		switch e.Type {
		case document.Heading:
			level := 0
			_, _ = fmt.Sscanf(e.Level, "H%d", &level) // a title has none
			w.counts.Headings[level]++
		case document.ListItem:
			w.counts.Items++
		case document.Figure:
			w.counts.Figures++
		}
		w.add(e.Kids)
	}
}
