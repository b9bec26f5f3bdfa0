package httpapi

import (
	"net/http"

	"github.com/go-chi/cors"
)

// secure sets the headers that keep browsers from doing more with an answer than it is for. Handlers may
// replace them.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// allowOrigins lets front ends of other origins use the API from a browser. Errors carry the headers
// too, or a front end could not read them. No cookies are ever needed.
func allowOrigins(origins []string) func(http.Handler) http.Handler {
	return cors.Handler(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete},
		AllowedHeaders: []string{"Authorization", "X-Api-Key", "Content-Type", "Idempotency-Key", "X-Request-Id", "Last-Event-ID", "Range"},
		ExposedHeaders: []string{"Location", "Retry-After", "X-Request-Id", "WWW-Authenticate", "Idempotency-Replayed", "Content-Disposition"},
		MaxAge:         600, // seconds; browsers cap it anyway
	})
}
