package engine_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/ocr/ocrtest"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

// read is what the tests' program reads in every picture, which has 300 pixels to the inch: a line in the middle of pages
// of 300 points.
var read = ocrtest.HOCR(200, 600, 50, "read by recognition")

// scans is a file of pages, each of which shows a picture and what show adds.
func scans(pages int, show func(n int, p *pdftest.Page)) []byte {
	b := pdftest.New()
	for n := range pages {
		p := b.Page(300, 300)
		p.Image(0, 0, 300, 300)
		if show != nil {
			show(n+1, p)
		}
	}
	return b.Bytes()
}

// textOf converts a file to text and gives its pages, with the warnings.
func textOf(t *testing.T, e *engine.Engine, pdf []byte, change ...func(*option.Options)) ([]string, map[string]document.Warning) {
	t.Helper()
	r := request(t, save(t, pdf), option.Text)
	for _, f := range change {
		f(&r.Options)
	}
	result, err := e.Convert(within(t), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(r.OutDir, "out.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var pages []string
	for p := range strings.SplitSeq(string(data), "\f") {
		pages = append(pages, strings.TrimSpace(p))
	}
	warnings := make(map[string]document.Warning)
	for _, w := range result.Warnings {
		warnings[w.Code] = w
	}
	return pages, warnings
}

func wantWarning(t *testing.T, warnings map[string]document.Warning, code string, pages []int, says ...string) {
	t.Helper()
	w, ok := warnings[code]
	if !ok || !slices.Equal(w.Pages, pages) {
		t.Errorf("no warning %s for pages %v: %+v", code, pages, warnings)
	}
	for _, s := range says {
		if !strings.Contains(w.Message, s) {
			t.Errorf("%s does not say %q: %s", code, s, w.Message)
		}
	}
}

func wantNoWarning(t *testing.T, warnings map[string]document.Warning, codes ...string) {
	t.Helper()
	for _, code := range codes {
		if w, ok := warnings[code]; ok {
			t.Errorf("warning %+v", w)
		}
	}
}

func TestOCR_auto(t *testing.T) {
	const own = "This page has text of its own."
	t.Run("reads the pages without text, and keeps the order of all", func(t *testing.T) {
		p := ocrtest.Install(t, "eng", read)
		pages, warnings := textOf(t, newEngine(t, 1), scans(6, func(n int, p *pdftest.Page) {
			if n%2 == 0 {
				p.Text(20, 150, 10, pdftest.Regular, fmt.Sprint(own, " ", n))
			}
		}))
		want := []string{"read by recognition", own + " 2", "read by recognition", own + " 4", "read by recognition", own + " 6"}
		if diff := cmp.Diff(want, pages); diff != "" {
			t.Error(diff)
		}
		if n := len(p.Runs()); n != 3 {
			t.Errorf("%d pictures were read", n)
		}
		wantWarning(t, warnings, "ocr_applied", []int{1, 3, 5})
		wantNoWarning(t, warnings, "pages_without_text", "ocr_unavailable")
	})
	for name, c := range map[string]struct {
		pdf  []byte
		want string
	}{
		"a scan that has a text layer": {scans(1, func(_ int, p *pdftest.Page) {
			p.Raw("3 Tr")
			p.Text(20, 150, 10, pdftest.Regular, own)
			p.Raw("0 Tr")
		}), own},
		"a title over a picture":         {scans(1, func(_ int, p *pdftest.Page) { p.Text(20, 150, 30, pdftest.Regular, "Title") }), "Title"},
		"a page that shows nothing":      {empty(), ""},
		"a page that has only its rules": {ruled(), ""},
	} {
		t.Run("leaves alone "+name, func(t *testing.T) {
			p := ocrtest.Install(t, "eng", read)
			pages, _ := textOf(t, newEngine(t, 1), c.pdf)
			if got := strings.Join(pages, ""); got != c.want || len(p.Runs()) > 0 {
				t.Errorf("%q after %d pictures were read", got, len(p.Runs()))
			}
		})
	}
	t.Run("reads a scan with a stamp in its margin, and keeps the stamp", func(t *testing.T) {
		// The program reads the stamp, too: it is on the picture.
		ocrtest.Install(t, "eng", strings.Replace(read, "</div>", ocrtest.HOCR(200, 1160, 60, "Bates")+"</div>", 1))
		pages, warnings := textOf(t, newEngine(t, 1), scans(1, func(_ int, p *pdftest.Page) { p.Text(45, 10, 16, pdftest.Regular, "Stamp") }),
			func(o *option.Options) { o.IncludeHeaderFooter = true })
		if got := strings.Join(strings.Fields(pages[0]), " "); got != "read by recognition Stamp" {
			t.Errorf("%q", got)
		}
		wantWarning(t, warnings, "ocr_applied", []int{1})
	})
	t.Run("says when there is nothing to read in a picture", func(t *testing.T) {
		ocrtest.Install(t, "eng", "<html></html>")
		pages, warnings := textOf(t, newEngine(t, 1), scans(1, nil))
		if pages[0] != "" {
			t.Errorf("%q", pages)
		}
		wantWarning(t, warnings, "pages_without_text", []int{1}, "OCR")
		wantNoWarning(t, warnings, "ocr_applied", "ocr_failed")
	})
}

// empty is a file with a page that shows nothing; ruled one with nothing but a frame.
func empty() []byte {
	b := pdftest.New()
	b.Page(300, 300)
	return b.Bytes()
}

func ruled() []byte {
	b := pdftest.New()
	b.Page(300, 300).Rect(50, 50, 200, 200, 1)
	return b.Bytes()
}

func TestOCR_replaces_text_that_is_not_what_the_page_shows(t *testing.T) {
	// Each letter is another one, as where a font's mapping to characters belongs to another font.
	other := func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return 'a' + 'z' - r
		}
		return r
	}
	lines := []string{
		"fonts that say other characters than", "they show look right on paper and give", "letters without any sense to programs", "that take the text out of the file: no", "language has such words, and only what",
	}
	b := pdftest.New()
	p := b.Page(300, 300)
	var garbled []string
	for i, l := range lines {
		garbled = append(garbled, strings.Map(other, l))
		p.Text(20, 250-20*float64(i), 10, pdftest.Regular, garbled[i])
	}
	t.Run("by what is read there", func(t *testing.T) {
		ocrtest.Install(t, "eng", read)
		pages, warnings := textOf(t, newEngine(t, 1), b.Bytes())
		if pages[0] != "read by recognition" {
			t.Errorf("%q", pages)
		}
		wantWarning(t, warnings, "ocr_applied", []int{1})
		wantNoWarning(t, warnings, "garbled_text")
	})
	t.Run("but not where it only looks so", func(t *testing.T) {
		ocrtest.Install(t, "eng", ocrtest.HOCR(83, 170, 50, garbled...))
		pages, warnings := textOf(t, newEngine(t, 1), b.Bytes())
		if got := strings.Fields(strings.Join(pages, " ")); !slices.Equal(got, strings.Fields(strings.Join(garbled, " "))) {
			t.Errorf("%q", pages)
		}
		wantNoWarning(t, warnings, "garbled_text", "ocr_applied")
	})
	t.Run("and stays where nothing can be read", func(t *testing.T) {
		ocrtest.Uninstall(t)
		pages, warnings := textOf(t, newEngine(t, 1), b.Bytes())
		if !strings.Contains(pages[0], strings.Fields(garbled[0])[0]) {
			t.Errorf("%q", pages)
		}
		wantWarning(t, warnings, "garbled_text", []int{1})
		wantWarning(t, warnings, "ocr_unavailable", []int{1})
	})
}

