package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/workbench"
)

// parseFlags are the flags of ragify parse.
type parseFlags struct {
	formats []string
	options string
	outDir  string
	debug   string
	jobs    int
	timeout time.Duration
}

func (a *app) parseCommand() *cobra.Command {
	var f parseFlags
	cmd := &cobra.Command{
		Use:   "parse [-f FORMATS] [--options JSON] [-o DIR] [--debug DIR] [--jobs N] FILE|DIR…",
		Short: "Convert PDFs right here, without a server",
		Long: `Convert PDFs with the same engine and options as the service, offline.

With -o, every result is written to DIR under the name of its PDF: DIR/report.md for report.pdf. A
folder stands for all PDFs in it and below it; their folders are kept below DIR. Without -o, one format
of one file goes to standard output.

The options are those of the API, as a JSON object; "password" opens encrypted files.

With --debug, DIR/report/index.html shows for every page of report.pdf what each stage saw, from glyphs to
elements in reading order, and DIR/report/page-0001.svg is the first page alone. With neither -o nor -f these
drawings are all that is made.

The exit status is 0 when everything was converted, 1 when some files failed (each is named on standard
error), and 2 when the command line cannot be carried out.`,
		Example: `  ragify parse report.pdf
  ragify parse -f markdown,json -o out report.pdf invoices/
  ragify parse --options '{"pages":"1-3","include_header_footer":true}' report.pdf > start.md
  ragify parse --debug why report.pdf`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.parse(cmd.Context(), f, args) },
	}
	cmd.Flags().StringSliceVarP(&f.formats, "format", "f", nil, "formats to make, separated by commas: "+formatNames()+" (default markdown)")
	cmd.Flags().StringVar(&f.options, "options", "", "options of the conversion, a JSON object")
	cmd.Flags().StringVarP(&f.outDir, "output", "o", "", "folder to write the results to")
	cmd.Flags().StringVar(&f.debug, "debug", "", "folder for drawings of what the engine saw on each page")
	cmd.Flags().IntVar(&f.jobs, "jobs", runtime.NumCPU(), "files to convert at once")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 10*time.Minute, "longest time for one file")
	return cmd
}

func (a *app) parse(ctx context.Context, f parseFlags, args []string) (err error) {
	opts, err := f.check()
	if err != nil {
		return err
	}
	inputs, failed := collect(args)
	if f.outDir == "" && len(opts.Format) > 0 && (len(inputs)+len(failed) != 1 || len(opts.Format) != 1) {
		return usagef("several results need a folder to go to: give one with -o")
	}
	if f.outDir == "" && opts.ImageOutput == "external" {
		return usagef("image_output external makes an archive, which needs a folder to go to: give one with -o")
	}
	if inputs, err = distinct(inputs); err != nil {
		return err
	}
	report := newReporter(a.stderr, len(inputs))
	for _, fail := range failed {
		report.failure(fail.path, fail.err)
	}
	if len(inputs) > 0 {
		err = a.convertAll(ctx, f, opts, inputs, report)
	}
	if err != nil {
		return err
	}
	if report.close() > 0 {
		return exitCode(exitFailure)
	}
	return nil
}

// check reads the flags; what cannot be carried out is a usage error.
func (f parseFlags) check() (option.Options, error) {
	opts, err := option.Parse([]byte(f.options))
	if err != nil {
		return opts, usagef("--options: %s", sentence(err))
	}
	if len(f.formats) > 0 {
		raw, err := json.Marshal(map[string][]string{"format": f.formats})
		if err != nil {
			return opts, err
		}
		formats, err := option.Parse(raw)
		if err != nil {
			return opts, usagef("-f: %s", sentence(err))
		}
		opts.Format = formats.Format
		if err := opts.Check(); err != nil {
			return opts, usagef("-f: %s", sentence(err))
		}
	}
	if f.debug != "" && f.outDir == "" && len(f.formats) == 0 {
		opts.Format = nil // the drawings are what is asked for
	}
	if f.jobs < 1 || f.jobs > maxWorkers {
		return opts, usagef("--jobs must be from 1 to %d", maxWorkers)
	}
	if f.timeout <= 0 {
		return opts, usagef("--timeout must be more than nothing")
	}
	return opts, nil
}

