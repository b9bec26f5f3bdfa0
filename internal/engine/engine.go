// Package engine turns PDF files into documents and writes them. The work happens in child processes of
// the same binary, because a PDF comes from a stranger: a deadline kills the child, a memory limit binds
// it, and a crash takes nobody else along. The parent's side is Engine; the child's is Serve.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/tracing"
)

// DefaultMemoryLimit is what Config.MemoryLimit == 0 means: 1 GiB.
const DefaultMemoryLimit = 1 << 30

// minMemoryLimit is what a child needs to parse anything.
const minMemoryLimit = 128 << 20

// reapTime is what the kernel may take to report the end of a child whose pipes have closed.
const reapTime = 5 * time.Second

// Config says how to run an Engine.
type Config struct {
	// Command is the argument vector of a child: a program that calls Serve on its standard input and
	// output, e.g. {"/usr/bin/ragify", "engine"}.
	Command []string
	// Children is how many requests run at the same time, each in a child of its own. At least 1.
	Children int
	// CacheDir keeps the compiled PDFium between processes. It must not be writable by other users.
	// Empty: every child compiles for itself, which takes seconds.
	CacheDir string
	// MemoryLimit is how much memory one child may use, in bytes; 0 means DefaultMemoryLimit.
	MemoryLimit int64
	// Niceness, 0 to 19, is how far children give way to other processes when there is more to do than processors (Linux
	// only): see setpriority(2).
	Niceness int
	// Logger gets a line for each child that starts, dies or misbehaves. nil: nothing is logged.
	Logger *slog.Logger
	// Registry gets the engine's metrics; nil: none. Two engines need different labels.
	Registry prometheus.Registerer
}

// Engine runs requests in a pool of child processes, started when first needed. It is safe for
// concurrent use.
type Engine struct {
	config  Config
	log     *slog.Logger
	metrics *metrics
	slots   chan struct{} // one token per running request
	closing chan struct{}
	starter *starter

	ocrProcesses int           // that recognise pages, for each child
	ocrPageTime  time.Duration // the deadline for each of these pages

	mu     sync.Mutex
	broken error // why the last child that was started did not get ready; nil when it did
	closed bool
	idle   []*child // most recently used last
	live   map[*child]struct{}
}

