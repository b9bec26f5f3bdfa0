package export

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/option"
)

// jsonDocument is the JSON output without its elements, which follow as "kids": contract section 7 and
// api/document.schema.json.
type jsonDocument struct {
	NumberOfPages    int                `json:"number of pages"`
	Title            *string            `json:"title"`
	Author           *string            `json:"author"`
	Subject          *string            `json:"subject"`
	Keywords         *string            `json:"keywords"`
	Creator          *string            `json:"creator"`
	Producer         *string            `json:"producer"`
	CreationDate     *string            `json:"creation date"`
	ModificationDate *string            `json:"modification date"`
	Language         *string            `json:"language"`
	Pages            []jsonPage         `json:"pages"`
	Warnings         []document.Warning `json:"warnings"`
}

type jsonPage struct {
	Number int     `json:"number"`
	Width  float64 `json:"width"`
	Height float64 `json:"height"`
}

type jsonElement struct {
	ID         string        `json:"id"`
	Type       document.Kind `json:"type"`
	PageNumber int           `json:"page_number"`
	BBox       [4]float64    `json:"bbox"`
	Content    string        `json:"content"`
	FontName   *string       `json:"font_name"`
	FontSize   *float64      `json:"font_size"`
	Level      string        `json:"level,omitempty"`
	Marker     *string       `json:"marker,omitempty"`
	Alt        string        `json:"alt,omitempty"`
	Caption    string        `json:"caption,omitempty"`
	Image      *jsonImage    `json:"image,omitempty"`
	Code       bool          `json:"code,omitempty"`
	Ordered    *bool         `json:"ordered,omitempty"`
	Continues  bool          `json:"continues,omitempty"`
	Aside      bool          `json:"aside,omitempty"`
	Depth      int           `json:"depth,omitempty"`
	HeaderRows *int          `json:"header_rows,omitempty"`
	RowGoesOn  bool          `json:"row_continues,omitempty"`
	Rows       [][]string    `json:"rows,omitempty"`
	Cells      []jsonCell    `json:"cells,omitempty"`
	Kids       []jsonElement `json:"kids,omitempty"`
}

type jsonImage struct {
	File   string  `json:"file,omitempty"`
	Data   *string `json:"data,omitempty"` // empty: see writeSpliced
	Type   string  `json:"type"`
	Width  int     `json:"width"`
	Height int     `json:"height"`
}

type jsonCell struct {
	Row     int        `json:"row"`
	Column  int        `json:"column"`
	RowSpan int        `json:"row_span"`
	ColSpan int        `json:"column_span"`
	BBox    [4]float64 `json:"bbox"`
	Content string     `json:"content"`
}

// writeJSON writes one element a line: compact, and still something that a person can read and diff tools can
// compare.
func writeJSON(w *bufio.Writer, d *document.Document, o option.Options) error {
	out := jsonDocument{
		NumberOfPages: d.NumPages, Title: known(d.Meta.Title), Author: known(d.Meta.Author), Subject: known(d.Meta.Subject),
		Keywords: known(d.Meta.Keywords), Creator: known(d.Meta.Creator), Producer: known(d.Meta.Producer),
		CreationDate: known(d.Meta.CreationDate), ModificationDate: known(d.Meta.ModificationDate), Language: known(d.Meta.Language),
		Pages: make([]jsonPage, 0, len(d.Pages)), Warnings: []document.Warning{},
	}
	for _, warning := range d.Warnings {
		if warning.Pages == nil {
			warning.Pages = []int{}
		}
		out.Warnings = append(out.Warnings, warning)
	}
	for i := range d.Pages {
		p := &d.Pages[i]
		out.Pages = append(out.Pages, jsonPage{p.Number, hundredths(p.Width), hundredths(p.Height)})
	}
	head, err := marshal(out)
	if err != nil {
		return err
	}
	w.Write(head[:len(head)-1]) // the kids follow before the last brace
	w.WriteString(",\n\"kids\":[")
	first := true
	for i := range d.Pages {
		var captions map[*document.Element]*document.Element
		if o.ImageOutput != "off" {
			captions = captionsOf(d.Pages[i].Elements)
		}
		for k := range d.Pages[i].Elements {
			e := &d.Pages[i].Elements[k]
			element := toJSON(e, o)
			if caption := captions[e]; caption != nil && e.Kind == document.Figure {
				element.Caption = caption.ID
			}
			kid, err := marshal(element)
			if err != nil {
				return err
			}
			if !first {
				w.WriteByte(',')
			}
			first = false
			w.WriteByte('\n')
			if o.ImageOutput != "embedded" {
				w.Write(kid)
			} else if err := writeSpliced(w, kid, picturesIn(e, nil), o); err != nil {
				return err
			}
		}
	}
	w.WriteString("\n]}\n")
	return nil // bufio keeps the first error for Flush
}

