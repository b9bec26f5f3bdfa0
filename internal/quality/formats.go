package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/export/exporttest"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/option"
)

// checkFormats converts all documents of a folder of shared test data, with the default options and with everything
// switched on, reads the outputs with other people's parsers and compares what these see: blocks and text of the
// Markdown, structure, anchors, blocks and text of the HTML, and the JSON's schema. It names the documents with a
// difference and fails when there is one. The error is errAbsent where there are no documents.
func checkFormats(ctx context.Context, e *engine.Engine, shared, temp string, out io.Writer) error {
	var paths []string
	for _, dir := range []string{filepath.Join(shared, "bench", "pdfs"), filepath.Join(shared, "corpus")} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if strings.HasSuffix(path, ".pdf") {
				paths = append(paths, path)
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if len(paths) == 0 {
		return fmt.Errorf("%w: no documents in %s", errAbsent, shared)
	}
	plain, full := option.Default(), option.Default()
	full.TableMethod, full.MarkdownWithHTML, full.DetectStrikethrough = "cluster", true, true
	full.IncludeHeaderFooter, full.KeepLineBreaks, full.UseStructTree = true, true, true
	checked, refused, wrong := 0, 0, 0
	for _, path := range paths {
		for _, o := range []option.Options{plain, full} {
			switch err := checkDocument(ctx, e, path, temp, o); {
			case err != nil && fault.KindOf(err) == fault.Invalid:
				refused++ // damaged or encrypted
			case err != nil:
				wrong++
				fmt.Fprintf(out, "%s: %v\n", filepath.Base(path), err)
			default:
				checked++
			}
		}
	}
	fmt.Fprintf(out, "%d documents twice: the outputs of %d conversions are read as they are meant, of %d they are not; %d were refused\n", len(paths), checked, wrong, refused)
	if wrong > 0 {
		return fmt.Errorf("%d conversions have outputs that are not read as they are meant", wrong)
	}
	return nil
}

func checkDocument(ctx context.Context, e *engine.Engine, path, temp string, o option.Options) error {
	o.Format = []option.Format{option.Markdown, option.HTML, option.JSON}
	result, err := e.Convert(ctx, engine.Request{Source: path, OutDir: temp, Stem: "checked", Options: o}, nil)
	if err != nil {
		return err
	}
	var files exporttest.Outputs
	for i, to := range []*[]byte{&files.Markdown, &files.HTML, &files.JSON} {
		if *to, err = os.ReadFile(filepath.Join(temp, result.Outputs[i].Name)); err != nil {
			return err
		}
	}
	return exporttest.CheckOutputs(files, o)
}
