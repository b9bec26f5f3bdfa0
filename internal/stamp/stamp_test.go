package stamp_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ragify/ragify/internal/pdfium"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
	"github.com/ragify/ragify/internal/stamp"
)

// shared is the PDFium of all tests here.
var shared = sync.OnceValues(func() (*pdfium.Runtime, error) {
	dir, err := pdftest.CacheDir()
	if err != nil {
		return nil, err
	}
	return pdfium.New(context.Background(), pdfium.Config{CacheDir: dir})
})

func open(tb testing.TB, pdf []byte) *pdfium.File {
	tb.Helper()
	r, err := shared()
	if err != nil {
		tb.Fatal(err)
	}
	f, err := r.Open(bytes.NewReader(pdf), int64(len(pdf)), "")
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

// closeFile closes f: only one may be open at a time.
func closeFile(tb testing.TB, f *pdfium.File) {
	tb.Helper()
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
}

// save is pdf as PDFium saves it.
func save(tb testing.TB, pdf []byte) []byte {
	tb.Helper()
	f := open(tb, pdf)
	defer closeFile(tb, f)
	var b bytes.Buffer
	if err := f.SaveDecrypted(&b); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// base opens a saved PDF.
func base(tb testing.TB, saved []byte) *stamp.Base {
	tb.Helper()
	b, err := stamp.Open(bytes.NewReader(saved), int64(len(saved)))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// pixels is how the pages look, annotations included.
func pixels(tb testing.TB, pdf []byte) [][]byte {
	tb.Helper()
	f := open(tb, pdf)
	defer closeFile(tb, f)
	var all [][]byte
	for n := 1; n <= f.NumPages(); n++ {
		img, err := f.Render(n, 36)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, img.Pix)
	}
	return all
}

// checkWithQPDF lets another reader check the structure of a file.
func checkWithQPDF(tb testing.TB, pdf []byte) {
	tb.Helper()
	qpdf, err := exec.LookPath("qpdf")
	if err != nil {
		tb.Log("SKIPPED: qpdf is not installed, which would check the structure of the file")
		return
	}
	cmd := exec.CommandContext(tb.Context(), qpdf, "--check", "-")
	path := filepath.Join(tb.TempDir(), "check.pdf")
	write(tb, path, pdf)
	cmd.Args[2] = path
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Errorf("qpdf --check: %v\n%s", err, out)
	}
}

func write(tb testing.TB, path string, data []byte) {
	tb.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
}
