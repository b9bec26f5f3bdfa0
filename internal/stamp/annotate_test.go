package stamp_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
	"github.com/ragify/ragify/internal/stamp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// annotate gives a saved PDF with boxes, none of whose pages may be left out.
func annotate(tb testing.TB, saved []byte, d *document.Document) []byte {
	tb.Helper()
	var out bytes.Buffer
	skipped, err := stamp.Annotate(&out, base(tb, saved), d)
	if err != nil || len(skipped) > 0 {
		tb.Fatalf("Annotate: pages %v left out, %v", skipped, err)
	}
	return out.Bytes()
}

func text(s string, left, top, right, bottom float64) []document.Line {
	return []document.Line{{Runs: []document.Run{{Text: s}}, Box: document.Box{Left: left, Top: top, Right: right, Bottom: bottom}}}
}

func element(id string, kind document.Kind, s string, left, top, right, bottom float64) document.Element {
	e := document.Element{ID: id, Kind: kind, Page: 1, Box: document.Box{Left: left, Top: top, Right: right, Bottom: bottom}}
	if s != "" {
		e.Lines = text(s, left, top, right, bottom)
	}
	return e
}

// allKinds is a page of 400 × 400 points with an element of every kind.
func allKinds() *document.Document {
	heading := element("p1.e2", document.Heading, "Überschrift", 60, 40, 200, 60)
	heading.Level = 2
	code := element("p1.e4", document.Paragraph, "if (x) {", 60, 100, 200, 110)
	code.Code = true
	item := element("p1.e6", document.ListItem, "item", 70, 120, 200, 130)
	item.Marker = "(a)"
	nested := element("p1.e7", document.List, "", 80, 132, 200, 142)
	nested.Children = []document.Element{element("p1.e8", document.ListItem, "nested", 80, 132, 200, 142)}
	item.Children = []document.Element{nested}
	list := element("p1.e5", document.List, "", 70, 120, 200, 142)
	list.Ordered, list.Children = true, []document.Element{item}
	table := element("p1.e10", document.Table, "", 60, 170, 360, 210)
	table.Continues = true
	table.Grid = &document.Grid{Rows: 2, Cols: 2, HeaderRows: 1, Cells: []document.Cell{
		{Row: 0, Col: 0, RowSpan: 1, ColSpan: 2, Box: document.Box{Left: 60, Top: 170, Right: 360, Bottom: 190}, Lines: text("Both", 62, 175, 100, 185)},
		{Row: 1, Col: 0, RowSpan: 1, ColSpan: 1, Box: document.Box{Left: 60, Top: 190, Right: 210, Bottom: 210}, Lines: text("1", 62, 195, 70, 205)},
		{Row: 1, Col: 1, RowSpan: 1, ColSpan: 1, Box: document.Box{Left: 210, Top: 190, Right: 360, Bottom: 210}},
	}}
	figure := element("p1.e11", document.Figure, "", 60, 230, 200, 300)
	figure.Alt, figure.Children = "A cat\r\non a mat", []document.Element{element("p1.e12", document.Paragraph, "axis", 62, 290, 90, 298)}
	broken := element("p1.e3", document.Paragraph, "", 60, 70, 380, 92)
	broken.Lines = []document.Line{
		{Runs: []document.Run{{Text: "A word that is bro-"}}, Box: document.Box{Left: 60, Top: 70, Right: 380, Bottom: 80}, Join: document.JoinHyphen},
		{Runs: []document.Run{{Text: "ken, and "}, {Text: strings.Repeat("long ", 50), Bold: true}}, Box: document.Box{Left: 60, Top: 82, Right: 380, Bottom: 92}},
	}
	return &document.Document{NumPages: 1, Pages: []document.Page{{Number: 1, Width: 400, Height: 400, Elements: []document.Element{
		element("p1.e1", document.Header, "Running head", 60, 5, 200, 15),
		heading, broken, code, list,
		element("p1.e9", document.Caption, "Table 1", 60, 150, 120, 160),
		table, figure,
		element("p1.e13", document.Formula, "a = b", 60, 310, 120, 320),
		element("p1.e14", document.Footnote, "1 Note", 60, 330, 120, 338),
		element("p1.e15", document.Footer, "7", 380, 385, 420, 405), // beyond the edge
		element("p1.e16", document.Paragraph, "off the page", 500, 500, 600, 510),
	}}}}
}