func TestOCR_off_reads_nothing(t *testing.T) {
	p := ocrtest.Install(t, "eng", read)
	pages, warnings := textOf(t, newEngine(t, 1), scans(1, nil), func(o *option.Options) { o.OCR = "off" })
	if pages[0] != "" || len(p.Runs()) > 0 {
		t.Errorf("%q after %d pictures", pages, len(p.Runs()))
	}
	wantWarning(t, warnings, "pages_without_text", []int{1}, "ocr is off")
}

func TestOCR_force_replaces_the_text_of_every_page(t *testing.T) {
	p := ocrtest.Install(t, "eng deu", read)
	pages, warnings := textOf(t, newEngine(t, 1), pdftest.Pages(3), func(o *option.Options) {
		o.OCR, o.OCRLanguages = "force", []string{"deu", "eng"}
	})
	if diff := cmp.Diff([]string{"read by recognition", "read by recognition", "read by recognition"}, pages); diff != "" {
		t.Error(diff)
	}
	wantWarning(t, warnings, "ocr_applied", []int{1, 2, 3})
	if runs := p.Runs(); len(runs) != 3 || !strings.Contains(runs[0], "-l deu+eng ") {
		t.Errorf("runs %q", runs)
	}
}

func TestOCR_does_not_read_what_a_reader_cannot_see(t *testing.T) {
	// What the program reads is drawn at the same place, in the colour of the page but for one part in 255.
	faint := func() []byte {
		b := pdftest.New()
		p := b.Page(300, 300)
		p.Text(50, 250, 12, pdftest.Regular, "Everybody sees this line")
		p.Raw("0.996 g")
		p.Text(48, 147, 12, pdftest.Regular, "read by recognition")
		p.Raw("0 g")
		return b.Bytes()
	}
	for name, c := range map[string]struct {
		off  []string
		want string
	}{
		"":                      {nil, ""},
		"unless it is asked to": {[]string{"hidden-text"}, "read by recognition"},
	} {
		t.Run(name, func(t *testing.T) {
			ocrtest.Install(t, "eng", read)
			pages, _ := textOf(t, newEngine(t, 1), faint(), func(o *option.Options) { o.OCR, o.ContentSafetyOff = "force", c.off })
			if pages[0] != c.want {
				t.Errorf("%q", pages)
			}
		})
	}
}

