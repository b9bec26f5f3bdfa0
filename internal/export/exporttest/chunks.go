package exporttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/tiktoken-go/tokenizer/codec"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/export"
	"github.com/ragify/ragify/internal/option"
)

// Chunk is a line of the chunks format.
type Chunk struct {
	ID          string   `json:"id"`
	HeadingPath []string `json:"heading_path"`
	Text        string   `json:"text"`
	Tokens      int      `json:"tokens"`
	Overlap     int      `json:"overlap"`
	Pages       []int    `json:"pages"`
	Boxes       []struct {
		Page int        `json:"page"`
		BBox [4]float64 `json:"bbox"`
	} `json:"boxes"`
	ElementIDs []string `json:"element_ids"`
}

// New is the text without what is repeated of the chunk before.
func (c *Chunk) New() string {
	text := c.Text
	for range c.Overlap {
		_, size := utf8.DecodeRuneInString(text)
		text = text[size:]
	}
	return strings.TrimLeft(text, " \n")
}

// counter is the tokenizer that the format names.
var counter = sync.OnceValue(codec.NewCl100kBase)

// ReadChunks reads a file of chunks, and checks each against the schema and what the format promises of all of them.
func ReadChunks(source []byte, o option.Options) ([]Chunk, error) {
	schema, err := chunkSchema()
	if err != nil {
		return nil, err
	}
	var chunks []Chunk
	var errs []error
	ids := make(map[string]bool)
	for line := range bytes.Lines(source) {
		var c Chunk
		if err := errors.Join(validate(schema, line), json.Unmarshal(line, &c)); err != nil {
			return nil, fmt.Errorf("chunk %d: %w", len(chunks), err)
		}
		failed := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("chunk %d: %s\n%s", len(chunks), fmt.Sprintf(format, args...), c.Text))
		}
		if n, err := counter().Count(c.Text); n != c.Tokens || err != nil {
			failed("%d tokens said, %d counted", c.Tokens, n)
		}
		if c.Tokens > o.ChunkMaxTokens && utf8.RuneCountInString(c.Text) > 1 {
			failed("%d tokens, %d allowed", c.Tokens, o.ChunkMaxTokens)
		}
		if length := utf8.RuneCountInString(c.Text); c.Overlap >= length || c.Overlap > 0 && len(chunks) == 0 {
			failed("repeats %d of %d characters", c.Overlap, length)
		}
		if n, err := counter().Count(c.Text[:len(c.Text)-len(c.New())]); err != nil || n > o.ChunkOverlapTokens+1 { // a line end after them
			failed("repeats %d tokens", n)
		}
		if ids[c.ID] {
			failed("the id %s is that of an earlier one", c.ID)
		}
		ids[c.ID] = true
		if !slices.IsSorted(c.Pages) {
			failed("the pages are %v", c.Pages)
		}
		for _, b := range c.Boxes {
			if !slices.Contains(c.Pages, b.Page) {
				failed("a box on page %d, pages %v", b.Page, c.Pages)
			}
		}
		chunks = append(chunks, c)
	}
	return chunks, errors.Join(errs...)
}

// CheckChunks writes d in chunks of several lengths, and checks that they say what it says: undivided, the same as the
// Markdown; divided, all of it in its order, and nothing between but titles, marks and captions that are repeated.
func CheckChunks(d *document.Document, o option.Options) error {
	o.MarkdownPageSeparator, o.ReplaceInvalidChars = "", ""
	d = withoutPictures(d)
	var whole bytes.Buffer
	if err := export.Write(&whole, option.Markdown, d, o); err != nil {
		return err
	}
	var errs []error
	text := letters(documentText(d, o))
	sizes := []struct{ most, overlap int }{{1_000_000, 0}, {o.ChunkMaxTokens, o.ChunkOverlapTokens}, {40, 10}}
	if len(text) < 1000 { // longer ones are many chunks
		sizes = append(sizes, struct{ most, overlap int }{1, 0})
	}
	for _, size := range sizes {
		o.ChunkMaxTokens, o.ChunkOverlapTokens = size.most, size.overlap
		var b bytes.Buffer
		if err := export.Write(&b, option.Chunks, d, o); err != nil {
			return err
		}
		chunks, err := ReadChunks(b.Bytes(), o)
		var texts []string
		for i := range chunks {
			texts = append(texts, chunks[i].New())
		}
		divided := strings.Join(texts, "\n\n")
		switch {
		case size.most == 1_000_000:
			if diff := cmp.Diff(trimLines(whole.String()), trimLines(divided)); diff != "" {
				err = errors.Join(err, fmt.Errorf("not as in the Markdown (-Markdown +chunks):\n%s", diff))
			}
		default:
			if missing := missing(text, letters(divided)); missing != "" {
				err = errors.Join(err, fmt.Errorf("not in the chunks, or not in its place: %s", missing))
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("chunks of %d tokens, %d repeated: %w", size.most, size.overlap, err))
		}
	}
	return errors.Join(errs...)
}

// withoutPictures is d as it is when nobody asks for pictures: chunks are text.
func withoutPictures(d *document.Document) *document.Document {
	out := *d
	out.Pages = slices.Clone(d.Pages)
	for i := range out.Pages {
		page := copyOf(document.Element{Children: out.Pages[i].Elements})
		eachElement(page.Children, func(e *document.Element) { e.Picture = nil })
		out.Pages[i].Elements = page.Children
	}
	return &out
}

func eachElement(list []document.Element, do func(*document.Element)) {
	for i := range list {
		do(&list[i])
		eachElement(list[i].Children, do)
	}
}

// trimLines takes off the spaces at line ends.
func trimLines(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// documentText is the text of a document, joined over pages, without the marks of lists.
func documentText(d *document.Document, o option.Options) string {
	none := func(*document.Element) string { return "" }
	var b strings.Builder
	for _, block := range blocksOf(d, o, notation{
		heading: func(int) string { return "" }, list: none, table: func(int, int, bool) string { return "" },
		mark: func(_, _ *document.Element) string { return "" },
	}) {
		b.WriteString(block.Text)
	}
	return b.String()
}

// letters are the letters and digits of s.
func letters(s string) []rune {
	return []rune(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, s))
}

// missing is where part is no longer found in all, with other letters between; "" if it is.
func missing(part, all []rune) string {
	i := 0
	for _, r := range all {
		if i < len(part) && r == part[i] {
			i++
		}
	}
	if i == len(part) {
		return ""
	}
	const around = 20
	return fmt.Sprintf("%q after %q", string(part[i:min(i+around, len(part))]), string(part[max(i-around, 0):i]))
}
