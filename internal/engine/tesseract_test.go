package engine_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/pdfium"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

// needTesseract skips a test where Tesseract or one of the languages is not installed.
func needTesseract(t *testing.T, languages ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "tesseract", "--list-langs").Output()
	if err != nil {
		t.Skipf("SKIPPED: Tesseract is not installed, so real recognition is not tested: %v", err)
	}
	for _, l := range languages {
		if !slices.Contains(strings.Fields(string(out)), l) {
			t.Skipf("SKIPPED: Tesseract has no model for %q, so real recognition is not tested", l)
		}
	}
}

// scanned gives a file whose pages are pictures of those of pdf, at 300 pixels to the inch, shown
// turned clockwise by rotate degrees.
func scanned(t *testing.T, pdf []byte, rotate int) []byte {
	t.Helper()
	cache, err := pdftest.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	r, err := pdfium.New(t.Context(), pdfium.Config{CacheDir: cache, MemoryLimit: 256 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f, err := r.Open(bytes.NewReader(pdf), int64(len(pdf)), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := pdftest.New()
	for n := range f.NumPages() {
		img, dpi, err := f.RenderGray(n+1, 300, 1<<24)
		if err != nil {
			t.Fatal(err)
		}
		width, height := float64(img.Rect.Dx())*72/dpi, float64(img.Rect.Dy())*72/dpi
		p := b.Page(width, height)
		p.Picture(0, 0, width, height, img)
		p.Rotate(rotate)
	}
	return b.Bytes()
}

// letter is a page of a letter with a title, two headings in bold, paragraphs and a list.
func letter() []byte {
	b := pdftest.New()
	p := b.Page(612, 792)
	y := 720.0
	say := func(size float64, font, text string) {
		p.Text(72, y, size, font, text)
		y -= 1.4 * size
	}
	say(20, pdftest.Bold, "Harbour Lights Ferry")
	y -= 12
	say(11, pdftest.Bold, "The year in short")
	y -= 4
	say(11, pdftest.Regular, "In 2025 the ferry carried 412,300 passengers across the bay, nine percent more")
	say(11, pdftest.Regular, "than the year before. The new boat was late, and the old one did its work until")
	say(11, pdftest.Regular, "the end of May.")
	y -= 10
	for _, text := range []string{"Three routes were open all year", "One was closed in winter", "The lighthouse was painted"} {
		p.Fill(76, y+2, 4, 4, 0, 0, 0)
		p.Text(90, y, 11, pdftest.Regular, text)
		y -= 16
	}
	y -= 12
	say(11, pdftest.Bold, "Outlook")
	y -= 4
	say(11, pdftest.Regular, "A second boat will be ordered in spring. It is to be electric, which makes it")
	say(11, pdftest.Regular, "heavier and quieter, and it will need a stronger pier at the northern end.")
	return b.Bytes()
}

const letterText = `# Harbour Lights Ferry

## The year in short

In 2025 the ferry carried 412,300 passengers across the bay, nine percent more than the year before. The new boat was late, and the old one did its work until the end of May.

- Three routes were open all year
- One was closed in winter
- The lighthouse was painted

## Outlook

A second boat will be ordered in spring. It is to be electric, which makes it heavier and quieter, and it will need a stronger pier at the northern end.
`

func TestTesseract_reads_a_letter_as_if_it_had_its_text(t *testing.T) {
	needTesseract(t, "eng")
	e := newEngine(t, 1)
	for name, pdf := range map[string][]byte{
		"upright": scanned(t, letter(), 0), "on its side": scanned(t, letter(), 90),
		"upside down": scanned(t, letter(), 180),
	} {
		t.Run(name, func(t *testing.T) {
			r := request(t, save(t, pdf), option.Markdown)
			if _, err := e.Convert(within(t), r, nil); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(r.OutDir, "out.md"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(letterText, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTesseract_finds_the_table_that_a_scan_draws(t *testing.T) {
	needTesseract(t, "eng")
	b := pdftest.New()
	p := b.Page(500, 300)
	p.Text(60, 260, 12, pdftest.Regular, "Passengers on the routes of the ferry in two years:")
	rows := [][3]string{{"Route", "2024", "2025"}, {"Harbour", "236,900", "251,700"}, {"Island", "81,400", "98,200"}, {"Northern", "59,800", "62,400"}}
	for i, row := range rows {
		y := 220 - 24*float64(i)
		p.Line(60, y+16, 420, y+16, 1)
		for k, cell := range row {
			p.Text(68+120*float64(k), y, 11, pdftest.Regular, cell)
		}
	}
	p.Line(60, 140, 420, 140, 1)
	for k := range 4 {
		p.Line(60+120*float64(k), 140, 60+120*float64(k), 236, 1)
	}
	r := request(t, save(t, scanned(t, b.Bytes(), 0)), option.Markdown)
	if _, err := newEngine(t, 1).Convert(within(t), r, nil); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(r.OutDir, "out.md"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `Passengers on the routes of the ferry in two years:

| Route | 2024 | 2025 |
| --- | --- | --- |
| Harbour | 236,900 | 251,700 |
| Island | 81,400 | 98,200 |
| Northern | 59,800 | 62,400 |
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

// TestTesseract_reads_public_scans converts real scans and asks for the words that a person reads in them.
func TestTesseract_reads_public_scans(t *testing.T) {
	shared := os.Getenv("RAGIFY_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(shared, "corpus", "scanned")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("SKIPPED: no public scans: %v", err)
	}
	needTesseract(t, "eng", "deu")
	e := newEngine(t, 1)
	word := regexp.MustCompile(`[\pL\pN]{3,}`) // two letters may be anything
	for file, c := range map[string]struct {
		language, truth string
		pages           string
		least           float64 // share of the truth's words that are read
	}{
		"two-column-ccitt.pdf": {"eng", "two-column-ccitt.txt", "1", 0.98},
		"skewed.pdf":           {"eng", "two-column-ccitt.txt", "1", 0.96},
		"rotated-4p.pdf":       {"eng", "two-column-ccitt.txt", "2-3", 0.98},
		"ocr-one-line.pdf":     {"eng", "ocr-one-line.md", "1", 1},
		"audit-form.pdf":       {"eng", "audit-form.md", "1", 0.7}, // half of it is written by hand
		"german-3p.pdf":        {"deu", "", "1", 0},
	} {
		t.Run(file, func(t *testing.T) {
			r := request(t, filepath.Join(dir, file), option.Text)
			r.Options.OCRLanguages, r.Options.Pages = []string{c.language}, c.pages
			result, err := e.Convert(within(t), r, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range result.Warnings {
				if w.Code != "ocr_applied" {
					t.Errorf("warning %+v", w)
				}
			}
			text, err := os.ReadFile(filepath.Join(r.OutDir, "out.txt"))
			if err != nil {
				t.Fatal(err)
			}
			if c.truth == "" {
				if !strings.Contains(string(text), "Bayerischen Archivgesetzes") {
					t.Errorf("%s", text)
				}
				return
			}
			truth, err := os.ReadFile(filepath.Join(dir, c.truth))
			if err != nil {
				t.Fatal(err)
			}
			for n, page := range strings.Split(string(text), "\f") {
				seen := make(map[string]int)
				for _, w := range word.FindAllString(page, -1) {
					seen[w]++
				}
				found := 0
				words := word.FindAllString(string(truth), -1)
				for _, w := range words {
					if seen[w] > 0 {
						seen[w]--
						found++
					}
				}
				if share := float64(found) / float64(len(words)); share < c.least {
					t.Errorf("page %d of these: %.3f of the words were read", n+1, share)
				} else {
					t.Logf("page %d of these: %.3f of the words were read", n+1, share)
				}
			}
		})
	}
}
