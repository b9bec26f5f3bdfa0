package engine

import (
	"fmt"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/pdfium"
)

// The bounds of a job's warnings: they are kept in its record, and sent with every answer about it.
const (
	maxWarnedPages = 1000 // of one warning
	maxPlaces      = 1000 // of one warning
)

// fileWarnings are about a file as a whole: what was done to open it.
func fileWarnings(f *pdfium.File) []document.Warning {
	var w []document.Warning
	if f.Meta().Encrypted {
		w = append(w, document.Warning{
			Code:    "protection_removed",
			Message: "This file was encrypted: the results are not, and restrict nobody.",
		})
	}
	if f.Repaired() {
		w = append(w, document.Warning{
			Code:    "repaired_file",
			Message: "This file is damaged: its parts were found by searching, and some may be missing or out of date. Compare the result with the original.",
		})
	}
	return w
}

// warnOfFile puts what is known of the file as a whole before what was found on its pages. What the request tells comes
// from an earlier look at it, before it was decrypted.
func (c *conversion) warnOfFile(doc *document.Document) {
	known := c.request.Warnings
	for _, w := range fileWarnings(c.file) {
		if !warnsOf(known, w.Code) {
			known = append(known, w)
		}
	}
	doc.Warnings = bounded(append(known, doc.Warnings...))
}

// warnsOf reports whether a warning with the code is among w.
func warnsOf(w []document.Warning, code string) bool {
	for i := range w {
		if w[i].Code == code {
			return true
		}
	}
	return false
}

// bounded shortens long lists of pages and places. The message of a warning says how many pages there are.
func bounded(warnings []document.Warning) []document.Warning {
	for i := range warnings {
		w := &warnings[i]
		if n := len(w.Pages); n > maxWarnedPages {
			w.Message += fmt.Sprintf(" There are %d of these pages, of which the first %d are listed.", n, maxWarnedPages)
			w.Pages = w.Pages[:maxWarnedPages]
		}
		w.Places = w.Places[:min(len(w.Places), maxPlaces)]
	}
	return warnings
}
