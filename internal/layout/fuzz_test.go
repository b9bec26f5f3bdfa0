package layout_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/export/exporttest"
	"github.com/ragify/ragify/internal/layout"
	"github.com/ragify/ragify/internal/option"
)

// alphabet of the fuzzed pages: letters of several scripts, digits, list marks, and what Markdown takes for markup.
const alphabet = "abcdefgABCDEFGivxo0123456789.,-()[]*_#|<>&`~+=:!\\\"é中日字שאب•–\uF0B7 "

// FuzzLayout makes pages of any bytes. Whatever they show: nothing panics, no character is lost or invented, the
// Markdown reads back to the same blocks and text, and the JSON matches its schema.
func FuzzLayout(f *testing.F) {
	f.Add([]byte("the quick brown fox"))
	f.Add([]byte{1, 10, 20, 30, 40, 2, 10, 60, 30, 40, 3, 200, 200, 1, 1, 0xFF, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4000 {
			return
		}
		o := option.Default()
		o.IncludeHeaderFooter = true
		if len(data) > 0 {
			o.KeepLineBreaks = data[0]&1 != 0
			if data[0]&2 != 0 {
				o.TableMethod = "cluster"
			}
			if data[0]&4 != 0 {
				o.ReadingOrder = "off"
			}
		}
		pages, want := fuzzPages(data)
		a := layout.New(layout.Options{ReadingOrder: o.ReadingOrder, TableMethod: o.TableMethod, KeepHeaderFooter: true})
		for i := range pages {
			a.Add(&pages[i])
		}
		doc := a.Document(document.Meta{}, nil, len(pages))
		got := make(map[rune]int)
		for _, p := range doc.Pages {
			countLetters(got, p.Elements)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("letters and digits (-shown +found):\n%s", diff)
		}
		if err := exporttest.Check(doc, o); err != nil {
			t.Error(err)
		}
	})
}

// fuzzPages reads five bytes for each thing on the page. Glyphs stand on a grid so wide that no two equal ones can be
// taken for one printed twice.
func fuzzPages(data []byte) (pages []document.Content, letters map[rune]int) {
	runes := []rune(alphabet)
	fonts := []document.Font{{Name: "R"}, {Name: "B", Bold: true}, {Name: "I", Italic: true}}
	pages = []document.Content{{Number: 1, Width: 600, Height: 800, Fonts: fonts}}
	letters = make(map[rune]int)
	type place struct {
		page int
		x, y float64
	}
	taken := make(map[place]bool)
	object := int32(0)
	for ; len(data) >= 5; data = data[5:] {
		p := &pages[len(pages)-1]
		x, y := float64(data[1])*3, float64(data[2])*3
		switch kind := data[0] % 32; {
		case kind == 31 && len(pages) < 4:
			pages = append(pages, document.Content{Number: len(pages) + 1, Width: 600, Height: 800, Fonts: fonts})
		case kind >= 28:
			b := document.Box{Left: x, Top: y, Right: x + float64(data[3])*2, Bottom: y + float64(data[4])*2}
			if kind == 28 {
				b.Bottom = b.Top + 0.5
			} else if kind == 29 {
				b.Right = b.Left + 0.5
			}
			p.Rules = append(p.Rules, document.Rule{Kind: document.RuleKind(data[3] % 4), Box: b, Color: 0x808080FF})
		default:
			object++
			size := []float64{8, 10, 10, 10, 12, 16, 6, 20}[data[3]%8]
			for i := 0; i < int(kind%8)+1; i++ { // a word of one to eight glyphs
				at := place{len(pages), x, y}
				r := runes[(int(data[4])+i*int(kind))%len(runes)]
				if !taken[at] {
					taken[at] = true
					g := document.Glyph{Rune: r, OriginX: x, OriginY: y, Size: size, Font: int32(kind) % 3, Object: object, MCID: -1, Color: 0xFF}
					if kind == 27 {
						g.Angle = float64(data[3]%4) * 90
					}
					g.Box = document.Box{Left: x, Top: y - 0.7*size, Right: x + size/2, Bottom: y}
					g.Loose = document.Box{Left: x, Top: y - 0.7*size, Right: x + size/2, Bottom: y + 0.2*size}
					p.Glyphs = append(p.Glyphs, g)
					if unicode.IsLetter(r) || unicode.IsDigit(r) {
						letters[r]++
					}
				}
				x += 3 * float64(1+int(size/2)/3)
			}
		}
	}
	return pages, letters
}

