package pdfium_test

import (
	"image"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

const inForm = "BT /F0 12 Tf 50 100 Td (text) Tj ET"

// PDFium drops a clip that leaves all of an object.
func TestContent_what_may_hide_text(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(*pdftest.Page)
		want  document.Text
	}{
		{"nothing", func(p *pdftest.Page) { p.Text(50, 100, 12, pdftest.Regular, "text") }, document.Text{Clip: document.Everywhere}},
		{"a clip", func(p *pdftest.Page) {
			p.Raw("q 40 90 100 200 re W n 0 0 300 150 re W n")
			p.Text(50, 100, 12, pdftest.Regular, "text")
			p.Raw("Q")
		}, document.Text{Clip: document.Box{Left: 40, Top: 450, Right: 140, Bottom: 510}}},
		{"clips without a common part", func(p *pdftest.Page) {
			p.Raw("q 40 90 10 10 re W n 200 300 10 10 re W n")
			p.Text(50, 100, 12, pdftest.Regular, "text")
			p.Raw("Q")
		}, document.Text{Clip: document.Box{Left: 200, Top: 500, Right: 200, Bottom: 500}}},
		{"a shape", func(p *pdftest.Page) {
			p.Raw("q 40 90 m 140 90 l 90 290 l W n")
			p.Text(50, 100, 12, pdftest.Regular, "text")
			p.Raw("Q")
		}, document.Text{Clip: document.Box{Left: 40, Top: 310, Right: 140, Bottom: 510}, Unsure: true}},
		{"the clip around a form and its matrix", func(p *pdftest.Page) {
			p.Raw("q 0 0 300 100 re W n")
			p.Form([6]float64{2, 0, 0, 2, 0, 0}, "q 0 0 30 100 re W n "+inForm+" Q")
			p.Raw("Q")
		}, document.Text{Clip: document.Box{Top: 500, Right: 60, Bottom: 600}, Layer: 1}},
		{"a blend mode", func(p *pdftest.Page) {
			p.State("/BM /Multiply", func() { p.Text(50, 100, 12, pdftest.Regular, "text") })
		}, document.Text{Clip: document.Everywhere, Unsure: true}},
		{"paint around the letters only", func(p *pdftest.Page) {
			p.Raw("1 Tr")
			p.Text(50, 100, 12, pdftest.Regular, "text")
		}, document.Text{Clip: document.Everywhere, Unsure: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := content(t, c.build)
			for i := range got.Texts {
				got.Texts[i].Clip = got.Texts[i].Clip.Intersect(document.Box{Left: -1000, Top: -1000, Right: 1000, Bottom: 1000})
			}
			c.want.Clip = c.want.Clip.Intersect(document.Box{Left: -1000, Top: -1000, Right: 1000, Bottom: 1000})
			if diff := cmp.Diff([]document.Text{c.want}, got.Texts, roughly); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestContent_layers_are_numbered(t *testing.T) {
	b := pdftest.New()
	on, off := b.Layer("on", true), b.Layer("off", false)
	p := b.Page(400, 600)
	p.Text(50, 500, 12, pdftest.Regular, "none")
	p.OnLayer(on, func() {
		p.Text(50, 400, 12, pdftest.Regular, "one")
		p.OnLayer(off, func() { p.Text(50, 300, 12, pdftest.Regular, "two") })
	})
	p.FormOnLayer(off, inForm)
	var c document.Content
	if err := open(t, b.Bytes()).Content(1, &c); err != nil {
		t.Fatal(err)
	}
	var got []int32
	for i := range c.Texts {
		got = append(got, c.Texts[i].Layer)
	}
	if diff := cmp.Diff([]int32{0, 1, 2, 3}, got); diff != "" {
		t.Error(diff)
	}
}

// What is painted is in order with the text objects that it lies over.
func TestContent_painting_order(t *testing.T) {
	c := content(t, func(p *pdftest.Page) {
		p.Fill(10, 10, 50, 50, 1, 0, 0)
		p.Text(50, 500, 12, pdftest.Regular, "first")
		p.Image(10, 100, 50, 50)
		p.Text(50, 400, 12, pdftest.Regular, "second")
		p.Shade(10, 200, 50, 50, [3]float64{}, [3]float64{1, 1, 1})
		p.Annotate("Square", 10, 300, 50, 50, "/F 4", "0 0 50 50 re f")
	})
	if len(c.Rules) != 1 || len(c.Images) != 1 || len(c.Covers) != 2 {
		t.Fatalf("%+v", c)
	}
	if c.Rules[0].After != 0 || c.Images[0].After != 1 || c.Covers[0].After < 2 || c.Covers[1].After < 2 {
		t.Errorf("rule %+v, image %+v, covers %+v", c.Rules[0], c.Images[0], c.Covers)
	}
}

func TestCompare(t *testing.T) {
	b := pdftest.New()
	for range 2 {
		p := b.Page(100, 100)
		p.Fill(0, 0, 100, 50, 0, 0, 1)
		p.Text(10, 60, 30, pdftest.Bold, "HHH")
		p.Form([6]float64{1, 0, 0, 1, 0, 0}, "BT /F1 30 Tf 10 10 Td 1 1 0 rg (HHH) Tj ET")
	}
	f := open(t, b.Bytes())
	var c document.Content
	if err := f.Content(1, &c); err != nil {
		t.Fatal(err)
	}
	parts := []document.Box{{Right: 100, Bottom: 50}, {Top: 50, Right: 100, Bottom: 100}}
	pictures := func() []*image.RGBA {
		return []*image.RGBA{image.NewRGBA(image.Rect(0, 0, 200, 100)), image.NewRGBA(image.Rect(0, 0, 100, 50))}
	}
	colors := func(img *image.RGBA) int {
		seen := make(map[[3]uint8]bool)
		for i := 0; i < len(img.Pix); i += 4 {
			seen[[3]uint8(img.Pix[i:])] = true
		}
		return len(seen)
	}
	for object, want := range [][2]bool{{true, false}, {false, true}} { // which part loses its text
		whole, bare := pictures(), pictures()
		if err := f.Compare(1, parts, whole, bare, []int32{int32(object)}); err != nil {
			t.Fatal(err)
		}
		for i := range parts {
			if colors(whole[i]) == 1 || (colors(bare[i]) == 1) != want[i] {
				t.Errorf("without object %d, part %d has %d colours, of %d", object, i, colors(bare[i]), colors(whole[i]))
			}
		}
	}
	if err := f.Compare(2, parts, nil, pictures(), nil); err == nil {
		t.Error("a page that was not read is compared")
	}
}
