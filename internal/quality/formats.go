package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/export/exporttest"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/option"
)

// formatSection converts all documents of a folder of shared test data, with the default options and with everything
// switched on, reads the outputs with other people's parsers and compares what these see: blocks and text of the
// Markdown, structure, anchors, blocks and text of the HTML, the JSON's schema, the chunks' rules, and whether the
// annotated PDF opens as a sound file with all its pages. A document's value is the share of
// its conversions that are read as they are meant; documents that cannot be opened are left out. The error is
// errAbsent where there are no documents.
func formatSection(ctx context.Context, e *engine.Engine, shared, temp string) (section, error) {
	s := section{name: "formats", title: "Outputs read by other people's parsers", metrics: []string{"alike"}, required: []float64{1}}
	paths, err := allDocuments(shared)
	if err != nil {
		return s, err
	}
	plain, full := option.Default(), option.Default()
	full.TableMethod, full.MarkdownWithHTML, full.DetectStrikethrough = "cluster", true, true
	full.IncludeHeaderFooter, full.KeepLineBreaks, full.UseStructTree = true, true, true
	full.ImageOutput, full.ImageFormat = "external", "jpeg"
	refused := 0
	for _, path := range paths {
		id, err := filepath.Rel(shared, path)
		if err != nil {
			return s, err
		}
		alike, of := 0.0, 0.0
		for _, o := range []option.Options{plain, full} {
			err := checkDocument(ctx, e, path, temp, o)
			if err != nil && fault.KindOf(err) == fault.Invalid { // damaged or encrypted
				continue
			}
			of++
			if err != nil {
				const most = 400 // bytes: the first differences, or where a stack begins
				text := err.Error()
				s.notes = append(s.notes, fmt.Sprintf("%s: %s", id, text[:min(len(text), most)]))
				continue
			}
			alike++
		}
		if of == 0 {
			refused++
			continue
		}
		s.docs = append(s.docs, scored{id, []float64{alike / of}})
	}
	s.speed = fmt.Sprintf("%d documents, each with the default options and with everything switched on; %d more were refused", len(s.docs), refused)
	return s, nil
}

func checkDocument(ctx context.Context, e *engine.Engine, path, temp string, o option.Options) error {
	o.Format = []option.Format{option.Markdown, option.HTML, option.JSON, option.Chunks, option.AnnotatedPDF}
	result, err := e.Convert(ctx, engine.Request{Source: path, OutDir: temp, Stem: "checked", Options: o}, nil)
	if err != nil {
		return err
	}
	var files exporttest.Outputs
	for i, to := range []*[]byte{&files.Markdown, &files.HTML, &files.JSON, &files.Chunks} {
		if *to, err = os.ReadFile(filepath.Join(temp, result.Outputs[i].Name)); err != nil {
			return err
		}
	}
	annotated, err := e.Inspect(ctx, filepath.Join(temp, result.Outputs[4].Name), "", false)
	switch {
	case err != nil:
		err = fmt.Errorf("the annotated PDF does not open: %s", fault.From(err).Message)
	case annotated.Pages != result.Pages || len(annotated.Warnings) > 0:
		err = fmt.Errorf("the annotated PDF has %d pages of %d, warnings %v", annotated.Pages, result.Pages, annotated.Warnings)
	}
	return errors.Join(err, exporttest.CheckOutputs(files, o))
}

// allDocuments lists the PDFs of a folder of shared test data, the benchmark's first. The error is errAbsent where there
// are none.
func allDocuments(shared string) ([]string, error) {
	var paths []string
	for _, dir := range []string{filepath.Join(shared, "bench", "pdfs"), filepath.Join(shared, "corpus")} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if strings.HasSuffix(path, ".pdf") {
				paths = append(paths, path)
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%w: no documents in %s", errAbsent, shared)
	}
	return paths, nil
}