// formatNames lists the formats there are.
func formatNames() string {
	var names []string
	for _, f := range option.Formats() {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// input is a PDF and where its results go.
type input struct {
	path string
	stem string // below the output folder, without extension
}

// failure is a file that could not be converted.
type failure struct {
	path string
	err  error
}

// collect finds the PDFs that the arguments stand for.
func collect(args []string) (inputs []input, failed []failure) {
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil {
			failed = append(failed, failure{arg, plainCause(err)})
			continue
		}
		if !info.IsDir() {
			if !info.Mode().IsRegular() {
				failed = append(failed, failure{arg, errors.New("neither a file nor a folder: a PDF is read back and forth")})
				continue
			}
			inputs = append(inputs, input{arg, stem(filepath.Base(arg))})
			continue
		}
		found := len(inputs) + len(failed)
		// With the separator at its end, a link to a folder is the folder.
		err = filepath.WalkDir(arg+string(filepath.Separator), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				failed = append(failed, failure{path, plainCause(err)})
				return nil
			}
			if d.Type()&^fs.ModeSymlink != 0 || !strings.EqualFold(filepath.Ext(path), ".pdf") {
				return nil
			}
			below, err := filepath.Rel(arg, path)
			inputs = append(inputs, input{path, stem(below)})
			return err
		})
		if err == nil && found == len(inputs)+len(failed) {
			err = errors.New("no PDF in this folder")
		}
		if err != nil {
			failed = append(failed, failure{arg, err})
		}
	}
	return inputs, failed
}

// plainCause takes the path out of a file error: it is printed before it anyway.
func plainCause(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return err
}

func stem(name string) string {
	if ext := filepath.Ext(name); strings.EqualFold(ext, ".pdf") && filepath.Base(name) != ext {
		return name[:len(name)-len(ext)]
	}
	return name
}

// distinct drops inputs that are there twice, and refuses different ones whose results would overwrite each other.
func distinct(inputs []input) ([]input, error) {
	seen := make(map[string]string, len(inputs))
	var out []input
	for _, in := range inputs {
		other, ok := seen[in.stem]
		if ok && filepath.Clean(other) != filepath.Clean(in.path) {
			return nil, usagef("%s and %s would both be written to %s: convert them apart, or give a folder that holds both",
				shown(other), shown(in.path), shown(in.stem))
		}
		if !ok {
			seen[in.stem] = in.path
			out = append(out, in)
		}
	}
	return out, nil
}

func (a *app) convertAll(ctx context.Context, f parseFlags, opts option.Options, inputs []input, report *reporter) (err error) {
	scratch, err := scratchDir(f.outDir)
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	if f.debug != "" {
		if err := os.MkdirAll(f.debug, 0o755); err != nil {
			return usagef("--debug: %v", err)
		}
	}
	children := min(f.jobs, len(inputs))
	command, err := engineChild()
	if err != nil {
		return err
	}
	cache, err := a.userCacheDir()
	if err != nil {
		return err
	}
	eng, err := engine.New(engine.Config{Command: command, Children: children, CacheDir: cache, MemoryLimit: engineMemory, Logger: quietLogger()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, eng.Close()) }()
	c := converter{engine: eng, options: opts, timeout: f.timeout, scratch: scratch, outDir: f.outDir, debugDir: f.debug, stdout: a.stdout, report: report}
	var g errgroup.Group
	g.SetLimit(children)
	for i, in := range inputs {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			warnings, err := c.convert(ctx, i, in)
			if ctx.Err() != nil { // interrupted: no file's fault
				return ctx.Err()
			}
			report.finished(in.path, warnings, err)
			return nil
		})
	}
	return errors.Join(g.Wait(), ctx.Err())
}

// scratchDir makes the folder in which results are made: in outDir, so that finished ones can be moved
// into place at once, or in the temporary directory.
func scratchDir(outDir string) (string, error) {
	if outDir == "" {
		return os.MkdirTemp("", "ragify-parse-")
	}
	if err := os.MkdirAll(outDir, 0o755); err != nil {
		return "", usagef("-o: %v", err)
	}
	dir, err := os.MkdirTemp(outDir, ".ragify-")
	if err != nil {
		return "", usagef("-o: %v", err)
	}
	return dir, nil
}

