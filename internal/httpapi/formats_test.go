package httpapi_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ragify/ragify/internal/ocr/ocrtest"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
	"github.com/ragify/ragify/internal/plan"
)

// outcome is a job that has ended, with all its results.
type outcome struct {
	job   map[string]any
	files map[string]answer // by format
}

// convert uploads a PDF, follows its job to the end and downloads everything.
func (u user) convert(pdf []byte, options string) outcome {
	w := u.world
	w.t.Helper()
	id := u.upload(form{{"file", "Annual report.pdf", string(pdf)}, {"options", "", options}}).want(http.StatusCreated).object()["id"].(string)
	for range u.follow(id) { // to the end
	}
	out := outcome{job: u.get("/jobs/" + id).want(http.StatusOK).object(), files: make(map[string]answer)}
	if out.job["status"] != "done" {
		w.t.Fatalf("the job is %v: %v", out.job["status"], out.job["error_message"])
	}
	for format, link := range out.job["download_urls"].(map[string]any) {
		out.files[format] = w.send(http.MethodGet, strings.TrimPrefix(link.(string), w.server.URL), nil).want(http.StatusOK)
	}
	return out
}

// warnings are the codes of the job's warnings.
func (o outcome) warnings() (codes []string) {
	for _, w := range o.job["warnings"].([]any) {
		codes = append(codes, w.(map[string]any)["code"].(string))
	}
	return codes
}

// report has a bit of everything: a title, columns that were drawn line by line across, a picture.
func report() *pdftest.Builder {
	b := pdftest.New()
	b.Info("Title", "Annual report")
	p := b.Page(612, 792)
	p.Text(72, 720, 20, pdftest.Bold, "Annual report")
	for i, line := range []string{"First column begins and", "goes on below itself and", "is done before the other", "column is read at all.", "It ends with apples."} {
		y := 680 - 14*float64(i)
		p.Text(72, y, 11, pdftest.Regular, line)
		p.Text(330, y, 11, pdftest.Regular, []string{"Second column says some", "things that nobody reads", "before the first has been", "read down to its last line.", "It ends with oranges."}[i])
	}
	p.Image(72, 300, 200, 200)
	return b
}

func TestFormats(t *testing.T) {
	w, _ := realWorld(t)
	u := w.user(plan.Business)
	names := map[string][3]string{ // extension, media type, how the file begins
		"markdown":      {".md", "text/markdown; charset=utf-8", ""},
		"json":          {".json", "application/json", "{"},
		"html":          {".html", "text/html; charset=utf-8", "<!DOCTYPE html>"},
		"text":          {".txt", "text/plain; charset=utf-8", ""},
		"chunks":        {".chunks.jsonl", "application/jsonl", "{"},
		"tagged-pdf":    {".tagged.pdf", "application/pdf", "%PDF-"},
		"annotated-pdf": {".annotated.pdf", "application/pdf", "%PDF-"},
		"images":        {"_images.zip", "application/zip", "PK"},
	}
	options, err := json.Marshal(map[string]any{"format": option.Formats(), "image_output": "external"})
	if err != nil {
		t.Fatal(err)
	}
	got := u.convert(report().Bytes(), string(options))
	for format, want := range names {
		file, ok := got.files[format]
		if !ok {
			t.Errorf("%s: no file", format)
			continue
		}
		_, disposition, err := mime.ParseMediaType(file.header.Get("Content-Disposition"))
		if err != nil || disposition["filename"] != "Annual report"+want[0] {
			t.Errorf("%s: name %v, %v", format, disposition, err)
		}
		if typ := file.header.Get("Content-Type"); typ != want[1] {
			t.Errorf("%s: type %s", format, typ)
		}
		if !bytes.HasPrefix(file.body, []byte(want[2])) {
			t.Errorf("%s begins with %.20q", format, file.body)
		}
		text := strings.ToValidUTF8(string(file.body), "")
		if want[0] != "_images.zip" && !strings.HasSuffix(want[0], ".pdf") && !strings.Contains(text, "It ends with oranges.") {
			t.Errorf("%s lacks text: %.300s", format, text)
		}
	}
	if len(got.files) != len(names) {
		t.Errorf("%d files", len(got.files))
	}
	archive, err := zip.NewReader(bytes.NewReader(got.files["images"].body), int64(len(got.files["images"].body)))
	if err != nil || len(archive.File) == 0 {
		t.Fatalf("the archive: %v", err)
	}
	for _, format := range []string{"markdown", "html", "json"} {
		if !bytes.Contains(got.files[format].body, []byte(archive.File[0].Name)) {
			t.Errorf("%s does not name the picture %s", format, archive.File[0].Name)
		}
	}
	t.Run("what would show what sanitize replaces is refused", func(t *testing.T) {
		for _, o := range []string{`{"format": ["markdown", "tagged-pdf"]`, `{"format": ["annotated-pdf"]`, `{"image_output": "embedded"`, `{"image_output": "external"`} {
			u.in(t).upload(form{{"file", "a.pdf", string(pdftest.Pages(1))}, {"options", "", o + `, "sanitize": true}`}}).fails(http.StatusBadRequest, "sanitize_conflict")
		}
	})
	t.Run("a plan without them refuses before anything is stored", func(t *testing.T) {
		w := w.in(t)
		for _, o := range append([]string{`{"image_output": "embedded"}`, `{"image_output": "external"}`},
			`{"format": ["markdown", "json"]}`, `{"format": ["html"]}`, `{"format": ["chunks"]}`, `{"format": ["tagged-pdf"]}`, `{"format": ["annotated-pdf"]}`) {
			body, contentType := form{{"file", "a.pdf", string(pdftest.Pages(1))}, {"options", "", o}}.encode(t)
			a := w.send(http.MethodPost, "/jobs", bytes.NewReader(body), "Content-Type", contentType, "Authorization", "Bearer "+w.token("user_free"))
			code := "format_not_in_plan"
			if strings.Contains(o, "image_output") {
				code = "image_extraction_not_in_plan"
			}
			facts(t, a.fails(http.StatusForbidden, code), map[string]any{"tier": "free"})
		}
	})
}

