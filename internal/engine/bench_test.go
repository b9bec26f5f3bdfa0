package engine_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

// BenchmarkConvert turns each file of a set into Markdown, text and JSON, in one child that is warm; it
// reports the mean per page. On one core: GOMAXPROCS=1 taskset -c 0 go test -bench Convert -run '^$'
func BenchmarkConvert(b *testing.B) {
	b.Run("own", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "own.pdf")
		if err := os.WriteFile(path, pdftest.Pages(50), 0o600); err != nil {
			b.Fatal(err)
		}
		benchmarkConvert(b, []string{path})
	})
	for name, glob := range map[string]string{"shared": "bench/pdfs", "documents": "corpus/documents"} {
		b.Run(name, func(b *testing.B) {
			paths, err := filepath.Glob(filepath.Join(pdftest.Shared(b, glob), "*.pdf"))
			if err != nil {
				b.Fatal(err)
			}
			benchmarkConvert(b, paths)
		})
	}
}

func benchmarkConvert(b *testing.B, paths []string) {
	e := newEngine(b, 1)
	if err := e.Warm(within(b)); err != nil {
		b.Fatal(err)
	}
	r := request(b, "", option.Markdown, option.Text, option.JSON)
	pages := 0
	for b.Loop() {
		for _, p := range paths {
			r.Source = p
			result, err := e.Convert(within(b), r, nil)
			if err != nil {
				b.Fatal(err)
			}
			pages += result.Pages
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(pages), "ms/page")
}