// New makes an Engine; no child is started yet. Close it to end its children.
func New(c Config) (*Engine, error) {
	if len(c.Command) == 0 || c.Command[0] == "" {
		return nil, errors.New("engine: no command")
	}
	if c.Children < 1 {
		return nil, fmt.Errorf("engine: %d children", c.Children)
	}
	if c.MemoryLimit == 0 {
		c.MemoryLimit = DefaultMemoryLimit
	}
	if c.MemoryLimit < minMemoryLimit {
		return nil, fmt.Errorf("engine: memory limit %d is below %d bytes", c.MemoryLimit, minMemoryLimit)
	}
	e := &Engine{
		config: c, log: c.Logger,
		slots: make(chan struct{}, c.Children), closing: make(chan struct{}),
		starter: newStarter(c.Niceness), live: make(map[*child]struct{}),
		// Recognition takes nearly all of the time of the pages that need it: the children share the processors.
		ocrProcesses: max(runtime.GOMAXPROCS(0)/c.Children, 1), ocrPageTime: ocrPageTime,
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	e.metrics = newMetrics(e, c.Registry)
	return e, nil
}

// Close kills all children and waits until they are gone. Running requests fail. Further calls do nothing.
func (e *Engine) Close() error {
	e.mu.Lock()
	if !e.closed {
		e.closed = true
		close(e.closing)
	}
	var all []*child
	for c := range e.live {
		all = append(all, c)
	}
	e.idle = nil
	e.mu.Unlock()
	for _, c := range all {
		c.kill()
	}
	for _, c := range all {
		e.drop(c)
	}
	e.starter.stop()
	return nil
}

// Warm starts one child and waits until it can work. On a machine's first start this compiles PDFium,
// which takes seconds; done at start-up, the first request does not have to wait for it.
func (e *Engine) Warm(ctx context.Context) (err error) {
	defer fault.Op(&err, "engine.Warm()")
	c, release, err := e.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	e.putBack(c)
	return nil
}

// WarmAll starts all children, the first as Warm does. Requests may have to wait meanwhile, but none later: on a busy machine
// the start of a child takes the better part of a second.
func (e *Engine) WarmAll(ctx context.Context) (err error) {
	defer fault.Op(&err, "engine.WarmAll()")
	if err := e.Warm(ctx); err != nil {
		return err
	}
	var held []func() // gives back what is kept until the end: until then no other acquire gets it
	defer func() {
		for _, giveBack := range held {
			giveBack()
		}
	}()
	for range e.config.Children {
		c, release, err := e.acquire(ctx)
		if err != nil {
			return err
		}
		held = append(held, func() {
			e.putBack(c)
			release()
		})
	}
	return nil
}

// Check tells why children do not start, nil while they do. After a failure it tries again: nobody else may, where work
// goes only to who is ready. ctx bounds that.
func (e *Engine) Check(ctx context.Context) error {
	e.mu.Lock()
	broken := e.broken
	e.mu.Unlock()
	if broken == nil {
		return nil
	}
	return e.Warm(ctx)
}

// Inspect opens the PDF at path. deep also looks at every page for text, which takes a few milliseconds
// a page. The password is tried when the file does not open without.
//
// Faults: Invalid with code not_a_pdf, damaged_pdf, password_required, wrong_password,
// unsupported_encryption, too_complex or timed_out; Unavailable with code engine_busy or shutting_down.
// When ctx is cancelled, its error.
func (e *Engine) Inspect(ctx context.Context, path, password string, deep bool) (info Info, err error) {
	defer fault.Op(&err, "engine.Inspect(%s)", path)
	path, err = filepath.Abs(path)
	if err != nil {
		return Info{}, err
	}
	resp, err := e.do(ctx, request{Op: opInspect, Source: path, Password: password, Deep: deep}, nil)
	if err != nil {
		return Info{}, err
	}
	if resp.Info == nil {
		return Info{}, errUnexpected
	}
	return *resp.Info, nil
}

// Decrypt writes the PDF at src to dst without encryption. dst must not exist; it is removed again on
// failure. Faults and errors as of Inspect.
func (e *Engine) Decrypt(ctx context.Context, src, dst, password string) (err error) {
	defer fault.Op(&err, "engine.Decrypt(%s, %s)", src, dst)
	if src, err = filepath.Abs(src); err != nil {
		return err
	}
	if dst, err = filepath.Abs(dst); err != nil {
		return err
	}
	resp, err := e.do(ctx, request{Op: opDecrypt, Source: src, Target: dst, Password: password}, nil)
	if err != nil {
		return err
	}
	if !resp.Done {
		return errUnexpected
	}
	return nil
}

// Request asks Convert for the files of one PDF.
type Request struct {
	Source  string // path of the PDF
	OutDir  string // existing directory for the results
	Stem    string // the results' file name without extension
	Options option.Options
	// Warnings come before those of the conversion: what Inspect said of the file, where Source is a decrypted copy of it,
	// which shows no more what it was made of.
	Warnings []document.Warning
	// DebugDir, when not "", is a directory that gets drawings of what the layout saw and made of every page, and
	// a workbench.IndexName that leads through them. It is made when it is missing. Drawing takes much longer
	// than converting.
	DebugDir string
}

// Convert parses the selected pages and writes one file per format. report, when not nil, is called
// after every page with the pages done and the pages selected, from the calling goroutine.
//
// Faults and errors as of Inspect, and Invalid with code invalid_page_range.
func (e *Engine) Convert(ctx context.Context, r Request, report func(done, total int)) (result Result, err error) {
	defer fault.Op(&err, "engine.Convert(%s)", r.Source)
	if r.Stem == "" || filepath.Base(r.Stem) != r.Stem {
		return Result{}, fmt.Errorf("stem %q is not a file name", r.Stem)
	}
	if r.Source, err = filepath.Abs(r.Source); err != nil {
		return Result{}, err
	}
	if r.OutDir, err = filepath.Abs(r.OutDir); err != nil {
		return Result{}, err
	}
	if r.DebugDir != "" {
		if r.DebugDir, err = filepath.Abs(r.DebugDir); err != nil {
			return Result{}, err
		}
	}
	ctx, span := tracing.Start(ctx, "engine.Convert")
	defer func() { tracing.End(span, err) }()
	meter := pageMeter{ctx: ctx, m: e.metrics, began: time.Now()}
	resp, err := e.do(ctx, request{
		Op: opConvert, Source: r.Source, OutDir: r.OutDir, Stem: r.Stem, Options: &r.Options, Password: r.Options.Password,
		DebugDir: r.DebugDir, Warnings: r.Warnings, OCRProcesses: e.ocrProcesses, OCRPageTime: e.ocrPageTime,
	}, func(p progress) {
		meter.note(p.Pages)
		if report != nil {
			report(p.Done, p.Total)
		}
	})
	if err != nil {
		return Result{}, err
	}
	if resp.Result == nil {
		return Result{}, errUnexpected
	}
	if resp.Result.OCRError != "" {
		e.log.WarnContext(ctx, "pages could not be recognised", "error", resp.Result.OCRError)
	}
	return *resp.Result, nil
}

// errUnexpected means that a child answered another question.
var errUnexpected = errors.New("unexpected answer from the engine's child")

// do runs one request in a child and sorts out what it means when that fails. A child that something
// else ended, an operator or the system short of memory, proves nothing about the PDF: the request gets
// another one. When that is ended, too, the PDF is taken for the reason.
func (e *Engine) do(ctx context.Context, r request, report func(progress)) (response, error) {
	c, release, err := e.acquire(ctx)
	if err != nil {
		return response{}, err
	}
	defer release()
	resp, err := c.exchange(ctx, r, report)
	if err != nil && e.endedByOthers(ctx, c) {
		e.metrics.ends.WithLabelValues(endOutside).Inc()
		e.log.WarnContext(ctx, "engine child was ended from outside; trying again", "pid", c.pid, "status", c.status())
		e.drop(c)
		if r.Target != "" {
			_ = os.Remove(r.Target) // half-written, if at all
		}
		if c, err = e.start(ctx); err != nil {
			return response{}, err
		}
		resp, err = c.exchange(ctx, r, report)
	}
	if err != nil {
		e.drop(c)
		if !e.isClosing() {
			e.metrics.ends.WithLabelValues(endOf(ctx, c)).Inc()
		}
		return response{}, e.explain(ctx, c, err)
	}
	if resp.Fault != nil {
		if resp.Fault.Fatal {
			e.drop(c)
			e.metrics.ends.WithLabelValues(endCrash).Inc()
			e.log.ErrorContext(ctx, "engine child failed", "pid", c.pid, "error", resp.Fault.Cause, "stderr", c.stderr.String())
		} else {
			e.putBack(c)
		}
		return response{}, resp.Fault.err()
	}
	e.putBack(c)
	return resp, nil
}

// explain turns a broken exchange into the error that the caller should see.
func (e *Engine) explain(ctx context.Context, c *child, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fault.New(fault.Invalid, "timed_out", "This PDF takes too long to parse.").Because(err)
	case ctx.Err() != nil:
		return ctx.Err()
	case e.isClosing():
		return shuttingDown()
	}
	e.log.ErrorContext(ctx, "engine child died", "pid", c.pid, "status", c.status(), "error", err, "stderr", c.stderr.String())
	return fault.New(fault.Invalid, "too_complex", "This PDF needs more memory than is allowed, or is built in a way that cannot be parsed.").
		Because(fmt.Errorf("child %d: %s: %w", c.pid, c.status(), err))
}

