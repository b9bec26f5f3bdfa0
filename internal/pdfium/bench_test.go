package pdfium_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

// BenchmarkContent opens each file of a set and reads all its pages; it reports the mean per page.
func BenchmarkContent(b *testing.B) {
	b.Run("own", func(b *testing.B) {
		benchmarkContent(b, [][]byte{pdftest.Pages(50)})
	})
	b.Run("shared", func(b *testing.B) {
		paths, err := filepath.Glob(filepath.Join(pdftest.Shared(b, "bench/pdfs"), "*.pdf"))
		if err != nil {
			b.Fatal(err)
		}
		var files [][]byte
		for _, p := range paths {
			data, err := os.ReadFile(p)
			if err != nil {
				b.Fatal(err)
			}
			files = append(files, data)
		}
		benchmarkContent(b, files)
	})
}

func benchmarkContent(b *testing.B, files [][]byte) {
	r := sharedRuntime(b)
	var c document.Content
	pages := 0
	for b.Loop() {
		for _, data := range files {
			f, err := r.Open(bytes.NewReader(data), int64(len(data)), "")
			if err != nil {
				b.Fatal(err)
			}
			for n := 1; n <= f.NumPages(); n++ {
				if err := f.Content(n, &c); err != nil {
					b.Fatal(err)
				}
				pages++
			}
			if err := f.Close(); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(pages), "ms/page")
}
