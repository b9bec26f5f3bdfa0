package option

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ragify/ragify/internal/fault"
)

// The bounds of free-form values. They only keep absurd input out of the database and the engine.
const (
	maxPassword    = 1024      // characters; PDF itself uses at most 127 bytes
	maxReplacement = 32        // characters that stand for one glyph
	maxSeparator   = 1000      // characters between pages
	maxPages       = 10_000    // characters of a page range
	maxLanguages   = 10        // OCR languages of one job
	maxChunkTokens = 1_000_000 // longer than any model's context
)

// Names lists every option, as clients write it.
func Names() []string {
	names := make([]string, 0, len(setters()))
	for _, s := range setters() {
		names = append(names, s.name)
	}
	return names
}

// Formats lists every output format.
func Formats() []Format {
	return []Format{Markdown, JSON, HTML, Text, TaggedPDF, AnnotatedPDF, Chunks}
}

// Parse reads a JSON object of options. What it leaves out keeps its default; empty or blank raw is an
// empty object. Every value is checked, the page range for its syntax only (see ParsePages).
//
// Faults, all Invalid: "options_not_json" (fact position, a byte counting from 1), "unknown_option"
// and "invalid_option" (facts field and, where the values are few, allowed), "invalid_page_range", and those of Check.
func Parse(raw []byte) (Options, error) {
	o := Default()
	if len(bytes.TrimSpace(raw)) == 0 {
		return o, nil
	}
	members, err := object(raw)
	if err != nil {
		return Options{}, err
	}
	known := make(map[string]setter)
	for _, s := range setters() {
		known[s.name] = s
	}
	given := make(map[string]bool, len(members))
	for _, m := range members {
		s, ok := known[m.name]
		if !ok {
			return Options{}, fault.Newf(fault.Invalid, "unknown_option", "There is no option %q.", clip(m.name)).
				With("field", clip(m.name)).With("allowed", Names())
		}
		if given[m.name] {
			return Options{}, invalid(m.name, "is given twice")
		}
		given[m.name] = true
		if err := s.set(&o, m.value); err != nil {
			return Options{}, err
		}
	}
	return o, o.settle(given)
}

// settle checks what spans several options.
func (o *Options) settle(given map[string]bool) error {
	if err := o.Check(); err != nil {
		return err
	}
	if o.ChunkOverlapTokens < o.ChunkMaxTokens {
		return nil
	}
	if given["chunk_overlap_tokens"] {
		return invalid("chunk_overlap_tokens", "must be less than chunk_max_tokens")
	}
	// The default overlap does not fit small chunks: keep its share of the default chunk, 64 of 512.
	o.ChunkOverlapTokens = o.ChunkMaxTokens / 8
	return nil
}

// Check tells whether the options can be had together: what shows the pages as they are cannot be sanitized. Fault
// Invalid "sanitize_conflict" (fact field).
func (o *Options) Check() error {
	if !o.Sanitize {
		return nil
	}
	var drop []string
	for _, f := range o.Format {
		if f == TaggedPDF || f == AnnotatedPDF {
			drop = append(drop, strconv.Quote(string(f))+` from "format"`)
		}
	}
	if o.ImageOutput != "off" {
		drop = append(drop, `"image_output"`)
	}
	if drop == nil {
		return nil
	}
	return fault.Newf(fault.Invalid, "sanitize_conflict",
		`Option "sanitize" cannot take text out of pages and pictures, which would still show it: leave out %s, or do without "sanitize".`,
		strings.Join(drop, " and ")).With("field", "sanitize")
}

// setter puts one option's JSON value into an Options.
type setter struct {
	name string
	set  func(o *Options, raw json.RawMessage) error
}

