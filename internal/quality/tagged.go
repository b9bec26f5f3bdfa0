package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/stamp/stamptest"
)

// mostPixels is the share of a page's pixels that may differ after tagging.
const mostPixels = 0.001

// taggedSection tags all documents of a folder of shared test data and reads the results back with PDFium, and with
// qpdf where it is installed: every page looks as before, the text of the tags has the order of the JSON, the file is
// sound. Documents that cannot be opened are left out.
func taggedSection(ctx context.Context, e *engine.Engine, shared, temp string) (s section, err error) {
	s = section{
		name: "tagged", title: "Tagged PDF: pages unchanged, order that of the JSON, files sound (asked of the benchmark: 0.97)",
		metrics: []string{"all", "pixels", "order", "sound"},
	}
	paths, err := allDocuments(shared)
	if err != nil {
		return s, err
	}
	cache, err := cacheDir()
	if err != nil {
		return s, err
	}
	r, err := stamptest.NewReader(ctx, cache)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	qpdf, err := exec.LookPath("qpdf")
	if err != nil {
		qpdf = ""
		s.notes = append(s.notes, "SKIPPED: qpdf --check, for qpdf is not installed")
	}
	refused := 0
	for _, path := range paths {
		id, err := filepath.Rel(shared, path)
		if err != nil {
			return s, err
		}
		values, notes, err := checkTagged(ctx, e, r, qpdf, path, temp)
		switch {
		case err != nil && fault.KindOf(err) == fault.Invalid:
			refused++
			continue
		case err != nil:
			values, notes = []float64{0, 0, 0, 0}, []string{err.Error()}
		}
		for _, note := range notes {
			s.notes = append(s.notes, id+": "+note)
		}
		s.docs = append(s.docs, scored{id, values})
	}
	s.groups = []group{
		{"benchmark", indices(s.docs, func(id string) bool { return strings.HasPrefix(id, "bench") })},
		{"corpus", indices(s.docs, func(id string) bool { return strings.HasPrefix(id, "corpus") })},
	}
	s.speed = fmt.Sprintf("%d documents; %d more were refused", len(s.docs), refused)
	return s, nil
}

// indices are those of the documents whose id fits.
func indices(docs []scored, fits func(string) bool) []int {
	var out []int
	for i := range docs {
		if fits(docs[i].id) {
			out = append(out, i)
		}
	}
	return out
}

// checkTagged tags a document and gives the section's values. qpdf is the program, "" where it is not installed.
func checkTagged(ctx context.Context, e *engine.Engine, r *stamptest.Reader, qpdf, path, temp string) (values []float64, notes []string, err error) {
	o := option.Default()
	o.Format, o.KeepLineBreaks = []option.Format{option.TaggedPDF, option.JSON}, true
	result, err := e.Convert(ctx, engine.Request{Source: path, OutDir: temp, Stem: "tagged", Options: o}, nil)
	if err != nil {
		return nil, nil, err
	}
	var skipped []int
	for _, w := range result.Warnings {
		if w.Code == "pages_not_tagged" {
			skipped = w.Pages
			notes = append(notes, fmt.Sprintf("pages without tags: %v", w.Pages))
		}
	}
	tagged := filepath.Join(temp, result.Outputs[0].Name)
	output, err := os.ReadFile(filepath.Join(temp, result.Outputs[1].Name))
	if err != nil {
		return nil, nil, err
	}
	reading, err := r.Read(path, tagged, output, skipped)
	if err != nil {
		return nil, nil, err
	}
	pixels, order, sound := 1.0, 1.0, 1.0
	if reading.Pixels > mostPixels {
		pixels = 0
		notes = append(notes, fmt.Sprintf("page %d: %.2f %% of the pixels differ", reading.Page, 100*reading.Pixels))
	}
	if reading.Order != "" {
		order = 0
		notes = append(notes, reading.Order)
	}
	if qpdf != "" && exec.CommandContext(ctx, qpdf, "--check", tagged).Run() != nil && exec.CommandContext(ctx, qpdf, "--check", path).Run() == nil {
		sound = 0
		notes = append(notes, "qpdf finds damage that the original does not have")
	}
	return []float64{min(pixels, order, sound), pixels, order, sound}, notes, nil
}
