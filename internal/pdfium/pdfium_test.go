package pdfium_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/pdfium"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

// roughly compares coordinates to a tenth of a point: PDFium's are 32-bit.
var roughly = cmpopts.EquateApprox(0, 0.1)

// shared is the Runtime of all tests that do not break theirs: starting one takes a tenth of a second.
var shared = sync.OnceValues(func() (*pdfium.Runtime, error) {
	dir, err := pdftest.CacheDir()
	if err != nil {
		return nil, err
	}
	return pdfium.New(context.Background(), pdfium.Config{CacheDir: dir})
})

// sharedRuntime gives the shared Runtime. Its files are open one at a time.
func sharedRuntime(tb testing.TB) *pdfium.Runtime {
	tb.Helper()
	r, err := shared()
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// newRuntime gives a Runtime for one test alone, with change applied to its configuration.
func newRuntime(tb testing.TB, change ...func(*pdfium.Config)) *pdfium.Runtime {
	tb.Helper()
	dir, err := pdftest.CacheDir()
	if err != nil {
		tb.Fatal(err)
	}
	c := pdfium.Config{CacheDir: dir}
	for _, f := range change {
		f(&c)
	}
	r, err := pdfium.New(context.Background(), c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := r.Close(); err != nil {
			tb.Error(err)
		}
	})
	return r
}

// open opens pdf for one test.
func open(tb testing.TB, pdf []byte) *pdfium.File {
	tb.Helper()
	f, err := sharedRuntime(tb).Open(bytes.NewReader(pdf), int64(len(pdf)), "")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := f.Close(); err != nil {
			tb.Error(err)
		}
	})
	return f
}

