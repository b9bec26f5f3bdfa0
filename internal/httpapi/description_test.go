package httpapi_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"github.com/ragify/ragify/api"
	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/httpapi"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/webhook"
)

// described is the API description, ready to check answers against.
type described struct {
	doc    *openapi3.T
	router routers.Router
}

// description loads api/openapi.yaml once.
var description = func() func(t testing.TB) described {
	load := sync.OnceValues(func() (d described, err error) {
		if d.doc, err = openapi3.NewLoader().LoadFromData(api.Spec); err != nil {
			return d, err
		}
		if err := d.doc.Validate(context.Background(), openapi3.EnableExamplesValidation()); err != nil {
			return d, err
		}
		d.doc.Servers = nil // tests know where the server is
		d.router, err = legacy.NewRouter(d.doc)
		return d, err
	})
	return func(t testing.TB) described {
		t.Helper()
		d, err := load()
		if err != nil {
			t.Fatalf("openapi.yaml: %v", err)
		}
		return d
	}
}()

// validating is a transport that fails the test when an answer is not as described.
type validating struct {
	t         *testing.T
	next      http.RoundTripper
	described described
}

// RoundTrip is as in http.RoundTripper.
func (v validating) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := v.next.RoundTrip(r)
	if err != nil || resp.Header.Get("Content-Type") == "text/event-stream" { // which may never end
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if err := v.described.check(r, resp, body); err != nil {
		v.t.Errorf("%s %s answers %d %s: not as described: %v", r.Method, r.URL.Path, resp.StatusCode, body, err)
	}
	return resp, nil
}

// withoutZone finds times that are not UTC.
var withoutZone = regexp.MustCompile(`"\d{4}-\d\d-\d\dT[\d:.]+(\+|-)`)

func (d described) check(r *http.Request, resp *http.Response, body []byte) error {
	if resp.Header.Get("X-Request-Id") == "" {
		return fmt.Errorf("no X-Request-Id")
	}
	if withoutZone.Match(body) {
		return fmt.Errorf("a time that is not in UTC")
	}
	if r.Method == http.MethodOptions || r.Method == http.MethodHead || strings.HasPrefix(r.URL.Path, "/files/") && resp.StatusCode < 300 {
		return nil
	}
	if resp.StatusCode == http.StatusUnauthorized && resp.Header.Get("WWW-Authenticate") == "" {
		return fmt.Errorf("no WWW-Authenticate")
	}
	route, params, err := d.router.FindRoute(r)
	if err != nil || strings.HasSuffix(r.URL.Path, "/") { // the router forgives a last slash, the server does not
		return d.checkError(resp, body) // an address that is not described can only give an error
	}
	return openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, Route: route, PathParams: params},
		Status:                 resp.StatusCode,
		Header:                 resp.Header,
		Body:                   io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true,
			MultiError:            true,
			ExcludeResponseBody:   !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json"),
		},
	})
}

func (d described) checkError(resp *http.Response, body []byte) error {
	if resp.StatusCode < 400 {
		return fmt.Errorf("status %d at an address that is not described", resp.StatusCode)
	}
	if got := resp.Header.Get("Content-Type"); got != "application/json" {
		return fmt.Errorf("an error of type %q", got)
	}
	value, err := openapi3filter.JSONBodyDecoder(bytes.NewReader(body), nil, nil, nil)
	if err != nil {
		return err
	}
	return d.doc.Components.Schemas["Error"].Value.VisitJSON(value, openapi3.EnableJSONSchema2020())
}

