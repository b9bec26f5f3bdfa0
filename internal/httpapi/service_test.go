package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ragify/ragify/api"
	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/httpapi"
	"github.com/ragify/ragify/internal/plan"
)

func TestConnections_are_not_kept_while_the_server_shuts_down(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Pro)
	closes := func(path string) bool {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Api-Key", u.key.Reveal())
		resp, err := w.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.Close
	}
	for _, path := range []string{"/plans", "/auth/me", "/nowhere"} {
		if closes(path) {
			t.Errorf("%s: closed before", path)
		}
	}
	close(w.drain)
	for _, path := range []string{"/plans", "/auth/me", "/nowhere", "/readyz"} {
		if !closes(path) {
			t.Errorf("%s: kept", path)
		}
	}
	// The refusal of a large upload comes through although its body is not read first.
	large := form{{"file", "large.pdf", fakePDF(1) + strings.Repeat(" ", 8<<20)}}
	a := u.upload(large)
	if a.fails(http.StatusServiceUnavailable, "shutting_down"); a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestHealth(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		if got := w.send(http.MethodGet, path, nil).want(http.StatusOK).object(); got["status"] != "ok" {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func TestUnknownAddresses(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/", "/jobs/", "/JOBS", "/auth", "/files", "/docs/../x", "/docs/x.js", "//", "/api-keys/a/b", "/metrics", "/debug/pprof/"} {
		w.send(http.MethodGet, path, nil).fails(http.StatusNotFound, "not_found")
	}
	for path, allow := range map[string]string{"/jobs": "GET, POST", "/auth/me": "GET", "/jobs/" + uuid.NewString(): "GET, DELETE", "/plans": "GET"} {
		for _, method := range []string{http.MethodPut, http.MethodPatch, "PROPFIND"} {
			a := w.send(method, path, strings.NewReader("x"))
			if a.fails(http.StatusMethodNotAllowed, "method_not_allowed"); a.header.Get("Allow") != allow {
				t.Errorf("%s %s: Allow %q, want %q", method, path, a.header.Get("Allow"), allow)
			}
		}
	}
	if a := w.send(http.MethodHead, "/plans", nil).want(http.StatusOK); len(a.body) != 0 {
		t.Errorf("HEAD with a body: %s", a.body)
	}
}

func TestDescription_and_its_page_are_served(t *testing.T) {
	w := newWorld(t)
	if a := w.send(http.MethodGet, "/openapi.yaml", nil).want(http.StatusOK); !bytes.Equal(a.body, api.Spec) {
		t.Error("not the description")
	}
	page := w.send(http.MethodGet, "/docs", nil).want(http.StatusOK)
	if policy := page.header.Get("Content-Security-Policy"); !strings.Contains(policy, "script-src 'self'") || strings.Contains(string(page.body), "<script>") {
		t.Errorf("policy %q", policy)
	}
	if strings.Contains(string(page.body), "//") && strings.Contains(string(page.body), "https:") {
		t.Error("the page loads something from elsewhere")
	}
	for _, asset := range strings.Split(string(page.body), `"`) {
		if !strings.HasPrefix(asset, "/docs/") {
			continue
		}
		plain := w.send(http.MethodGet, asset, nil, "Accept-Encoding", "identity").want(http.StatusOK)
		packed := w.send(http.MethodGet, asset, nil, "Accept-Encoding", "br, gzip;q=1.0").want(http.StatusOK)
		if packed.header.Get("Content-Encoding") == "gzip" {
			r, err := gzip.NewReader(bytes.NewReader(packed.body))
			if err != nil {
				t.Fatal(err)
			}
			if packed.body, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
		if len(plain.body) < 100 || !bytes.Equal(plain.body, packed.body) {
			t.Errorf("%s: %d bytes, %d from gzip", asset, len(plain.body), len(packed.body))
		}
	}
	if a := w.send(http.MethodGet, "/docs/swagger-ui.css", nil, "Accept-Encoding", "gzip;q=0"); a.header.Get("Content-Encoding") != "" {
		t.Error("gzip to a client that refuses it")
	}
}

func TestCORS(t *testing.T) {
	const app = "https://app.example.com"
	w := newWorld(t, func(d *httpapi.Deps) { d.CORSOrigins = []string{app} })
	u := w.user(plan.Pro)
	t.Run("a front end may ask", func(t *testing.T) {
		a := w.send(http.MethodOptions, "/jobs", nil, "Origin", app,
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,idempotency-key,x-api-key,content-type")
		if a.status != http.StatusOK || a.header.Get("Access-Control-Allow-Origin") != app || a.header.Get("Access-Control-Allow-Methods") != "POST" ||
			!strings.Contains(strings.ToLower(a.header.Get("Access-Control-Allow-Headers")), "idempotency-key") {
			t.Errorf("%d %v", a.status, a.header)
		}
	})
	t.Run("and read answers and errors", func(t *testing.T) {
		for _, a := range []answer{
			u.send(http.MethodGet, "/auth/me", nil, "Origin", app),
			w.send(http.MethodGet, "/auth/me", nil, "Origin", app),
			w.send(http.MethodGet, "/nowhere", nil, "Origin", app),
			u.upload(form{{"file", "", "x"}}, "Origin", app),
		} {
			if a.header.Get("Access-Control-Allow-Origin") != app {
				t.Errorf("%d without Access-Control-Allow-Origin: %s", a.status, a.body)
			}
			if !strings.Contains(strings.Join(a.header.Values("Vary"), ","), "Origin") {
				t.Errorf("%d without Vary: Origin", a.status)
			}
		}
	})
	t.Run("other origins may not", func(t *testing.T) {
		for _, origin := range []string{"https://evil.example", "null", app + ".evil.example"} {
			preflight := w.send(http.MethodOptions, "/jobs", nil, "Origin", origin, "Access-Control-Request-Method", "POST")
			actual := u.send(http.MethodGet, "/auth/me", nil, "Origin", origin)
			if preflight.header.Get("Access-Control-Allow-Origin") != "" || actual.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: %v %v", origin, preflight.header, actual.header)
			}
		}
	})
	t.Run("nobody may without configuration", func(t *testing.T) {
		plain := newWorld(t)
		a := plain.send(http.MethodGet, "/plans", nil, "Origin", app)
		if a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%v", a.header)
		}
	})
}

func TestHeaders_that_protect_browsers(t *testing.T) {
	w := newWorld(t)
	for _, a := range []answer{w.send(http.MethodGet, "/plans", nil), w.send(http.MethodGet, "/nowhere", nil), w.user(plan.Pro).get("/auth/me")} {
		if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Content-Security-Policy") == "" || a.header.Get("Referrer-Policy") == "" {
			t.Errorf("%v", a.header)
		}
	}
	if a := w.user(plan.Pro).get("/auth/me"); a.header.Get("Cache-Control") != "no-store" {
		t.Error("personal data may be cached")
	}
}

