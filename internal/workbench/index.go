package workbench

import (
	_ "embed" // the page's template
	"fmt"
	"html/template"
	"io"

	"github.com/ragify/ragify/internal/document"
)

//go:embed index.tmpl.html
var indexTemplate string

// indexData is what the index shows.
type indexData struct {
	Title    string
	NumPages int // in the file
	Warnings []document.Warning
	Layers   []layer
	Looks    []look
	Pages    []indexPage
}

type indexPage struct {
	Number        int
	Width, Height float64
	File          string
	Warned        bool // a warning names it
	Items         []indexItem
}

type indexItem struct {
	Number, Depth int
	Kind          document.Kind
	Name          string // the kind, with what tells it from others of it
	Text          string
	Top           float64 // points
	Continues     bool
}

// writeIndex writes the page that leads through the book.
func writeIndex(w io.Writer, b *Book, d *document.Document) error {
	data := indexData{Title: b.title, NumPages: d.NumPages, Warnings: d.Warnings, Layers: layers(), Looks: looks()}
	warned := make(map[int]bool)
	for _, warning := range d.Warnings {
		for _, n := range warning.Pages {
			warned[n] = true
		}
	}
	for _, p := range d.Pages {
		page := indexPage{Number: p.Number, Width: p.Width, Height: p.Height, File: PageName(p.Number), Warned: warned[p.Number]}
		for _, i := range flatten(p.Elements, 0) {
			e := i.element
			page.Items = append(page.Items, indexItem{i.number, i.depth, e.Kind, i.name(), excerpt(e, 160), e.Box.Top, e.Continues})
		}
		data.Pages = append(data.Pages, page)
	}
	t, err := template.New("index").Parse(indexTemplate)
	if err != nil {
		return err
	}
	return t.Execute(w, data)
}

// name of an element in the list beside the page.
func (i item) name() string {
	switch e := i.element; {
	case e.Kind == document.Heading && e.Level == 0:
		return "title"
	case e.Kind == document.Heading:
		return fmt.Sprintf("heading %d", e.Level)
	case e.Grid != nil:
		return fmt.Sprintf("table %d × %d", e.Grid.Rows, e.Grid.Cols)
	case e.Code:
		return string(e.Kind) + ", a listing"
	case e.Kind == document.ListItem:
		return "item"
	default:
		return string(e.Kind)
	}
}