// An optionCase shows what an option changes: the result without it and with it.
type optionCase struct {
	pdf           []byte
	format        string // markdown, when empty
	without, with string // options
	// before and after have to be in the results without and with the option, and in no other.
	before, after string
}

func page(draw func(*pdftest.Page)) []byte {
	b := pdftest.New()
	draw(b.Page(612, 792))
	return b.Bytes()
}

// chapters has a running head and page numbers.
func chapters() []byte {
	b := pdftest.New()
	for n := range 5 {
		p := b.Page(612, 792)
		p.Text(72, 760, 9, pdftest.Regular, "Harbour Authority, yearbook")
		for i := range 20 {
			p.Text(72, 700-14*float64(i), 11, pdftest.Regular, fmt.Sprintf("Line %d of page %d, which says nothing that another line says.", i+1, n+1))
		}
		p.Text(300, 30, 9, pdftest.Regular, fmt.Sprint(n+1))
	}
	return b.Bytes()
}

// mergedTable is a ruled table with a cell over two columns.
func mergedTable() []byte {
	return page(func(p *pdftest.Page) {
		for i := range 4 {
			p.Line(100, 600-20*float64(i), 400, 600-20*float64(i), 1)
		}
		for i := range 3 {
			bottom := 540.0
			top := 600.0
			if i == 1 {
				top = 580
			}
			p.Line(100+150*float64(i), bottom, 100+150*float64(i), top, 1)
		}
		p.Text(180, 586, 10, pdftest.Bold, "Both of them")
		p.Text(110, 566, 10, pdftest.Regular, "One")
		p.Text(260, 566, 10, pdftest.Regular, "Two")
		p.Text(110, 546, 10, pdftest.Regular, "Three")
		p.Text(260, 546, 10, pdftest.Regular, "Four")
	})
}

// alignedTable is a table that only the alignment of a few short texts shows.
func alignedTable() []byte {
	return page(func(p *pdftest.Page) {
		for i, row := range [][2]string{{"Apples", "112"}, {"Pears", "95"}, {"Plums", "230"}, {"Quinces", "18"}, {"Cherries", "77"}} {
			p.Text(100, 600-16*float64(i), 11, pdftest.Regular, row[0])
			p.Text(260, 600-16*float64(i), 11, pdftest.Regular, row[1])
		}
	})
}

// tagged has a structure tree that reads the page from its bottom up.
func tagged() []byte {
	b := pdftest.New()
	p := b.Page(612, 792)
	document := b.Tag("Document", "")
	first, second := document.Tag("P", ""), document.Tag("P", "")
	p.Mark(second, func() { p.Text(72, 700, 11, pdftest.Regular, "Printed above and read last.") })
	p.Mark(first, func() { p.Text(72, 500, 11, pdftest.Regular, "Printed below and read first.") })
	return b.Bytes()
}