func countLetters(into map[rune]int, list []document.Element) {
	add := func(s string) {
		for _, r := range s {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				into[r]++
			}
		}
	}
	lines := func(list []document.Line) {
		var b strings.Builder
		for _, l := range list {
			for _, r := range l.Runs {
				b.WriteString(r.Text)
			}
		}
		add(b.String())
	}
	for i := range list {
		e := &list[i]
		add(e.Marker)
		lines(e.Lines)
		if e.Grid != nil {
			for k := range e.Grid.Cells {
				lines(e.Grid.Cells[k].Lines)
			}
		}
		countLetters(into, e.Children)
	}
}

// FuzzTree gives fuzzed pages a structure tree of any shape. Whatever it says: nothing panics, no character is lost or
// said twice, and every output reads back.
func FuzzTree(f *testing.F) {
	f.Add([]byte("the quick brown fox"), []byte{0, 1, 2, 3, 4, 5})
	f.Add([]byte{1, 10, 20, 30, 40, 2, 10, 60, 30, 40, 5, 10, 90, 1, 1}, []byte{5, 0, 1, 7, 33, 8, 70, 9, 1, 3, 40})
	f.Fuzz(func(t *testing.T, data, shape []byte) {
		if len(data) > 2000 || len(shape) > 500 {
			return
		}
		o := option.Default()
		o.UseStructTree, o.IncludeHeaderFooter = true, true
		pages, want := fuzzPages(data)
		a := layout.New(layout.Options{KeepHeaderFooter: true, StructTree: true})
		for i := range pages {
			fuzzTree(&pages[i], shape)
			a.Add(&pages[i])
		}
		doc := a.Document(document.Meta{}, nil, len(pages))
		got := make(map[rune]int)
		for _, p := range doc.Pages {
			countLetters(got, p.Elements)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("letters and digits (-shown +found):\n%s", diff)
		}
		if err := exporttest.Check(doc, o); err != nil {
			t.Error(err)
		}
	})
}

// fuzzTree makes elements of bytes: how many levels to go up first, the role, a span, and some marked content. Glyphs
// are marked by the number of their text object.
func fuzzTree(c *document.Content, shape []byte) {
	roles := []string{"P", "H1", "Sect", "L", "LI", "Lbl", "LBody", "Table", "TR", "TH", "TD", "Figure", "Caption", "Note", "Span", "Own", "TOCI", "THead", "Formula", "H"}
	const marks = 16
	for i := range c.Glyphs {
		c.Glyphs[i].MCID = c.Glyphs[i].Object%marks - 1
		c.Glyphs[i].Artifact = c.Glyphs[i].MCID < 0 && c.Glyphs[i].Object%3 == 0
	}
	root := &document.StructElement{Role: "Document", RowSpan: 1, ColSpan: 1}
	path := []*document.StructElement{root}
	for _, b := range shape {
		if up := int(b>>6) % len(path); up > 0 {
			path = path[:len(path)-up]
		}
		parent := path[len(path)-1]
		if b%3 == 0 {
			parent.Kids = append(parent.Kids, document.StructKid{Index: len(parent.Kids), MCID: int32(b>>2) % marks})
			continue
		}
		e := &document.StructElement{Role: roles[int(b)%len(roles)], RowSpan: 1 + int(b>>3)%3, ColSpan: 1 + int(b>>5)%3}
		parent.Kids = append(parent.Kids, document.StructKid{Index: len(parent.Kids), Element: e, MCID: -1})
		path = append(path, e)
	}
	c.Structure = []document.StructKid{{Element: root, MCID: -1}}
}
