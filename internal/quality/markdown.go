package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/option"
)

// A benchmark is a set of PDFs with the Markdown that they should become.
type benchmark struct {
	name, title string
	pdfs        string    // folder of ID.pdf
	truth       string    // folder of ID.md
	ids         string    // file with the ids
	rendered    bool      // scored as a reader of the rendered page sees it
	required    []float64 // means of overall, NID, TEDS and MHS that are asked for
}

// onePage and long are the two benchmarks in a folder of shared test data, with what the engine has to reach.
func onePage(shared string) benchmark {
	dir := filepath.Join(shared, "bench")
	return benchmark{
		name: "one-page", title: "One-page documents", pdfs: filepath.Join(dir, "pdfs"), truth: filepath.Join(dir, "ground-truth"),
		ids: filepath.Join(dir, "dev.txt"), rendered: true, required: []float64{0.90, 0.93, 0.80, 0.82},
	}
}

func long(shared string) benchmark {
	dir := filepath.Join(shared, "corpus", "documents")
	return benchmark{
		name: "long", title: "Long documents", pdfs: dir, truth: dir,
		ids: filepath.Join(dir, "source-markdown.txt"), required: []float64{0.75, math.NaN(), 0.60, 0.75},
	}
}

// list gives the ids of the documents. The error is errAbsent where the benchmark is not.
func (b benchmark) list() ([]string, error) {
	text, err := os.ReadFile(b.ids)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: no %s", errAbsent, b.ids)
	}
	return strings.Fields(string(text)), err
}

// errAbsent means that test data which lies outside the repository is not there.
var errAbsent = errors.New("not here")

// run converts the documents with a warm engine, into dir, and scores the Markdown.
func (b benchmark) run(ctx context.Context, e *engine.Engine, s *scorer, tables, dir string) (section, error) {
	ids, err := b.list()
	if err != nil {
		return section{}, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return section{}, err
	}
	o := option.Default()
	o.TableMethod = tables
	speed, err := convertAll(ctx, e, b.pdfs, ids, dir, o)
	if err != nil {
		return section{}, err
	}
	out := section{name: b.name, title: b.title, speed: speed, metrics: markdownMetrics(), required: b.required, groups: halves(len(ids))}
	if tables != option.Default().TableMethod {
		out.name, out.title = b.name+" "+tables, b.title+", table_method "+tables
	}
	out.docs, err = s.score(ctx, b, dir)
	return out, err
}

// convertAll writes the Markdown of every PDF to dir and tells how long a page takes in a warm engine.
func convertAll(ctx context.Context, e *engine.Engine, pdfs string, ids []string, dir string, o option.Options) (speed string, err error) {
	if err := e.Warm(ctx); err != nil {
		return "", err
	}
	var times []time.Duration
	var total time.Duration
	pages := 0
	for _, id := range ids {
		start := time.Now()
		result, err := e.Convert(ctx, engine.Request{Source: filepath.Join(pdfs, id+".pdf"), OutDir: dir, Stem: id, Options: o}, nil)
		if err != nil {
			return "", fmt.Errorf("%s: %w", id, err)
		}
		took := time.Since(start)
		total += took
		pages += result.Pages
		times = append(times, took)
	}
	if len(times) == 0 {
		return "", nil
	}
	slices.Sort(times)
	return fmt.Sprintf("%d documents, %d pages: %.1f ms a page, median document %.1f ms, slowest %.1f ms", len(ids), pages,
		milliseconds(total)/float64(max(pages, 1)), milliseconds(times[len(times)/2]), milliseconds(times[len(times)-1])), nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// A scorer is the benchmarks' own program, which compares Markdown with what it should be.
type scorer struct{ path string }

// newScorer builds the scorer of a folder of shared test data into dir. The error is errAbsent where there is none.
func newScorer(ctx context.Context, shared, dir string) (*scorer, error) {
	source := filepath.Join(shared, "bench")
	if _, err := os.Stat(filepath.Join(source, "go.mod")); err != nil {
		return nil, fmt.Errorf("%w: no scorer in %s", errAbsent, source)
	}
	path, err := filepath.Abs(filepath.Join(dir, "scorer"))
	if err != nil {
		return nil, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", path, ".")
	build.Dir = source
	if text, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the scorer: %w\n%s", err, text)
	}
	return &scorer{path}, nil
}

// markdownMetrics are those of the scorer.
func markdownMetrics() []string { return []string{"overall", "NID", "TEDS", "MHS"} }

// score compares the Markdown in dir with a benchmark's, document by document in the order of its list.
func (s *scorer) score(ctx context.Context, b benchmark, dir string) ([]scored, error) {
	report := s.path + "-" + b.name + ".json"
	args := []string{"-gt", b.truth, "-pred", dir, "-ids", b.ids, "-json", report}
	if b.rendered {
		args = append(args, "-rendered")
	}
	if text, err := exec.CommandContext(ctx, s.path, args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("scoring: %w\n%s", err, text)
	}
	data, err := os.ReadFile(report)
	if err != nil {
		return nil, err
	}
	var result struct {
		Documents []struct {
			ID                      string
			Overall, NID, TEDS, MHS *float64
		}
	}
	if err := json.Unmarshal(data, &result); err != nil {
		return nil, err
	}
	var out []scored
	for _, d := range result.Documents {
		doc := scored{id: d.ID}
		for _, v := range []*float64{d.Overall, d.NID, d.TEDS, d.MHS} {
			value := math.NaN()
			if v != nil {
				value = *v
			}
			doc.values = append(doc.values, value)
		}
		out = append(out, doc)
	}
	return out, nil
}
