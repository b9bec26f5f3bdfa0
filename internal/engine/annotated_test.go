package engine_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

// annotated converts a PDF to annotated-pdf, and what else is asked for, and gives the file.
func annotated(t *testing.T, e *engine.Engine, pdf []byte, change func(*option.Options)) ([]byte, engine.Result) {
	t.Helper()
	r := request(t, save(t, pdf), option.Markdown, option.AnnotatedPDF)
	if change != nil {
		change(&r.Options)
	}
	result, err := e.Convert(within(t), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(r.OutDir, "out.annotated.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	if size := result.Outputs[1].Size; size != int64(len(got)) {
		t.Errorf("%d bytes, the result says %d", len(got), size)
	}
	left, err := os.ReadDir(r.OutDir)
	if err != nil || len(left) != len(result.Outputs) {
		t.Errorf("the folder has %v, want the results alone; %v", left, err)
	}
	return got, result
}

func TestConvert_annotated_pdf(t *testing.T) {
	e := newEngine(t, 1)
	t.Run("has all pages, and boxes on the selected ones", func(t *testing.T) {
		got, _ := annotated(t, e, pdftest.Pages(3), func(o *option.Options) { o.Pages = "2" })
		if !bytes.Contains(got, []byte("p2.e1")) || bytes.Contains(got, []byte("p1.e1")) {
			t.Error("boxes are not on page 2, or on another one")
		}
		info, err := e.Inspect(within(t), save(t, got), "", true)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(engine.Info{Pages: 3, PagesWithoutText: []int{}}, info); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("keeps form fields as fields", func(t *testing.T) {
		b := pdftest.New()
		p := b.Page(300, 300)
		p.Text(50, 200, 12, pdftest.Regular, "Name:")
		p.Field(100, 196, 100, 16, "Ada")
		if got, _ := annotated(t, e, b.Bytes(), nil); !bytes.Contains(got, []byte("/Widget")) {
			t.Error("the field has become part of the page")
		}
	})
	t.Run("of an encrypted file is decrypted", func(t *testing.T) {
		got, _ := annotated(t, e, encrypted(), func(o *option.Options) { o.Password = "sesame" })
		info, err := e.Inspect(within(t), save(t, got), "", false)
		if err != nil || info.Encrypted || info.Pages != 1 {
			t.Errorf("%+v, %v", info, err)
		}
	})
	t.Run("of a signed file warns that the signature is lost", func(t *testing.T) {
		b := pdftest.New()
		b.Page(300, 300).Text(50, 200, 12, pdftest.Regular, "Contract")
		b.Sign()
		_, result := annotated(t, e, b.Bytes(), nil)
		want := []document.Warning{{Code: "signature_invalidated", Message: "This PDF is digitally signed: in the PDF files made of it the signature is not valid."}}
		if diff := cmp.Diff(want, result.Warnings); diff != "" {
			t.Error(diff)
		}
	}) // An object of nine megabytes is more than we read. (Putting it in moves what follows, which PDFium repairs.)
	large := []byte(" /Large [" + strings.Repeat("("+strings.Repeat("x", 30_000)+")", 300) + "]")
	t.Run("leaves a page alone that cannot be added to, and says which", func(t *testing.T) {
		pdf := bytes.Replace(pdftest.Pages(2), []byte("/Type /Page "), append([]byte("/Type /Page"), large...), 1)
		got, result := annotated(t, e, pdf, nil)
		if !slices.ContainsFunc(result.Warnings, func(w document.Warning) bool {
			return w.Code == "annotations_incomplete" && slices.Equal(w.Pages, []int{1})
		}) {
			t.Errorf("warnings %+v", result.Warnings)
		}
		if !bytes.Contains(got, []byte("p2.e1")) || bytes.Contains(got, []byte("p1.e1")) {
			t.Error("boxes are not on the other page alone")
		}
	})
	t.Run("is refused of a file that cannot be added to", func(t *testing.T) {
		pdf := bytes.Replace(pdftest.Pages(1), []byte("/Type /Catalog"), append([]byte("/Type /Catalog"), large...), 1)
		r := request(t, save(t, pdf), option.AnnotatedPDF)
		_, err := e.Convert(within(t), r, nil)
		wantFault(t, err, fault.Invalid, "pdf_output_failed")
		if left, err := os.ReadDir(r.OutDir); err != nil || len(left) > 0 {
			t.Errorf("the folder has %v; %v", left, err)
		}
	})
}
