// Package export writes documents in the output formats of a job.
package export

import (
	"bufio"
	"fmt"
	"io"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/option"
)

// A format is what the package knows of one output format. Adding one means a writer and a line in formatOf.
type format struct {
	extension string
	mediaType string
	write     func(*bufio.Writer, *document.Document, option.Options) error // nil: made elsewhere, not of a document alone
}

func formatOf(f option.Format) (format, bool) {
	switch f {
	case option.Markdown:
		return format{".md", "text/markdown; charset=utf-8", writeMarkdown}, true
	case option.JSON:
		return format{".json", "application/json", writeJSON}, true
	case option.Text:
		return format{".txt", "text/plain; charset=utf-8", writeText}, true
	case option.HTML:
		return format{".html", "text/html; charset=utf-8", writeHTML}, true
	case option.TaggedPDF:
		return format{".tagged.pdf", "application/pdf", nil}, true
	case option.AnnotatedPDF:
		return format{".annotated.pdf", "application/pdf", nil}, true
	case option.Chunks:
		return format{".chunks.jsonl", "application/jsonl", writeChunks}, true
	}
	return format{}, false
}

// Extension is the file name ending of f's files, with its dot; "" for an unknown format.
func Extension(f option.Format) string {
	known, _ := formatOf(f)
	return known.extension
}

// MediaType is the Content-Type of f's files; "" for an unknown format.
func MediaType(f option.Format) string {
	known, _ := formatOf(f)
	return known.mediaType
}

// Write writes d to w as f. It fails when w does, and for the PDF formats: those are made of the original file as
// well, which a document does not hold.
func Write(w io.Writer, f option.Format, d *document.Document, o option.Options) error {
	known, ok := formatOf(f)
	if !ok || known.write == nil {
		return fmt.Errorf("export: no writer for format %q", f)
	}
	b := bufio.NewWriterSize(w, 64<<10)
	if err := known.write(b, d, o); err != nil {
		return fmt.Errorf("export: writing %s: %w", f, err)
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("export: writing %s: %w", f, err)
	}
	return nil
}
