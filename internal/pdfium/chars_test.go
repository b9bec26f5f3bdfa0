package pdfium

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

// charFacts is what PDFium's accessors say of a character.
type charFacts struct {
	Unicode, Object             uint32
	Generated, Hyphen, MapError bool
	OriginX, OriginY            float64
	Box, Loose                  [4]float64 // left, bottom, right, top
	Matrix                      matrix
}

// Characters are read from PDFium's memory; this is what its accessors say of them.
func TestCharMemory(t *testing.T) {
	r := testRuntime(t)
	t.Run("own", func(t *testing.T) {
		b := pdftest.New()
		p := b.Page(400, 600)
		p.Text(50, 500, 12, pdftest.Regular, "Two words of a ﬁle that ends in a hy-")
		p.Text(50, 486, 12, pdftest.Bold, "phen, and")
		p.TextMatrix([6]float64{0, 2, -2, 0, 200, 100}, 9, pdftest.Serif, "turned")
		p.Form([6]float64{2, 0, 0, 2, 10, 20}, "BT /F1 8 Tf 10 20 Td (in a form) Tj ET")
		if n, kinds := compareChars(t, r, b.Bytes()); n < 50 || kinds[charGenerated] == 0 || kinds[charHyphen] == 0 {
			t.Errorf("only %d characters, %v", n, kinds)
		}
	})
	t.Run("shared", func(t *testing.T) {
		paths, err := filepath.Glob(filepath.Join(pdftest.Shared(t, "corpus/robustness"), "*.pdf"))
		if err != nil {
			t.Fatal(err)
		}
		total := 0
		for _, path := range paths {
			pdf, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			n, _ := compareChars(t, r, pdf)
			total += n
		}
		t.Logf("%d characters of %d files", total, len(paths))
	})
}

// compareChars compares the characters of a file's first page and gives their number and kinds.
func compareChars(t *testing.T, r *Runtime, pdf []byte) (n int, kinds map[uint8]int) {
	t.Helper()
	kinds = make(map[uint8]int)
	f, err := r.Open(bytes.NewReader(pdf), int64(len(pdf)), "")
	if err != nil {
		return 0, kinds // damaged or locked
	}
	defer f.Close()
	page, err := f.loadPage(1)
	if err != nil {
		return 0, kinds
	}
	i := f.inst
	text := i.ptr(fnTextLoadPage, page)
	n = min(i.num(fnTextCountChars, text), 3000)
	chars := i.readChars(text, n)
	for k := range n {
		c := chars.at(k)
		kinds[c.kind()]++
		got := charFacts{
			Unicode: c.unicode(), Object: c.object(),
			Generated: c.kind() == charGenerated, Hyphen: c.kind() == charHyphen, MapError: c.kind() == charUnmapped,
			OriginX: c.f32(charOrigin), OriginY: c.f32(charOrigin + 4),
		}
		if got.Object != 0 {
			got.Matrix = c.matrix()
		}
		for side := range 4 {
			got.Box[side], got.Loose[side] = c.f32(charBox+4*side), c.f32(charLoose+4*side)
		}
		if diff := cmp.Diff(accessedChar(i, text, k), got, cmp.AllowUnexported(matrix{})); diff != "" {
			t.Fatalf("character %d (-PDFium +memory):\n%s", k, diff)
		}
	}
	if i.err != nil {
		t.Error(i.err)
	}
	return n, kinds
}

// accessedChar asks PDFium for what readChars reads.
func accessedChar(i *instance, text uint64, k int) charFacts {
	call := func(name string, out ...uint64) uint64 {
		result, err := i.mod.ExportedFunction(name).Call(context.Background(), append([]uint64{text, uint64(k)}, out...)...)
		if err != nil {
			i.err = err
			return 0
		}
		return result[0]
	}
	c := charFacts{
		Unicode: uint32(call("FPDFText_GetUnicode")), Object: uint32(call("FPDFText_GetTextObject")),
		Generated: call("FPDFText_IsGenerated") == 1, Hyphen: call("FPDFText_IsHyphen") == 1, MapError: call("FPDFText_HasUnicodeMapError") == 1,
	}
	call("FPDFText_GetCharOrigin", i.at(0), i.at(8))
	c.OriginX, c.OriginY = f64(i.out(0, 8)), f64(i.out(8, 8))
	call("FPDFText_GetCharBox", i.at(0), i.at(16), i.at(8), i.at(24)) // left, right, bottom, top
	for side := range 4 {
		c.Box[side] = f64(i.out(8*side, 8))
	}
	call("FPDFText_GetLooseCharBox", i.at(0))
	l := i.out(0, 16) // FS_RECTF: left, top, right, bottom
	c.Loose = [4]float64{f32(l), f32(l[12:]), f32(l[8:]), f32(l[4:])}
	if c.Object != 0 && call("FPDFText_GetMatrix", i.at(0)) != 0 {
		c.Matrix = readMatrix(i.out(0, 24))
	}
	return c
}
