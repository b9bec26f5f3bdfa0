package engine_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/ocr/ocrtest"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
	"github.com/ragify/ragify/internal/stamp/stamptest"
)

var update = flag.Bool("update", false, "write the tags that the code makes as the expected ones")

// taggedFiles is the golden file of TestConvert_tagged_pdf: the tags of each case, as PDFium reads them.
var taggedFiles = filepath.Join("testdata", "tags.txtar")

// A taggedCase is a file to be tagged. Each rule is a case.
type taggedCase struct {
	name   string
	pdf    func(b *pdftest.Builder)
	change func(o *option.Options) // nil: default options
}

func taggedCases() []taggedCase {
	return []taggedCase{
		{name: "headings skip no level, paragraphs keep their lines, running heads are artifacts", pdf: reportPages},
		{name: "lists have labels and bodies, lists in them too", pdf: func(b *pdftest.Builder) {
			p := b.Page(612, 792)
			p.Text(72, 700, 11, pdftest.Regular, "Before you start, have this at hand:")
			for i, s := range []string{"1. A pen with black ink", "2. The form in two copies", "3. An envelope"} {
				p.Text(72, 670-16*float64(i), 11, pdftest.Regular, s)
			}
			p.Text(72, 600, 11, pdftest.Regular, "Then go on to the counter.")
		}},
		{name: "tables have rows, header cells with a scope and spans", pdf: func(b *pdftest.Builder) {
			p := b.Page(612, 792)
			p.Text(72, 716, 10, pdftest.Regular, "Table 1: Fruit by month")
			grid(p, []float64{72, 172, 272, 372}, []float64{700, 680, 660, 640})
			for r, row := range [][3]string{{"Fruit", "May", "June"}, {"Apples", "12", "15"}, {"Pears", "7", "9"}} {
				for c, s := range row {
					font := pdftest.Regular
					if r == 0 {
						font = pdftest.Bold
					}
					p.Text(76+100*float64(c), 686-20*float64(r), 10, font, s)
				}
			}
		}},
		{name: "one string over several cells is divided between them", pdf: func(b *pdftest.Builder) {
			p := b.Page(612, 792)
			grid(p, []float64{72, 172, 272, 372}, []float64{700, 680, 660, 640})
			for r, row := range [][3]string{{"Fruit", "May", "June"}, {"Apples", "12", "15"}, {"Pears", "7", "9"}} {
				gap := func(s string) float64 { return -10000 + 500*float64(len(s)) } // of letters half an em wide
				p.Raw(fmt.Sprintf("BT /F4 10 Tf 76 %d Td [(%s) %g (%s) %g (%s)] TJ ET", 686-20*r, row[0], gap(row[0])-500*0.2*float64(len(row[0])), row[1], gap(row[1]), row[2]))
			}
		}},
		{name: "links are elements around their text", pdf: func(b *pdftest.Builder) {
			p := b.Page(612, 792)
			p.Text(72, 700, 12, pdftest.Mono, "More is on our pages, and in the library.")
			p.Link(122, 697, 195, 712, "https://example.com/")
		}},
		{name: "figures have a text that stands for them, and take their caption", pdf: func(b *pdftest.Builder) {
			p := b.Page(612, 792)
			p.Text(72, 700, 11, pdftest.Regular, "The house stands at the end of the street.")
			p.Image(72, 480, 300, 180)
			p.Text(72, 460, 9, pdftest.Regular, "Figure 1: The house from the south.")
		}},
		{name: "forms for one element are marked whole, others within", pdf: func(b *pdftest.Builder) {
			p := b.Page(612, 792)
			p.Form([6]float64{1, 0, 0, 1, 0, 0}, "BT /F0 11 Tf 72 700 Td (A paragraph that is a form.) Tj ET")
			p.Form([6]float64{1, 0, 0, 1, 0, -60}, "BT /F1 18 Tf 72 700 Td (A heading) Tj ET BT /F0 11 Tf 72 670 Td (and its text are in one form.) Tj ET")
			p.FormInForm([6]float64{1, 0, 0, 1, 0, -120}, [6]float64{1, 0, 0, 1, 0, -20}, "BT /F1 18 Tf 72 700 Td (Another one) Tj ET BT /F0 11 Tf 72 670 Td (in a form in a form.) Tj ET")
		}},
		{name: "what marks say of their text goes on, and optional content stays", pdf: func(b *pdftest.Builder) {
			p := b.Page(612, 792)
			p.Raw("/Span <</ActualText (Ms)>> BDC BT /F0 11 Tf 72 700 Td (M.) Tj ET EMC")
			p.Text(90, 700, 11, pdftest.Regular, "Miller has signed.")
			p.Raw("/OC /Layer BDC BT /F0 11 Tf 72 660 Td (Only on the layer.) Tj ET EMC")
		}},
		{name: "old tags are replaced", pdf: func(b *pdftest.Builder) {
			p := b.Page(612, 792)
			old := b.Tag("Document", "").Tag("BlockQuote", "")
			p.Mark(old, func() { p.Text(72, 700, 11, pdftest.Regular, "Tagged by somebody else.") })
			p.Artifact(func() { p.Text(72, 660, 11, pdftest.Regular, "Said to be nothing, but text.") })
		}},
		{name: "form fields are elements", pdf: func(b *pdftest.Builder) {
			p := b.Page(612, 792)
			p.Text(72, 700, 11, pdftest.Regular, "Please give your name:")
			p.Field(200, 696, 100, 16, "")
		}},
		{name: "listings are code", pdf: func(b *pdftest.Builder) {
			p := b.Page(612, 792)
			p.Text(72, 730, 11, pdftest.Regular, "This is how it is done in a program of one's own, from the very beginning:")
			for i, s := range []string{"func main() {", "    n := 0", "    for n < 10 {", "        n++", "    }", "}"} {
				p.Text(72, 700-12*float64(i), 10, pdftest.Mono, s)
			}
		}},
		{name: "cropped and turned pages are as good as others", pdf: func(b *pdftest.Builder) {
			p := b.Page(612, 792)
			p.Crop(50, 50, 500, 750)
			p.Rotate(90)
			p.TextMatrix([6]float64{0, 1, -1, 0, 200, 100}, 18, pdftest.Bold, "Turned")
			p.TextMatrix([6]float64{0, 1, -1, 0, 230, 100}, 11, pdftest.Regular, "This page is read from the side.")
		}},
		{name: "operators of all kinds", pdf: func(b *pdftest.Builder) {
			p := b.Page(612, 792)
			p.Raw("BT /F0 11 Tf 14 TL 72 700 Td (The first line, and) ' 1 0 (the second one,) \" <746865207468697264> Tj ( ) Tj () Tj (one) Tj ET")
			p.Raw("q 7 Tr BT /F0 40 Tf 72 500 Td (Clip) Tj ET 72 490 200 60 re f Q")
			p.Raw("72 400 100 50 re W n 72 400 m 200 420 l S q 0.5 g 300 300 50 50 re f Q")
		}},
	}
}