// converter makes the results of one file after another.
type converter struct {
	engine   *engine.Engine
	options  option.Options
	timeout  time.Duration
	scratch  string
	outDir   string // "": to stdout
	debugDir string // "": no drawings
	stdout   io.Writer
	report   *reporter
}

// convert makes the results of the i-th input. Either all of them appear or none.
func (c converter) convert(ctx context.Context, i int, in input) (_ []document.Warning, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	dir := filepath.Join(c.scratch, fmt.Sprint(i))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	r := engine.Request{Source: in.path, OutDir: dir, Stem: filepath.Base(in.stem), Options: c.options}
	if c.debugDir != "" {
		r.DebugDir = filepath.Join(c.debugDir, in.stem)
	}
	res, err := c.engine.Convert(ctx, r, c.report.page)
	if err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, fmt.Errorf("not converted within %s; --timeout allows more", c.timeout)
		}
		return nil, err
	}
	for _, out := range res.Outputs {
		if err := c.deliver(filepath.Join(dir, out.Name), filepath.Join(filepath.Dir(in.stem), out.Name)); err != nil {
			return nil, err
		}
	}
	if c.debugDir != "" {
		c.report.line("%s: see %s", shown(in.path), shown(filepath.Join(r.DebugDir, workbench.IndexName)))
	}
	return res.Warnings, nil
}

// deliver puts a finished result where the user wants it; name is its path below the output folder.
func (c converter) deliver(path, name string) error {
	if c.outDir == "" {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		// A reader that has seen enough, as head, ends this process with the next write: leave nothing behind.
		if err := os.RemoveAll(c.scratch); err != nil {
			return err
		}
		c.report.clear()
		_, err = io.Copy(c.stdout, f)
		return err
	}
	target := filepath.Join(c.outDir, name)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	if err := os.Chmod(path, 0o644); err != nil {
		return err
	}
	return os.Rename(path, target)
}

// reporter tells the user how a run goes: failures and warnings a line each, and on a terminal a bar,
// of pages for one file and of files for several.
type reporter struct {
	mu      sync.Mutex
	w       io.Writer
	bar     bar
	watched bool // a person sees w
	single  bool
	began   time.Time
	done    int
	failed  int
}

func newReporter(w io.Writer, files int) *reporter {
	r := &reporter{w: w, watched: isTerminal(w), single: files == 1, began: time.Now(), bar: noBar{}}
	if r.watched {
		r.bar = newBar(w, files)
	}
	return r
}

// page is told the progress of the file that is being converted.
func (r *reporter) page(done, total int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.single {
		r.bar.set(done, total)
	}
}

// finished is told how the conversion of a file ended.
func (r *reporter) finished(path string, warnings []document.Warning, err error) {
	for _, w := range warnings {
		r.line("%s: warning: %s%s", shown(path), w.Message, pageList(w.Pages))
	}
	if err != nil {
		r.failure(path, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.done++
	}
	if !r.single {
		r.bar.add()
	}
}

func (r *reporter) failure(path string, err error) {
	r.line("%s: %s", shown(path), sentence(err))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed++
}

func (r *reporter) line(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bar.clear()
	fmt.Fprintf(r.w, format+"\n", args...)
}

// clear takes the bar off the screen, for output that goes there as well.
func (r *reporter) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bar.clear()
}

// close ends the report and gives the number of failed files.
func (r *reporter) close() int {
	r.clear()
	if r.watched && !r.single {
		fmt.Fprintf(r.w, "%d of %d files converted in %.1f s\n", r.done, r.done+r.failed, time.Since(r.began).Seconds())
	}
	return r.failed
}

// pageList is " (pages 1, 2, 3)", cut short when there are many.
func pageList(pages []int) string {
	const most = 10
	if len(pages) == 0 {
		return ""
	}
	words := make([]string, 0, most+1)
	for i, p := range pages {
		if i == most {
			words = append(words, "…")
			break
		}
		words = append(words, fmt.Sprint(p))
	}
	name := " (page "
	if len(pages) > 1 {
		name = " (pages "
	}
	return name + strings.Join(words, ", ") + ")"
}