// endedByOthers tells whether neither we ended the child nor it crashed.
func (e *Engine) endedByOthers(ctx context.Context, c *child) bool {
	if ctx.Err() != nil || e.isClosing() {
		return false
	}
	select {
	case <-c.gone:
		// Told to end, a child does so without an error.
		return c.cmd.ProcessState.Success() || terminated(c.cmd.ProcessState)
	case <-time.After(reapTime): // it lives, and talks nonsense
		return false
	}
}

// notBegun is the error when ctx has ended before anyone looked at the PDF, which is then not to blame.
func notBegun(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.New(fault.Unavailable, "engine_busy", "The service is busy. Try again in a moment.").After(5 * time.Second).Because(ctx.Err())
	}
	return ctx.Err()
}

func shuttingDown() error {
	return fault.New(fault.Unavailable, "shutting_down", "The service is shutting down. Try again in a moment.").After(5 * time.Second)
}

func (e *Engine) isClosing() bool {
	select {
	case <-e.closing:
		return true
	default:
		return false
	}
}

// acquire waits for a free slot and gives a child that is ready to work. Call release when the child
// has been put back or retired.
func (e *Engine) acquire(ctx context.Context) (c *child, release func(), err error) {
	select {
	case e.slots <- struct{}{}:
	case <-e.closing:
		return nil, nil, shuttingDown()
	case <-ctx.Done():
		return nil, nil, notBegun(ctx)
	}
	release = func() { <-e.slots }
	if c := e.takeIdle(); c != nil {
		return c, release, nil
	}
	if c, err = e.start(ctx); err != nil {
		release()
		return nil, nil, err
	}
	return c, release, nil
}