// reportPages are two pages with running heads, a title, headings that leave out a level, and paragraphs.
func reportPages(b *pdftest.Builder) {
	b.Language("en")
	for n := range 3 {
		p := b.Page(612, 792)
		p.Text(72, 760, 9, pdftest.Regular, "Annual report of the library")
		p.Text(300, 30, 9, pdftest.Regular, fmt.Sprint(n+1))
		if n == 0 {
			p.Text(72, 700, 24, pdftest.Bold, "A Year of Books")
		}
		p.Text(72, 660, 16, pdftest.Bold, [3]string{"Readers", "Rooms", "Plans"}[n])
		p.Text(72, 630, 11, pdftest.Regular, "There were more of them than in any year before, and the")
		p.Text(72, 616, 11, pdftest.Regular, "numbers rose in every month. Most of what they asked for")
		p.Text(72, 602, 11, pdftest.Regular, "was there on the same day.")
		p.Text(72, 570, 12, pdftest.Bold, "Details")
		p.Text(72, 550, 11, pdftest.Regular, "They are in the appendix, which comes as a separate volume")
		p.Text(72, 536, 11, pdftest.Regular, "later in the year.")
	}
}

// grid draws the lines of a table.
func grid(p *pdftest.Page, xs, ys []float64) {
	for _, x := range xs {
		p.Line(x, ys[0], x, ys[len(ys)-1], 0.5)
	}
	for _, y := range ys {
		p.Line(xs[0], y, xs[len(xs)-1], y, 0.5)
	}
}

