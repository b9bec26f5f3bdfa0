// Package option holds the options of a job: their names, defaults, and checks. The same set drives
// the API, the command line and the engine.
package option

// Format is an output format.
type Format string

// The formats of the contract, section 7.
const (
	Markdown     Format = "markdown"
	JSON         Format = "json"
	HTML         Format = "html"
	Text         Format = "text"
	TaggedPDF    Format = "tagged-pdf"
	AnnotatedPDF Format = "annotated-pdf"
	Chunks       Format = "chunks"
)

// Options is one job's options with every value effective. The JSON form is what clients send and
// what a job shows; Password never appears in it.
type Options struct {
	Format                []Format `json:"format"`
	ReadingOrder          string   `json:"reading_order"`
	TableMethod           string   `json:"table_method"`
	Pages                 string   `json:"pages"`
	Sanitize              bool     `json:"sanitize"`
	Password              string   `json:"-"`
	IncludeHeaderFooter   bool     `json:"include_header_footer"`
	KeepLineBreaks        bool     `json:"keep_line_breaks"`
	DetectStrikethrough   bool     `json:"detect_strikethrough"`
	UseStructTree         bool     `json:"use_struct_tree"`
	ImageOutput           string   `json:"image_output"`
	ImageFormat           string   `json:"image_format"`
	ReplaceInvalidChars   string   `json:"replace_invalid_chars"`
	ContentSafetyOff      []string `json:"content_safety_off"`
	MarkdownPageSeparator string   `json:"markdown_page_separator"`
	TextPageSeparator     string   `json:"text_page_separator"`
	HTMLPageSeparator     string   `json:"html_page_separator"`
	MarkdownWithHTML      bool     `json:"markdown_with_html"`
	OCR                   string   `json:"ocr"`
	OCRLanguages          []string `json:"ocr_languages"`
	ChunkMaxTokens        int      `json:"chunk_max_tokens"`
	ChunkOverlapTokens    int      `json:"chunk_overlap_tokens"`
}

// Default is what an empty options object means.
func Default() Options {
	return Options{
		Format:                []Format{Markdown},
		ReadingOrder:          "xycut",
		TableMethod:           "default",
		ImageOutput:           "off",
		ImageFormat:           "png",
		ReplaceInvalidChars:   " ",
		ContentSafetyOff:      []string{},
		MarkdownPageSeparator: "---",
		TextPageSeparator:     "\f",
		HTMLPageSeparator:     "<hr>",
		OCR:                   "auto",
		OCRLanguages:          []string{"eng"},
		ChunkMaxTokens:        512,
		ChunkOverlapTokens:    64,
	}
}
