package engine

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/pdfium"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

// TestGarbled_passes_public_documents reads the first pages of clean documents in German, English, French, Italian,
// Chinese, Japanese and Arabic, with code, tables and forms in them. Then every letter is replaced by the one that a lost
// mapping would give.
func TestGarbled_passes_public_documents(t *testing.T) {
	const mostPages = 12 // of a document
	dir := pdftest.Shared(t, "corpus/documents")
	paths, err := filepath.Glob(filepath.Join(dir, "*.pdf"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	cache, err := pdftest.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	runtime, err := pdfium.New(context.Background(), pdfium.Config{CacheDir: cache})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = runtime.Close() }()
	shifted, found := 0, 0
	for _, path := range paths {
		for _, c := range pagesOf(t, runtime, path, mostPages) {
			if garbled(&c) {
				t.Errorf("page %d of %s is held to be garbled", c.Number, filepath.Base(path))
			}
			if shiftLetters(&c) < 800 {
				continue // too little text to judge once codes stand for letters
			}
			shifted++
			if garbled(&c) {
				found++
			}
		}
	}
	if shifted == 0 || 100*found < 98*shifted {
		t.Errorf("found %d of %d pages with shifted letters", found, shifted)
	}
}

func pagesOf(t *testing.T, runtime *pdfium.Runtime, path string, most int) []document.Content {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	pdf, err := runtime.Open(f, info.Size(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pdf.Close() }()
	pages := make([]document.Content, min(pdf.NumPages(), most))
	for i := range pages {
		if err := pdf.Content(i+1, &pages[i]); err != nil {
			t.Fatal(err)
		}
	}
	return pages
}

// shiftLetters makes letters the signs 29 codes before them, as where glyph numbers are taken for characters. It gives
// their number.
func shiftLetters(c *document.Content) int {
	const shift = 29
	n := 0
	for i := range c.Glyphs {
		if g := &c.Glyphs[i]; g.Rune >= 'A' && g.Rune <= 'z' {
			g.Rune -= shift
			n++
		}
	}
	return n
}
