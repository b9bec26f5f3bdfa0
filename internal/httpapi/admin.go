package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ragify/ragify/internal/fault"
)

// Admin is what the admin listener needs.
type Admin struct {
	Metrics prometheus.Gatherer
	Ready   func(context.Context) error // as Deps.Ready
	Drain   <-chan struct{}             // as Deps.Drain
	Logger  *slog.Logger
}

// NewAdmin makes the handler of the admin listener, which must not be reachable from outside: GET /metrics for
// Prometheus, GET /healthz and GET /readyz as the API has them, and Go's profiles under /debug/pprof/.
func NewAdmin(a Admin) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.Metrics, promhttp.HandlerOpts{
		ErrorLog:      slog.NewLogLogger(a.Logger.Handler(), slog.LevelWarn),
		ErrorHandling: promhttp.ContinueOnError, // the rest is worth having
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, health()) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := ready(r.Context(), a.Drain, a.Ready); err != nil {
			writeFault(w, fault.From(err))
			return
		}
		writeJSON(w, http.StatusOK, health())
	})
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}
