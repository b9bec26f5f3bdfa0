package option_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/option"
)

func TestParse(t *testing.T) {
	with := func(change func(*option.Options)) option.Options {
		o := option.Default()
		change(&o)
		return o
	}
	for name, tc := range map[string]struct {
		raw  string
		want option.Options
	}{
		"nothing means every default":       {"", option.Default()},
		"blank means every default":         {" \n", option.Default()},
		"an empty object keeps the default": {"{}", option.Default()},
		"formats keep their order and count once": {
			`{"format": ["text", "markdown", "text"]}`,
			with(func(o *option.Options) { o.Format = []option.Format{option.Text, option.Markdown} }),
		},
		"every option can be set, but for one that does not go with others": {
			`{"format":["json"],"reading_order":"off","table_method":"cluster","pages":"1, 3-4",
			"password":"s3cret","include_header_footer":true,"keep_line_breaks":true,"detect_strikethrough":true,"use_struct_tree":true,
			"image_output":"external","image_format":"jpeg","replace_invalid_chars":"\ufffd","content_safety_off":["tiny","all"],
			"markdown_page_separator":"","text_page_separator":"\n%page-number%\n","html_page_separator":"<p>","markdown_with_html":true,
			"ocr":"force","ocr_languages":["deu","chi_sim"],"chunk_max_tokens":100,"chunk_overlap_tokens":0}`,
			option.Options{
				Format: []option.Format{option.JSON}, ReadingOrder: "off", TableMethod: "cluster", Pages: "1, 3-4",
				Password: "s3cret", IncludeHeaderFooter: true, KeepLineBreaks: true, DetectStrikethrough: true, UseStructTree: true,
				ImageOutput: "external", ImageFormat: "jpeg", ReplaceInvalidChars: "\ufffd", ContentSafetyOff: []string{"tiny", "all"},
				MarkdownPageSeparator: "", TextPageSeparator: "\n%page-number%\n", HTMLPageSeparator: "<p>", MarkdownWithHTML: true,
				OCR: "force", OCRLanguages: []string{"deu", "chi_sim"}, ChunkMaxTokens: 100, ChunkOverlapTokens: 0,
			},
		},
		"sanitize goes with the formats that are written anew": {
			`{"format": ["markdown","json","html","text","chunks"], "sanitize": true}`,
			with(func(o *option.Options) {
				o.Format = []option.Format{option.Markdown, option.JSON, option.HTML, option.Text, option.Chunks}
				o.Sanitize = true
			}),
		},
		"the default overlap shrinks with small chunks": {
			`{"chunk_max_tokens": 40}`,
			with(func(o *option.Options) { o.ChunkMaxTokens, o.ChunkOverlapTokens = 40, 5 }),
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := option.Parse([]byte(tc.raw))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParse_refuses(t *testing.T) {
	for raw, want := range map[string]struct {
		code, field string
	}{
		`{"formt": ["markdown"]}`:                                {"unknown_option", "formt"},
		`{"Format": ["markdown"]}`:                               {"unknown_option", "Format"},
		`{"format": "markdown"}`:                                 {"invalid_option", "format"},
		`{"format": []}`:                                         {"invalid_option", "format"},
		`{"format": ["docx"]}`:                                   {"invalid_option", "format"},
		`{"format": [null]}`:                                     {"invalid_option", "format"},
		`{"format": null}`:                                       {"invalid_option", "format"},
		`{"format": ["text"], "format": ["text"]}`:               {"invalid_option", "format"},
		`{"reading_order": "yx"}`:                                {"invalid_option", "reading_order"},
		`{"reading_order": true}`:                                {"invalid_option", "reading_order"},
		`{"table_method": ""}`:                                   {"invalid_option", "table_method"},
		`{"pages": 3}`:                                           {"invalid_option", "pages"},
		`{"pages": "3-1"}`:                                       {"invalid_page_range", "pages"},
		`{"sanitize": "true"}`:                                   {"invalid_option", "sanitize"},
		`{"sanitize": 1}`:                                        {"invalid_option", "sanitize"},
		`{"format": ["text","tagged-pdf"], "sanitize": true}`:    {"sanitize_conflict", "sanitize"},
		`{"sanitize": true, "format": ["annotated-pdf"]}`:        {"sanitize_conflict", "sanitize"},
		`{"sanitize": true, "image_output": "embedded"}`:         {"sanitize_conflict", "sanitize"},
		`{"password": 1234}`:                                     {"invalid_option", "password"},
		`{"password": "` + strings.Repeat("x", 1025) + `"}`:      {"invalid_option", "password"},
		`{"image_output": "inline"}`:                             {"invalid_option", "image_output"},
		`{"image_format": "gif"}`:                                {"invalid_option", "image_format"},
		`{"replace_invalid_chars": "\u0000"}`:                    {"invalid_option", "replace_invalid_chars"},
		`{"content_safety_off": ["hidden"]}`:                     {"invalid_option", "content_safety_off"},
		`{"content_safety_off": "all"}`:                          {"invalid_option", "content_safety_off"},
		`{"markdown_page_separator": ["-"]}`:                     {"invalid_option", "markdown_page_separator"},
		`{"ocr": "on"}`:                                          {"invalid_option", "ocr"},
		`{"ocr_languages": []}`:                                  {"invalid_option", "ocr_languages"},
		`{"ocr_languages": ["../eng"]}`:                          {"invalid_option", "ocr_languages"},
		`{"ocr_languages": ["eng","osd"]}`:                       {"invalid_option", "ocr_languages"},
		`{"chunk_max_tokens": 0}`:                                {"invalid_option", "chunk_max_tokens"},
		`{"chunk_max_tokens": 1.5}`:                              {"invalid_option", "chunk_max_tokens"},
		`{"chunk_max_tokens": "512"}`:                            {"invalid_option", "chunk_max_tokens"},
		`{"chunk_overlap_tokens": -1}`:                           {"invalid_option", "chunk_overlap_tokens"},
		`{"chunk_overlap_tokens": 512}`:                          {"invalid_option", "chunk_overlap_tokens"},
		`{"chunk_max_tokens": 10, "chunk_overlap_tokens": 10}`:   {"invalid_option", "chunk_overlap_tokens"},
		`{"chunk_max_tokens": 99999999999999999999999999999999}`: {"invalid_option", "chunk_max_tokens"},
	} {
		t.Run(clip(raw), func(t *testing.T) {
			_, err := option.Parse([]byte(raw))
			f := wantFault(t, err, want.code)
			if f.Facts["field"] != want.field {
				t.Errorf("field %v, want %v", f.Facts["field"], want.field)
			}
			if !strings.Contains(f.Message, want.field) {
				t.Errorf("message %q does not name %q", f.Message, want.field)
			}
		})
	}
}

func TestParse_tells_where_JSON_breaks(t *testing.T) {
	for raw, position := range map[string]int{
		`{"pages": }`:       11,
		`{"pages": "1"`:     13,
		`{} x`:              4,
		`["markdown"]`:      1,
		`  "markdown"`:      3,
		`null`:              1,
		"{\"pages\":\"\xff": 11,
		`{'pages': ''}`:     2,
	} {
		_, err := option.Parse([]byte(raw))
		if f := wantFault(t, err, "options_not_json"); f.Facts["position"] != position {
			t.Errorf("%q: position %v, want %d", raw, f.Facts["position"], position)
		}
	}
}

func TestParse_knows_every_option_that_a_job_shows(t *testing.T) {
	raw, err := json.Marshal(option.Default())
	if err != nil {
		t.Fatal(err)
	}
	var shown map[string]any
	if err := json.Unmarshal(raw, &shown); err != nil {
		t.Fatal(err)
	}
	want := []string{"password"} // is never shown
	for name := range shown {
		want = append(want, name)
	}
	got := option.Names()
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-shown +known):\n%s", diff)
	}
	if o, err := option.Parse(raw); err != nil {
		t.Errorf("what a job shows is not accepted: %v", err)
	} else if diff := cmp.Diff(option.Default(), o); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHash(t *testing.T) {
	parse := func(raw string) option.Options {
		o, err := option.Parse([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	base := parse(`{"format": ["markdown", "text"], "pages": "1-3"}`)
	for name, tc := range map[string]struct {
		other option.Options
		same  bool
	}{
		"a default written out":  {parse(`{"pages":"1-3","sanitize":false,"format":["markdown","text"]}`), true},
		"another order":          {parse(`{"format": ["text", "markdown"], "pages": "1-3"}`), true},
		"another password":       {parse(`{"format": ["markdown", "text"], "pages": "1-3", "password": "x"}`), true},
		"another value":          {parse(`{"format": ["markdown", "text"], "pages": "1-4"}`), false},
		"one format less":        {parse(`{"format": ["text"], "pages": "1-3"}`), false},
		"a value out of default": {parse(`{"format": ["markdown", "text"], "pages": "1-3", "sanitize": true}`), false},
	} {
		if got := base.Hash() == tc.other.Hash(); got != tc.same {
			t.Errorf("%s: same hash %v, want %v", name, got, tc.same)
		}
	}
	if !slices.Equal(base.Format, []option.Format{option.Markdown, option.Text}) {
		t.Errorf("Hash reordered the formats: %v", base.Format)
	}
}

func TestParsePages(t *testing.T) {
	for selection, want := range map[string][]int{
		"":                     {1, 2, 3, 4, 5, 6, 7},
		"  ":                   {1, 2, 3, 4, 5, 6, 7},
		"1,3,5-7":              {1, 3, 5, 6, 7},
		" 7 , 1 - 2 ":          {1, 2, 7},
		"2,2,1-3":              {1, 2, 3},
		"7":                    {7},
		"3-3":                  {3},
		"0000002":              {2},
		"1-7,1-7,1-7,":         nil,
		",":                    nil,
		"0":                    nil,
		"8":                    nil,
		"5-8":                  nil,
		"5-":                   nil,
		"-5":                   nil,
		"7-5":                  nil,
		"1--2":                 nil,
		"+1":                   nil,
		"1.5":                  nil,
		"one":                  nil,
		"١":                    nil,
		"1;2":                  nil,
		"99999999999999999999": nil,
	} {
		got, err := option.ParsePages(selection, 7)
		if want == nil {
			f := wantFault(t, err, "invalid_page_range")
			if f.Facts["field"] != "pages" {
				t.Errorf("%q: field %v", selection, f.Facts["field"])
			}
			continue
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v; want %v", selection, got, err, want)
		}
	}
}

func TestParsePages_without_a_page_count_checks_the_syntax_only(t *testing.T) {
	if pages, err := option.ParsePages("1-999999999", 0); err != nil || pages != nil {
		t.Errorf("%d pages, %v", len(pages), err)
	}
	_, err := option.ParsePages("x", 0)
	wantFault(t, err, "invalid_page_range")
}

func TestParsePages_names_the_pages_there_are(t *testing.T) {
	_, err := option.ParsePages("2", 1)
	f := wantFault(t, err, "invalid_page_range")
	if want := `Option "pages" asks for page 2, but the PDF has 1 page.`; f.Message != want {
		t.Errorf("%q, want %q", f.Message, want)
	}
	if f.Facts["page_count"] != 1 {
		t.Errorf("page_count %v", f.Facts["page_count"])
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"format":["markdown","text"],"pages":"1,3-5"}`, `{"chunk_max_tokens":7}`, `[1]`, `{"a":`, "{\"pages\":\"\xff\"}",
		`{"sanitize":true,"sanitize":false}`, `{"ocr_languages":["eng","chi_sim"]}`, `{"password":"\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		o, err := option.Parse(raw)
		if err != nil {
			if fl := fault.From(err); fl.Kind != fault.Invalid || fl.Message == "" {
				t.Fatalf("%q: not an Invalid fault: %v", raw, err)
			}
			return
		}
		shown, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		again, err := option.Parse(shown)
		if err != nil {
			t.Fatalf("%q: its effective values %s are refused: %v", raw, shown, err)
		}
		if again.Hash() != o.Hash() {
			t.Fatalf("%q: effective values hash differently", raw)
		}
		again.Password = o.Password
		if diff := cmp.Diff(o, again); diff != "" {
			t.Fatalf("%q: %s", raw, diff)
		}
	})
}

func FuzzParsePages(f *testing.F) {
	for _, seed := range []string{"", "1,3,5-7", "1-", "9-1", " 2 ", "1-999999999"} {
		f.Add(seed, 10)
	}
	f.Fuzz(func(t *testing.T, s string, numPages int) {
		if numPages < 1 || numPages > 1000 {
			return
		}
		pages, err := option.ParsePages(s, numPages)
		if err != nil {
			return
		}
		if len(pages) == 0 || !slices.IsSorted(pages) || len(slices.Compact(slices.Clone(pages))) != len(pages) {
			t.Fatalf("%q: %v", s, pages)
		}
		if pages[0] < 1 || pages[len(pages)-1] > numPages {
			t.Fatalf("%q: %v outside 1…%d", s, pages, numPages)
		}
		if _, err := option.ParsePages(s, 0); err != nil {
			t.Fatalf("%q: accepted with a page count, refused without: %v", s, err)
		}
	})
}

func wantFault(t *testing.T, err error, code string) *fault.Fault {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Code != code {
		t.Fatalf("error %v, want an Invalid fault %q", err, code)
	}
	return f
}

func clip(s string) string { return fmt.Sprintf("%.60s", s) }

func TestParse_names_what_sanitize_does_not_go_with(t *testing.T) {
	_, err := option.Parse([]byte(`{"format":["tagged-pdf","json","annotated-pdf"],"image_output":"external","sanitize":true}`))
	f := wantFault(t, err, "sanitize_conflict")
	const want = `Option "sanitize" cannot take text out of pages and pictures, which would still show it: ` +
		`leave out "tagged-pdf" from "format" and "annotated-pdf" from "format" and "image_output", or do without "sanitize".`
	if f.Message != want {
		t.Errorf("%s", f.Message)
	}
}