// marshal is json.Marshal without escapes for HTML, which nobody reads this as.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// known is nil, in JSON null, for what the file does not say.
func known(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func toJSON(e *document.Element, o option.Options) jsonElement {
	out := jsonElement{
		ID: e.ID, Type: e.Kind, PageNumber: e.Page, BBox: corners(e.Box), Content: elementText(e, o),
		Alt: e.Alt, Code: e.Code, Continues: e.Continues, Aside: e.Aside,
	}
	out.FontName, out.FontSize = predominantFont(e)
	switch e.Kind {
	case document.Heading:
		out.Level = levelName(e.Level)
	case document.ListItem:
		out.Marker = &e.Marker
	case document.List:
		out.Ordered, out.Depth = &e.Ordered, e.Level
	case document.Table:
		out.Rows, out.Cells = jsonTable(e.Grid, o)
		if e.Grid != nil {
			out.HeaderRows, out.RowGoesOn = &e.Grid.HeaderRows, e.Grid.RowContinues
		}
	}
	if p := e.Picture; p != nil {
		out.Image = &jsonImage{Type: p.Type, Width: p.Width, Height: p.Height}
		if o.ImageOutput == "embedded" {
			out.Image.Data = new(string)
		} else {
			out.Image.File = p.Name
		}
	}
	for i := range e.Children {
		out.Kids = append(out.Kids, toJSON(&e.Children[i], o))
	}
	return out
}

// predominantFont is e's font and size: those of its first child when it has no text of its own, null when
// there is no text at all.
func predominantFont(e *document.Element) (name *string, size *float64) {
	for e.FontSize == 0 && len(e.Children) > 0 {
		e = &e.Children[0]
	}
	if e.FontSize == 0 {
		return nil, nil
	}
	return &e.FontName, new(hundredths(e.FontSize))
}

// levelName names heading levels as the contract does.
func levelName(level int) string {
	if level <= 0 {
		return "Title"
	}
	return fmt.Sprintf("H%d", min(level, 6))
}

// jsonTable gives a table as rows of strings, where a cell over several slots stands in its first, and as cells.
func jsonTable(g *document.Grid, o option.Options) ([][]string, []jsonCell) {
	if g == nil {
		return nil, nil
	}
	rows := make([][]string, g.Rows)
	for r := range rows {
		rows[r] = make([]string, g.Cols)
	}
	cells := make([]jsonCell, 0, len(g.Cells))
	for i := range g.Cells {
		c := &g.Cells[i]
		text := plainText(c.Lines, o)
		rows[c.Row][c.Col] = text
		cells = append(cells, jsonCell{c.Row, c.Col, c.RowSpan, c.ColSpan, corners(c.Box), text})
	}
	return rows, cells
}

func corners(b document.Box) [4]float64 {
	return [4]float64{hundredths(b.Left), hundredths(b.Top), hundredths(b.Right), hundredths(b.Bottom)}
}

// hundredths of a point are as exact as any reader needs, and print short.
func hundredths(v float64) float64 {
	if v < 0 {
		return -hundredths(-v)
	}
	return float64(int64(v*100+0.5)) / 100
}
