// Command quality converts public documents with the real engine and tells how well they come out, and what has
// changed since the baseline that is kept beside this file. The documents and what they should become lie outside
// the repository, in the folder -shared; what is not there is skipped, saying so.
//
//	go run ./internal/quality [-shared DIR] [-keep DIR] [-tables default|cluster] [-per-doc] [-update] [SECTION…]
//	go run ./internal/quality -peers -ragify FILE [-peer-jar FILE] [-runs N] [-shared DIR]
//
// Sections: one-page (the default), long, tables and tables-default (cell adjacency with table_method cluster and
// default), assertions (what texts have and have not), formats (outputs compared with one another),
// tagged (tagged PDF read back), or all of them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ragify/ragify/internal/engine"
)

// childArgument makes this program a child of the engine.
const childArgument = "engine"

func main() {
	if asChild() {
		return
	}
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "quality:", err)
		os.Exit(1)
	}
}

// asChild does the work of an engine's child when this program has been started as one, and tells whether it was.
func asChild() bool {
	if len(os.Args) != 2 || os.Args[1] != childArgument {
		return false
	}
	if err := engine.Serve(context.Background(), os.Stdin, os.Stdout, engine.ServeConfig{Exit: os.Exit}); err != nil {
		os.Exit(1)
	}
	return true
}

// settings are the command line.
type settings struct {
	shared, keep, tables, baseline string
	perDoc, update                 bool
	sections                       []string
	comparePeers                   bool
	peers                          peerSettings
}

// sectionNames are the parts of the report, in the order in which "all" makes them.
func sectionNames() []string {
	return []string{"one-page", "long", "tables", "tables-default", "assertions", "formats", "tagged"}
}

func parseSettings(args []string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("quality", flag.ContinueOnError)
	flags.StringVar(&s.shared, "shared", filepath.Join("..", "shared"), "folder that holds bench and corpus")
	flags.StringVar(&s.keep, "keep", "", "keep the Markdown in this folder")
	flags.StringVar(&s.tables, "tables", "default", "table_method of the sections one-page and long: default or cluster")
	flags.StringVar(&s.baseline, "baseline", filepath.Join("internal", "quality", "baseline.json"), "file with the values to compare with")
	flags.BoolVar(&s.update, "update", false, "make what comes out now the baseline")
	flags.BoolVar(&s.perDoc, "per-doc", false, "a line for each document, worst first, and not only for the ten worst")
	flags.BoolVar(&s.comparePeers, "peers", false, "compare the program -ragify with other programs instead")
	flags.StringVar(&s.peers.ragify, "ragify", filepath.Join("bin", "ragify"), "the program for -peers")
	flags.StringVar(&s.peers.jar, "peer-jar", "", "opendataloader's jar for -peers")
	flags.IntVar(&s.peers.runs, "runs", 5, "how often -peers measures")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	s.sections = flags.Args()
	switch {
	case len(s.sections) == 0:
		s.sections = sectionNames()[:1]
	case len(s.sections) == 1 && s.sections[0] == "all":
		s.sections = sectionNames()
	}
	for _, name := range s.sections {
		if !slices.Contains(sectionNames(), name) {
			return s, fmt.Errorf("no section %q: there are %s and all", name, strings.Join(sectionNames(), ", "))
		}
	}
	return s, nil
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	s, err := parseSettings(args)
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "ragify-quality")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if s.comparePeers {
		return skipAbsent(out, runPeers(ctx, s, temp, out))
	}
	e, err := newEngine()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	base, err := readBaseline(s.baseline)
	if err != nil {
		return err
	}
	r := reporter{settings: s, engine: e, base: base, temp: temp, out: out}
	for _, name := range s.sections {
		if err := skipAbsent(out, r.report(ctx, name)); err != nil {
			return err
		}
	}
	if !s.update {
		return nil
	}
	fmt.Fprintf(out, "The baseline %s is what came out now.\n", s.baseline)
	return base.write(s.baseline)
}

// runPeers compares programs on the one-page benchmark.
func runPeers(ctx context.Context, s settings, temp string, out io.Writer) error {
	score, err := newScorer(ctx, s.shared, temp)
	if err != nil {
		return err
	}
	return comparePeers(ctx, s.peers, onePage(s.shared), score, temp, out)
}

// skipAbsent says loudly that something is skipped because its test data is not here. Other errors stay.
func skipAbsent(out io.Writer, err error) error {
	if errors.Is(err, errAbsent) {
		fmt.Fprintf(out, "SKIPPED: %v\n", err)
		return nil
	}
	return err
}

// A reporter makes and prints sections.
type reporter struct {
	settings settings
	engine   *engine.Engine
	scorer   *scorer // nil before it is needed
	base     baseline
	temp     string
	out      io.Writer
}

// report makes one section, prints it, and makes it part of the baseline where that is asked for.
func (r *reporter) report(ctx context.Context, name string) error {
	made, err := r.section(ctx, name)
	if err != nil {
		return err
	}
	worst := 10
	if r.settings.perDoc {
		worst = len(made.docs)
	}
	made.print(r.out, r.base[made.name], worst)
	if r.settings.update {
		r.base.put(&made)
	}
	return nil
}

func (r *reporter) section(ctx context.Context, name string) (section, error) {
	tables := filepath.Join(r.settings.shared, "corpus", "tables")
	switch name {
	case "long":
		return r.markdown(ctx, long(r.settings.shared))
	case "tables":
		return tableSection(ctx, r.engine, tables, "cluster")
	case "tables-default":
		return tableSection(ctx, r.engine, tables, "default")
	case "assertions":
		return assertionSection(ctx, r.engine, filepath.Join(r.settings.shared, "corpus", "documents"), filepath.Join(r.temp, name))
	case "formats":
		return formatSection(ctx, r.engine, r.settings.shared, r.temp)
	case "tagged":
		return taggedSection(ctx, r.engine, r.settings.shared, r.temp)
	default:
		return r.markdown(ctx, onePage(r.settings.shared))
	}
}

// markdown makes the section of a benchmark.
func (r *reporter) markdown(ctx context.Context, b benchmark) (section, error) {
	if r.scorer == nil {
		made, err := newScorer(ctx, r.settings.shared, r.temp)
		if err != nil {
			return section{}, err
		}
		r.scorer = made
	}
	dir := r.settings.keep
	if dir == "" {
		dir = filepath.Join(r.temp, b.name)
	}
	return b.run(ctx, r.engine, r.scorer, r.settings.tables, dir)
}

// newEngine makes an engine of one child, which is this program.
func newEngine() (*engine.Engine, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	return engine.New(engine.Config{Command: []string{exe, childArgument}, Children: 1, CacheDir: cache})
}

// cacheDir keeps the compiled PDFium.
func cacheDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	cache = filepath.Join(cache, "ragify")
	return cache, os.MkdirAll(cache, 0o700)
}
