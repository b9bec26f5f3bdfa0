package stamp_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
	"github.com/ragify/ragify/internal/stamp"
)

// rewrite appends to a saved PDF what change does.
func rewrite(tb testing.TB, saved []byte, change func(*stamp.Base, *stamp.Writer)) []byte {
	tb.Helper()
	b := base(tb, saved)
	var out bytes.Buffer
	w, err := b.NewWriter(&out)
	if err != nil {
		tb.Fatal(err)
	}
	change(b, w)
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func TestWriterKeepsTheBaseAndItsLooks(t *testing.T) {
	saved := save(t, pdftest.Pages(3))
	got := rewrite(t, saved, func(b *stamp.Base, w *stamp.Writer) {
		ref, catalog, err := b.Catalog()
		if err != nil {
			t.Fatal(err)
		}
		catalog["Lang"] = stamp.Text("de")
		w.Set(ref, catalog)
		w.SetInfo(w.Add(types.Dict{"Title": stamp.Text(`Über (alles) \ “100 %” 😀`), "Author": stamp.Text(`a (b \) c`)}))
	})
	if !bytes.HasPrefix(got, saved) {
		t.Error("the base is not at the beginning, byte for byte")
	}
	checkWithQPDF(t, got)
	if !samePixels(pixels(t, saved), pixels(t, got)) {
		t.Error("the pages look different")
	}
	f := open(t, got)
	defer closeFile(t, f)
	want := document.Meta{Title: `Über (alles) \ “100 %” 😀`, Author: `a (b \) c`, Language: "de"}
	if diff := cmp.Diff(want, f.Meta()); diff != "" {
		t.Errorf("Meta (-want +got):\n%s", diff)
	}
}

func TestWriterReplacesPagesAndAddsStreams(t *testing.T) {
	saved := save(t, pdftest.Pages(2))
	got := rewrite(t, saved, func(b *stamp.Base, w *stamp.Writer) {
		page, err := b.Page(2)
		if err != nil {
			t.Fatal(err)
		}
		content, err := b.Stream(page.Dict["Contents"], 1<<20)
		if err != nil || !bytes.Contains(content, []byte("Page 2 of 2")) {
			t.Fatalf("Stream: %v, %q", err, content)
		}
		page.Dict["Contents"] = w.AddStream(nil, bytes.ReplaceAll(content, []byte("Page 2 of 2"), []byte("Replaced")))
		if !w.Set(page.Ref, page.Dict) || w.Set(page.Ref, page.Dict) || !w.IsSet(page.Ref) {
			t.Error("a page is set once, and only once")
		}
	})
	checkWithQPDF(t, got)
	f := open(t, got)
	defer closeFile(t, f)
	var c document.Content
	var text strings.Builder
	for n := 1; n <= 2; n++ {
		if err := f.Content(n, &c); err != nil {
			t.Fatal(err)
		}
		for _, g := range c.Glyphs[:8] {
			text.WriteRune(g.Rune)
		}
		text.WriteByte('\n')
	}
	if text.String() != "Page 1 o\nReplaced\n" {
		t.Errorf("text %q", &text)
	}
}

func TestWriterGivesTheSameBytesAgain(t *testing.T) {
	saved := save(t, pdftest.Pages(1))
	change := func(_ *stamp.Base, w *stamp.Writer) {
		w.Add(types.Dict{"A": types.Integer(1), "B": types.Name("odd name#"), "C": nil, "D": types.Array{types.Float(0.5), nil}})
		w.AddStream(types.Dict{"Type": types.Name("XObject")}, []byte("q Q"))
	}
	first, second := rewrite(t, saved, change), rewrite(t, saved, change)
	if !bytes.Equal(first, second) {
		t.Error("the same changes gave other bytes")
	}
	if want := "<</A 1/B /odd#20name#23/C null/D [0.5 null]>>"; !bytes.Contains(first, []byte(want)) {
		t.Errorf("no %s in the file", want)
	}
}

type fullDisk struct{ left int }

func (d *fullDisk) Write(p []byte) (int, error) {
	if d.left -= len(p); d.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func TestWriterTellsOfAFullDisk(t *testing.T) {
	saved := save(t, pdftest.Pages(1))
	w, err := base(t, saved).NewWriter(&fullDisk{len(saved) + 100})
	if err != nil {
		t.Fatal(err)
	}
	w.AddStream(nil, bytes.Repeat([]byte("0123456789"), 1000))
	for range 5000 {
		w.Add(types.Dict{"K": types.Name("V")})
	}
	if err := w.Close(); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("Close: %v", err)
	}
}

func TestTextReadsBack(t *testing.T) {
	for _, want := range []string{"", "plain", `a (b \) c`, "Ünïcödé ÿ", "“quoted” – …€žﬁ•", "þÿ like UTF-16", "ï»¿ like UTF-8", "日本語 😀", "soft\u00ADhyphen"} {
		b := pdftest.New()
		b.Page(100, 100)
		pdf := rewrite(t, save(t, b.Bytes()), func(_ *stamp.Base, w *stamp.Writer) {
			w.SetInfo(w.Add(types.Dict{"Title": stamp.Text(want)}))
		})
		f := open(t, pdf)
		if got := f.Meta().Title; got != want {
			t.Errorf("%q reads back as %q", want, got)
		}
		closeFile(t, f)
	}
}

// handmade lays out objects, the first one being the catalogue, as PDFium would.
func handmade(objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\r\n")
	var table strings.Builder
	for i, o := range objects {
		fmt.Fprintf(&table, "%010d 00000 n\r\n", b.Len())
		fmt.Fprintf(&b, "%d 0 obj\r\n%s\r\nendobj\r\n", i+1, o)
	}
	fmt.Fprintf(&b, "xref\r\n0 1\r\n0000000000 65535 f\r\n1 %d\r\n%strailer\r\n<</Root 1 0 R /Size %d>>\r\nstartxref\r\n%d\r\n%%%%EOF\r\n",
		len(objects), &table, len(objects)+1, b.Len())
	return b.Bytes()
}

func TestPagesInherit(t *testing.T) {
	b := base(t, handmade(
		"<</Type/Catalog/Pages 2 0 R>>",
		"<</Type/Pages/Count 3/Kids[3 0 R 5 0 R null 3 0 R]/MediaBox[0 0 200 100]/Rotate 90>>",
		"<</Type/Pages/Count 1/Parent 2 0 R/Kids[4 0 R]/Resources<</Font<</F1 null>>>>/CropBox[150 -10 20 90]>>",
		"<</Type/Page/Parent 3 0 R>>",
		"<</Type/Page/Parent 2 0 R/Rotate -90/MediaBox 6 0 R>>",
		"[10 10 60.5 110]",
	))
	if b.NumPages() != 4 {
		t.Fatalf("%d pages", b.NumPages())
	}
	type facts struct {
		Width, Height float64
		Fonts         bool
		User          [4]float64
	}
	var got []facts
	for n := 1; n <= 2; n++ {
		p, err := b.Page(n)
		if err != nil {
			t.Fatal(err)
		}
		w, h := p.Size()
		_, fonts := p.Resources["Font"]
		got = append(got, facts{w, h, fonts, p.ToUser(document.Box{Left: 1, Top: 2, Right: 11, Bottom: 22})})
	}
	want := []facts{
		{90, 130, true, [4]float64{22, 1, 42, 11}},
		{100, 50.5, false, [4]float64{38.5, 99, 58.5, 109}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	for _, n := range []int{0, 3, 4, 5} { // none, null, a circle, none
		if _, err := b.Page(n); !errors.Is(err, stamp.ErrUnreadable) {
			t.Errorf("Page(%d): %v", n, err)
		}
	}
}

func TestOpenRefusesWhatPDFiumDidNotWrite(t *testing.T) {
	good := handmade("<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Count 0/Kids[]>>")
	deep := "<</Type/Catalog/Pages 2 0 R/X" + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + ">>"
	for name, pdf := range map[string][]byte{
		"empty":                {},
		"no startxref":         []byte("%PDF-1.7\n"),
		"startxref outside":    bytes.ReplaceAll(good, []byte("startxref\r\n"), []byte("startxref\r\n99")),
		"no table":             bytes.ReplaceAll(good, []byte("xref\r\n0"), []byte("yref\r\n0")),
		"a section too long":   bytes.ReplaceAll(good, []byte("1 2\r\n0"), []byte("1 9\r\n0")),
		"no trailer":           bytes.ReplaceAll(good, []byte("trailer"), []byte("trolley")),
		"encrypted":            bytes.ReplaceAll(good, []byte("/Size 3"), []byte("/Encrypt 3")),
		"more than one part":   bytes.ReplaceAll(good, []byte("/Size 3"), []byte("/Prev 3")),
		"no root":              bytes.ReplaceAll(good, []byte("/Root 1"), []byte("/Root 7")),
		"nested without bound": handmade(deep, "<</Type/Pages/Count 0/Kids[]>>"),
	} {
		if _, err := stamp.Open(bytes.NewReader(pdf), int64(len(pdf))); !errors.Is(err, stamp.ErrUnreadable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStreamIsBounded(t *testing.T) {
	b := base(t, save(t, pdftest.Pages(1)))
	page, err := b.Page(1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Stream(page.Dict["Contents"], 16); !errors.Is(err, stamp.ErrUnreadable) {
		t.Errorf("a stream larger than allowed: %v", err)
	}
}

// FuzzOpen reads hostile files as if PDFium had written them, and appends to what it can read, boxes included.
func FuzzOpen(f *testing.F) {
	f.Add(handmade("<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Count 1/Kids[3 0 R]>>", "<</Type/Page/Parent 2 0 R/Contents 4 0 R/Annots[5 0 R]>>",
		"<</Length 3>>stream\r\nq Q\r\nendstream", "<</Subtype/Link/Rect[0 0 1 1]/A<</URI(a\\)b)>>>>"))
	f.Add(handmade("<</Type/Catalog/Pages 2 0 R/OCProperties<</OCGs[3 0 R]/D<</Order[3 0 R]>>>>>>", "<</Kids[]>>", "<</Type/OCG/Name<FEFF00e4>>>"))
	f.Fuzz(func(t *testing.T, pdf []byte) {
		if len(pdf) > 1<<16 {
			t.Skip()
		}
		b, err := stamp.Open(bytes.NewReader(pdf), int64(len(pdf)))
		if err != nil {
			return
		}
		w, err := b.NewWriter(io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		d := allKinds()
		for n := 1; n <= min(b.NumPages(), 8); n++ {
			page, err := b.Page(n)
			if err != nil {
				continue
			}
			boxes := d.Pages[0]
			boxes.Number = n
			boxes.Width, boxes.Height = page.Size()
			d.Pages = append(d.Pages, boxes)
			_, _ = b.Stream(page.Dict["Contents"], 1<<20) // it may be anything; what counts is that nothing hangs or panics
			w.Set(page.Ref, page.Dict)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		b.Signed()
		if _, err := stamp.Annotate(io.Discard, b, d); err != nil && !errors.Is(err, stamp.ErrUnreadable) {
			t.Fatal(err)
		}
	})
}