func blank(width, height float64, change func(*pdftest.Page)) []byte {
	b := pdftest.New()
	p := b.Page(width, height)
	if change != nil {
		change(p)
	}
	return b.Bytes()
}

// read opens a PDF with pdfcpu's own reader, which knows nothing of how it was written.
func read(tb testing.TB, pdf []byte) *model.Context {
	tb.Helper()
	api.DisableConfigDir()
	ctx, err := api.ReadContext(bytes.NewReader(pdf), model.NewDefaultConfiguration())
	if err != nil {
		tb.Fatal(err)
	}
	if err := api.ValidateContext(ctx); err != nil {
		tb.Fatal(err)
	}
	return ctx
}

func dict(tb testing.TB, ctx *model.Context, o types.Object) types.Dict {
	tb.Helper()
	d, err := ctx.DereferenceDict(o)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// layerNames are the names of the groups below a heading of the layers panel, by object number.
func layerNames(tb testing.TB, ctx *model.Context, heading string) (names map[int]string, inOrder []string) {
	tb.Helper()
	catalog, err := ctx.Catalog()
	if err != nil {
		tb.Fatal(err)
	}
	config := dict(tb, ctx, dict(tb, ctx, catalog["OCProperties"])["D"])
	names = make(map[int]string)
	for _, o := range config["Order"].(types.Array) {
		group, ok := o.(types.Array)
		if !ok || group[0] != types.StringLiteral(heading) {
			continue
		}
		for _, ref := range group[1:] {
			name, err := types.StringOrHexLiteral(dict(tb, ctx, ref)["Name"])
			if err != nil {
				tb.Fatal(err)
			}
			names[ref.(types.IndirectRef).ObjectNumber.Value()] = *name
			inOrder = append(inOrder, *name)
		}
	}
	return names, inOrder
}

// annotations prints the annotations of page 1 with what they look like.
func annotations(tb testing.TB, pdf []byte) string {
	tb.Helper()
	ctx := read(tb, pdf)
	var b strings.Builder
	names, inOrder := layerNames(tb, ctx, "Ragify")
	fmt.Fprintf(&b, "layers: %s\n", strings.Join(inOrder, ", "))
	page, _, _, err := ctx.PageDict(1, false)
	if err != nil {
		tb.Fatal(err)
	}
	for _, ref := range page["Annots"].(types.Array) {
		a := dict(tb, ctx, ref)
		contents, err := types.StringOrHexLiteral(a["Contents"])
		if err != nil {
			tb.Fatal(err)
		}
		look, _, err := ctx.DereferenceStreamDict(dict(tb, ctx, a["AP"])["N"])
		if err != nil {
			tb.Fatal(err)
		}
		if err := look.Decode(); err != nil {
			tb.Fatal(err)
		}
		fmt.Fprintf(&b, "\n%s, layer %q, flags %v\n%s\nrect %s, inset %s, box %s, matrix %s\n%s", a["Subtype"], names[a["OC"].(types.IndirectRef).ObjectNumber.Value()], a["F"],
			*contents, a["Rect"], a["RD"], look.Dict["BBox"], look.Dict["Matrix"], look.Content)
	}
	return b.String()
}

func TestAnnotateDrawsEveryKind(t *testing.T) {
	saved := save(t, blank(400, 400, nil))
	pdf := annotate(t, saved, allKinds())
	checkWithQPDF(t, pdf)
	if !bytes.Equal(pdf, annotate(t, saved, allKinds())) {
		t.Error("the same document gave other bytes")
	}
	got := annotations(t, pdf)
	golden := filepath.Join("testdata", "annotations.golden")
	if *update {
		write(t, golden, []byte(got))
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("annotations (-want +got, -update accepts):\n%s", diff)
	}
}

// However a page is turned and cropped, the same boxes look the same on it.
func TestAnnotateFollowsRotationAndCrop(t *testing.T) {
	want := pixels(t, annotate(t, save(t, blank(400, 400, nil)), allKinds()))
	for _, degrees := range []int{0, 90, 180, 270} {
		saved := save(t, blank(600, 700, func(p *pdftest.Page) {
			p.Rotate(degrees)
			p.Crop(50, 120, 450, 520)
		}))
		got := pixels(t, annotate(t, saved, allKinds()))
		if differing := difference(want[0], got[0]); differing > 0.002 { // the edges of letters are smoothed otherwise
			t.Errorf("rotated by %d: %.1f %% of the bytes differ", degrees, differing*100)
		}
	}
}

// difference is the share of bytes that are not nearly the same.
func difference(a, b []byte) float64 {
	if len(a) != len(b) {
		return 1
	}
	n := 0
	for i := range a {
		if d := int(a[i]) - int(b[i]); d > 64 || d < -64 {
			n++
		}
	}
	return float64(n) / float64(len(a))
}

func TestAnnotateLeavesThePageAsItIsBelowItsLayers(t *testing.T) {
	saved := save(t, blank(400, 400, func(p *pdftest.Page) {
		p.Text(60, 330, 14, pdftest.Bold, "Heading")
		p.Fill(60, 100, 100, 100, 1, 0.5, 0)
		p.Field(200, 100, 100, 20, "in a field")
	}))
	pdf := annotate(t, saved, allKinds())
	if samePixels(pixels(t, saved), pixels(t, pdf)) {
		t.Error("no boxes are to be seen")
	}
	off := rewrite(t, save(t, pdf), func(b *stamp.Base, w *stamp.Writer) {
		ref, catalog, err := b.Catalog()
		if err != nil {
			t.Fatal(err)
		}
		properties, err := b.Dict(catalog["OCProperties"])
		if err != nil {
			t.Fatal(err)
		}
		properties["D"].(types.Dict)["OFF"] = properties["OCGs"]
		w.Set(ref, catalog)
	})
	if !samePixels(pixels(t, saved), pixels(t, off)) {
		t.Error("with its layers off the page looks different")
	}
}

func samePixels(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }

func TestAnnotateKeepsLayersAndAnnotations(t *testing.T) {
	b := handmade(
		"<</Type/Catalog/Pages 2 0 R/OCProperties 4 0 R/Perms<<>>/PageMode/UseOutlines>>",
		"<</Type/Pages/Count 1/Kids[3 0 R]/MediaBox[0 0 400 400]>>",
		"<</Type/Page/Parent 2 0 R/Annots 7 0 R>>",
		"<</OCGs[5 0 R]/D 6 0 R/Configs[<</Name(Print)/OFF[5 0 R]>>]>>",
		"<</Type/OCG/Name(Old)>>",
		"<</BaseState/OFF/ON[]/OFF[5 0 R]/Order[(Theirs)[5 0 R]]/ListMode/AllPages>>",
		"[8 0 R <</Type/Annot/Subtype/Text/Rect[0 0 9 9]/Contents(direct)>>]",
		"<</Type/Annot/Subtype/Link/Rect[0 0 400 400]/Border[0 0 0]>>",
	)
	ctx := read(t, annotate(t, b, allKinds()))
	catalog, err := ctx.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := catalog["Perms"]; ok || catalog["PageMode"] != types.Name("UseOC") {
		t.Errorf("catalogue %s", catalog.PDFString())
	}
	properties := dict(t, ctx, catalog["OCProperties"])
	config := dict(t, ctx, properties["D"])
	layers, _ := layerNames(t, ctx, "Ragify")
	if len(layers) != 12 || len(properties["OCGs"].(types.Array)) != 13 || len(properties["Configs"].(types.Array)) != 1 {
		t.Errorf("%d layers in %s", len(layers), properties.PDFString())
	}
	if order := config["Order"].(types.Array); len(order) != 3 || order[0] != types.StringLiteral("Theirs") {
		t.Errorf("order %s", order.PDFString())
	}
	if on, off := config["ON"].(types.Array), config["OFF"].(types.Array); len(on) != 12 || len(off) != 1 || config["BaseState"] != types.Name("OFF") {
		t.Errorf("states %s", config.PDFString())
	}
	page, _, _, err := ctx.PageDict(1, false)
	if err != nil {
		t.Fatal(err)
	}
	annots := page["Annots"].(types.Array)
	last := len(annots) - 1
	if link := dict(t, ctx, annots[last-1]); link["Subtype"] != types.Name("Link") {
		t.Error("the link is not above the boxes")
	}
	if note := dict(t, ctx, annots[last]); note["Contents"] != types.StringLiteral("direct") {
		t.Errorf("the last annotation is %s", note.PDFString())
	}
}

func TestAnnotateLeavesPagesOutThatItCannotRead(t *testing.T) {
	page := allKinds().Pages[0]
	d := &document.Document{NumPages: 4}
	for n := 1; n <= 5; n++ {
		p := page
		p.Number = n
		d.Pages = append(d.Pages, p)
	}
	d.Pages[3].Width = 500
	b := handmade(
		"<</Type/Catalog/Pages 2 0 R>>",
		"<</Type/Pages/Count 3/Kids[3 0 R null 3 0 R 4 0 R]/MediaBox[0 0 400 400]>>",
		"<</Type/Page/Parent 2 0 R>>",
		"<</Type/Page/Parent 2 0 R>>",
	)
	skipped, err := stamp.Annotate(io.Discard, base(t, b), d)
	// 2 is none, 3 is page 1 again and has its boxes, 4 has another size than was measured, 5 does not exist
	if diff := cmp.Diff([]int{2, 4, 5}, skipped); diff != "" || err != nil {
		t.Errorf("left out (-want +got), error %v:\n%s", err, diff)
	}
	if _, err := stamp.Annotate(&fullDisk{len(b) + 10}, base(t, b), d); err == nil || errors.Is(err, stamp.ErrUnreadable) {
		t.Errorf("on a full disk: %v", err)
	}
}

func TestSigned(t *testing.T) {
	form := func(fields ...string) []byte {
		return handmade(append([]string{
			"<</Type/Catalog/Pages 2 0 R/AcroForm 3 0 R>>", "<</Type/Pages/Count 0/Kids[]>>",
		}, fields...)...)
	}
	for name, c := range map[string]struct {
		pdf  []byte
		want bool
	}{
		"no form":                     {handmade("<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Count 0/Kids[]>>"), false},
		"a signature":                 {form("<</Fields[4 0 R]>>", "<</FT/Sig/T(s)/V 5 0 R>>", "<</Type/Sig/ByteRange[0 1 2 3]>>"), true},
		"a field for one":             {form("<</Fields[4 0 R]>>", "<</FT/Sig/T(s)>>"), false},
		"a type inherited":            {form("<</Fields[4 0 R]>>", "<</FT/Sig/Kids[5 0 R]>>", "<</T(s)/V<</Type/Sig>>>>"), true},
		"the value of a text field":   {form("<</Fields[4 0 R]>>", "<</FT/Tx/T(s)/V<<>>>>"), false},
		"fields in a circle":          {form("<</Fields[4 0 R]>>", "<</T(s)/Kids[4 0 R 4 0 R 4 0 R]>>"), false},
		"a form that is none":         {form("[1 2 3]"), false},
		"a field that cannot be read": {form("<</Fields[4 0 R 5 0 R]>>", "<<", "<</FT/Sig/V<</Type/Sig>>>>"), true},
	} {
		if got := base(t, c.pdf).Signed(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
