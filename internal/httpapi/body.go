package httpapi

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"
)

// Many clients (Python's http.client, browsers) send the whole body before they read the answer. If the
// server closes the connection meanwhile, they get a broken pipe instead of the reason. So an early
// answer is sent at once, and the rest of the body is read and thrown away, within bounds.
const (
	drainStall = 5 * time.Second // the longest silence in the middle of a body that is thrown away
	drainTime  = 5 * time.Minute
	drainBytes = 2 << 30
	// smallRest is what is read even before the answer, to be able to keep the connection.
	smallRest = 4 << 10
)

// keepConnection watches over request bodies: see above. It also ends uploads that stall.
func (s *server) keepConnection(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody || r.ProtoMajor != 1 {
			next.ServeHTTP(w, r) // HTTP/2 can refuse a body by itself
			return
		}
		rec := recordOf(r)
		control := http.NewResponseController(rec.ResponseWriter)
		// Without it net/http reads some of the body before it sends the answer.
		if err := control.EnableFullDuplex(); err != nil {
			next.ServeHTTP(w, r) // a ResponseRecorder of a test
			return
		}
		b := &body{
			ReadCloser: r.Body, ctx: r.Context(), control: control, declared: r.ContentLength, stall: s.UploadStall,
			waits: strings.EqualFold(r.Header.Get("Expect"), "100-continue"),
		}
		r.Body = b
		rec.beforeHeader = func() {
			if !b.settle() {
				rec.Header().Set("Connection", "close")
			}
		}
		// At the end of a shutdown's patience the client learns why, instead of a broken connection.
		release := context.AfterFunc(b.ctx, func() { _ = control.SetReadDeadline(time.Unix(1, 0)) })
		defer release()
		next.ServeHTTP(w, r)
		b.drain()
	})
}

// body is a request's body that knows how far it was read.
type body struct {
	io.ReadCloser
	ctx      context.Context // ends the reading
	control  *http.ResponseController
	declared int64         // Content-Length, -1 when unknown
	stall    time.Duration // the longest silence
	waits    bool          // the client sends nothing before it is told to
	read     int64         // bytes
	ended    bool          // io.EOF was seen
	failed   bool          // another error was seen
	deadline time.Time     // of the connection's reads
}

// Read is as in io.Reader. It fails when the client falls silent for too long.
func (b *body) Read(p []byte) (int, error) {
	return b.readWithin(p, b.stall)
}

func (b *body) readWithin(p []byte, stall time.Duration) (int, error) {
	// Moved in steps: a system call for every read would cost more than the read.
	if now := time.Now(); b.deadline.Sub(now) < stall*9/10 || b.deadline.Sub(now) > stall {
		b.deadline = now.Add(stall)
		if err := b.control.SetReadDeadline(b.deadline); err != nil {
			return 0, err
		}
	}
	if b.ctx.Err() != nil { // after the deadline was set: else that could undo what ends the reading
		b.failed = true
		return 0, context.Cause(b.ctx)
	}
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	switch {
	case err == io.EOF:
		b.ended = true
		// From here on net/http reads ahead to notice that the client left; it must not time out.
		_ = b.control.SetReadDeadline(time.Time{})
	case err != nil:
		b.failed = true
	}
	return n, err
}

// settle makes the connection fit for another request, if little is missing for it.
func (b *body) settle() bool {
	if rest := b.declared - b.read; !b.ended && !b.failed && b.declared >= 0 && rest <= smallRest && !b.silent() {
		_, _ = io.CopyN(io.Discard, b, rest+1)
	}
	return b.ended
}

// silent tells whether the client still waits for the permission to send.
func (b *body) silent() bool { return b.waits && b.read == 0 }

// drain sends the answer and reads the rest of the body, unless the client waits for permission to send
// it: reading would give that.
func (b *body) drain() {
	if b.ended || b.failed || b.silent() {
		return
	}
	if err := b.control.Flush(); err != nil {
		return
	}
	buf := make([]byte, 32<<10)
	end := time.Now().Add(drainTime)
	for limit := b.read + drainBytes; b.read < limit && time.Now().Before(end); {
		if _, err := b.readWithin(buf, drainStall); err != nil {
			return
		}
	}
}
