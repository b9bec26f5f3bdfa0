package engine_test

import (
	"context"
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

// robustnessDeadline is what any file of the corpus may take: the largest has 464 pages.
const robustnessDeadline = 90 * time.Second

// TestRobustness runs every file of the public corpus of odd PDFs, of which its index says what a correct
// program makes of it.
func TestRobustness(t *testing.T) {
	dir := pdftest.Shared(t, "corpus/robustness")
	e := newEngine(t, 2)
	for _, row := range readIndex(t, filepath.Join(dir, "index.tsv")) {
		t.Run(row["file"], func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), robustnessDeadline)
			defer cancel()
			path := filepath.Join(dir, row["file"])
			switch row["expected"] {
			case "ok":
				wantPages(t, ctx, e, path, "", row["pages"])
			case "needs-password":
				_, err := e.Inspect(ctx, path, "", false)
				wantFault(t, err, fault.Invalid, "password_required")
				_, err = e.Inspect(ctx, path, "certainly not this", false)
				wantFault(t, err, fault.Invalid, "wrong_password")
				if row["password"] != "" {
					wantPages(t, ctx, e, path, row["password"], row["pages"])
					plain := filepath.Join(t.TempDir(), "plain.pdf")
					if err := e.Decrypt(ctx, path, plain, row["password"]); err != nil {
						t.Fatal(err)
					}
					wantPages(t, ctx, e, plain, "", row["pages"])
				}
			case "rejected-as-invalid":
				_, err := e.Inspect(ctx, path, "", false)
				if f := fault.From(err); f == nil || f.Kind != fault.Invalid || f.Code != "damaged_pdf" && f.Code != "not_a_pdf" {
					t.Errorf("error %v, want a refusal", err)
				}
			default:
				t.Errorf("unknown expectation %q", row["expected"])
			}
		})
	}
}

// wantPages checks that a file opens, has so many pages and can be converted.
func wantPages(t *testing.T, ctx context.Context, e *engine.Engine, path, password, pages string) {
	t.Helper()
	info, err := e.Inspect(ctx, path, password, true)
	if err != nil {
		t.Fatal(err)
	}
	if want, err := strconv.Atoi(pages); err != nil || info.Pages != want {
		t.Errorf("%d pages, want %s", info.Pages, pages)
	}
	r := request(t, path, option.Markdown, option.Text, option.JSON, option.AnnotatedPDF)
	r.Options.Password = password
	result, err := e.Convert(ctx, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Outputs) != 4 || result.Pages != info.Pages {
		t.Errorf("result %+v", result)
	}
	if written, err := e.Inspect(ctx, filepath.Join(r.OutDir, "out.annotated.pdf"), "", false); err != nil || written.Pages != info.Pages || written.Encrypted {
		t.Errorf("annotated PDF: %+v, %v", written, err)
	}
}

// readIndex reads a tab-separated table into one map a row.
func readIndex(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes = '\t', true
	table, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	for _, line := range table[1:] {
		row := make(map[string]string)
		for i, name := range table[0] {
			row[name] = line[i]
		}
		rows = append(rows, row)
	}
	return rows
}