// takeIdle gives the idle child used last that is still alive, nil when there is none.
func (e *Engine) takeIdle() *child {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.idle) > 0 {
		c := e.idle[len(e.idle)-1]
		e.idle = e.idle[:len(e.idle)-1]
		if c.alive() {
			return c
		}
		// Its process has been reaped; the goroutine of spawn takes it off the list.
		c.end()
	}
	return nil
}

// start starts a child and waits for it to be ready.
func (e *Engine) start(ctx context.Context) (c *child, err error) {
	defer func() {
		if ctx.Err() == nil { // else it says nothing
			e.mu.Lock()
			e.broken = err
			e.mu.Unlock()
		}
	}()
	began := time.Now()
	if c, err = e.spawn(); err != nil {
		return nil, err
	}
	resp, err := c.exchange(ctx, request{Op: opStart, CacheDir: e.config.CacheDir, MemoryLimit: e.config.MemoryLimit}, nil)
	switch {
	case err == nil && resp.Fault != nil:
		err = resp.Fault.err()
	case err == nil && !resp.Ready:
		err = errUnexpected
	}
	if err != nil {
		e.drop(c)
		switch {
		case e.isClosing():
			return nil, shuttingDown()
		case ctx.Err() != nil:
			return nil, notBegun(ctx)
		}
		return nil, fmt.Errorf("engine child %d did not start: %w (%s) %s", c.pid, err, c.status(), c.stderr.String())
	}
	e.metrics.starts.Observe(time.Since(began).Seconds())
	e.log.DebugContext(ctx, "engine child started", "pid", c.pid, "took", time.Since(began))
	return c, nil
}

// spawn starts the process of a child and keeps track of it until it is gone.
func (e *Engine) spawn() (*child, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, shuttingDown()
	}
	c, err := e.starter.start(e.config.Command)
	if err != nil {
		return nil, err
	}
	e.live[c] = struct{}{}
	go func() {
		<-c.gone
		e.forget(c)
	}()
	return c, nil
}

// drop ends a child that is not idle.
func (e *Engine) drop(c *child) {
	c.end()
	e.forget(c)
}

// forget takes a child that is gone off the list of the living.
func (e *Engine) forget(c *child) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.live, c)
}

// putBack makes a child available to the next request.
func (e *Engine) putBack(c *child) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed && c.alive() {
		e.idle = append(e.idle, c)
	}
}
