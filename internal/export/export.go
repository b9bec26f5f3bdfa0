// Package export writes documents in the output formats of a job.
package export

import (
	"fmt"
	"io"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/option"
)

// Available reports whether this build can write f.
func Available(f option.Format) bool {
	return f == option.Markdown || f == option.JSON || f == option.Text
}

// Extension is the file name ending of f's files, with its dot; "" for an unknown format.
func Extension(f option.Format) string {
	switch f {
	case option.Markdown:
		return ".md"
	case option.JSON:
		return ".json"
	case option.HTML:
		return ".html"
	case option.Text:
		return ".txt"
	case option.TaggedPDF:
		return ".tagged.pdf"
	case option.AnnotatedPDF:
		return ".annotated.pdf"
	case option.Chunks:
		return ".chunks.jsonl"
	}
	return ""
}

// MediaType is the Content-Type of f's files; "" for an unknown format.
func MediaType(f option.Format) string {
	switch f {
	case option.Markdown:
		return "text/markdown; charset=utf-8"
	case option.JSON:
		return "application/json"
	case option.HTML:
		return "text/html; charset=utf-8"
	case option.Text:
		return "text/plain; charset=utf-8"
	case option.TaggedPDF, option.AnnotatedPDF:
		return "application/pdf"
	case option.Chunks:
		return "application/jsonl"
	}
	return ""
}

// Write writes d to w as f. It fails when f is not Available or when w fails.
func Write(w io.Writer, f option.Format, d *document.Document, o option.Options) error {
	if !Available(f) {
		return fmt.Errorf("export: no writer for format %q", f)
	}
	for _, p := range d.Pages {
		for _, e := range p.Elements {
			for _, l := range e.Lines {
				for _, r := range l.Runs {
					if _, err := io.WriteString(w, r.Text); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}