// content is the first page of what build puts on an A5-like page of 400 by 600 points.
func content(t *testing.T, build func(p *pdftest.Page)) document.Content {
	t.Helper()
	b := pdftest.New()
	build(b.Page(400, 600))
	var c document.Content
	if err := open(t, b.Bytes()).Content(1, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// text joins the glyphs' characters.
func text(c document.Content) string {
	var s strings.Builder
	for _, g := range c.Glyphs {
		s.WriteRune(g.Rune)
		s.WriteString(g.Extra)
	}
	return s.String()
}

func TestContent(t *testing.T) {
	t.Run("a glyph has its place, size, font and colour", func(t *testing.T) {
		c := content(t, func(p *pdftest.Page) {
			p.Raw("1 0 0 rg")
			p.Text(50, 500, 20, pdftest.Bold, "Hi")
		})
		want := document.Glyph{
			Rune: 'H', Code: 'H', Box: document.Box{Left: 51.4, Top: 85.7, Right: 63, Bottom: 100},
			Loose:   document.Box{Left: 50, Top: 80.8, Right: 64.4, Bottom: 104.5},
			OriginX: 50, OriginY: 100, Size: 20, MCID: -1, Color: 0xFF0000FF,
		}
		if diff := cmp.Diff(want, c.Glyphs[0], cmpopts.EquateApprox(0, 0.7)); diff != "" {
			t.Error(diff)
		}
		if got := c.Fonts[c.Glyphs[0].Font]; got.Name != "Helvetica-Bold" || !got.Bold || got.Weight != 700 {
			t.Errorf("font %+v", got)
		}
		if c.Number != 1 || c.Width != 400 || c.Height != 600 {
			t.Errorf("page %d of %v × %v", c.Number, c.Width, c.Height)
		}
	})
	t.Run("size is what shows, whatever matrices make it", func(t *testing.T) {
		c := content(t, func(p *pdftest.Page) {
			p.Raw("2 0 0 2 0 0 cm")
			p.TextMatrix([6]float64{3, 0, 0, 3, 20, 100}, 2, pdftest.Regular, "x")
		})
		if got := c.Glyphs[0]; math.Abs(got.Size-12) > 0.01 || math.Abs(got.OriginY-400) > 0.01 {
			t.Errorf("size %v at %v, want 12 at 400", got.Size, got.OriginY)
		}
	})
	t.Run("a ligature is one glyph of several characters", func(t *testing.T) {
		c := content(t, func(p *pdftest.Page) { p.Text(50, 500, 12, pdftest.Serif, "oﬃce ﬁle ﬂow") })
		if got := text(c); got != "o?ce file flow" {
			t.Errorf("text %q", got)
		}
		if n := len(c.Glyphs); n != 12 {
			t.Errorf("%d glyphs, want 12", n)
		}
	})
	t.Run("letters beyond ASCII arrive", func(t *testing.T) {
		c := content(t, func(p *pdftest.Page) { p.Text(50, 500, 12, pdftest.Serif, "Größe (é)") })
		if got := text(c); got != "Größe (é)" {
			t.Errorf("text %q", got)
		}
	})
	t.Run("spaces that PDFium would add are left out", func(t *testing.T) {
		c := content(t, func(p *pdftest.Page) {
			p.Text(50, 500, 12, pdftest.Regular, "left")
			p.Text(200, 500, 12, pdftest.Regular, "right")
			p.Text(50, 480, 12, pdftest.Regular, "below")
		})
		if got := text(c); got != "leftrightbelow" {
			t.Errorf("text %q", got)
		}
	})
	t.Run("glyphs come in the file's order", func(t *testing.T) {
		c := content(t, func(p *pdftest.Page) {
			p.Text(200, 500, 12, pdftest.Regular, "second")
			p.Text(50, 500, 12, pdftest.Regular, "first")
		})
		if got := text(c); got != "secondfirst" {
			t.Errorf("text %q", got)
		}
		if first, last := c.Glyphs[0].Object, c.Glyphs[len(c.Glyphs)-1].Object; first != 0 || last != 1 {
			t.Errorf("objects %d to %d, want 0 to 1", first, last)
		}
	})
	t.Run("text within forms counts like any other", func(t *testing.T) {
		c := content(t, func(p *pdftest.Page) {
			p.Text(50, 500, 12, pdftest.Regular, "before")
			p.Form([6]float64{2, 0, 0, 2, 50, 300}, "BT /F0 6 Tf 10 20 Td (within) Tj ET")
			p.Text(50, 400, 12, pdftest.Regular, "after")
		})
		if got := text(c); got != "beforewithinafter" {
			t.Errorf("text %q", got)
		}
		g := c.Glyphs[6]
		if diff := cmp.Diff([]float64{70, 260, 12, 1}, []float64{g.OriginX, g.OriginY, g.Size, float64(g.Object)}, roughly); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("invisible text is marked by its mode", func(t *testing.T) {
		c := content(t, func(p *pdftest.Page) {
			p.Raw("3 Tr")
			p.Text(50, 500, 12, pdftest.Regular, "unseen")
		})
		if got := c.Glyphs[0].Mode; got != 3 {
			t.Errorf("mode %d, want 3", got)
		}
	})
	t.Run("marked content keeps its id", func(t *testing.T) {
		c := content(t, func(p *pdftest.Page) {
			p.Raw("/P << /MCID 7 >> BDC")
			p.Text(50, 500, 12, pdftest.Regular, "x")
			p.Raw("EMC")
		})
		if got := c.Glyphs[0].MCID; got != 7 {
			t.Errorf("mcid %d, want 7", got)
		}
	})
	t.Run("form fields are read where they stand, and links beside them stay", func(t *testing.T) {
		c := content(t, func(p *pdftest.Page) {
			p.Text(50, 500, 12, pdftest.Regular, "Name:")
			p.Field(100, 496, 100, 16, "Ada")
			p.Link(50, 390, 150, 410, "https://example.org/")
		})
		if got := text(c); got != "Name:Ada" || len(c.Links) != 1 {
			t.Fatalf("text %q, links %v", got, c.Links)
		}
		if g := c.Glyphs[5]; math.Abs(g.OriginX-102) > 0.1 || math.Abs(g.OriginY-100) > 0.1 || g.Size != 10 {
			t.Errorf("the field's text stands at %v, %v in size %v", g.OriginX, g.OriginY, g.Size)
		}
	})
	t.Run("a second page does not inherit from the first", func(t *testing.T) {
		f := open(t, pdftest.Pages(2))
		var c document.Content
		for n := 1; n <= 2; n++ {
			if err := f.Content(n, &c); err != nil {
				t.Fatal(err)
			}
			if got, want := text(c), fmt.Sprintf("Page %d of 2This is the text of page %d.", n, n); !strings.HasPrefix(got, want) {
				t.Errorf("page %d begins %.40q", n, got)
			}
			if len(c.Fonts) != 2 {
				t.Errorf("page %d has fonts %v", n, c.Fonts)
			}
		}
	})
	t.Run("more glyphs than the limit are cut off", func(t *testing.T) {
		c := content(t, func(p *pdftest.Page) {
			for y := range 250 {
				p.Text(0, 2*float64(y), 1, pdftest.Mono, strings.Repeat("many", 250))
			}
		})
		if !c.Truncated || len(c.Glyphs) > 200_000 || len(c.Glyphs) < 100_000 {
			t.Errorf("truncated %v with %d glyphs", c.Truncated, len(c.Glyphs))
		}
	})
}

func TestContent_rules(t *testing.T) {
	const black = 0x000000FF
	for _, c := range []struct {
		name  string
		build func(p *pdftest.Page)
		want  []document.Rule
	}{
		{
			"a stroke is a line with its thickness", func(p *pdftest.Page) { p.Line(50, 500, 150, 500, 2) },
			[]document.Rule{{Kind: document.RuleLine, Box: document.Box{Left: 50, Top: 99, Right: 150, Bottom: 101}, Width: 2, Color: black}},
		},
		{
			"a thin filled rectangle is a line", func(p *pdftest.Page) { p.Fill(50, 500, 100, 1, 0, 0, 1) },
			[]document.Rule{{Kind: document.RuleLine, Box: document.Box{Left: 50, Top: 99, Right: 150, Bottom: 100}, Color: 0x0000FFFF, Fill: 0x0000FFFF}},
		},
		{
			"a filled rectangle", func(p *pdftest.Page) { p.Fill(50, 400, 100, 50, 1, 1, 1) },
			[]document.Rule{{Kind: document.RuleFill, Box: document.Box{Left: 50, Top: 150, Right: 150, Bottom: 200}, Color: 0xFFFFFFFF, Fill: 0xFFFFFFFF}},
		},
		{
			"a stroked rectangle", func(p *pdftest.Page) { p.Rect(50, 400, 100, 50, 0.5) },
			[]document.Rule{{Kind: document.RuleStroke, Box: document.Box{Left: 50, Top: 150, Right: 150, Bottom: 200}, Width: 0.5, Color: black}},
		},
		{
			"a rectangle drawn as four lines", func(p *pdftest.Page) { p.Raw("1 w 50 400 m 150 400 l 150 450 l 50 450 l 50 400 l S") },
			[]document.Rule{{Kind: document.RuleStroke, Box: document.Box{Left: 50, Top: 150, Right: 150, Bottom: 200}, Width: 1, Color: black}},
		},
		{
			"an open polyline is its lines", func(p *pdftest.Page) { p.Raw("1 w 50 400 m 150 400 l 150 450 l S") },
			[]document.Rule{
				{Kind: document.RuleLine, Box: document.Box{Left: 50, Top: 199.5, Right: 150, Bottom: 200.5}, Width: 1, Color: black},
				{Kind: document.RuleLine, Box: document.Box{Left: 149.5, Top: 150, Right: 150.5, Bottom: 200}, Width: 1, Color: black},
			},
		},
		{
			"several figures of one path come apart", func(p *pdftest.Page) { p.Raw("50 400 20 20 re 90 400 20 20 re f") },
			[]document.Rule{
				{Kind: document.RuleFill, Box: document.Box{Left: 50, Top: 180, Right: 70, Bottom: 200}, Color: black, Fill: black},
				{Kind: document.RuleFill, Box: document.Box{Left: 90, Top: 180, Right: 110, Bottom: 200}, Color: black, Fill: black},
			},
		},
		{
			"anything else is a drawing", func(p *pdftest.Page) { p.Raw("1 w 50 400 m 150 450 l 160 400 170 400 180 410 c S") },
			[]document.Rule{{Kind: document.RuleCurve, Box: document.Box{Left: 50, Top: 150, Right: 180, Bottom: 200}, Width: 1, Color: black}},
		},
		{"forms within the page are placed by their matrix", func(p *pdftest.Page) {
			p.Form([6]float64{2, 0, 0, 2, 10, 20}, "1 w 20 50 30 40 re S")
		}, []document.Rule{{Kind: document.RuleStroke, Box: document.Box{Left: 50, Top: 400, Right: 110, Bottom: 480}, Width: 2, Color: black}}},
		{"a path that paints nothing is none", func(p *pdftest.Page) { p.Raw("50 400 100 50 re n 50 400 100 50 re W n") }, nil},
		{"transparent paint is none", func(p *pdftest.Page) {
			p.Alpha(0, func() { p.Line(50, 500, 150, 500, 2); p.Fill(50, 400, 100, 50, 1, 0, 0) })
		}, nil},
		{"a line off the page is none", func(p *pdftest.Page) { p.Line(-50, 700, -10, 700, 1) }, nil},
		{"forms within forms are placed by all their matrices", func(p *pdftest.Page) {
			// Twice as large, a quarter turn to the left, then moved.
			p.FormInForm([6]float64{1, 0, 0, 1, 100, 200}, [6]float64{0, 2, -2, 0, 0, 0}, "1 w 10 20 m 40 20 l S 5 0 0 10 10 30 cm 0 0 1 1 re f")
		}, []document.Rule{
			{Kind: document.RuleLine, Box: document.Box{Left: 59, Top: 320, Right: 61, Bottom: 380}, Width: 2, Color: black},
			{Kind: document.RuleFill, Box: document.Box{Left: 20, Top: 370, Right: 40, Bottom: 380}, Color: black, Fill: black},
		}},
		{"an oblique rectangle is a drawing", func(p *pdftest.Page) {
			p.Raw("1 w 0.866 0.5 -0.5 0.866 200 300 cm 0 0 100 50 re S")
		}, []document.Rule{{Kind: document.RuleCurve, Box: document.Box{Left: 175, Top: 206.7, Right: 286.6, Bottom: 300}, Width: 1, Color: black}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, content(t, c.build).Rules, roughly, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(document.Rule{}, "MCID")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestContent_images_and_links(t *testing.T) {
	c := content(t, func(p *pdftest.Page) {
		p.Image(100, 200, 50, 25)
		p.Link(50, 490, 150, 510, "https://example.com/a?b=c")
		p.Link(50, 390, 150, 410, "https://example.org/")
	})
	wantImages := []document.Image{{Box: document.Box{Left: 100, Top: 375, Right: 150, Bottom: 400}, Width: 2, Height: 1, MCID: -1}}
	if diff := cmp.Diff(wantImages, c.Images, roughly); diff != "" {
		t.Error("images", diff)
	}
	wantLinks := []document.Link{
		{Box: document.Box{Left: 50, Top: 90, Right: 150, Bottom: 110}, URI: "https://example.com/a?b=c"},
		{Box: document.Box{Left: 50, Top: 190, Right: 150, Bottom: 210}, URI: "https://example.org/"},
	}
	if diff := cmp.Diff(wantLinks, c.Links, roughly); diff != "" {
		t.Error("links", diff)
	}
}

func TestContent_within_forms(t *testing.T) {
	c := content(t, func(p *pdftest.Page) {
		outer, inner := [6]float64{1, 0, 0, 1, 100, 200}, [6]float64{0, 2, -2, 0, 0, 0}
		p.FormInForm(outer, inner, "1 0 0 rg BT /F1 8 Tf 10 20 Td (up) Tj ET")
		p.FormInForm(outer, inner, "q 30 0 0 15 50 10 cm BI /W 2 /H 1 /CS /G /BPC 8 /F /AHx ID 00FF> EI Q")
	})
	g := c.Glyphs[0]
	got := []float64{g.OriginX, g.OriginY, g.Size, g.Angle}
	if diff := cmp.Diff([]float64{60, 380, 16, 270}, got, roughly); diff != "" || g.Color != 0xFF0000FF || !c.Fonts[g.Font].Bold {
		t.Errorf("glyph %+v in %+v: %s", g, c.Fonts[g.Font], diff)
	}
	want := []document.Image{{Box: document.Box{Left: 50, Top: 240, Right: 80, Bottom: 300}, Width: 2, Height: 1, MCID: -1, After: 1}}
	if diff := cmp.Diff(want, c.Images, roughly); diff != "" {
		t.Error("images", diff)
	}
}

// On a page of 400 × 600 cropped to 20…380 × 30…590, a glyph with origin (50, 500) and a line.
func TestContent_is_as_a_reader_sees_the_page(t *testing.T) {
	for _, c := range []struct {
		rotate        int
		width, height float64
		x, y, angle   float64
		line, link    document.Box
	}{
		{0, 360, 560, 30, 90, 0, document.Box{Left: 30, Top: 189, Right: 130, Bottom: 191}, document.Box{Left: 40, Top: 270, Right: 100, Bottom: 290}},
		{90, 560, 360, 470, 30, 90, document.Box{Left: 369, Top: 30, Right: 371, Bottom: 130}, document.Box{Left: 270, Top: 40, Right: 290, Bottom: 100}},
		{180, 360, 560, 330, 470, 180, document.Box{Left: 230, Top: 369, Right: 330, Bottom: 371}, document.Box{Left: 260, Top: 270, Right: 320, Bottom: 290}},
		{270, 560, 360, 90, 330, 270, document.Box{Left: 189, Top: 230, Right: 191, Bottom: 330}, document.Box{Left: 270, Top: 260, Right: 290, Bottom: 320}},
	} {
		t.Run(fmt.Sprintf("rotated by %d", c.rotate), func(t *testing.T) {
			got := content(t, func(p *pdftest.Page) {
				p.Crop(20, 30, 380, 590)
				p.Rotate(c.rotate)
				p.Text(50, 500, 12, pdftest.Regular, "A")
				p.Line(50, 400, 150, 400, 2)
				p.Link(60, 300, 120, 320, "https://example.com")
				p.Image(60, 300, 60, 20)
			})
			if got.Width != c.width || got.Height != c.height {
				t.Errorf("page of %v × %v, want %v × %v", got.Width, got.Height, c.width, c.height)
			}
			g := got.Glyphs[0]
			if diff := cmp.Diff([]float64{c.x, c.y, c.angle}, []float64{g.OriginX, g.OriginY, g.Angle}, roughly); diff != "" {
				t.Error("origin and angle", diff)
			}
			if diff := cmp.Diff(c.line, got.Rules[0].Box, roughly); diff != "" {
				t.Error("line", diff)
			}
			if diff := cmp.Diff([]document.Box{c.link, c.link}, []document.Box{got.Links[0].Box, got.Images[0].Box}, roughly); diff != "" {
				t.Error("link and image", diff)
			}
			if !inside(g.Box, g.Loose) {
				t.Errorf("box %v outside its loose box %v", g.Box, g.Loose)
			}
		})
	}
	t.Run("text set upwards has 270 degrees", func(t *testing.T) {
		got := content(t, func(p *pdftest.Page) {
			p.TextMatrix([6]float64{0, 1, -1, 0, 100, 100}, 12, pdftest.Regular, "up")
		})
		if a := got.Glyphs[0].Angle; a != 270 {
			t.Errorf("angle %v", a)
		}
	})
}

func inside(b, outer document.Box) bool {
	const slack = 0.5
	return b.Left >= outer.Left-slack && b.Top >= outer.Top-slack && b.Right <= outer.Right+slack && b.Bottom <= outer.Bottom+slack
}

func TestOpen(t *testing.T) {
	secret := func() *pdftest.Builder {
		b := pdftest.New()
		b.Page(300, 300).Text(50, 200, 12, pdftest.Regular, "secret")
		return b
	}
	for _, c := range []struct {
		name     string
		pdf      []byte
		password string
		code     string // "" means that it opens
	}{
		{"a plain file opens", pdftest.Text("x"), "", ""},
		{"a password that is not needed does no harm", pdftest.Text("x"), "any", ""},
		{"an owner password is not needed to read", secret().Encrypted("", "owner"), "", ""},
		{"an owner password is not needed even when a wrong one is given", secret().Encrypted("", "owner"), "wrong", ""},
		{"the user password opens", secret().Encrypted("user", "owner"), "user", ""},
		{"the owner password opens", secret().Encrypted("user", "owner"), "owner", ""},
		{"a missing password is asked for", secret().Encrypted("user", "owner"), "", "password_required"},
		{"a wrong password is refused", secret().Encrypted("user", "owner"), "wrong", "wrong_password"},
		{"a file of nonsense is damaged", pdftest.Damaged(), "", "damaged_pdf"},
		{"half a file is damaged", pdftest.Pages(3)[:300], "", "damaged_pdf"},
		{"an empty file is damaged", nil, "", "damaged_pdf"},
		{"a file without a cross-reference table is repaired", bytes.Replace(pdftest.Text("x"), []byte("startxref"), []byte("startxxxx"), 1), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := sharedRuntime(t).Open(bytes.NewReader(c.pdf), int64(len(c.pdf)), c.password)
			if c.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				if f.NumPages() != 1 {
					t.Errorf("%d pages", f.NumPages())
				}
				if err := errors.Join(f.Close(), f.Close()); err != nil {
					t.Error(err)
				}
				return
			}
			wantFault(t, err, c.code)
			if c.password != "" && strings.Contains(err.Error(), c.password+" ") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

func wantFault(t *testing.T, err error, code string) {
	t.Helper()
	if f := fault.From(err); f == nil || f.Kind != fault.Invalid || f.Code != code {
		t.Errorf("error %v, want an Invalid fault with code %s", err, code)
	}
}

func TestMeta(t *testing.T) {
	b := pdftest.New()
	b.Page(300, 300)
	b.Info("Title", " Über \tPDF ")
	b.Info("Author", "A. Author")
	b.Info("CreationDate", "D:20240229123456+02'00'")
	b.Info("ModDate", "yesterday")
	b.Language("de-CH")
	want := document.Meta{Title: "Über  PDF", Author: "A. Author", CreationDate: "2024-02-29T12:34:56+02:00", Language: "de-CH"}
	if diff := cmp.Diff(want, open(t, b.Bytes()).Meta()); diff != "" {
		t.Error(diff)
	}
	locked := open(t, b.Encrypted("", "owner")).Meta()
	if !locked.Encrypted || locked.Title != want.Title || locked.Author != want.Author || locked.Language != want.Language {
		t.Errorf("encrypted: %+v", locked)
	}
}

func TestOutline(t *testing.T) {
	b := pdftest.New()
	b.Page(400, 600)
	p := b.Page(400, 600)
	p.Crop(0, 0, 400, 500)
	b.Bookmark("One", 1, 1, 550)
	b.Bookmark("One point one", 2, 2, 450)
	b.Bookmark("Two", 1, 2, 100)
	f := open(t, b.Bytes())
	var c document.Content
	if err := f.Content(2, &c); err != nil {
		t.Fatal(err)
	}
	want := []document.Outline{
		{Title: "One", Level: 1, Page: 1, Top: 50},
		{Title: "One point one", Level: 2, Page: 2, Top: 50},
		{Title: "Two", Level: 1, Page: 2, Top: 400},
	}
	if diff := cmp.Diff(want, f.Outline(), roughly); diff != "" {
		t.Error(diff)
	}
}

func TestSaveDecrypted(t *testing.T) {
	b := pdftest.New()
	b.Page(300, 300).Text(50, 200, 12, pdftest.Regular, "secret")
	pdf := b.Encrypted("user", "owner")
	f, err := newRuntime(t).Open(bytes.NewReader(pdf), int64(len(pdf)), "user")
	if err != nil {
		t.Fatal(err)
	}
	var plain bytes.Buffer
	if err := f.SaveDecrypted(&plain); err != nil {
		t.Fatal(err)
	}
	again := open(t, plain.Bytes())
	var c document.Content
	if err := again.Content(1, &c); err != nil {
		t.Fatal(err)
	}
	if got := text(c); got != "secret" || again.Meta().Encrypted {
		t.Errorf("text %q, encrypted %v", got, again.Meta().Encrypted)
	}
	t.Run("a full disk is not the file's fault", func(t *testing.T) {
		full := errors.New("disk full")
		if err := f.SaveDecrypted(failingWriter{full}); !errors.Is(err, full) || fault.KindOf(err) != fault.Internal {
			t.Errorf("error %v", err)
		}
	})
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestRender(t *testing.T) {
	b := pdftest.New()
	b.Page(100, 50).Fill(0, 25, 50, 25, 1, 0, 0)
	f := open(t, b.Bytes())
	img, err := f.Render(1, 144)
	if err != nil {
		t.Fatal(err)
	}
	if size := img.Bounds().Size(); size.X != 200 || size.Y != 100 {
		t.Errorf("picture of %v, want 200 × 100", size)
	}
	if got := fmt.Sprint(img.RGBAAt(20, 20), img.RGBAAt(120, 20), img.RGBAAt(20, 80)); got != "{255 0 0 255} {255 255 255 255} {255 255 255 255}" {
		t.Errorf("pixels %s", got)
	}
	_, err = f.Render(1, 1e6)
	wantFault(t, err, "too_complex")
}

func TestRuntime(t *testing.T) {
	t.Run("survives a file that needs too much memory", func(t *testing.T) {
		r := newRuntime(t)
		bomb := pdftest.Bomb()
		f, err := r.Open(bytes.NewReader(bomb), int64(len(bomb)), "")
		if err != nil {
			t.Fatal(err)
		}
		var c document.Content
		wantFault(t, f.Content(1, &c), "too_complex")
		if !r.Broken() {
			t.Error("not broken after a crash")
		}
		wantFault(t, f.Content(1, &c), "too_complex")
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		good := pdftest.Text("after")
		if f, err = r.Open(bytes.NewReader(good), int64(len(good)), ""); err != nil {
			t.Fatal(err)
		}
		if err := f.Content(1, &c); err != nil || text(c) != "after" || r.Broken() {
			t.Errorf("text %q, broken %v, error %v", text(c), r.Broken(), err)
		}
	})
	t.Run("a closed file refuses work", func(t *testing.T) {
		f := open(t, pdftest.Text("x"))
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if err := f.Content(1, new(document.Content)); err == nil {
			t.Error("no error")
		}
	})
	t.Run("a page that is not there is an error", func(t *testing.T) {
		wantFault(t, open(t, pdftest.Text("x")).Content(2, new(document.Content)), "damaged_page")
	})
	t.Run("a memory limit must make sense", func(t *testing.T) {
		if _, err := pdfium.New(context.Background(), pdfium.Config{MemoryLimit: 1 << 20}); err == nil {
			t.Error("one megabyte was accepted")
		}
	})
}

// FuzzOpen feeds PDFium arbitrary bytes: whatever happens stays in its sandbox, and every failure is a
// fault.
func FuzzOpen(f *testing.F) {
	for _, seed := range [][]byte{pdftest.Pages(2), pdftest.Text("seed"), pdftest.Damaged(), pdftest.Bomb(), nil} {
		f.Add(seed)
	}
	b := pdftest.New()
	p := b.Page(300, 300)
	p.Text(50, 200, 12, pdftest.Regular, "ﬁ")
	p.Form([6]float64{1, 0, 0, 1, 0, 0}, "0 0 9 9 re f")
	p.Field(9, 9, 50, 20, "field")
	p.Link(0, 0, 9, 9, "https://example.com")
	b.Bookmark("x", 1, 1, 9)
	f.Add(b.Bytes())
	f.Add(b.Encrypted("", "owner"))
	var mu sync.Mutex
	r := newRuntime(f, func(c *pdfium.Config) { c.MemoryLimit = 64 << 20 }) // little, so that bombs go off soon
	f.Fuzz(func(t *testing.T, pdf []byte) {
		mu.Lock()
		defer mu.Unlock()
		file, err := r.Open(bytes.NewReader(pdf), int64(len(pdf)), "")
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatal(err)
			}
			return
		}
		_, _ = file.Meta(), file.Outline()
		var c document.Content
		for n := 1; n <= min(file.NumPages(), 3); n++ {
			if err := file.Content(n, &c); err != nil && fault.KindOf(err) != fault.Invalid {
				t.Error(err)
			}
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
}
