package pdfium_test

import (
	"bytes"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/pdfium"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

// structured reads page n of pdf with its structure.
func structured(t *testing.T, pdf []byte, n int) document.Content {
	t.Helper()
	var c document.Content
	if err := open(t, pdf).StructuredContent(n, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestStructuredContent_gives_the_tree_of_the_page(t *testing.T) {
	b := pdftest.New()
	b.Role("Kapitel", "Sect")
	first, second := b.Page(400, 600), b.Page(400, 600)
	chapter := b.Tag("Kapitel", "/Lang (de)")
	heading := chapter.Tag("H1", "")
	paragraph := chapter.Tag("P", "/ActualText (said)")
	row := chapter.Tag("Table", "").Tag("TR", "")
	cell := row.Tag("TH", "/A [ << /O /Layout /Width 9 >> << /O /Table /ColSpan 2 /RowSpan 3 /Scope /Column >> ]")
	figure := chapter.Tag("Figure", "/Alt (A house) /A << /O /Layout /BBox [100 200 150 225] >>")
	first.Mark(heading, func() { first.Text(50, 500, 12, pdftest.Regular, "A") })
	first.Mark(paragraph, func() { first.Text(50, 400, 12, pdftest.Regular, "B") })
	second.Mark(paragraph, func() { second.Text(50, 400, 12, pdftest.Regular, "C") })
	second.Mark(cell, func() { second.Text(50, 300, 12, pdftest.Regular, "D") })
	second.Mark(figure, func() { second.Image(100, 200, 50, 25) })
	pdf := b.Bytes()

	mark := func(index int, id int32) document.StructKid { return document.StructKid{Index: index, MCID: id} }
	element := func(index int, e document.StructElement) document.StructKid {
		e.RowSpan, e.ColSpan = max(e.RowSpan, 1), max(e.ColSpan, 1)
		return document.StructKid{Index: index, Element: &e, MCID: -1}
	}
	want := []document.StructKid{element(0, document.StructElement{Role: "Sect", Lang: "de", Kids: []document.StructKid{
		element(1, document.StructElement{Role: "P", ActualText: "said", Kids: []document.StructKid{mark(1, 0)}}),
		element(2, document.StructElement{Role: "Table", Kids: []document.StructKid{
			element(0, document.StructElement{Role: "TR", Kids: []document.StructKid{
				element(0, document.StructElement{Role: "TH", RowSpan: 3, ColSpan: 2, Scope: "Column", Kids: []document.StructKid{mark(0, 1)}}),
			}}),
		}}),
		element(3, document.StructElement{
			Role: "Figure", Alt: "A house", Box: document.Box{Left: 100, Top: 375, Right: 150, Bottom: 400},
			Kids: []document.StructKid{mark(0, 2)},
		}),
	}})}
	c := structured(t, pdf, 2)
	if diff := cmp.Diff(want, c.Structure, roughly); diff != "" {
		t.Error(diff)
	}
	if c.Images[0].MCID != 2 || c.Glyphs[0].MCID != 0 || c.Glyphs[1].MCID != 1 {
		t.Errorf("marked content %d, %d, %d", c.Glyphs[0].MCID, c.Glyphs[1].MCID, c.Images[0].MCID)
	}
	t.Run("only when asked", func(t *testing.T) {
		var c document.Content
		if err := open(t, pdf).Content(2, &c); err != nil {
			t.Fatal(err)
		}
		if c.Structure != nil {
			t.Error("there is one")
		}
	})
}

func TestStructuredContent_of_an_untagged_file_has_no_tree(t *testing.T) {
	if c := structured(t, pdftest.Text("plain"), 1); c.Structure != nil || len(c.Glyphs) == 0 {
		t.Errorf("structure %v, %d glyphs", c.Structure, len(c.Glyphs))
	}
}

// Ids within a form count for themselves: on the page, all of a form is what the page marks it as.
func TestStructuredContent_of_forms(t *testing.T) {
	const inner = "/P << /MCID 7 >> BDC BT /F0 12 Tf 50 500 Td (A) Tj ET 50 300 30 30 re f EMC"
	b := pdftest.New()
	p := b.Page(400, 600)
	p.Form([6]float64{1, 0, 0, 1, 0, 0}, inner)
	p.Mark(b.Tag("P", ""), func() { p.Form([6]float64{1, 0, 0, 1, 0, -50}, inner) })
	p.Artifact(func() { p.Form([6]float64{1, 0, 0, 1, 0, -100}, inner) })
	c := structured(t, b.Bytes(), 1)
	type mark struct {
		MCID     int32
		Artifact bool
	}
	var got []mark
	for _, g := range c.Glyphs {
		got = append(got, mark{g.MCID, g.Artifact})
	}
	if diff := cmp.Diff([]mark{{-1, false}, {0, false}, {-1, true}}, got); diff != "" {
		t.Error(diff)
	}
	var rules []int32
	for _, r := range c.Rules {
		rules = append(rules, r.MCID)
	}
	if diff := cmp.Diff([]int32{-1, 0, -1}, rules); diff != "" {
		t.Error("rules", diff)
	}
}

// FuzzStructure changes bytes of a tagged file: cycles, spans and names of any kind end in bounded trees.
func FuzzStructure(f *testing.F) {
	b := pdftest.New()
	b.Role("Own", "P")
	p := b.Page(300, 300)
	table := b.Tag("Document", "/Lang (en)").Tag("Table", "/A << /O /Layout /BBox [0 0 9 9] >>")
	for range 3 {
		row := table.Tag("TR", "")
		p.Mark(row.Tag("TD", "/A << /O /Table /ColSpan 2 /RowSpan 2 /Scope /Row >>"), func() { p.Text(9, 200, 9, pdftest.Regular, "cell") })
		p.Mark(row.Tag("Own", "/Alt (alt) /ActualText (text)"), func() { p.Image(9, 9, 9, 9) })
	}
	f.Add(b.Bytes())
	// A tree that bites its own tail.
	f.Add(bytes.Replace(b.Bytes(), []byte("/S /Document /P"), []byte("/S /Document /K 14 0 R /P"), 1))
	var mu sync.Mutex
	r := newRuntime(f, func(c *pdfium.Config) { c.MemoryLimit = 64 << 20 })
	f.Fuzz(func(t *testing.T, pdf []byte) {
		mu.Lock()
		defer mu.Unlock()
		file, err := r.Open(bytes.NewReader(pdf), int64(len(pdf)), "")
		if err != nil {
			return
		}
		var c document.Content
		if err := file.StructuredContent(1, &c); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Error(err)
		}
		elements := 0
		checkTree(t, c.Structure, 1, &elements)
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
}

func checkTree(t *testing.T, kids []document.StructKid, depth int, elements *int) {
	for _, k := range kids {
		if k.Element == nil {
			if k.MCID < 0 {
				t.Errorf("marked content %d", k.MCID)
			}
			continue
		}
		*elements++
		if e := k.Element; depth > 64 || *elements > 20_000 || e.RowSpan < 1 || e.RowSpan > 1000 || e.ColSpan < 1 || e.ColSpan > 1000 {
			t.Fatalf("element %d at depth %d: %+v", *elements, depth, e)
		}
		checkTree(t, k.Element.Kids, depth+1, elements)
	}
}
