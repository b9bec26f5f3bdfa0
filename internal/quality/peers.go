package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A peer is a program that makes text of PDFs, as it is called from a shell.
type peer struct {
	name string
	// folder gives the calls that convert all PDFs of a folder: one call where the program takes a folder.
	folder func(pdfs []string, out string) [][]string
	one    func(pdf, out string) []string
}

// peerSettings say what is compared, and how often.
type peerSettings struct {
	ragify string // path of the program
	jar    string // path of opendataloader's jar, "" when there is none
	runs   int
}

// The least times opendataloader's rate that ragify has to reach, over a folder and on one file.
const (
	requiredFolder = 5
	requiredOne    = 4
)

// oneFiles is how many documents the time for one file is measured on.
const oneFiles = 5

// peers gives ragify and those of the others that are installed, and says which are not.
func (s peerSettings) peers(out io.Writer) []peer {
	list := []peer{wholeFolder("ragify", s.ragify, "parse", "-f", "markdown", "-o")}
	java, err := exec.LookPath("java")
	switch version, jarErr := jarVersion(s.jar); {
	case err != nil:
		fmt.Fprintln(out, "SKIPPED: opendataloader needs Java, which is not installed")
	case jarErr != nil:
		fmt.Fprintf(out, "SKIPPED: opendataloader: %v\n", jarErr)
	default:
		args := []string{"-jar", s.jar, "--quiet", "--format", "markdown", "--image-output", "off"}
		list = append(
			list,
			wholeFolder("opendataloader "+version, java, append(slices.Clone(args), "-o")...),
			wholeFolder("opendataloader cluster", java, append(args, "--table-method", "cluster", "-o")...),
		)
	}
	for _, p := range []struct {
		program string
		args    func(pdf, out string) []string
	}{
		{"pdftotext", func(pdf, out string) []string { return []string{pdf, out} }},
		{"mutool", func(pdf, out string) []string { return []string{"draw", "-q", "-F", "txt", "-o", out, pdf} }},
	} {
		path, err := exec.LookPath(p.program)
		if err != nil {
			fmt.Fprintf(out, "SKIPPED: %s is not installed\n", p.program)
			continue
		}
		list = append(list, fileByFile(p.program, func(pdf, out string) []string {
			return append([]string{path}, p.args(pdf, filepath.Join(out, stem(pdf)+".md"))...)
		}))
	}
	return list
}

// wholeFolder is a program whose arguments end with the folder for the results and what to convert.
func wholeFolder(name, program string, args ...string) peer {
	call := func(source, out string) []string {
		return append(append([]string{program}, args...), out, source)
	}
	return peer{
		name:   name,
		folder: func(pdfs []string, out string) [][]string { return [][]string{call(filepath.Dir(pdfs[0]), out)} },
		one:    call,
	}
}

// fileByFile is a program that is called once for each file.
func fileByFile(name string, call func(pdf, out string) []string) peer {
	return peer{
		name: name, one: call,
		folder: func(pdfs []string, out string) (calls [][]string) {
			for _, pdf := range pdfs {
				calls = append(calls, call(pdf, out))
			}
			return calls
		},
	}
}

func stem(path string) string { return strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)) }

// jarVersion reads the version off opendataloader's jar.
func jarVersion(path string) (string, error) {
	if path == "" {
		return "", errors.New("there is no jar: scripts/peer.sh tells where it should come from")
	}
	jar, err := zip.OpenReader(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = jar.Close() }() // it was only read
	text, err := fs.ReadFile(jar, "META-INF/maven/org.opendataloader/opendataloader-pdf-cli/pom.properties")
	if err != nil {
		return "", err
	}
	_, version, _ := bytes.Cut(text, []byte("version="))
	version, _, _ = bytes.Cut(version, []byte("\n"))
	return strings.TrimSpace(string(version)), nil
}

// measured is what came out for a peer.
type measured struct {
	peer   peer
	folder []time.Duration // one for each run
	one    []time.Duration // one for each run and file
	memory float64         // MB
	means  []float64       // of markdownMetrics
}