// setters is the table of options, in the contract's order.
func setters() []setter {
	return []setter{
		{"format", setFormats},
		oneOf("reading_order", func(o *Options) *string { return &o.ReadingOrder }, "xycut", "off"),
		oneOf("table_method", func(o *Options) *string { return &o.TableMethod }, "default", "cluster"),
		{"pages", setPages},
		boolean("sanitize", func(o *Options) *bool { return &o.Sanitize }),
		text("password", func(o *Options) *string { return &o.Password }, maxPassword),
		boolean("include_header_footer", func(o *Options) *bool { return &o.IncludeHeaderFooter }),
		boolean("keep_line_breaks", func(o *Options) *bool { return &o.KeepLineBreaks }),
		boolean("detect_strikethrough", func(o *Options) *bool { return &o.DetectStrikethrough }),
		boolean("use_struct_tree", func(o *Options) *bool { return &o.UseStructTree }),
		oneOf("image_output", func(o *Options) *string { return &o.ImageOutput }, "off", "embedded", "external"),
		oneOf("image_format", func(o *Options) *string { return &o.ImageFormat }, "png", "jpeg"),
		text("replace_invalid_chars", func(o *Options) *string { return &o.ReplaceInvalidChars }, maxReplacement),
		{"content_safety_off", setContentSafety},
		text("markdown_page_separator", func(o *Options) *string { return &o.MarkdownPageSeparator }, maxSeparator),
		text("text_page_separator", func(o *Options) *string { return &o.TextPageSeparator }, maxSeparator),
		text("html_page_separator", func(o *Options) *string { return &o.HTMLPageSeparator }, maxSeparator),
		boolean("markdown_with_html", func(o *Options) *bool { return &o.MarkdownWithHTML }),
		oneOf("ocr", func(o *Options) *string { return &o.OCR }, "off", "auto", "force"),
		{"ocr_languages", setLanguages},
		integer("chunk_max_tokens", func(o *Options) *int { return &o.ChunkMaxTokens }, 1),
		integer("chunk_overlap_tokens", func(o *Options) *int { return &o.ChunkOverlapTokens }, 0),
	}
}

func oneOf(name string, field func(*Options) *string, allowed ...string) setter {
	return setter{name, func(o *Options, raw json.RawMessage) error {
		var s string
		if !decode(raw, &s) || !slices.Contains(allowed, s) {
			return invalid(name, "must be "+alternatives(allowed)).With("allowed", allowed)
		}
		*field(o) = s
		return nil
	}}
}

func boolean(name string, field func(*Options) *bool) setter {
	return setter{name, func(o *Options, raw json.RawMessage) error {
		if !decode(raw, field(o)) {
			return invalid(name, "must be true or false")
		}
		return nil
	}}
}

func text(name string, field func(*Options) *string, limit int) setter {
	return setter{name, func(o *Options, raw json.RawMessage) error {
		s, err := decodeText(name, raw, limit)
		if err != nil {
			return err
		}
		*field(o) = s
		return nil
	}}
}

func integer(name string, field func(*Options) *int, least int) setter {
	return setter{name, func(o *Options, raw json.RawMessage) error {
		var n int
		if !decode(raw, &n) || n < least || n > maxChunkTokens {
			return invalid(name, "must be a whole number from "+strconv.Itoa(least)+" to "+strconv.Itoa(maxChunkTokens))
		}
		*field(o) = n
		return nil
	}}
}

func setPages(o *Options, raw json.RawMessage) error {
	s, err := decodeText("pages", raw, maxPages)
	if err != nil {
		return err
	}
	if _, err := ParsePages(s, 0); err != nil {
		return err
	}
	o.Pages = s
	return nil
}

func setFormats(o *Options, raw json.RawMessage) error {
	allowed := make([]string, 0, len(Formats()))
	for _, f := range Formats() {
		allowed = append(allowed, string(f))
	}
	values, err := decodeSet("format", raw, allowed)
	if err != nil {
		return err
	}
	if len(values) == 0 {
		return invalid("format", "must name at least one format").With("allowed", allowed)
	}
	o.Format = make([]Format, len(values))
	for i, v := range values {
		o.Format[i] = Format(v)
	}
	return nil
}

func setContentSafety(o *Options, raw json.RawMessage) (err error) {
	o.ContentSafetyOff, err = decodeSet("content_safety_off", raw,
		[]string{"all", "hidden-text", "off-page", "tiny", "hidden-ocg"})
	return err
}

// language is a name of an OCR language model, such as "eng" or "chi_sim". Tesseract has two of that form that know no
// language, for the direction of text and for formulas: they read gibberish.
var language = regexp.MustCompile(`^[a-z]{3}(_[A-Za-z]{1,12}){0,3}$`)

