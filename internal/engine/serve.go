package engine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/pdfium"
	"github.com/ragify/ragify/internal/safety"
)

// ServeConfig is what a child may be told apart from what its parent sends.
type ServeConfig struct {
	// Exit ends the process at once when the parent has gone, whatever is going on. nil: Serve only
	// returns, after the request at hand.
	Exit func(code int)
}

// maxPages is more than any honest file has; a larger count means a file made to exhaust us.
const maxPages = 100_000

// headerWindow is where readers look for the PDF header, in bytes from the start of the file.
const headerWindow = 1024

// Serve is the main loop of a child: it answers the requests on in with frames on out until in ends. It
// must be alone on both. It limits the process's memory and tunes its garbage collector, so it wants a
// process of its own.
func Serve(ctx context.Context, in io.Reader, out io.Writer, c ServeConfig) error {
	// WebAssembly code does not give way: with a single processor nobody would notice the parent's end.
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), 2))
	requests := make(chan request)
	failed := make(chan error, 1)
	done := make(chan struct{})
	defer close(done)
	go func() {
		failed <- readRequests(bufio.NewReader(in), requests, done)
		if c.Exit != nil {
			c.Exit(0)
		}
	}()
	s := server{out: out, writer: bufio.NewWriterSize(nil, 256<<10)}
	defer s.close()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case r := <-requests:
			if err := s.answer(ctx, r); err != nil {
				return err
			}
		}
	}
}

// readRequests passes requests on until there are no more.
func readRequests(in *bufio.Reader, requests chan<- request, done <-chan struct{}) error {
	for {
		var r request
		if err := readFrame(in, &r); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		select {
		case requests <- r:
		case <-done:
			return nil
		}
	}
}

// server is the state of a child.
type server struct {
	out      io.Writer
	pdf      *pdfium.Runtime
	content  document.Content // reused from page to page, as the next one
	screener safety.Screener
	writer   *bufio.Writer // of the result at hand, reused: its buffer is larger than most results
}

func (s *server) close() {
	if s.pdf != nil {
		_ = s.pdf.Close() // the process ends anyway
	}
}

// errFatal ends the child after it has told its parent why.
var errFatal = errors.New("engine child cannot go on")

// answer runs one request and sends what came of it.
func (s *server) answer(ctx context.Context, r request) error {
	resp, err := s.run(ctx, r)
	var fatal bool
	if err != nil {
		w := toWire(err)
		fatal = errors.Is(err, errFatal)
		w.Fatal = fatal
		resp = response{Fault: w}
	}
	if err := writeFrame(s.out, resp); err != nil {
		return err
	}
	if fatal {
		return errFatal
	}
	return nil
}

// run runs one request; a panic becomes an error that ends the child.
func (s *server) run(ctx context.Context, r request) (resp response, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: panic: %v\n%s", errFatal, p, debug.Stack())
		}
	}()
	if r.Op == opStart {
		if err := s.start(ctx, r); err != nil {
			return response{}, fmt.Errorf("%w: %w", errFatal, err)
		}
		return response{Ready: true}, nil
	}
	if s.pdf == nil {
		return response{}, fmt.Errorf("%w: %s before %s", errFatal, r.Op, opStart)
	}
	src, file, err := s.open(r)
	if err != nil {
		return response{}, err
	}
	defer func() {
		// A failure to close costs memory at most, which the next file's limits catch.
		_ = errors.Join(file.Close(), src.Close())
	}()
	switch r.Op {
	case opInspect:
		info, err := s.inspect(file, r.Deep)
		return response{Info: &info}, err
	case opDecrypt:
		return response{Done: true}, decrypt(file, r.Target)
	case opConvert:
		result, err := s.convert(ctx, file, r)
		return response{Result: &result}, err
	}
	return response{}, fmt.Errorf("unknown operation %q", r.Op)
}

// The share of a child's memory that PDFium may use, in parts of sixteen; the rest is for the layout.
const pdfiumShare = 10

// start gets PDFium ready and applies the limits.
func (s *server) start(ctx context.Context, r request) error {
	if s.pdf != nil {
		return errors.New("started twice")
	}
	forPDFium := min(r.MemoryLimit/16*pdfiumShare, 2<<30)
	// Documents are short-lived: collect late, unless memory gets tight.
	debug.SetMemoryLimit(r.MemoryLimit - forPDFium)
	debug.SetGCPercent(400)
	pdf, err := pdfium.New(ctx, pdfium.Config{CacheDir: r.CacheDir, MemoryLimit: forPDFium})
	if err != nil {
		return err
	}
	s.pdf = pdf
	// Only now: where nothing is cached yet, compiling PDFium takes more memory than many a document, and
	// it is not strangers' input.
	return limitMemory(r.MemoryLimit)
}

// open opens the request's source.
func (s *server) open(r request) (*os.File, *pdfium.File, error) {
	src, err := os.Open(r.Source)
	if err != nil {
		return nil, nil, err
	}
	file, err := s.openPDF(src, r.Password)
	if err != nil {
		return nil, nil, errors.Join(err, src.Close())
	}
	return src, file, nil
}

func (s *server) openPDF(src *os.File, password string) (*pdfium.File, error) {
	info, err := src.Stat()
	if err != nil {
		return nil, err
	}
	head := make([]byte, headerWindow)
	n, err := src.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !bytes.Contains(head[:n], []byte("%PDF-")) {
		return nil, fault.New(fault.Invalid, "not_a_pdf", "This file is not a PDF: it has no %PDF- header.")
	}
	file, err := s.pdf.Open(src, info.Size(), password)
	if err != nil {
		return nil, err
	}
	if file.NumPages() > maxPages {
		return nil, errors.Join(fault.Newf(fault.Invalid, "too_complex", "This PDF has %d pages, which is more than can be parsed.", file.NumPages()), file.Close())
	}
	return file, nil
}

// inspect describes a file; deep looks at every page.
func (s *server) inspect(file *pdfium.File, deep bool) (Info, error) {
	meta := file.Meta()
	info := Info{Pages: file.NumPages(), Encrypted: meta.Encrypted, Meta: meta, Warnings: fileWarnings(file)}
	if !deep {
		return info, nil
	}
	info.PagesWithoutText = []int{}
	for n := 1; n <= info.Pages; n++ {
		err := file.Content(n, &s.content)
		switch {
		case errors.Is(err, errDamagedPage):
			continue
		case err != nil:
			return Info{}, err
		}
		if !blank(&s.content) && !hasText(&s.content) {
			info.PagesWithoutText = append(info.PagesWithoutText, n)
		}
	}
	return info, nil
}

// decrypt writes the file without encryption to a new file at target.
func decrypt(file *pdfium.File, target string) (err error) {
	dst, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(dst, 1<<20)
	err = errors.Join(file.SaveDecrypted(w), w.Flush(), dst.Close())
	if err != nil {
		return errors.Join(err, os.Remove(target))
	}
	return nil
}

// progressInterval is the least time between two progress frames, except for the last one.
const progressInterval = 50 * time.Millisecond
