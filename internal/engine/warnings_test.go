package engine_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

// converted gives the codes of a conversion's warnings, with their pages. The JSON has to say the same.
func converted(t *testing.T, e *engine.Engine, r engine.Request) []string {
	t.Helper()
	r.Options.Format = []option.Format{option.JSON}
	result, err := e.Convert(within(t), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(r.OutDir, result.Outputs[0].Name))
	if err != nil {
		t.Fatal(err)
	}
	var written struct{ Warnings []document.Warning }
	if err := json.Unmarshal(data, &written); err != nil {
		t.Fatal(err)
	}
	shown := func(warnings []document.Warning) (out []string) {
		for _, w := range warnings {
			out = append(out, fmt.Sprint(w.Code, w.Pages))
		}
		return out
	}
	if diff := cmp.Diff(shown(result.Warnings), shown(written.Warnings)); diff != "" {
		t.Errorf("the job warns of other things than the JSON: %s", diff)
	}
	return shown(result.Warnings)
}

func TestWarnings_of_the_file(t *testing.T) {
	e := newEngine(t, 1)
	plain := pdftest.Pages(2)
	repaired := bytes.Replace(plain, []byte("startxref"), []byte("startxxxx"), 1)
	for name, c := range map[string]struct {
		pdf  []byte
		want []string
	}{
		"nothing is amiss":         {plain, nil},
		"it had to be repaired":    {repaired, []string{"repaired_file[]"}},
		"it was encrypted":         {encrypted(), []string{"protection_removed[]"}},
		"a page is only a picture": {mixed(), []string{"pages_without_text[3]"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(t, save(t, c.pdf))
			r.Options.Password = "sesame"
			r.Options.OCR = "off"
			if diff := cmp.Diff(c.want, converted(t, e, r)); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("what was known before comes first, and once", func(t *testing.T) {
		info, err := e.Inspect(within(t), save(t, repaired), "", false)
		if err != nil {
			t.Fatal(err)
		}
		r := request(t, save(t, repaired))
		r.Warnings = append([]document.Warning{{Code: "protection_removed", Message: "It was encrypted."}}, info.Warnings...)
		if diff := cmp.Diff([]string{"protection_removed[]", "repaired_file[]"}, converted(t, e, r)); diff != "" {
			t.Error(diff)
		}
	})
}

// Lists of pages are cut: a scanned archive would otherwise fill its job's record with numbers.
func TestWarnings_are_bounded(t *testing.T) {
	b := pdftest.New()
	const pages = 1200
	for range pages {
		b.Page(100, 100).Image(10, 10, 80, 80)
	}
	r := request(t, save(t, b.Bytes()), option.Text)
	r.Options.OCR = "off"
	result, err := newEngine(t, 1).Convert(within(t), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Warnings) != 1 || len(result.Warnings[0].Pages) != 1000 || !bytes.Contains([]byte(result.Warnings[0].Message), []byte("1200")) {
		t.Errorf("%d warnings, the first with %d pages: %s", len(result.Warnings), len(result.Warnings[0].Pages), result.Warnings[0].Message)
	}
}

func TestWarnings_of_a_page_of_lines(t *testing.T) {
	b := pdftest.New()
	b.Page(600, 600).Text(50, 300, 10, pdftest.Regular, "A plain page.")
	p := b.Page(6000, 6000)
	p.Text(50, 50, 10, pdftest.Regular, "A map.")
	for i := range 6100 { // apart, so that none are joined
		x, y := float64(i%100)*55, 100+float64(i/100)*90
		p.Line(x, y+float64(i%7)*10, x+30, y+float64(i%7)*10, 1)
	}
	r := request(t, save(t, b.Bytes()))
	if diff := cmp.Diff([]string{"lines_ignored[2]"}, converted(t, newEngine(t, 1), r)); diff != "" {
		t.Error(diff)
	}
}