func setLanguages(o *Options, raw json.RawMessage) error {
	values, ok := decodeStrings(raw)
	if !ok || len(values) == 0 || len(values) > maxLanguages {
		return invalid("ocr_languages", "must be an array of 1 to "+strconv.Itoa(maxLanguages)+` language names such as "eng"`)
	}
	for _, v := range values {
		if !language.MatchString(v) || v == "osd" || v == "equ" {
			return invalid("ocr_languages", `must hold language names such as "eng" or "chi_sim"`)
		}
	}
	o.OCRLanguages = values
	return nil
}

// decodeSet reads an array of strings out of allowed; repetitions count once, the order stays.
func decodeSet(name string, raw json.RawMessage, allowed []string) ([]string, error) {
	values, ok := decodeStrings(raw)
	if !ok {
		return nil, invalid(name, "must be an array of strings").With("allowed", allowed)
	}
	for _, v := range values {
		if !slices.Contains(allowed, v) {
			return nil, invalid(name, "may hold "+alternatives(allowed)).With("allowed", allowed)
		}
	}
	return values, nil
}

// decodeStrings reads an array of strings without repetitions. It is never nil when ok.
func decodeStrings(raw json.RawMessage) (values []string, ok bool) {
	var elements []json.RawMessage
	if !decode(raw, &elements) {
		return nil, false
	}
	values = make([]string, 0, len(elements))
	for _, e := range elements {
		var s string
		if !decode(e, &s) {
			return nil, false
		}
		if !slices.Contains(values, s) {
			values = append(values, s)
		}
	}
	return values, true
}

// decodeText reads a string of at most limit characters. NUL is refused: no database column, file name
// or text format that the value may end up in can hold it.
func decodeText(name string, raw json.RawMessage, limit int) (string, error) {
	var s string
	if !decode(raw, &s) {
		return "", invalid(name, "must be a string")
	}
	if utf8.RuneCountInString(s) > limit {
		return "", invalid(name, "must have at most "+strconv.Itoa(limit)+" characters")
	}
	if strings.ContainsRune(s, 0) {
		return "", invalid(name, "must not contain NUL characters")
	}
	return s, nil
}

// decode reads one JSON value. null fits nothing, unlike in encoding/json.
func decode(raw json.RawMessage, into any) bool {
	return !bytes.Equal(raw, []byte("null")) && json.Unmarshal(raw, into) == nil
}

type member struct {
	name  string
	value json.RawMessage
}

// object splits a JSON object into its members, in order and with repetitions.
func object(raw []byte) ([]member, error) {
	if !utf8.Valid(raw) {
		return nil, notJSON("The options are not valid UTF-8.", invalidUTF8(raw))
	}
	// A check of the whole text first: it makes positions exact, and the walk below cannot fail half-way.
	var all json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, notJSON("The options are not valid JSON.", int(syntax.Offset))
		}
		return nil, notJSON("The options are not valid JSON.", len(raw))
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, notJSON("The options must be one JSON object.", len(raw)-len(bytes.TrimLeft(raw, " \t\r\n"))+1)
	}
	var members []member
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, notJSON("The options are not valid JSON.", int(dec.InputOffset())+1)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil && !errors.Is(err, io.EOF) {
			return nil, notJSON("The options are not valid JSON.", int(dec.InputOffset())+1)
		}
		members = append(members, member{name.(string), value})
	}
	return members, nil
}

func notJSON(message string, position int) error {
	return fault.New(fault.Invalid, "options_not_json", message).With("field", "options").With("position", position)
}

// invalidUTF8 is the position, counting from 1, of the first byte that is not UTF-8.
func invalidUTF8(raw []byte) int {
	for i := 0; i < len(raw); {
		r, size := utf8.DecodeRune(raw[i:])
		if r == utf8.RuneError && size == 1 {
			return i + 1
		}
		i += size
	}
	return len(raw)
}

func invalid(name, must string) *fault.Fault {
	return fault.Newf(fault.Invalid, "invalid_option", "Option %q %s.", name, must).With("field", name)
}

func alternatives(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = strconv.Quote(v)
	}
	if len(quoted) == 1 {
		return quoted[0]
	}
	return strings.Join(quoted[:len(quoted)-1], ", ") + " or " + quoted[len(quoted)-1]
}

// clip shortens a client's own word for an answer.
func clip(s string) string {
	const most = 64
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}