// TestConvert_tagged_pdf tags files and reads them back: the tags are those of the golden file (-update writes them),
// their order is that of the JSON, and no page looks different.
func TestConvert_tagged_pdf(t *testing.T) {
	e := newEngine(t, 1)
	r := newTagReader(t)
	archive, err := txtar.ParseFile(taggedFiles)
	if err != nil && !*update {
		t.Fatal(err)
	}
	want := make(map[string]string)
	if archive != nil {
		for _, f := range archive.Files {
			want[f.Name] = string(f.Data)
		}
	}
	made := &txtar.Archive{Comment: []byte("The tags of the cases of TestConvert_tagged_pdf, page by page.\n")}
	for _, c := range taggedCases() {
		t.Run(c.name, func(t *testing.T) {
			b := pdftest.New()
			c.pdf(b)
			reading, _ := tag(t, e, r, b.Bytes(), c.change)
			got := ""
			for i, tags := range reading.Tags {
				got += fmt.Sprintf("page %d\n%s", i+1, tags)
			}
			made.Files = append(made.Files, txtar.File{Name: c.name, Data: []byte(got)})
			if diff := cmp.Diff(want[c.name], got); diff != "" && !*update {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
		})
	}
	if *update {
		if err := os.WriteFile(taggedFiles, txtar.Format(made), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func newTagReader(t *testing.T) *stamptest.Reader {
	t.Helper()
	cache, err := pdftest.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	r, err := stamptest.NewReader(t.Context(), cache)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// tag converts a PDF to tagged-pdf, and checks what holds for each: pixels, order, soundness.
func tag(t *testing.T, e *engine.Engine, r *stamptest.Reader, pdf []byte, change func(*option.Options)) (stamptest.Reading, engine.Result) {
	t.Helper()
	q := request(t, save(t, pdf), option.TaggedPDF, option.JSON)
	q.Options.KeepLineBreaks = true
	if change != nil {
		change(&q.Options)
	}
	result, err := e.Convert(within(t), q, nil)
	if err != nil {
		t.Fatal(err)
	}
	output, err := os.ReadFile(filepath.Join(q.OutDir, "out.json"))
	if err != nil {
		t.Fatal(err)
	}
	var skipped []int
	for _, w := range result.Warnings {
		if w.Code == "pages_not_tagged" {
			skipped = w.Pages
		}
	}
	tagged := filepath.Join(q.OutDir, "out.tagged.pdf")
	reading, err := r.Read(q.Source, tagged, output, skipped)
	if err != nil {
		t.Fatal(err)
	}
	// Divided strings may be rounded to other pixels; nothing else may change any.
	const most = 0.001
	if reading.Pixels > most {
		t.Errorf("page %d: %g %% of its pixels differ", reading.Page, 100*reading.Pixels)
	}
	if reading.Order != "" {
		t.Errorf("the order of the tags is not that of the JSON: %s", reading.Order)
	}
	if qpdf, err := exec.LookPath("qpdf"); err != nil {
		t.Log("SKIPPED: qpdf --check, for qpdf is not installed")
	} else if out, err := exec.CommandContext(within(t), qpdf, "--check", tagged).CombinedOutput(); err != nil {
		t.Errorf("qpdf: %s", out)
	}
	return reading, result
}

func TestConvert_tagged_pdf_warns(t *testing.T) {
	e := newEngine(t, 1)
	r := newTagReader(t)
	warned := func(result engine.Result, code string) string {
		for _, w := range result.Warnings {
			if w.Code == code {
				return fmt.Sprintf("%s %v", code, w.Pages)
			}
		}
		return ""
	}
	t.Run("of pages that were not selected", func(t *testing.T) {
		reading, result := tag(t, e, r, pdftest.Pages(3), func(o *option.Options) { o.Pages = "2" })
		if got, want := warned(result, "pages_not_tagged"), "pages_not_tagged [1 3]"; got != want {
			t.Errorf("warning %q, want %q", got, want)
		}
		if reading.Tags[0] != "" || !strings.Contains(reading.Tags[1], "Page 2 of 3") {
			t.Errorf("tags %q", reading.Tags)
		}
	})
	t.Run("of pages that have too much on them", func(t *testing.T) {
		const lines, letters = 201, 1000 // more than the 200,000 characters of a page that are read
		b := pdftest.New()
		p := b.Page(300, 300)
		p.Raw("BT /" + pdftest.Regular + " 1 Tf " + strings.Repeat("("+strings.Repeat("abcd ", letters/5)+") Tj 0 1 Td ", lines) + "ET")
		b.Page(300, 300).Text(50, 200, 12, pdftest.Regular, "The next page")
		reading, result := tag(t, e, r, b.Bytes(), nil)
		if got, want := warned(result, "pages_not_tagged"), "pages_not_tagged [1]"; got != want {
			t.Errorf("warning %q, want %q", got, want)
		}
		if reading.Tags[0] != "" || !strings.Contains(reading.Tags[1], "The next page") {
			t.Errorf("tags %.100q", reading.Tags)
		}
	})
	t.Run("of tags that are replaced", func(t *testing.T) {
		b := pdftest.New()
		p := b.Page(300, 300)
		p.Mark(b.Tag("P", ""), func() { p.Text(50, 200, 12, pdftest.Regular, "text") })
		if _, result := tag(t, e, r, b.Bytes(), nil); warned(result, "tags_replaced") == "" {
			t.Errorf("no warning among %v", result.Warnings)
		}
	})
	t.Run("of a signature that is lost", func(t *testing.T) {
		b := pdftest.New()
		b.Page(300, 300).Text(50, 200, 12, pdftest.Regular, "Contract")
		b.Sign()
		if _, result := tag(t, e, r, b.Bytes(), nil); warned(result, "signature_invalidated") == "" {
			t.Errorf("no warning among %v", result.Warnings)
		}
	})
}

// TestConvert_tagged_pdf_has_a_title: readers announce it, so a file that says none gets what a person would call it.
func TestConvert_tagged_pdf_has_a_title(t *testing.T) {
	e := newEngine(t, 1)
	for name, c := range map[string]struct {
		pdf  func(b *pdftest.Builder)
		want string
	}{
		"its highest heading": {reportPages, "A Year of Books"},
		"the first line where none is": {func(b *pdftest.Builder) {
			p := b.Page(612, 792)
			p.Text(72, 700, 11, pdftest.Regular, "Dear Ms Miller, we thank you for the letter of last week,")
			p.Text(72, 686, 11, pdftest.Regular, "which we have read with care.")
		}, "Dear Ms Miller, we thank you for the letter of last week,"},
		"none without text": {func(b *pdftest.Builder) { b.Page(612, 792).Rect(100, 100, 50, 50, 1) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := pdftest.New()
			c.pdf(b)
			q := request(t, save(t, b.Bytes()), option.TaggedPDF)
			if _, err := e.Convert(within(t), q, nil); err != nil {
				t.Fatal(err)
			}
			info, err := e.Inspect(within(t), filepath.Join(q.OutDir, "out.tagged.pdf"), "", false)
			if err != nil || info.Meta.Title != c.want {
				t.Errorf("title %q, %v; want %q", info.Meta.Title, err, c.want)
			}
		})
	}
}

// TestConvert_tagged_pdf_annotations checks what PDFium does not read back: elements that are annotations.
func TestConvert_tagged_pdf_annotations(t *testing.T) {
	b := pdftest.New()
	p := b.Page(300, 300)
	p.Text(50, 200, 12, pdftest.Regular, "Name:")
	p.Field(100, 196, 100, 16, "")
	p.Link(50, 50, 80, 80, "https://example.com/")
	q := request(t, save(t, b.Bytes()), option.TaggedPDF)
	if _, err := newEngine(t, 1).Convert(within(t), q, nil); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(q.OutDir, "out.tagged.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	compact := strings.ReplaceAll(string(got), " ", "")
	for _, want := range []string{"/S/Form", "/S/Link", "/OBJR", "/StructParent1", "/Tabs/S", "/MarkInfo<</Markedtrue>>", "/Lang(und)", "/ParentTree", "/IDTree"} {
		if !strings.Contains(compact, want) {
			t.Errorf("no %s", want)
		}
	}
}

// TestConvert_tagged_pdf_of_a_scan checks that what was read from a picture is text below the tags, and changes no pixel.
func TestConvert_tagged_pdf_of_a_scan(t *testing.T) {
	ocrtest.Install(t, "eng", read)
	reading, _ := tag(t, newEngine(t, 1), newTagReader(t), scans(2, nil), nil)
	want := "Document\n  P\n    \"read by recognition\"\n"
	if diff := cmp.Diff([]string{want, want}, reading.Tags); diff != "" {
		t.Error(diff)
	}
}