func TestRoutes_are_those_of_the_description(t *testing.T) {
	handler, err := httpapi.New(httpapi.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	var served []string
	err = chi.Walk(handler.(chi.Routes), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		served = append(served, method+" "+strings.Replace(route, "/files/*", "/files/{key}", 1))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var written []string
	for path, item := range description(t).doc.Paths.Map() {
		for method := range item.Operations() {
			written = append(written, method+" "+path)
		}
	}
	slices.Sort(served)
	slices.Sort(written)
	for _, route := range served {
		if !slices.Contains(written, route) {
			t.Errorf("%s is served but not described", route)
		}
	}
	for _, route := range written {
		if !slices.Contains(served, route) {
			t.Errorf("%s is described but not served", route)
		}
	}
}

func TestDescription_has_every_error_status(t *testing.T) {
	for path, item := range description(t).doc.Paths.Map() {
		for method, op := range item.Operations() {
			want := []int{500}
			if op.Security == nil { // not a public route
				want = append(want, 401, 403, 503)
			}
			if strings.Contains(path, "{id}") || strings.Contains(path, "{key") {
				want = append(want, 404)
			}
			if path == "/jobs" && method == http.MethodPost {
				want = append(want, 400, 402, 413, 429)
			}
			if op.OperationID == "getHealth" || op.OperationID == "getReadiness" || op.OperationID == "getOpenAPI" ||
				op.OperationID == "listPlans" || strings.HasPrefix(op.OperationID, "getDocs") {
				want = nil // nothing in them can fail
			}
			for _, status := range want {
				if op.Responses.Status(status) == nil {
					t.Errorf("%s %s: %d is not described", method, path, status)
				}
			}
		}
	}
}

func TestDescription_of_webhooks(t *testing.T) {
	now := time.Now().UTC()
	schema := description(t).doc.Components.Schemas["JobEvent"].Value
	for _, status := range []job.Status{job.Done, job.Failed} {
		e, err := webhook.JobEnded(job.Job{
			ID: uuid.New(), Account: account.NewID(), Status: status, PageCount: 3, PagesCharged: 3, CreatedAt: now, StartedAt: &now, FinishedAt: &now, ExpiresAt: now,
		})
		if err != nil {
			t.Fatal(err)
		}
		value, err := openapi3filter.JSONBodyDecoder(bytes.NewReader(e.Body), nil, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.VisitJSON(value, openapi3.EnableJSONSchema2020()); err != nil {
			t.Errorf("%s: not as described: %v", e.Body, err)
		}
	}
}

// TestDescription_has_teeth: the check of the other tests' answers must not pass just anything.
func TestDescription_has_teeth(t *testing.T) {
	good := `{"id":"7b7f3c52-0a1e-4d8f-9b53-3f0c8f4d2a10","name":"x","key_prefix":"rg_1a2b3c4d","is_active":true,"created_at":"2026-11-23T09:30:00Z","last_used_at":null}`
	check := func(status int, body string) error {
		r := httptest.NewRequest(http.MethodGet, "/api-keys", nil)
		header := http.Header{"Content-Type": {"application/json"}, "X-Request-Id": {"1"}}
		return description(t).check(r, &http.Response{StatusCode: status, Header: header}, []byte(body))
	}
	if err := check(200, "["+good+"]"); err != nil {
		t.Errorf("a good answer: %v", err)
	}
	for name, tc := range map[string]struct {
		status int
		body   string
	}{
		"an unknown field":            {200, "[" + strings.Replace(good, `"name"`, `"raw_key":"x","name"`, 1) + "]"},
		"a missing field":             {200, "[" + strings.Replace(good, `,"last_used_at":null`, "", 1) + "]"},
		"a wrong type":                {200, "[" + strings.Replace(good, `true`, `"true"`, 1) + "]"},
		"a local time":                {200, "[" + strings.Replace(good, `09:30:00Z`, `09:30:00+01:00`, 1) + "]"},
		"an unknown status":           {418, `{"detail":{"message":"x","code":"internal"}}`},
		"an error without detail":     {403, `{"message":"x","code":"internal"}`},
		"an unknown code":             {403, `{"detail":{"message":"x","code":"whatever"}}`},
		"an unknown fact":             {403, `{"detail":{"message":"x","code":"internal","sql":"x"}}`},
		"a 401 without its header":    {401, `{"detail":{"message":"x","code":"invalid_token"}}`},
		"a 503 without when to retry": {503, `{"detail":{"message":"x","code":"shutting_down"}}`},
	} {
		if check(tc.status, tc.body) == nil {
			t.Errorf("%s passes", name)
		}
	}
}
