package httpapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"embed"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/swaggest/swgui/v5/static"

	"github.com/ragify/ragify/api"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/plan"
)

// docs is the page that shows the API; the viewer itself, Swagger UI, comes from swgui.
//
//go:embed docs
var docs embed.FS

// docsPolicy lets the page run its own scripts and talk to this server, nothing else. Swagger UI styles
// elements inline and has pictures in its style sheet.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"

func health() api.Health { return api.Health{Status: "ok"} }

func (s *server) getHealth(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, health())
	return nil
}

func (s *server) getReadiness(w http.ResponseWriter, r *http.Request) error {
	if err := ready(r.Context(), s.Drain, s.Ready); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, health())
	return nil
}

// ready tells why no work should come here, with a fault Unavailable.
func ready(ctx context.Context, drain <-chan struct{}, check func(context.Context) error) error {
	select {
	case <-drain:
		return ErrShuttingDown()
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, readinessTimeout)
	defer cancel()
	if err := check(ctx); err != nil {
		if fault.KindOf(err) == fault.Unavailable {
			return err
		}
		return fault.New(fault.Unavailable, "not_ready", "The service is not ready.").Because(err)
	}
	return nil
}

func (s *server) listPlans(w http.ResponseWriter, _ *http.Request) error {
	plans := []api.Plan{}
	for _, tier := range plan.Tiers() {
		if p, ok := s.Plans[tier]; ok {
			plans = append(plans, p)
		}
	}
	w.Header().Set("Cache-Control", "public, max-age=60")
	writeJSON(w, http.StatusOK, plans)
	return nil
}

func (s *server) getOpenAPI(w http.ResponseWriter, r *http.Request) error {
	serveStatic(w, r, "application/yaml", bytes.NewReader(api.Spec))
	return nil
}

func (s *server) getDocs(w http.ResponseWriter, r *http.Request) error {
	page, err := docs.ReadFile("docs/index.html")
	if err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", docsPolicy)
	serveStatic(w, r, "text/html; charset=utf-8", bytes.NewReader(page))
	return nil
}

// getDocsAsset serves our own files as they are, and those of Swagger UI, which are embedded compressed.
func (s *server) getDocsAsset(w http.ResponseWriter, r *http.Request) error {
	types := map[string]string{
		"start.js": "text/javascript; charset=utf-8", "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
		"swagger-ui.css": "text/css; charset=utf-8", "favicon-32x32.png": "image/png",
	}
	name := chi.URLParam(r, "asset")
	mediaType, ok := types[name]
	if !ok {
		s.notFound(w, r)
		return nil
	}
	var files fs.FS = static.FS
	if name == "start.js" {
		files, _ = fs.Sub(docs, "docs")
	}
	content, err := fs.ReadFile(files, name)
	if err == nil {
		serveStatic(w, r, mediaType, bytes.NewReader(content))
		return nil
	}
	if content, err = fs.ReadFile(files, name+".gz"); err != nil {
		return err
	}
	w.Header().Set("Vary", "Accept-Encoding")
	if acceptsGzip(r) {
		w.Header().Set("Content-Encoding", "gzip")
		serveStatic(w, r, mediaType, bytes.NewReader(content))
		return nil
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return err
	}
	var plain bytes.Buffer
	if _, err := plain.ReadFrom(unpacked); err != nil {
		return err
	}
	serveStatic(w, r, mediaType, bytes.NewReader(plain.Bytes()))
	return nil
}

func acceptsGzip(r *http.Request) bool {
	for encoding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, quality, _ := strings.Cut(encoding, ";")
		if strings.TrimSpace(name) == "gzip" {
			return strings.ReplaceAll(quality, " ", "") != "q=0"
		}
	}
	return false
}

// serveStatic answers with what changes with releases only.
func serveStatic(w http.ResponseWriter, r *http.Request, mediaType string, content *bytes.Reader) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Cache-Control", "public, max-age=300")
	http.ServeContent(w, r, "", time.Time{}, content)
}
