package engine_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/engine"
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
	})
}
