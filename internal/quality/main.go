// Command quality converts the benchmark documents with the real engine and scores the Markdown: reading
// order, tables, headings. Benchmark and scorer live outside the repository, in the folder bench of -shared;
// without them it says so and ends well.
//
//	go run ./internal/quality [-shared DIR] [-keep DIR] [-tables default|cluster] [-per-doc]
//	go run ./internal/quality -tables-f1 N [-shared DIR] [-tables default|cluster]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/option"
)

// childArgument makes this program a child of the engine.
const childArgument = "engine"

func main() {
	if len(os.Args) == 2 && os.Args[1] == childArgument {
		if err := engine.Serve(context.Background(), os.Stdin, os.Stdout, engine.ServeConfig{Exit: os.Exit}); err != nil {
			os.Exit(1)
		}
		return
	}
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "quality:", err)
		os.Exit(1)
	}
}

type settings struct {
	shared, keep, tables string
	perDoc               bool
	tablesF1             int
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var s settings
	flags := flag.NewFlagSet("quality", flag.ContinueOnError)
	flags.StringVar(&s.shared, "shared", filepath.Join("..", "shared"), "folder that holds bench")
	flags.StringVar(&s.keep, "keep", "", "keep the Markdown in this folder")
	flags.StringVar(&s.tables, "tables", "default", "table_method: default or cluster")
	flags.BoolVar(&s.perDoc, "per-doc", false, "a line for each document, worst first")
	flags.IntVar(&s.tablesF1, "tables-f1", 0, "score the folder corpus/tables instead and list this many of its worst documents")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.tablesF1 > 0 {
		return runTables(ctx, filepath.Join(s.shared, "corpus", "tables"), s.tables, s.tablesF1, out)
	}
	bench, err := filepath.Abs(filepath.Join(s.shared, "bench"))
	if err != nil {
		return err
	}
	pdfs, err := filepath.Glob(filepath.Join(bench, "pdfs", "*.pdf"))
	if err != nil {
		return err
	}
	if len(pdfs) == 0 {
		fmt.Fprintf(out, "SKIPPED: no benchmark documents in %s\n", filepath.Join(bench, "pdfs"))
		return nil
	}
	dir := s.keep
	if dir == "" {
		if dir, err = os.MkdirTemp("", "ragify-quality"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := convertAll(ctx, pdfs, dir, s.tables, out); err != nil {
		return err
	}
	return score(ctx, bench, dir, s.perDoc, out)
}

// newEngine makes an engine of one child, which is this program.
func newEngine() (*engine.Engine, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	cache = filepath.Join(cache, "ragify")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return nil, err
	}
	return engine.New(engine.Config{Command: []string{exe, childArgument}, Children: 1, CacheDir: cache})
}

// runTables scores the tables of dir with an engine of its own.
func runTables(ctx context.Context, dir, method string, worst int, out io.Writer) (err error) {
	e, err := newEngine()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	return scoreTables(ctx, e, dir, method, worst, out)
}

// convertAll writes the Markdown of every PDF to dir and prints how long a page takes in a warm engine.
func convertAll(ctx context.Context, pdfs []string, dir, tables string, out io.Writer) (err error) {
	e, err := newEngine()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	o := option.Default()
	o.TableMethod = tables
	if err := e.Warm(ctx); err != nil {
		return err
	}
	var times []time.Duration
	var total time.Duration
	pages := 0
	for _, path := range pdfs {
		stem := strings.TrimSuffix(filepath.Base(path), ".pdf")
		start := time.Now()
		result, err := e.Convert(ctx, engine.Request{Source: path, OutDir: dir, Stem: stem, Options: o}, nil)
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
		took := time.Since(start)
		total += took
		pages += result.Pages
		times = append(times, took)
	}
	slices.Sort(times)
	fmt.Fprintf(out, "%d documents, %d pages: %.1f ms a page, median document %.1f ms, slowest %.1f ms\n", len(pdfs), pages,
		milliseconds(total)/float64(max(pages, 1)), milliseconds(times[len(times)/2]), milliseconds(times[len(times)-1]))
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// score runs the scorer of the benchmark, which is a Go program, over the documents together and over both halves
// of the list: rules are tuned on one and have to hold on the other.
func score(ctx context.Context, bench, dir string, perDoc bool, out io.Writer) error {
	list, err := os.ReadFile(filepath.Join(bench, "dev.txt"))
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(out, "SKIPPED: no scorer in %s\n", bench)
		return nil
	}
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "ragify-scorer")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	scorer := filepath.Join(temp, "scorer")
	build := exec.CommandContext(ctx, "go", "build", "-o", scorer, ".")
	build.Dir = bench
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the scorer: %w\n%s", err, text)
	}
	const all = "all"
	var odd, even []string
	for i, id := range strings.Fields(string(list)) {
		if i%2 == 0 {
			odd = append(odd, id)
		} else {
			even = append(even, id)
		}
	}
	for _, part := range []struct {
		name string
		ids  []string
	}{{"first half", odd}, {"second half", even}, {all, slices.Concat(odd, even)}} {
		ids := filepath.Join(temp, "ids")
		if err := os.WriteFile(ids, []byte(strings.Join(part.ids, "\n")+"\n"), 0o600); err != nil {
			return err
		}
		text, err := exec.CommandContext(ctx, scorer, "-rendered", "-per-doc", "-gt", filepath.Join(bench, "ground-truth"), "-pred", dir, "-ids", ids).CombinedOutput()
		if err != nil {
			return fmt.Errorf("scoring: %w\n%s", err, text)
		}
		documents, summary := lastLine(string(text))
		if perDoc && part.name == all {
			fmt.Fprint(out, documents)
		}
		fmt.Fprintf(out, "%-11s  %s\n", part.name, summary)
	}
	return nil
}

// lastLine cuts the summary off the scorer's list of documents.
func lastLine(s string) (before, last string) {
	s = strings.TrimRight(s, "\n")
	i := strings.LastIndexByte(s, '\n') + 1
	return s[:i], s[i:]
}