func optionCases() map[string]optionCase {
	strike := page(func(p *pdftest.Page) {
		p.Text(72, 700, 12, pdftest.Regular, "Kept before removed")
		p.Line(135, 704, 190, 704, 0.8)
		p.Text(72, 600, 12, pdftest.Regular, "Another paragraph, far below the first one.")
	})
	lines := page(func(p *pdftest.Page) {
		p.Text(72, 700, 11, pdftest.Regular, "A sentence that is too long for one line of this narrow column of")
		p.Text(72, 686, 11, pdftest.Regular, "text goes on in the next one.")
	})
	nameless := page(func(p *pdftest.Page) { p.Text(72, 700, 11, pdftest.Regular, "What is a\x03b in this plain font?") })
	outside := page(func(p *pdftest.Page) {
		p.Text(72, 700, 11, pdftest.Regular, "What is on the page.")
		p.Text(72, -60, 11, pdftest.Regular, "What is not.")
	})
	scan := page(func(p *pdftest.Page) { p.Image(0, 0, 612, 792) })
	typed := page(func(p *pdftest.Page) { p.Text(72, 700, 11, pdftest.Regular, "typed by a person") })
	personal := page(func(p *pdftest.Page) {
		p.Text(72, 700, 11, pdftest.Regular, "Write to ada@example.com, or to her brother.")
	})
	concealed := pdftest.New()
	layer := concealed.Layer("Notes", false)
	p := concealed.Page(612, 792)
	p.Text(72, 700, 11, pdftest.Regular, "What everybody sees.")
	p.Raw("3 Tr")
	p.Text(72, 600, 11, pdftest.Regular, "Drawn without colour.")
	p.Raw("0 Tr")
	p.Text(72, 500, 0.8, pdftest.Regular, "Drawn like dust.")
	p.OnLayer(layer, func() { p.Text(72, 400, 11, pdftest.Regular, "On a layer that is off.") })
	return map[string]optionCase{
		"content_safety_off, hidden-text": {pdf: concealed.Bytes(), with: `{"content_safety_off": ["hidden-text"]}`, after: "Drawn without colour."},
		"content_safety_off, tiny":        {pdf: concealed.Bytes(), with: `{"content_safety_off": ["tiny"]}`, after: "Drawn like dust."},
		"content_safety_off, hidden-ocg":  {pdf: concealed.Bytes(), with: `{"content_safety_off": ["hidden-ocg"]}`, after: "On a layer that is off."},
		"sanitize":                        {pdf: personal, with: `{"sanitize": true}`, before: "ada@example.com", after: "[EMAIL_1]"},
		"sanitize, json":                  {pdf: personal, with: `{"sanitize": true}`, format: "json", before: "ada@example.com", after: "[EMAIL_1]"},
		"sanitize, html":                  {pdf: personal, with: `{"sanitize": true}`, format: "html", before: "ada@example.com", after: "[EMAIL_1]"},
		"sanitize, text":                  {pdf: personal, with: `{"sanitize": true}`, format: "text", before: "ada@example.com", after: "[EMAIL_1]"},
		"sanitize, chunks":                {pdf: personal, with: `{"sanitize": true}`, format: "chunks", before: "ada@example.com", after: "[EMAIL_1]"},
		"ocr, off":                        {pdf: scan, with: `{"ocr": "off"}`, before: "read by recognition"},
		"ocr, force":                      {pdf: typed, with: `{"ocr": "force"}`, before: "typed by a person", after: "read by recognition"},
		"ocr_languages":                   {pdf: scan, with: `{"ocr_languages": ["deu"]}`, before: "read by recognition"},
		"reading_order": {
			pdf: report().Bytes(), with: `{"reading_order": "off"}`, format: "text",
			before: "First column begins and goes on", after: "begins and Second column",
		},
		"table_method": {
			pdf: alignedTable(), with: `{"table_method": "cluster"}`, after: "| Pears | 95 |",
		},
		"pages":                       {pdf: pdftest.Pages(3), with: `{"pages": "2-3"}`, before: "Page 1 of 3"},
		"include_header_footer":       {pdf: chapters(), with: `{"include_header_footer": true}`, after: "Harbour Authority, yearbook"},
		"keep_line_breaks":            {pdf: lines, with: `{"keep_line_breaks": true}`, format: "text", before: "column of text goes", after: "column of\ntext goes"},
		"detect_strikethrough":        {pdf: strike, with: `{"detect_strikethrough": true}`, after: "~~removed~~"},
		"detect_strikethrough, html":  {pdf: strike, with: `{"detect_strikethrough": true}`, format: "html", after: "<del>removed</del>"},
		"use_struct_tree":             {pdf: tagged(), with: `{"use_struct_tree": true}`, before: "read last.\n\nPrinted below", after: "read first.\n\nPrinted above"},
		"replace_invalid_chars":       {pdf: nameless, with: `{"replace_invalid_chars": "[?]"}`, format: "text", before: "a b", after: "a[?]b"},
		"replace_invalid_chars, none": {pdf: nameless, with: `{"replace_invalid_chars": ""}`, format: "text", before: "a b", after: "ab"},
		"content_safety_off":          {pdf: outside, with: `{"content_safety_off": ["off-page"]}`, after: "What is not."},
		"content_safety_off, all":     {pdf: outside, with: `{"content_safety_off": ["all"]}`, after: "What is not."},
		"markdown_page_separator":     {pdf: pdftest.Pages(2), with: `{"markdown_page_separator": "<!-- page %page-number% -->"}`, before: "\n---\n", after: "<!-- page 2 -->"},
		"text_page_separator":         {pdf: pdftest.Pages(2), with: `{"text_page_separator": "== %page-number% =="}`, format: "text", before: "\f", after: "== 2 =="},
		"html_page_separator":         {pdf: pdftest.Pages(2), with: `{"html_page_separator": "<p>now page %page-number%</p>"}`, format: "html", before: "<hr>", after: "<p>now page 2</p>"},
		"markdown_with_html":          {pdf: mergedTable(), with: `{"markdown_with_html": true}`, before: "| One | Two |", after: `colspan="2"`},
		"chunk_max_tokens":            {pdf: chapters(), with: `{"chunk_max_tokens": 40}`, format: "chunks", after: `Line 2 of page 1, which says nothing that another line says.","tokens"`},
		"chunk_overlap_tokens":        {pdf: chapters(), without: `{"chunk_max_tokens": 60}`, with: `{"chunk_max_tokens": 60, "chunk_overlap_tokens": 0}`, format: "chunks", before: `"text":"says nothing`},
		"image_output, embedded":      {pdf: report().Bytes(), with: `{"image_output": "embedded"}`, after: "](data:image/png;base64,"},
		"image_output, html":          {pdf: report().Bytes(), with: `{"image_output": "embedded"}`, format: "html", after: `src="data:image/png;base64,`},
		"image_format": {
			pdf: report().Bytes(), without: `{"image_output": "embedded"}`, with: `{"image_output": "embedded", "image_format": "jpeg"}`,
			before: "data:image/png", after: "data:image/jpeg",
		},
	}
}

