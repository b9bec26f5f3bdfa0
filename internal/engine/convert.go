package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/export"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/layout"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/pdfium"
	"github.com/ragify/ragify/internal/sanitize"
)

// errDamagedPage matches pdfium's fault for a single unreadable page.
var errDamagedPage = &fault.Fault{Code: "damaged_page"}

// A conversion is one request for the results of a file, on its way through the stages.
type conversion struct {
	server  *server
	file    *pdfium.File
	request request
	options option.Options
	pages   []int // selected, 1-based, ascending
	found   findings
	drawer  *drawer
	// altTexts are those of the pages' figures, by page, where pictures are asked for.
	altTexts map[int][]altText
	// original is what the PDF formats add to, nil when none is asked for.
	original   *original
	recogniser *recogniser
	faint      []document.Box // of the page that was read last, see faintPlaces
	// tagging is what tagged-pdf has to know of the pages, nil when it is not asked for.
	tagging *tagging
}

// convert parses the selected pages of file and writes the results.
func (s *server) convert(ctx context.Context, file *pdfium.File, r request) (result Result, err error) {
	c := conversion{server: s, file: file, request: r, options: option.Default(), altTexts: make(map[int][]altText)}
	if r.Options != nil {
		c.options = *r.Options
	}
	if err := c.options.Check(); err != nil {
		return Result{}, err
	}
	if c.pages, err = option.ParsePages(c.options.Pages, file.NumPages()); err != nil {
		return Result{}, err
	}
	if c.drawer, err = newDrawer(file, r.DebugDir); err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, c.removeOriginal()) }()
	if err := c.saveOriginal(); err != nil {
		return Result{}, err
	}
	c.startTagging()
	c.recogniser = newRecogniser(ctx, r.OCRProcesses)
	defer c.recogniser.close()
	doc, err := c.read()
	if err != nil {
		return Result{}, err
	}
	c.warnOfSignature(doc)
	album, err := c.pictures(doc)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, album.remove()) }()
	c.warnOfFile(doc)
	result = Result{Pages: file.NumPages(), Outputs: make([]Output, len(c.options.Format))}
	// The PDF formats come first: their warnings are part of the JSON.
	for _, pdf := range []bool{true, false} {
		for i, f := range c.options.Format {
			if (f == option.TaggedPDF || f == option.AnnotatedPDF) != pdf {
				continue
			}
			if result.Outputs[i], err = c.writeOutput(f, doc); err != nil {
				return Result{}, err
			}
		}
	}
	if result.Outputs, err = c.archive(album, result.Outputs); err != nil {
		return Result{}, err
	}
	result.Warnings, result.OCRError = bounded(doc.Warnings), c.found.ocrError
	return result, c.drawer.finish(doc)
}

// read brings the pages through the layout, reporting progress.
func (c *conversion) read() (*document.Document, error) {
	o := &c.options
	analyzer := layout.New(layout.Options{
		ReadingOrder: o.ReadingOrder, TableMethod: o.TableMethod,
		KeepHeaderFooter: o.IncludeHeaderFooter, Strikethrough: o.DetectStrikethrough, StructTree: o.UseStructTree,
		Spans: c.tagging != nil, Trace: c.drawer.trace(),
	})
	q := intake{c: c, analyzer: analyzer, spare: []*document.Content{&c.server.content}, began: time.Now()}
	for _, n := range c.pages {
		if err := q.add(n); err != nil {
			return nil, err
		}
	}
	if err := q.finish(); err != nil {
		return nil, err
	}
	doc := analyzer.Document(c.file.Meta(), c.file.Outline(), c.file.NumPages())
	doc.Warnings = append(doc.Warnings, c.warnings()...)
	if o.Sanitize {
		doc.Warnings = append(doc.Warnings, sanitize.Document(doc, o.ReplaceInvalidChars)...)
	}
	return doc, nil
}

// readPage reads what page n shows. A damaged page is an empty one.
func (c *conversion) readPage(n int, into *document.Content) (pageState, error) {
	read := c.file.Content
	if c.options.UseStructTree || wantsPictures(&c.options) {
		read = c.file.StructuredContent
	}
	switch err := read(n, into); {
	case errors.Is(err, errDamagedPage):
		c.found.damaged = append(c.found.damaged, n)
		return pageState{blank: true}, nil
	case err != nil:
		return pageState{}, err
	}
	c.tagging.count(into)
	if err := c.screen(into); err != nil {
		return pageState{}, err
	}
	if texts := altTexts(into); texts != nil && wantsPictures(&c.options) {
		c.altTexts[n] = texts
	}
	return examine(into), nil
}

// writeOutput writes one format's file.
func (c *conversion) writeOutput(f option.Format, doc *document.Document) (out Output, err error) {
	out = Output{Format: f, Name: c.request.Stem + export.Extension(f), Type: export.MediaType(f)}
	defer fault.Op(&err, "engine.writeOutput(%s)", out.Name)
	file, err := os.OpenFile(filepath.Join(c.request.OutDir, out.Name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return Output{}, err
	}
	w := c.server.writer
	w.Reset(file)
	switch f {
	case option.AnnotatedPDF:
		err = c.annotate(w, doc)
	case option.TaggedPDF:
		err = c.tag(w, doc)
	default:
		err = export.Write(w, f, doc, c.options)
	}
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		var info os.FileInfo
		if info, err = file.Stat(); err == nil {
			out.Size = info.Size()
		}
	}
	return out, errors.Join(err, file.Close())
}
