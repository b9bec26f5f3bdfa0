package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

// BenchmarkConvert turns each file of a set into all text formats, in one child that is warm. It reports the mean
// time per page, and the most memory that the child had in use at any time (resident, compiled PDFium included):
//
//	own          50 simple pages made here
//	one-page     the one-page documents of the quality benchmark
//	documents    documents of all kinds and lengths
//	1000-pages   a document of 1,000 pages from ten different ones
//	linear-N     the same 125 pages over and over: time a page has to stay what it is
//
// "make bench" runs it on one core. All but the first need the shared test documents, the last two qpdf as well.
func BenchmarkConvert(b *testing.B) {
	b.Run("own", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "own.pdf")
		if err := os.WriteFile(path, pdftest.Pages(50), 0o600); err != nil {
			b.Fatal(err)
		}
		benchmarkConvert(b, []string{path})
	})
	for _, set := range []struct{ name, dir string }{{"one-page", "bench/pdfs"}, {"documents", "corpus/documents"}} {
		b.Run(set.name, func(b *testing.B) {
			paths, err := filepath.Glob(filepath.Join(pdftest.Shared(b, set.dir), "*.pdf"))
			if err != nil {
				b.Fatal(err)
			}
			benchmarkConvert(b, paths)
		})
	}
	b.Run("1000-pages", func(b *testing.B) {
		benchmarkConvert(b, []string{assemble(b, "1000-pages", []string{
			"documents/owasp-asvs-5.0.0-en.pdf", "documents/owasp-asvs-4.0.3-de.pdf", "documents/owasp-asvs-4.0.3-fr.pdf",
			"documents/owasp-asvs-4.0.3-it.pdf", "documents/owasp-asvs-4.0.3-zh-cn.pdf",
			"documents/cncf-security-whitepaper-v2-en.pdf", "documents/cncf-supply-chain-v2-en.pdf",
			"documents/cncf-fuzzing-handbook-en.pdf", "robustness/kreuzberg-xerox_alta_link_series_mfp_sag_en_us_2.pdf", "1-425",
		})})
	})
	const part = 125
	for _, pages := range []int{250, 500, 1000} {
		b.Run(fmt.Sprintf("linear-%d", pages), func(b *testing.B) {
			var sources []string
			for range pages / part {
				sources = append(sources, "robustness/kreuzberg-xerox_alta_link_series_mfp_sag_en_us_2.pdf", fmt.Sprintf("1-%d", part))
			}
			benchmarkConvert(b, []string{assemble(b, fmt.Sprintf("linear-%d", pages), sources)})
		})
	}
}

func benchmarkConvert(b *testing.B, paths []string) {
	e := newEngine(b, 1)
	if err := e.Warm(within(b)); err != nil {
		b.Fatal(err)
	}
	r := request(b, "", textFormats()...)
	pages := 0
	for b.Loop() {
		for _, p := range paths {
			r.Source = p
			result, err := e.Convert(within(b), r, nil)
			if err != nil {
				b.Fatalf("%s: %v", p, err)
			}
			pages += result.Pages
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(pages), "ms/page")
	if peak, ok := peakMemory(e.Pids()[0]); ok {
		b.ReportMetric(peak, "child-MB")
	}
}

// textFormats are all formats that are made of the text alone.
func textFormats() []option.Format {
	return []option.Format{option.Markdown, option.JSON, option.HTML, option.Text}
}

// peakMemory is the most memory that a process has had in use, in MB, where the system tells.
func peakMemory(pid int) (megabytes float64, ok bool) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, false
	}
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0, false
	}
	kilobytes, err := strconv.ParseFloat(string(fields[0]), 64)
	return kilobytes * 1024 / 1e6, err == nil
}

// assemble puts pages of shared test documents (files and ranges of pages, in qpdf's words) together. The result is
// kept in the cache directory, as making it takes longer than parsing it.
func assemble(tb testing.TB, name string, sources []string) string {
	tb.Helper()
	corpus := pdftest.Shared(tb, "corpus")
	qpdf, err := exec.LookPath("qpdf")
	if err != nil {
		tb.Skip("SKIPPED: the document is put together by qpdf, which is not installed")
	}
	dir, err := pdftest.CacheDir()
	if err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(dir, name+".pdf")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	made := filepath.Join(tb.TempDir(), "made.pdf")
	args := append([]string{"--deterministic-id", "--empty", "--pages"}, sources...)
	cmd := exec.CommandContext(tb.Context(), qpdf, append(args, "--", made)...)
	cmd.Dir = corpus
	// Status 3 means that an input is slightly damaged.
	if text, err := cmd.CombinedOutput(); err != nil && cmd.ProcessState.ExitCode() != 3 {
		tb.Fatalf("qpdf: %v\n%s", err, text)
	}
	data, err := os.ReadFile(made)
	if err := errors.Join(err, os.WriteFile(path+".new", data, 0o600), os.Rename(path+".new", path)); err != nil {
		tb.Fatal(err)
	}
	return path
}