func TestOptions(t *testing.T) {
	w, _ := realWorld(t)
	u := w.user(plan.Business)
	ocrtest.Install(t, "eng", ocrtest.HOCR(200, 600, 50, "read by recognition"))
	cases := optionCases()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			u := u.in(t)
			format := "markdown"
			if c.format != "" {
				format = c.format
			}
			result := func(options string) string {
				var o map[string]any
				if options == "" {
					options = "{}"
				}
				if err := json.Unmarshal([]byte(options), &o); err != nil {
					t.Fatal(err)
				}
				o["format"] = []string{format}
				body, err := json.Marshal(o)
				if err != nil {
					t.Fatal(err)
				}
				got := u.convert(c.pdf, string(body))
				for option, value := range o { // the job shows what it was asked for
					if shown := got.job["options"].(map[string]any)[option]; fmt.Sprint(shown) != fmt.Sprint(value) {
						t.Errorf("the job's option %s is %v", option, shown)
					}
				}
				return string(got.files[format].body)
			}
			without, with := result(c.without), result(c.with)
			if c.before != "" && (!strings.Contains(without, c.before) || strings.Contains(with, c.before)) {
				t.Errorf("%q has to be in the first and not in the second\n%.2000s\n=====\n%.2000s", c.before, without, with)
			}
			if c.after != "" && (strings.Contains(without, c.after) || !strings.Contains(with, c.after)) {
				t.Errorf("%q has to be in the second and not in the first\n%.2000s\n=====\n%.2000s", c.after, without, with)
			}
		})
	}
	tested := make(map[string]bool)
	for name := range cases {
		option, _, _ := strings.Cut(name, ",")
		tested[option] = true
	}
	elsewhere := []string{"format", "password"} // TestFormats, TestPasswords
	for _, name := range option.Names() {
		if !tested[name] && !slices.Contains(elsewhere, name) {
			t.Errorf("no case shows what %s does", name)
		}
	}
}