func TestOCR_that_is_not_installed(t *testing.T) {
	mixed := scans(3, func(n int, p *pdftest.Page) {
		if n == 2 {
			p.Text(20, 150, 10, pdftest.Regular, "text")
		}
	})
	t.Run("no program", func(t *testing.T) {
		ocrtest.Uninstall(t)
		pages, warnings := textOf(t, newEngine(t, 1), mixed, func(o *option.Options) { o.OCRLanguages = []string{"deu", "chi_sim"} })
		if diff := cmp.Diff([]string{"", "text", ""}, pages); diff != "" {
			t.Error(diff)
		}
		wantWarning(t, warnings, "pages_without_text", []int{1, 3})
		wantWarning(t, warnings, "ocr_unavailable", []int{1, 3}, "Tesseract", "tesseract-ocr-deu", "tesseract-ocr-chi-sim")
	})
	t.Run("none of the languages", func(t *testing.T) {
		p := ocrtest.Install(t, "eng osd", read)
		_, warnings := textOf(t, newEngine(t, 1), mixed, func(o *option.Options) { o.OCRLanguages = []string{"deu"} })
		wantWarning(t, warnings, "ocr_language_missing", []int{1, 3}, "deu", "not read", "tesseract-ocr-deu")
		wantWarning(t, warnings, "pages_without_text", []int{1, 3})
		wantNoWarning(t, warnings, "ocr_unavailable")
		if len(p.Runs()) > 0 {
			t.Error("pictures were read")
		}
	})
	t.Run("one of the languages", func(t *testing.T) {
		ocrtest.Install(t, "eng osd", read)
		pages, warnings := textOf(t, newEngine(t, 1), mixed, func(o *option.Options) { o.OCRLanguages = []string{"eng", "deu"} })
		if pages[0] != "read by recognition" {
			t.Errorf("%q", pages)
		}
		wantWarning(t, warnings, "ocr_language_missing", []int{1, 3}, "tesseract-ocr-deu")
		wantWarning(t, warnings, "ocr_applied", []int{1, 3})
	})
	t.Run("text needs none", func(t *testing.T) {
		ocrtest.Uninstall(t)
		_, warnings := textOf(t, newEngine(t, 1), pdftest.Pages(2))
		if len(warnings) > 0 {
			t.Errorf("%+v", warnings)
		}
	})
}

func TestOCR_reads_pages_at_the_same_time(t *testing.T) {
	p := ocrtest.Install(t, "eng", ocrtest.Meet+read)
	e := newEngine(t, 1)
	e.SetOCR(2, time.Minute) // one after the other, the first would wait for the second until then
	_, warnings := textOf(t, e, scans(2, nil))
	wantWarning(t, warnings, "ocr_applied", []int{1, 2})
	if n := len(p.Runs()); n != 2 {
		t.Errorf("%d runs", n)
	}
}

func TestOCR_deadlines(t *testing.T) {
	t.Run("a page that takes too long keeps what text it has", func(t *testing.T) {
		ocrtest.Install(t, "eng", ocrtest.Hang)
		e := newEngine(t, 1)
		e.SetOCR(2, 100*time.Millisecond)
		pages, warnings := textOf(t, e, scans(2, func(n int, p *pdftest.Page) {
			p.Text(20, 10, 10, pdftest.Regular, fmt.Sprint("Stamp of page ", n))
		}), func(o *option.Options) { o.IncludeHeaderFooter = true })
		if diff := cmp.Diff([]string{"Stamp of page 1", "Stamp of page 2"}, pages); diff != "" {
			t.Error(diff)
		}
		wantWarning(t, warnings, "ocr_timed_out", []int{1, 2})
	})
	t.Run("a program that fails fails the page only", func(t *testing.T) {
		ocrtest.Install(t, "eng", ocrtest.Crash)
		var log lockedBuffer
		e := newEngine(t, 1, func(c *engine.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		_, warnings := textOf(t, e, scans(2, nil))
		wantWarning(t, warnings, "ocr_failed", []int{1, 2})
		if strings.Count(log.String(), "it does not work") != 1 {
			t.Errorf("the log does not say why, once: %s", log.String())
		}
	})
	t.Run("the deadline of the job ends the program as well", func(t *testing.T) {
		p := ocrtest.Install(t, "eng", ocrtest.Hang)
		e := newEngine(t, 1)
		ctx, cancel := context.WithCancel(within(t))
		defer cancel()
		failed := make(chan error)
		go func() {
			_, err := e.Convert(ctx, request(t, save(t, scans(1, nil))), nil)
			failed <- err
		}()
		waitFor(t, func() bool { return len(p.Runs()) == 1 })
		pid, err := strconv.Atoi(strings.Fields(p.Runs()[0])[0])
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-failed; fault.KindOf(err) == fault.Invalid {
			t.Errorf("error %v", err)
		}
		waitFor(t, func() bool { return !processAlive(pid) })
	})
}
