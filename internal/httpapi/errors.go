package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/ragify/ragify/api"
	"github.com/ragify/ragify/internal/fault"
)

// statuses has the HTTP status of every kind of fault.
var statuses = map[fault.Kind]int{
	fault.Internal:           http.StatusInternalServerError,
	fault.Invalid:            http.StatusBadRequest,
	fault.Unauthenticated:    http.StatusUnauthorized,
	fault.QuotaExceeded:      http.StatusPaymentRequired,
	fault.Forbidden:          http.StatusForbidden,
	fault.NotFound:           http.StatusNotFound,
	fault.MethodNotAllowed:   http.StatusMethodNotAllowed,
	fault.PreconditionFailed: http.StatusPreconditionFailed,
	fault.TooLarge:           http.StatusRequestEntityTooLarge,
	fault.BadRange:           http.StatusRequestedRangeNotSatisfiable,
	fault.TooManyActive:      http.StatusTooManyRequests,
	fault.Unavailable:        http.StatusServiceUnavailable,
}

// statusClientGone is logged and counted when the client left before its answer (nginx's number).
const statusClientGone = 499

// defaultRetry is the Retry-After of a 429 or 503 whose fault names none.
const defaultRetry = 5 * time.Second

// fail answers with an error: the only place that does.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	rec := recordOf(r)
	rec.err = err
	if rec.answered() {
		return // in the middle of a stream; the client sees it end, the log says why
	}
	if cause := context.Cause(r.Context()); errors.Is(cause, ErrShuttingDown()) {
		err, rec.err = cause, cause
	}
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		w.WriteHeader(statusClientGone) // nobody reads it
		return
	}
	f := fault.From(err)
	switch status := statuses[f.Kind]; status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="ragify", ApiKey realm="ragify", header="X-Api-Key"`)
	case http.StatusInternalServerError:
		f = fault.From(errors.New("")).With("request_id", rec.id) // whatever an internal fault says stays inside
	}
	writeFault(w, f)
}

// writeFault answers with f. Nothing may have been answered.
func writeFault(w http.ResponseWriter, f *fault.Fault) {
	status := statuses[f.Kind]
	detail := map[string]any{}
	for name, value := range f.Facts {
		detail[name] = value
	}
	detail["message"], detail["code"] = f.Message, f.Code
	h := w.Header()
	if retry := f.Retry; retry > 0 || status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		if retry <= 0 {
			retry = defaultRetry
		}
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(retry.Seconds()))))
	}
	for _, name := range []string{"Content-Disposition", "Content-Encoding", "ETag", "Last-Modified"} {
		h.Del(name) // of the answer that was about to be given
	}
	h.Set("Cache-Control", "no-store")
	writeJSON(w, status, map[string]any{"detail": detail})
}

// writeJSON answers with v, which must marshal. Content-Length tells a client that is still sending that
// this is all.
func writeJSON(w http.ResponseWriter, status int, v any) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // the client may be gone
}

func (s *server) notFound(w http.ResponseWriter, r *http.Request) {
	s.fail(w, r, fault.New(fault.NotFound, "not_found", "There is nothing at this address. See /docs for what there is."))
}

func (s *server) methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	routes := chi.RouteContext(r.Context()).Routes
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		if routes.Match(chi.NewRouteContext(), method, r.URL.Path) {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 { // a method that chi has never heard of, anywhere
		s.notFound(w, r)
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	s.fail(w, r, fault.Newf(fault.MethodNotAllowed, "method_not_allowed", "This address answers %s only.", strings.Join(allowed, " and ")).
		With("allowed", allowed))
}

// failParameter answers what the generated code says about path and query parameters.
func (s *server) failParameter(w http.ResponseWriter, r *http.Request, err error) {
	name := "query"
	if format, ok := errors.AsType[*api.InvalidParamFormatError](err); ok {
		name = format.ParamName
	} else if many, ok := errors.AsType[*api.TooManyValuesForParamError](err); ok {
		name = many.ParamName
	}
	switch name {
	case "id": // what cannot be an id is nobody's
		s.fail(w, r, errJobNotFound())
	case "key_id":
		s.fail(w, r, fault.New(fault.NotFound, "api_key_not_found", "There is no such API key."))
	default:
		s.fail(w, r, errParameter(name, "is malformed").Because(err))
	}
}

// failBody answers what the generated code says about a JSON body.
func (s *server) failBody(w http.ResponseWriter, r *http.Request, err error) {
	f := fault.New(fault.Invalid, "invalid_body", "The body must be a JSON object.").Because(err)
	var tooLarge *http.MaxBytesError
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &tooLarge):
		f = fault.Newf(fault.TooLarge, "body_too_large", "The body is larger than %d bytes.", tooLarge.Limit).With("max_bytes", tooLarge.Limit)
	case errors.As(err, &syntax):
		f = fault.New(fault.Invalid, "invalid_body", "The body is not valid JSON.").With("position", syntax.Offset).Because(err)
	case errors.As(err, &wrongType) && wrongType.Field != "":
		f = fault.Newf(fault.Invalid, "invalid_body", "The field %q has the wrong type.", wrongType.Field).With("field", wrongType.Field).Because(err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		f = fault.New(fault.Invalid, "invalid_body", "The body ends too early: it must be a JSON object.").Because(err)
	}
	s.fail(w, r, f)
}

func errParameter(name, is string) *fault.Fault {
	return fault.Newf(fault.Invalid, "invalid_parameter", "The parameter %q %s.", name, is).With("field", name)
}

func errJobNotFound() *fault.Fault {
	return fault.New(fault.NotFound, "job_not_found", "There is no such job.")
}

// ErrShuttingDown is a fault Unavailable. As the cause that ends a request's context it is what the client is told.
func ErrShuttingDown() error {
	return fault.New(fault.Unavailable, "shutting_down", "This server is shutting down. Try again in a few seconds.")
}

// logLevel is how loud an answer is in the log: our mistakes are errors, the client's are not.
func logLevel(status int) slog.Level {
	switch {
	case status == http.StatusServiceUnavailable:
		return slog.LevelWarn
	case status >= http.StatusInternalServerError:
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}