func TestRequestID(t *testing.T) {
	w := newWorld(t)
	if got := w.send(http.MethodGet, "/plans", nil, "X-Request-Id", "proxy-1.2_3").header.Get("X-Request-Id"); got != "proxy-1.2_3" {
		t.Errorf("a proxy's id becomes %q", got)
	}
	for _, bad := range []string{"", "a b", `"}{`, strings.Repeat("x", 65)} {
		if got := w.send(http.MethodGet, "/plans", nil, "X-Request-Id", bad).header.Get("X-Request-Id"); len(got) != 16 {
			t.Errorf("%q becomes %q", bad, got)
		}
	}
}

// exploding is an account store with a bug.
type exploding struct{ httpapi.Accounts }

func (exploding) Keys(context.Context, account.ID) ([]account.Key, error) {
	panic("secret detail of the bug")
}

func TestPanic_answers_500_with_the_request_id(t *testing.T) {
	w := newWorld(t, func(d *httpapi.Deps) { d.Accounts = exploding{d.Accounts} })
	a := w.user(plan.Pro).get("/api-keys")
	detail := a.fails(http.StatusInternalServerError, "internal")
	if detail["request_id"] != a.header.Get("X-Request-Id") || strings.Contains(string(a.body), "secret") {
		t.Errorf("%s", a.body)
	}
	w.server.Close() // the log is written after the answer
	if log := w.log.String(); !strings.Contains(log, "secret detail of the bug") || !strings.Contains(log, "service_test.go") {
		t.Error("the log lacks the panic or its stack")
	}
}

func TestLog_has_what_operators_need_and_no_secrets(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Pro)
	a := u.upload(form{{"file", "very-private-name.pdf", fakePDF(1) + "very private text"}})
	token := w.token("user_1")
	w.send(http.MethodGet, "/jobs?page=1&secret=in-the-query", nil, "Authorization", "Bearer "+token).want(http.StatusOK)
	w.send(http.MethodGet, "/jobs/"+a.object()["id"].(string), nil, "X-Api-Key", "rg_"+strings.Repeat("0", 40)).want(http.StatusUnauthorized)
	w.server.Close() // the log is written after the answers
	log := w.log.String()
	for _, want := range []string{
		`"request_id":"` + a.header.Get("X-Request-Id") + `"`, `"route":"/jobs"`, `"route":"/jobs/{id}"`, `"status":201`, `"account":"` + string(u.id) + `"`,
		`"job":"` + a.object()["id"].(string) + `"`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s", want)
		}
	}
	for _, secret := range []string{"very-private-name", "very private text", u.key.Reveal()[3:], token, token[:20], "in-the-query", strings.Repeat("0", 40)} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	w := newWorld(t, func(d *httpapi.Deps) { d.Registry = registry })
	u := w.user(plan.Pro)
	id := u.upload(pdf(1)).want(http.StatusCreated).object()["id"].(string)
	u.get("/jobs/" + id).want(http.StatusOK)
	w.send(http.MethodGet, "/somewhere/random", nil).want(http.StatusNotFound)
	w.send("PROPFIND", "/somewhere/else", nil).want(http.StatusNotFound)
	w.server.Close() // counted after the answers
	admin := httptest.NewServer(httpapi.NewAdmin(httpapi.Admin{Metrics: registry, Ready: w.deps.Ready, Drain: w.drain, Logger: w.deps.Logger}))
	defer admin.Close()
	get := func(path string) string {
		resp, err := http.Get(admin.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d, %v", path, resp.StatusCode, err)
		}
		return string(body)
	}
	metrics := get("/metrics")
	for _, want := range []string{
		`ragify_http_requests_total{method="POST",route="/jobs",status="201"} 1`,
		`ragify_http_requests_total{method="GET",route="/jobs/{id}",status="200"} 1`,
		`ragify_http_requests_total{method="GET",route="none",status="404"} 1`,
		`ragify_http_requests_total{method="other",route="none",status="404"} 1`,
		`ragify_http_requests_in_flight 0`,
		`ragify_http_uploaded_bytes_total 17`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s in\n%s", want, metrics)
		}
	}
	if got := get("/healthz"); !strings.Contains(got, `"ok"`) {
		t.Errorf("%s", got)
	}
	get("/debug/pprof/")
}
