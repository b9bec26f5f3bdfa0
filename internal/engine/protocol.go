package engine

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/option"
)

// Parent and child exchange frames: four bytes of length, big-endian, then that many bytes of JSON. The
// parent sends one request at a time; the child answers with any number of progress frames and one that
// ends the exchange.

// maxFrame bounds a frame in bytes. The largest honest one lists some 100,000 pages without text.
const maxFrame = 4 << 20

// operation names what a request asks for.
type operation string

const (
	opStart   operation = "start" // always first: configuration
	opInspect operation = "inspect"
	opDecrypt operation = "decrypt"
	opConvert operation = "convert"
)

// request is a frame from the parent.
type request struct {
	Op operation `json:"op"`

	// Of opStart.
	CacheDir    string `json:"cache_dir,omitempty"`
	MemoryLimit int64  `json:"memory_limit,omitempty"`

	// Of the others.
	Source   string          `json:"source,omitempty"`
	Password string          `json:"password,omitempty"`
	Deep     bool            `json:"deep,omitempty"`   // opInspect
	Target   string          `json:"target,omitempty"` // opDecrypt
	OutDir   string          `json:"out_dir,omitempty"`
	Stem     string          `json:"stem,omitempty"`
	Options  *option.Options `json:"options,omitempty"`
	DebugDir string          `json:"debug_dir,omitempty"` // opConvert
	// Warnings of opConvert are those of an earlier look at the file.
	Warnings []document.Warning `json:"warnings,omitempty"`
	// How many pages the child may recognise at once, and the deadline for each, of opConvert.
	OCRProcesses int           `json:"ocr_processes,omitempty"`
	OCRPageTime  time.Duration `json:"ocr_page_time,omitempty"` // nanoseconds
}

// response is a frame from the child. Exactly one of its parts is set; all but Progress end the exchange.
type response struct {
	Progress *progress  `json:"progress,omitempty"`
	Ready    bool       `json:"ready,omitempty"` // to opStart
	Info     *Info      `json:"info,omitempty"`
	Result   *Result    `json:"result,omitempty"`
	Done     bool       `json:"done,omitempty"` // to opDecrypt
	Fault    *wireFault `json:"fault,omitempty"`
}

// progress counts finished pages.
type progress struct {
	Done  int `json:"done"`
	Total int `json:"total"`
	// Pages are those finished since the frame before.
	Pages []pageTime `json:"pages,omitempty"`
}

// pageTime is how long a page took. Its times are nanoseconds.
type pageTime struct {
	Number int           `json:"n"`
	Began  time.Duration `json:"began"` // since the child was asked
	Took   time.Duration `json:"took"`
	OCR    bool          `json:"ocr,omitempty"`
}

// wireFault is an error on its way to the parent.
type wireFault struct {
	Invalid bool           `json:"invalid"` // the PDF or the request is to blame, not the engine
	Code    string         `json:"code"`
	Message string         `json:"message"`
	Facts   map[string]any `json:"facts,omitempty"`
	Cause   string         `json:"cause"`              // for the log
	Fatal   bool           `json:"fatal,omitempty"`    // the child ends after this
	NoSpace bool           `json:"no_space,omitempty"` // a disk is full
}

// maxCause bounds the text of a cause, in bytes: a WebAssembly stack trace can be long.
const maxCause = 4 << 10

// toWire describes err.
func toWire(err error) *wireFault {
	f := fault.From(err)
	w := &wireFault{Invalid: f.Kind == fault.Invalid, Code: f.Code, Message: f.Message, Facts: f.Facts, Cause: err.Error()}
	w.NoSpace = errors.Is(err, syscall.ENOSPC)
	if len(w.Cause) > maxCause {
		w.Cause = w.Cause[:maxCause]
	}
	return w
}

// err rebuilds the error in the parent. Only Invalid faults keep their face: whatever else a child says
// is an internal failure, or a full disk.
func (w *wireFault) err() error {
	cause := errors.New(w.Cause)
	if w.NoSpace {
		return fault.New(fault.Unavailable, "storage_unavailable", "The service has no room to work right now. Try again shortly.").Because(cause)
	}
	if !w.Invalid || w.Code == "" || w.Message == "" {
		return fmt.Errorf("engine child: %w", cause)
	}
	f := fault.New(fault.Invalid, w.Code, w.Message).Because(cause)
	f.Facts = w.Facts
	return f
}

// writeFrame sends v.
func writeFrame(w io.Writer, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(body) > maxFrame {
		return fmt.Errorf("frame of %d bytes", len(body))
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(make([]byte, 0, len(body)+4), uint32(len(body))), body...))
	return err
}

// readFrame receives into v. The error is io.EOF when the other side has closed between two frames.
func readFrame(r *bufio.Reader, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxFrame {
		return fmt.Errorf("frame of %d bytes", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return fmt.Errorf("frame cut short: %w", err)
	}
	return json.Unmarshal(body, v)
}

// receive reads frames until one ends the exchange, reporting progress on the way. The child has seen
// hostile bytes, so nothing that it says is trusted to make sense.
func receive(r *bufio.Reader, report func(progress)) (response, error) {
	for {
		var resp response
		if err := readFrame(r, &resp); err != nil {
			return response{}, err
		}
		switch {
		case resp.Progress != nil:
			if p := resp.Progress; report != nil && p.Done >= 0 && p.Done <= p.Total {
				report(*p)
			}
		case resp.Fault != nil, resp.Ready, resp.Done, resp.Info != nil, resp.Result != nil:
			return resp, nil
		default:
			return response{}, errors.New("frame without content")
		}
	}
}

// Info is what Inspect finds out.
type Info struct {
	Pages            int           `json:"pages"`
	Encrypted        bool          `json:"encrypted"`
	PagesWithoutText []int         `json:"pages_without_text"` // 1-based; pages that show something, but no text
	Meta             document.Meta `json:"meta"`
	// Warnings are about the file as a whole; those of its pages are for Convert to find.
	Warnings []document.Warning `json:"warnings"`
}

// Output is one file that Convert wrote.
type Output struct {
	Format option.Format `json:"format"`
	Name   string        `json:"name"` // file name in the request's OutDir
	Size   int64         `json:"size"` // bytes
	Type   string        `json:"type"` // media type
}

// Result is what Convert did.
type Result struct {
	Pages    int                `json:"pages"`   // in the file, selected or not
	Outputs  []Output           `json:"outputs"` // one per format, in the order of the options
	Warnings []document.Warning `json:"warnings"`
	// OCRError is why the first of the pages that could not be recognised could not, for the log; "" when all could.
	OCRError string `json:"ocr_error,omitempty"`
}
