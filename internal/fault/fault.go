// Package fault describes failures that a client may be told about.
//
// A fault carries a kind (which decides the HTTP status), a stable machine-readable code, one safe
// sentence that a person can act on, and facts (the numbers or names behind the sentence). Its cause
// stays inside: it is logged once, at the edge, and never reaches a client.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind classifies a fault by what the client can do about it.
type Kind uint8

// The kinds, each with the HTTP status that the edge answers with.
const (
	Internal           Kind = iota // 500: our mistake
	Invalid                        // 400: the request or the PDF is wrong
	Unauthenticated                // 401: no or bad credentials
	QuotaExceeded                  // 402: the month's pages do not suffice
	Forbidden                      // 403: the plan does not allow it
	NotFound                       // 404: not there, or not the caller's
	MethodNotAllowed               // 405: the route exists for other methods
	PreconditionFailed             // 412: the file is not in the state that the request wants it in
	TooLarge                       // 413: the upload exceeds the plan's limit
	BadRange                       // 416: the file does not have these bytes
	TooManyActive                  // 429: too many active jobs
	Unavailable                    // 503: Postgres or storage away, or shutting down
)

// Fault is an error with a client-safe face. Create one with New; treat it as immutable once returned.
type Fault struct {
	Kind    Kind
	Code    string         // stable snake_case, part of the contract
	Message string         // one safe sentence
	Facts   map[string]any // JSON-encodable, merged beside message and code; may be nil
	Retry   time.Duration  // when > 0, sent as Retry-After
	cause   error
}

// New makes a fault. code is stable snake_case; message is one sentence that a person can act on.
func New(kind Kind, code, message string) *Fault {
	return &Fault{Kind: kind, Code: code, Message: message}
}

// Newf is New with a formatted message. The arguments must be safe to show to the client.
func Newf(kind Kind, code, format string, args ...any) *Fault {
	return New(kind, code, fmt.Sprintf(format, args...))
}

// With adds a fact and returns f. Only for use while a fault is being built.
func (f *Fault) With(name string, value any) *Fault {
	if f.Facts == nil {
		f.Facts = make(map[string]any)
	}
	f.Facts[name] = value
	return f
}

// After sets when a retry makes sense and returns f.
func (f *Fault) After(d time.Duration) *Fault {
	f.Retry = d
	return f
}

// Because records the internal cause and returns f.
func (f *Fault) Because(cause error) *Fault {
	f.cause = cause
	return f
}

// Error is for logs: code, message and cause.
func (f *Fault) Error() string {
	if f.cause != nil {
		return f.Code + ": " + f.Message + ": " + f.cause.Error()
	}
	return f.Code + ": " + f.Message
}

// Unwrap gives the internal cause, or nil.
func (f *Fault) Unwrap() error { return f.cause }

// Is makes errors.Is(err, &Fault{Code: c}) true for every fault with code c.
func (f *Fault) Is(target error) bool {
	t, ok := target.(*Fault)
	return ok && t.Code == f.Code
}

// From finds the outermost fault in err's chain. Any other error becomes an Internal fault with a
// neutral sentence and err as its cause. From(nil) is nil.
func From(err error) *Fault {
	if err == nil {
		return nil
	}
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	return New(Internal, "internal", "Something went wrong on our side. Try again; if it keeps happening, report the request id.").Because(err)
}

// KindOf is the kind of the outermost fault in err's chain, Internal when there is none.
func KindOf(err error) Kind {
	var f *Fault
	if errors.As(err, &f) {
		return f.Kind
	}
	return Internal
}

// Op wraps err with the operation and its identifying arguments, for logs; nil stays nil. Use as
// defer fault.Op(&err, "postgres.Submit(%s)", id).
func Op(err *error, format string, args ...any) {
	if *err != nil {
		*err = fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), *err)
	}
}
