package export_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/export"
	"github.com/ragify/ragify/internal/export/exporttest"
	"github.com/ragify/ragify/internal/option"
)

// pictured is a page with a figure that has a picture, and what change makes of the figure.
func pictured(change ...func(*document.Element)) *document.Document {
	e := document.Element{
		ID: "p1.e1", Kind: document.Figure, Page: 1, Box: document.Box{Right: 150, Bottom: 75},
		Picture: &document.Picture{Name: "images/p1.e1.png", Type: "image/png", Path: "no file is read", Width: 400, Height: 200},
	}
	for _, f := range change {
		f(&e)
	}
	return &document.Document{NumPages: 1, Pages: []document.Page{{Number: 1, Elements: []document.Element{e}}}}
}

// caption adds a caption below the figure.
func caption(d *document.Document, s string) *document.Document {
	p := &d.Pages[0]
	p.Elements = append(p.Elements, document.Element{ID: "p1.e2", Kind: document.Caption, Page: 1, Box: document.Box{Top: 80, Right: 150, Bottom: 90}, Lines: lines(s)})
	return d
}

func external() option.Options {
	o := option.Default()
	o.ImageOutput = "external"
	return o
}

func TestPictures(t *testing.T) {
	alt := func(s string) func(*document.Element) { return func(e *document.Element) { e.Alt = s } }
	words := func(s string) func(*document.Element) {
		return func(e *document.Element) {
			e.Children = []document.Element{{ID: "p1.e3", Kind: document.Paragraph, Page: 1, Lines: lines(s)}}
		}
	}
	t.Run("in Markdown they are images with the text that stands for them, their caption or nothing", func(t *testing.T) {
		for _, c := range []struct {
			doc  *document.Document
			want string
		}{
			{pictured(), "![](images/p1.e1.png)\n"},
			{pictured(alt("A [chart] of *all*")), "![A \\[chart\\] of \\*all\\*](images/p1.e1.png)\n"},
			{caption(pictured(), "Figure 1: Sales"), "![Figure 1: Sales](images/p1.e1.png)\n\nFigure 1: Sales\n"},
			{caption(pictured(alt("Bars")), "Figure 1: Sales"), "![Bars](images/p1.e1.png)\n\nFigure 1: Sales\n"},
			{caption(pictured(), strings.Repeat("word ", 50)), "![" + strings.Repeat("word ", 39) + "word…](images/p1.e1.png)\n\n" + strings.TrimSpace(strings.Repeat("word ", 50)) + "\n"},
		} {
			if diff := cmp.Diff(c.want, write(t, option.Markdown, c.doc, external())); diff != "" {
				t.Error(diff)
			}
			if err := exporttest.Check(c.doc, external()); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("text in them follows", func(t *testing.T) {
		d := pictured(alt("Bars"), words("2024 2025"))
		if diff := cmp.Diff("![Bars](images/p1.e1.png)\n\n2024 2025\n", write(t, option.Markdown, d, external())); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff("2024 2025\n", write(t, option.Text, d, external())); diff != "" {
			t.Error(diff)
		}
		want := `<figure id="p1.e1">
<img src="images/p1.e1.png" width="400" height="200" style="width:200px" alt="Bars">
<details class="drawn">
<summary lang="en">Text in the picture</summary>
<p id="p1.e3">2024 2025</p>
</details>
</figure>
`
		if diff := cmp.Diff(want, html(t, external(), d.Pages[0].Elements...)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("in HTML they are as large as on the page, and a caption is not said twice", func(t *testing.T) {
		want := `<figure id="p1.e1">
<img src="images/p1.e1.png" width="400" height="200" style="width:200px" alt="">
<figcaption id="p1.e2">Figure 1: <q></figcaption>
</figure>
`
		d := caption(pictured(), "Figure 1: <q>")
		if diff := cmp.Diff(strings.ReplaceAll(want, "<q>", "&lt;q&gt;"), html(t, external(), d.Pages[0].Elements...)); diff != "" {
			t.Error(diff)
		}
		page := write(t, option.HTML, d, external())
		if !strings.Contains(page, "img-src data: 'self' file:;") {
			t.Error("the page's policy keeps its pictures out")
		}
	})
	t.Run("in plain text there are none", func(t *testing.T) {
		if diff := cmp.Diff("A chart\n", write(t, option.Text, pictured(alt("A chart")), external())); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("in JSON they are part of their figure, which names its caption", func(t *testing.T) {
		got := write(t, option.JSON, caption(pictured(alt("Bars")), "Figure 1: Sales"), external())
		want := `"alt":"Bars","caption":"p1.e2","image":{"file":"images/p1.e1.png","type":"image/png","width":400,"height":200}}`
		if !strings.Contains(got, want) {
			t.Errorf("%s", got)
		}
	})
	t.Run("the parts of a figure share its caption", func(t *testing.T) {
		part := func(id string, left float64) document.Element {
			return document.Element{ID: id, Kind: document.Figure, Page: 1, Box: document.Box{Left: left, Top: 100, Right: left + 100, Bottom: 200}}
		}
		note := document.Element{ID: "p1.e3", Kind: document.Caption, Page: 1, Box: document.Box{Left: 100, Top: 210, Right: 220, Bottom: 220}, Lines: lines("Figure 2: Parts")}
		far := part("p1.e0", 0)
		far.Box.Top, far.Box.Bottom = 0, 40
		d := &document.Document{Pages: []document.Page{{Number: 1, Elements: []document.Element{far, part("p1.e1", 0), part("p1.e2", 120), note, part("p1.e4", 400)}}}}
		got := write(t, option.JSON, d, external())
		var linked []string
		for _, line := range strings.Split(got, "\n") {
			if strings.Contains(line, `"caption":"p1.e3"`) {
				linked = append(linked, line[len(`{"id":"`):len(`{"id":"p1.e1`)])
			}
		}
		if diff := cmp.Diff([]string{"p1.e1", "p1.e2"}, linked); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("captions are linked in JSON also where a figure has no picture", func(t *testing.T) {
		bare := caption(pictured(func(e *document.Element) { e.Picture = nil }), "Figure 1: Sales")
		if got := write(t, option.JSON, bare, external()); !strings.Contains(got, `"caption":"p1.e2"`) {
			t.Errorf("%s", got)
		}
		if got := write(t, option.JSON, bare, option.Default()); strings.Contains(got, `"caption":"`) {
			t.Errorf("nobody asked for pictures: %s", got)
		}
	})
}

func TestEmbeddedPictures(t *testing.T) {
	o := option.Default()
	o.ImageOutput = "embedded"
	stored := func(t *testing.T, size int) *document.Document {
		t.Helper()
		path := filepath.Join(t.TempDir(), "picture")
		if err := os.WriteFile(path, bytes.Repeat([]byte{1, 2, 250}, size/3), 0o600); err != nil {
			t.Fatal(err)
		}
		return pictured(func(e *document.Element) { e.Picture.Path, e.Alt = path, `"data":""` })
	}
	t.Run("every format that can show them holds the file as a data URI", func(t *testing.T) {
		d := stored(t, 99)
		uri := "data:image/png;base64," + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1, 2, 250}, 33))
		for f, want := range map[option.Format]string{
			option.Markdown: `!["data":""](` + uri + ")",
			option.HTML:     `<img src="` + uri + `" width="400"`,
			option.JSON:     `"image":{"data":"` + uri + `","type":"image/png"`,
		} {
			if got := write(t, f, d, o); !strings.Contains(got, want) {
				t.Errorf("%s: %s", f, got)
			}
		}
		if err := exporttest.Check(d, o); err != nil {
			t.Error(err)
		}
	})
	t.Run("several in one element of JSON come in their order", func(t *testing.T) {
		first, second := stored(t, 30).Pages[0].Elements[0], stored(t, 60).Pages[0].Elements[0]
		first.ID, second.ID = "p1.e2", "p1.e3"
		d := &document.Document{Pages: []document.Page{{Number: 1, Elements: []document.Element{{
			ID: "p1.e1", Kind: document.Header, Page: 1, Children: []document.Element{first, second},
		}}}}}
		got := write(t, option.JSON, d, o)
		if a, b := strings.Index(got, strings.Repeat("AQL6", 10)+`",`), strings.Index(got, strings.Repeat("AQL6", 20)+`",`); a < 0 || b < a {
			t.Errorf("%s", got)
		}
		if err := exporttest.Check(d, o); err != nil {
			t.Error(err)
		}
	})
	t.Run("they are never in memory as a whole", func(t *testing.T) {
		const size = 12 << 20
		d := stored(t, size)
		for _, f := range []option.Format{option.Markdown, option.HTML, option.JSON} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var n counter
			if err := export.Write(&n, f, d, o); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if used := after.TotalAlloc - before.TotalAlloc; used > size/4 || n < size {
				t.Errorf("%s: %d bytes allocated for %d written", f, used, n)
			}
		}
	})
	t.Run("a picture that is gone fails the output", func(t *testing.T) {
		for _, f := range []option.Format{option.Markdown, option.HTML, option.JSON} {
			if err := export.Write(&bytes.Buffer{}, f, pictured(), o); err == nil {
				t.Errorf("%s: no error", f)
			}
		}
	})
}

// counter counts what is written to it.
type counter int

func (n *counter) Write(p []byte) (int, error) {
	*n += counter(len(p))
	return len(p), nil
}

// FuzzPictureAlt takes any text for what stands for a picture. In Markdown it is that text and nothing else, whatever
// markup it looks like.
func FuzzPictureAlt(f *testing.F) {
	for _, s := range []string{"A chart", "](x) [y]", "![", "\\", "a\\](b", "*a* `b` <c> &amp; http://a.b/", "\n# x", "[a][b]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, alt string) {
		d := pictured(func(e *document.Element) { e.Alt = alt })
		if err := exporttest.Check(d, external()); err != nil {
			t.Fatal(err)
		}
		source := []byte(write(t, option.Markdown, d, external()))
		image, ok := goldmark.DefaultParser().Parse(text.NewReader(source)).FirstChild().FirstChild().(*ast.Image)
		if !ok {
			t.Fatalf("no picture in %q", source)
		}
		var out bytes.Buffer
		if err := goldmark.DefaultRenderer().Render(&out, source, image); err != nil {
			t.Fatal(err)
		}
		want := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(visible(write(t, option.Text, d, external())))
		if _, got, _ := strings.Cut(out.String(), `alt="`); visible(got) != want+`">` {
			t.Errorf("alt %q, want %q, in %q", visible(got), want, source)
		}
	})
}

// visible is s without white space.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}
