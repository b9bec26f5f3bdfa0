package engine

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/export"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/layout"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/pdfium"
)

// errDamagedPage matches pdfium's fault for a single unreadable page.
var errDamagedPage = &fault.Fault{Code: "damaged_page"}

// convert parses the selected pages of file and writes the results.
func (s *server) convert(file *pdfium.File, r request) (Result, error) {
	o := option.Default()
	if r.Options != nil {
		o = *r.Options
	}
	pages, err := option.ParsePages(o.Pages, file.NumPages())
	if err != nil {
		return Result{}, err
	}
	doc, err := s.parse(file, pages, o, r.DebugDir)
	if err != nil {
		return Result{}, err
	}
	result := Result{Pages: file.NumPages(), Warnings: doc.Warnings}
	for _, f := range o.Format {
		out, err := s.writeOutput(r.OutDir, r.Stem, f, doc, o)
		if err != nil {
			return Result{}, err
		}
		result.Outputs = append(result.Outputs, out)
	}
	return result, nil
}

// parse brings the pages through the layout, reporting progress. With a debugDir it draws there what the layout did.
func (s *server) parse(file *pdfium.File, pages []int, o option.Options, debugDir string) (*document.Document, error) {
	drawer, err := newDrawer(file, debugDir)
	if err != nil {
		return nil, err
	}
	analyzer := layout.New(layout.Options{
		ReadingOrder: o.ReadingOrder, TableMethod: o.TableMethod,
		KeepHeaderFooter: o.IncludeHeaderFooter, Strikethrough: o.DetectStrikethrough, StructTree: o.UseStructTree,
		Trace: drawer.trace(),
	})
	keepOffPage := slices.Contains(o.ContentSafetyOff, "off-page") || slices.Contains(o.ContentSafetyOff, "all")
	var found findings
	var reported time.Time
	read := file.Content
	if o.UseStructTree {
		read = file.StructuredContent
	}
	for i, n := range pages {
		switch err := read(n, &s.content); {
		case errors.Is(err, errDamagedPage):
			found.damaged = append(found.damaged, n)
		case err != nil:
			return nil, err
		default:
			if !keepOffPage {
				dropOffPage(&s.content)
			}
			found.look(&s.content)
		}
		analyzer.Add(&s.content)
		if err := drawer.page(n); err != nil {
			return nil, err
		}
		if now := time.Now(); now.Sub(reported) >= progressInterval || i == len(pages)-1 {
			reported = now
			if err := writeFrame(s.out, response{Progress: &progress{Done: i + 1, Total: len(pages)}}); err != nil {
				return nil, err
			}
		}
	}
	doc := analyzer.Document(file.Meta(), file.Outline(), file.NumPages())
	doc.Warnings = append(doc.Warnings, found.warnings()...)
	return doc, drawer.finish(doc)
}

// dropOffPage removes glyphs and images that lie wholly off the page: no reader sees them. They are left
// over from cut pages, or hidden there on purpose.
func dropOffPage(c *document.Content) {
	off := func(b document.Box) bool {
		return b.Right <= 0 || b.Bottom <= 0 || b.Left >= c.Width || b.Top >= c.Height
	}
	c.Glyphs = slices.DeleteFunc(c.Glyphs, func(g document.Glyph) bool { return off(g.Loose) })
	c.Images = slices.DeleteFunc(c.Images, func(i document.Image) bool { return off(i.Box) })
}

// writeOutput writes one format's file.
func (s *server) writeOutput(dir, stem string, f option.Format, doc *document.Document, o option.Options) (out Output, err error) {
	out = Output{Format: f, Name: stem + export.Extension(f), Type: export.MediaType(f)}
	defer fault.Op(&err, "engine.writeOutput(%s)", out.Name)
	file, err := os.OpenFile(filepath.Join(dir, out.Name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return Output{}, err
	}
	s.writer.Reset(file)
	err = export.Write(s.writer, f, doc, o)
	if err == nil {
		err = s.writer.Flush()
	}
	if err == nil {
		var info os.FileInfo
		if info, err = file.Stat(); err == nil {
			out.Size = info.Size()
		}
	}
	return out, errors.Join(err, file.Close())
}

// findings are the pages on which something was amiss.
type findings struct {
	damaged, textless, truncated, unmapped, garbled []int
}

// unmappedShare is the share of a page's characters without a Unicode mapping from which on its text is
// reported as unreliable: below it, it is the odd ornament or bullet.
const unmappedShare = 0.05

// look checks a page.
func (f *findings) look(c *document.Content) {
	if c.Truncated {
		f.truncated = append(f.truncated, c.Number)
	}
	if blank(c) {
		return
	}
	if !hasText(c) {
		f.textless = append(f.textless, c.Number)
	}
	unmapped := 0
	for i := range c.Glyphs {
		if c.Glyphs[i].Invalid {
			unmapped++
		}
	}
	if unmapped > 0 && float64(unmapped) >= unmappedShare*float64(len(c.Glyphs)) {
		f.unmapped = append(f.unmapped, c.Number)
	}
	if garbled(c) {
		f.garbled = append(f.garbled, c.Number)
	}
}

// warnings puts the findings into words.
func (f *findings) warnings() []document.Warning {
	var w []document.Warning
	for _, x := range []document.Warning{
		{Code: "damaged_pages", Message: "These pages are damaged and were left out.", Pages: f.damaged},
		{Code: "pages_without_text", Message: "These pages have no usable text: they are probably scanned, and no OCR was applied.", Pages: f.textless},
		{Code: "unmapped_characters", Message: "The fonts of these pages do not say which characters they show: parts of their text are missing.", Pages: f.unmapped},
		{Code: "garbled_text", Message: "The text of these pages reads like no language: their fonts say other characters than they show.", Pages: f.garbled},
		{Code: "pages_truncated", Message: "These pages have more content than can be processed: the rest of them was left out.", Pages: f.truncated},
	} {
		if len(x.Pages) > 0 {
			w = append(w, x)
		}
	}
	return w
}

// blank reports whether a page shows nothing at all.
func blank(c *document.Content) bool {
	return len(c.Glyphs) == 0 && len(c.Images) == 0 && len(c.Rules) == 0
}

// hasText reports whether a page has any character that can be read.
func hasText(c *document.Content) bool {
	for i := range c.Glyphs {
		if c.Glyphs[i].Rune > ' ' {
			return true
		}
	}
	return false
}
