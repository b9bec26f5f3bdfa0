package engine_test

import (
	"encoding/json"
	"html"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

// sanitizable are the formats that are written anew.
var sanitizable = []option.Format{option.Markdown, option.JSON, option.HTML, option.Text, option.Chunks}

// sanitize gives the outputs of a sanitized file, in all formats that can be, by their names, and the warnings.
func sanitize(t *testing.T, e *engine.Engine, path string, keepLineBreaks bool) (map[string]string, engine.Result) {
	t.Helper()
	r := request(t, path, sanitizable...)
	r.Options.Sanitize, r.Options.KeepLineBreaks, r.Options.IncludeHeaderFooter = true, keepLineBreaks, true
	result, err := e.Convert(within(t), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]string)
	for _, o := range result.Outputs {
		b, err := os.ReadFile(filepath.Join(r.OutDir, o.Name))
		if err != nil {
			t.Fatal(err)
		}
		out[o.Name] = html.UnescapeString(string(b))
	}
	if len(out) != len(sanitizable) {
		t.Fatalf("%d outputs, want %d", len(out), len(sanitizable))
	}
	return out, result
}

func TestConvert_sanitizes_every_format(t *testing.T) {
	b := pdftest.New()
	b.Info("Title", "Letter to jane.doe@example.com")
	b.Info("Author", "Jane Doe <jane.doe@example.com>")
	b.Info("Subject", "Account DE89 3704 0044 0532 0130 00")
	b.Info("Keywords", "https://www.example.com/account?id=42, +44 20 7946 0958")
	b.Info("Producer", "Typewriter 7.1.0.2 (www.example.org)")
	p := b.Page(400, 500)
	p.Text(50, 450, 18, pdftest.Bold, "Contact jane.doe@example.com")
	for i, line := range []string{
		"Dear Sir or Madam, this letter is long enough to have some lines, please write to jane.doe@",
		"example.com about it, or call us on the number that is printed below the line: (212) 555-",
		"0147. All of it is at https://www.example.com/account/settings/and/then/some/more/page-of-",
		"settings?id=42 for you. Pay with 4111 1111 1111 1111 to DE89 3704 0044 0532 0130 00 until the",
		"end of 24/12/2023, order number 1234-5678, in version 2.14.0 of it.",
	} {
		p.Text(30, 400-14*float64(i), 8, pdftest.Regular, line)
	}
	p.Text(30, 310, 8, pdftest.Regular, "Follow this")
	p.Link(30, 305, 80, 320, "mailto:john@example.org")
	for _, y := range []float64{280, 260, 200} {
		p.Line(30, y, 370, y, 1)
	}
	for _, x := range []float64{30, 150, 370} {
		p.Line(x, 280, x, 200, 1)
	}
	for _, cell := range []struct {
		x, y float64
		text string
	}{
		{35, 266, "Passport no."},
		{155, 266, "Server"},
		{35, 240, "X1234567"},
		{155, 240, "the hosts 192.0.2.17 and 2001:db8:"},
		{155, 228, ":1, with 00:1A:2B:3C:4D:5E, versions 2.14.0"},
	} {
		p.Text(cell.x, cell.y, 8, pdftest.Regular, cell.text)
	}
	path := save(t, b.Bytes())
	e := newEngine(t, 1)
	for _, keep := range []bool{false, true} {
		out, result := sanitize(t, e, path, keep)
		for name, s := range out {
			s = strings.Join(strings.Fields(s), " ")
			for _, gone := range []string{
				"jane", "doe@", "john", "555", "0147", "4111", "DE89", "0532", "settings", "www.example", "7946", "X1234567", "192.0", "2001:db8", "1A:2B",
			} {
				if strings.Contains(s, gone) {
					t.Errorf("%s, line ends kept: %v: it has %q:\n%s", name, keep, gone, s)
				}
			}
			for _, kept := range []string{
				"Contact [EMAIL_1]", "[PHONE_1]", "[URL_1]", "[CARD_1]", "[IBAN_1]", "[ID_1]", "[IP_1]", "[IP_2]", "[MAC_1]",
				"24/12/2023", "1234-5678", "2.14.0", "Follow this", "Passport no.",
			} {
				if !strings.Contains(s, kept) {
					t.Errorf("%s, line ends kept: %v: it lacks %q:\n%s", name, keep, kept, s)
				}
			}
		}
		if s := out["out.json"]; !strings.Contains(s, `"producer":"Typewriter 7.1.0.2 (`) || !strings.Contains(s, `"title":"Letter to [EMAIL_1]"`) {
			t.Errorf("%.600s", s)
		}
		const want = "Personal data was replaced by placeholders: 1 e-mail address, 2 telephone numbers, 1 payment card, 1 bank account, 2 IP addresses, " +
			"1 MAC address, 3 web addresses, 1 identity document or number. The targets of links were removed."
		if w := result.Warnings; len(w) != 1 || w[0].Code != "sanitized" || w[0].Message != want || len(w[0].Pages) != 1 {
			t.Errorf("%+v", w)
		}
	}
}

func TestConvert_refuses_to_sanitize_pages_and_pictures(t *testing.T) {
	e := newEngine(t, 1)
	r := request(t, save(t, pdftest.Text("jane@example.com")), option.AnnotatedPDF)
	r.Options.Sanitize = true
	_, err := e.Convert(within(t), r, nil)
	wantFault(t, err, fault.Invalid, "sanitize_conflict")
}

// The files with personal data of the corpus say what of their text has to go and what has to stay.
func TestConvert_sanitizes_the_corpus(t *testing.T) {
	dir := pdftest.Shared(t, "corpus/hidden-text")
	index, err := os.ReadFile(filepath.Join(dir, "index.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(t, 1)
	for _, row := range strings.Split(strings.TrimSpace(string(index)), "\n")[1:] {
		fields := strings.Split(row, "\t")
		var sensitive map[string][]string
		var stays []string
		for i, into := range []any{&sensitive, &stays} {
			if err := json.Unmarshal([]byte(fields[5+i]), into); err != nil {
				t.Fatal(err)
			}
		}
		if len(sensitive) == 0 {
			continue
		}
		t.Run(fields[0], func(t *testing.T) {
			out, _ := sanitize(t, e, filepath.Join(dir, fields[0]), false)
			for name, s := range out {
				for kind, values := range sensitive {
					for _, v := range values {
						if strings.Contains(s, v) {
							t.Errorf("%s has the %s %q", name, kind, v)
						}
					}
				}
				for _, v := range stays {
					if !strings.Contains(s, v) {
						t.Errorf("%s lacks %q", name, v)
					}
				}
			}
		})
	}
}
