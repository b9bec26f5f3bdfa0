package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/go-chi/chi/v5"
	"go.opentelemetry.io/otel/trace"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/tracing"
)

// record is what the log and the metrics say about one request. It is also the request's
// ResponseWriter.
type record struct {
	http.ResponseWriter
	id      string
	account account.ID // "" before authentication
	err     error      // behind an error answer
	status  int        // 0: not answered yet
	sent    int64      // bytes of the answer's body
	// beforeHeader runs once, just before the header is sent.
	beforeHeader func()
	// drain is closed when connections are no longer kept for a next request: the client makes its next one elsewhere.
	// Closing idle connections later could cross a request on its way, closing after an answer cannot.
	drain <-chan struct{}
}

// recordOf finds the record that observe made.
func recordOf(r *http.Request) *record {
	rec, ok := r.Context().Value(recordKey).(*record)
	if !ok {
		panic("httpapi: request without a record")
	}
	return rec
}

func (rec *record) answered() bool { return rec.status != 0 }

// WriteHeader is as in http.ResponseWriter.
func (rec *record) WriteHeader(status int) {
	if status >= 200 && rec.status == 0 {
		rec.status = status
		if rec.beforeHeader != nil {
			rec.beforeHeader()
		}
		select {
		case <-rec.drain:
			rec.Header().Set("Connection", "close")
		default:
		}
	}
	rec.ResponseWriter.WriteHeader(status)
}

// Write is as in http.ResponseWriter.
func (rec *record) Write(p []byte) (int, error) {
	if rec.status == 0 {
		rec.WriteHeader(http.StatusOK)
	}
	n, err := rec.ResponseWriter.Write(p)
	rec.sent += int64(n)
	return n, err
}

// ReadFrom lets the kernel copy downloads.
func (rec *record) ReadFrom(r io.Reader) (int64, error) {
	if rec.status == 0 {
		rec.WriteHeader(http.StatusOK)
	}
	n, err := io.Copy(rec.ResponseWriter, r)
	rec.sent += n
	return n, err
}

// Unwrap is for http.ResponseController.
func (rec *record) Unwrap() http.ResponseWriter { return rec.ResponseWriter }

// observe gives every request an id, and logs and counts its answer. The log has neither query strings
// (they hold the signatures of download URLs) nor headers nor file names.
func (s *server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.Now()
		rec := &record{ResponseWriter: w, id: requestID(r), drain: s.Drain}
		w.Header().Set("X-Request-Id", rec.id)
		ctx, span := tracing.Serve(r.Context(), s.tracer(r), r)
		ctx = tracing.With(ctx, tracing.KeyRequest, rec.id)
		r = r.WithContext(context.WithValue(ctx, recordKey, rec))
		done := s.metrics.begin()
		defer func() {
			took := s.Now().Sub(start)
			route := chi.RouteContext(r.Context()).RoutePattern()
			status := rec.status
			if status == 0 {
				status = http.StatusOK // what net/http sends for a handler that says nothing
			}
			done(r.Method, route, status, took)
			s.logRequest(r, rec, route, status, took)
			tracing.Answered(span, r.Method, route, status)
		}()
		next.ServeHTTP(rec, r)
	})
}

// tracer is where r's span goes: nowhere for probes, which would drown the rest.
func (s *server) tracer(r *http.Request) trace.TracerProvider {
	if r.URL.Path == "/healthz" || r.URL.Path == "/readyz" {
		return nil
	}
	return s.Tracer
}

func (s *server) logRequest(r *http.Request, rec *record, route string, status int, took time.Duration) {
	level := logLevel(status)
	if status < 400 && (route == "/healthz" || route == "/readyz") {
		level = slog.LevelDebug // probes would drown the rest
	}
	attrs := []slog.Attr{
		slog.String("request_id", rec.id),
		slog.String("method", r.Method),
		slog.String("route", route),
		slog.Int("status", status),
		slog.Int64("sent", rec.sent),
		slog.Duration("took", took),
	}
	if id := chi.URLParam(r, "id"); id != "" {
		attrs = append(attrs, slog.String("job", fmt.Sprintf("%.36s", id)))
	}
	if rec.account != "" {
		attrs = append(attrs, slog.String("account", string(rec.account)))
	}
	if rec.err != nil {
		attrs = append(attrs, slog.String("error", rec.err.Error()))
	}
	s.Logger.LogAttrs(r.Context(), level, "request", attrs...)
}

// requestID takes the id that a proxy in front gave the request, or makes one.
func requestID(r *http.Request) string {
	const most = 64
	id := r.Header.Get("X-Request-Id")
	sound := id != "" && len(id) <= most
	for _, c := range []byte(id) {
		sound = sound && (c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_' || c == '.')
	}
	if sound {
		return id
	}
	b := make([]byte, 8)
	rand.Read(b) // never fails (Go 1.24)
	return hex.EncodeToString(b)
}

// rescue answers 500 when a handler panics.
func (s *server) rescue(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler { // net/http's own way to cut a connection
				panic(v)
			}
			s.Logger.ErrorContext(r.Context(), "panic", "request_id", recordOf(r).id, "panic", v, "stack", string(debug.Stack()))
			if recordOf(r).answered() {
				panic(http.ErrAbortHandler) // a cut connection is the only honest end of half an answer
			}
			s.fail(w, r, fmt.Errorf("panic: %v", v))
		}()
		next.ServeHTTP(w, r)
	})
}
