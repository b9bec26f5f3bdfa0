package httpapi

import (
	"net/http"

	"github.com/ragify/ragify/internal/fault"
)

// content is for handlers that use http.ServeContent: what it refuses in plain text, ranges and
// preconditions, becomes an error like all others.
func (s *server) content(next http.Handler) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		w := &contentWriter{record: recordOf(r)}
		next.ServeHTTP(w, r)
		switch w.refused {
		case http.StatusPreconditionFailed:
			s.fail(w.record, r, fault.New(fault.PreconditionFailed, "precondition_failed",
				"The file is not in the state that the request's If- headers ask for."))
		case http.StatusRequestedRangeNotSatisfiable:
			s.fail(w.record, r, fault.New(fault.BadRange, "range_not_satisfiable",
				"The file does not have the bytes that the Range header asks for.").With("field", "Range"))
		}
	})
}

// contentWriter holds back the refusals of http.ServeContent.
type contentWriter struct {
	*record
	refused int // status that was held back, 0 for none
}

// WriteHeader is as in http.ResponseWriter.
func (w *contentWriter) WriteHeader(status int) {
	if status == http.StatusPreconditionFailed || status == http.StatusRequestedRangeNotSatisfiable {
		w.refused = status
		return
	}
	w.record.WriteHeader(status)
}

// Write is as in http.ResponseWriter.
func (w *contentWriter) Write(p []byte) (int, error) {
	if w.refused != 0 {
		return len(p), nil
	}
	return w.record.Write(p)
}
