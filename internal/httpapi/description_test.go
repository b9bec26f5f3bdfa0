package httpapi_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/go-chi/chi/v5"

	"github.com/ragify/ragify/api"
	"github.com/ragify/ragify/internal/httpapi"
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
