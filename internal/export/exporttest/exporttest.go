// Package exporttest reads what the writers write with other people's parsers, and says where these see something
// else than the document.
package exporttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ragify/ragify/api"
	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/export"
	"github.com/ragify/ragify/internal/option"
)

// Outputs are the files of one document, made with the default separators.
type Outputs struct{ Markdown, HTML, JSON, Chunks []byte }

// Check writes d with the given options and checks the outputs against it. Page separators are set to their defaults,
// since they may say anything.
func Check(d *document.Document, o option.Options) error {
	o.MarkdownPageSeparator, o.HTMLPageSeparator = option.Default().MarkdownPageSeparator, option.Default().HTMLPageSeparator
	o.ReplaceInvalidChars = "" // what stands for them may be anything as well
	var files [3]bytes.Buffer
	for i, f := range []option.Format{option.Markdown, option.HTML, option.JSON} {
		if err := export.Write(&files[i], f, d, o); err != nil {
			return err
		}
	}
	return errors.Join(checkMarkdown(files[0].Bytes(), d, o), checkHTML(files[1].Bytes(), d, o), checkJSON(files[2].Bytes()), CheckChunks(d, o))
}

// CheckOutputs checks the files of a document against one another: the JSON and the chunks against their schemas, the
// others against the JSON. o is what they were made with.
func CheckOutputs(files Outputs, o option.Options) error {
	if err := checkJSON(files.JSON); err != nil {
		return err
	}
	d, err := readJSON(files.JSON)
	if err != nil {
		return err
	}
	_, err = ReadChunks(files.Chunks, o)
	return errors.Join(checkMarkdown(files.Markdown, d, o), checkHTML(files.HTML, d, o), err)
}

// checkJSON validates JSON against the schema of the format.
func checkJSON(source []byte) error {
	schema, err := documentSchema()
	if err != nil {
		return err
	}
	return validate(schema, source)
}

func validate(schema *jsonschema.Schema, source []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(source))
	if err != nil {
		return err
	}
	if err := schema.Validate(v); err != nil {
		return fmt.Errorf("the JSON does not match its schema: %w", err)
	}
	return nil
}

// The schemas are compiled once: they never change.
var (
	documentSchema = sync.OnceValues(func() (*jsonschema.Schema, error) { return compile(api.DocumentSchema) })
	chunkSchema    = sync.OnceValues(func() (*jsonschema.Schema, error) { return compile(api.ChunkSchema) })
)

func compile(source []byte) (*jsonschema.Schema, error) {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(source))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", v); err != nil {
		return nil, err
	}
	return c.Compile("schema.json")
}

// readJSON makes a document of the JSON output again, as far as the checks look at it: styles are lost, and the lines
// of an element are one.
func readJSON(source []byte) (*document.Document, error) {
	var in struct {
		Title    *string `json:"title"`
		Language *string `json:"language"`
		Pages    []struct {
			Number int `json:"number"`
		} `json:"pages"`
		Kids []jsonElement `json:"kids"`
	}
	if err := json.Unmarshal(source, &in); err != nil {
		return nil, err
	}
	d := &document.Document{}
	at := make(map[int]int) // pages by their number
	for i, p := range in.Pages {
		d.Pages = append(d.Pages, document.Page{Number: p.Number})
		at[p.Number] = i
	}
	for i := range in.Kids {
		e := in.Kids[i].element()
		k, ok := at[e.Page]
		if !ok {
			return nil, fmt.Errorf("element %s is on page %d, which is not among the pages", e.ID, e.Page)
		}
		d.Pages[k].Elements = append(d.Pages[k].Elements, e)
	}
	return d, nil
}

type jsonElement struct {
	ID           string        `json:"id"`
	Type         document.Kind `json:"type"`
	Page         int           `json:"page_number"`
	Content      string        `json:"content"`
	Level        string        `json:"level"`
	Marker       string        `json:"marker"`
	Alt          string        `json:"alt"`
	Depth        int           `json:"depth"`
	Code         bool          `json:"code"`
	Aside        bool          `json:"aside"`
	Continues    bool          `json:"continues"`
	HeaderRows   int           `json:"header_rows"`
	RowContinues bool          `json:"row_continues"`
	Rows         [][]string    `json:"rows"`
	Cells        []struct {
		Row     int    `json:"row"`
		Column  int    `json:"column"`
		RowSpan int    `json:"row_span"`
		ColSpan int    `json:"column_span"`
		Content string `json:"content"`
	} `json:"cells"`
	Image *struct{}     `json:"image"`
	Kids  []jsonElement `json:"kids"`
}

func (j *jsonElement) element() document.Element {
	e := document.Element{ID: j.ID, Kind: j.Type, Page: j.Page, Marker: j.Marker, Alt: j.Alt, Code: j.Code, Aside: j.Aside, Continues: j.Continues}
	if j.Image != nil {
		e.Picture = &document.Picture{}
	}
	switch j.Type {
	case document.Table:
		e.Grid = &document.Grid{Rows: len(j.Rows), HeaderRows: j.HeaderRows, RowContinues: j.RowContinues}
		if len(j.Rows) > 0 {
			e.Grid.Cols = len(j.Rows[0])
		}
		for _, c := range j.Cells {
			e.Grid.Cells = append(e.Grid.Cells, document.Cell{
				Row: c.Row, Col: c.Column, RowSpan: c.RowSpan, ColSpan: c.ColSpan, Lines: oneLine(c.Content),
			})
		}
	case document.List:
		e.Level = j.Depth
	case document.Figure: // its content is that of its kids, or the text that stands for it
	case document.Header, document.Footer:
		if len(j.Kids) == 0 {
			e.Lines = oneLine(j.Content)
		}
	default:
		e.Lines = oneLine(j.Content)
	}
	if j.Type == document.Heading && j.Level != "Title" {
		e.Level = int(j.Level[1] - '0')
	}
	for i := range j.Kids {
		e.Children = append(e.Children, j.Kids[i].element())
	}
	return e
}

func oneLine(s string) []document.Line { return []document.Line{{Runs: []document.Run{{Text: s}}}} }