// comparePeers measures ragify and its peers on the one-page benchmark, in the same run, and prints a table.
func comparePeers(ctx context.Context, s peerSettings, b benchmark, score *scorer, temp string, out io.Writer) error {
	ids, err := b.list()
	if err != nil {
		return err
	}
	var pdfs []string
	for _, id := range ids {
		pdfs = append(pdfs, filepath.Join(b.pdfs, id+".pdf"))
	}
	var list []measured
	for _, p := range s.peers(out) {
		list = append(list, measured{peer: p})
	}
	for i := range list {
		if err := list[i].warmUp(ctx, b, score, pdfs, filepath.Join(temp, fmt.Sprint(i))); err != nil {
			return err
		}
	}
	// Peers take turns, so that whatever else the machine does meets all of them.
	for run := range s.runs {
		fmt.Fprintf(os.Stderr, "run %d of %d\n", run+1, s.runs)
		for i := range list {
			if err := list[i].measure(ctx, pdfs, filepath.Join(temp, fmt.Sprint(i))); err != nil {
				return err
			}
		}
	}
	printPeers(out, list, len(pdfs), s.runs)
	return nil
}

// warmUp converts the folder once, without a clock: files get into the system's memory and ragify's compiled engine
// onto the disk. This run tells memory and quality.
func (m *measured) warmUp(ctx context.Context, b benchmark, score *scorer, pdfs []string, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, call := range m.peer.folder(pdfs, dir) {
		used, err := runWatched(ctx, call)
		if err != nil {
			return err
		}
		m.memory = max(m.memory, used)
	}
	docs, err := score.score(ctx, b, dir)
	if err != nil {
		return err
	}
	of := section{metrics: markdownMetrics()}
	m.means = of.mean(docs)
	return nil
}

// measure converts the folder and some files alone.
func (m *measured) measure(ctx context.Context, pdfs []string, dir string) error {
	began := time.Now()
	for _, call := range m.peer.folder(pdfs, dir) {
		if err := runQuietly(ctx, call); err != nil {
			return err
		}
	}
	m.folder = append(m.folder, time.Since(began))
	for k := range oneFiles {
		began := time.Now()
		if err := runQuietly(ctx, m.peer.one(pdfs[k*len(pdfs)/oneFiles], dir)); err != nil {
			return err
		}
		m.one = append(m.one, time.Since(began))
	}
	return nil
}

// runQuietly runs a program; what it says is only shown when it fails.
func runQuietly(ctx context.Context, call []string) error {
	if text, err := exec.CommandContext(ctx, call[0], call[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(call, " "), err, text)
	}
	return nil
}

func median(list []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// printPeers prints what came out, ratios, and how it was measured.
func printPeers(w io.Writer, list []measured, docs, runs int) {
	fmt.Fprintf(w, "\n%-24s %8s %7s %7s %7s %18s %12s %7s %17s\n", "", "overall", "NID", "TEDS", "MHS",
		fmt.Sprintf("s for %d files", docs), "ms one file", "MB", "times as long")
	for _, m := range list {
		fmt.Fprintf(w, "%-24s", m.peer.name)
		for _, v := range m.means {
			fmt.Fprintf(w, " %7.3f", v)
		}
		fmt.Fprintf(w, "%9.2f (%.2f–%.2f)%13.0f %7.0f %8.1f %8.1f\n", median(m.folder).Seconds(), slices.Min(m.folder).Seconds(),
			slices.Max(m.folder).Seconds(), milliseconds(median(m.one)), m.memory, ratio(m.folder, list[0].folder), ratio(m.one, list[0].one))
	}
	for _, m := range list[1:] {
		if !strings.HasPrefix(m.peer.name, "opendataloader") {
			continue
		}
		fmt.Fprintf(w, "\nragify has %.1f times the rate of %s over the folder (required: %d) and %.1f times on one file (required: %d).\n",
			ratio(m.folder, list[0].folder), m.peer.name, requiredFolder, ratio(m.one, list[0].one), requiredOne)
	}
	fmt.Fprintf(w, `
How: programs as called from a shell, with their start, for Markdown without images, otherwise with their defaults, on
%d processors. Each converts the folder once without a clock; then they take turns, %d times: the folder (in one call
where the program takes a folder, else in a call a file), then %d of its files in a call each. Times are medians of the
wall clock, with the shortest and the longest; "times as long" compares them, folder and one file, with ragify's. MB is
the most resident memory of a call's processes together, looked up every %d ms in the run without a clock. Scores are
those of "make bench-quality".
`, runtime.NumCPU(), runs, oneFiles, watchInterval/time.Millisecond)
}

// ratio of the medians of a and b.
func ratio(a, b []time.Duration) float64 { return float64(median(a)) / float64(median(b)) }
