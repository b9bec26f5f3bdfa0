package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"

	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

// spanSink is a collector of OpenTelemetry spans.
type spanSink struct {
	mu    sync.Mutex
	spans []*otlp.Span
}

func (s *spanSink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var in collector.ExportTraceServiceRequest
	if err != nil || proto.Unmarshal(body, &in) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range in.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			s.spans = append(s.spans, scope.Spans...)
		}
	}
}

// TestTraces follows one submission from the API through the queue to the pages, over two processes.
func TestTraces(t *testing.T) {
	t.Parallel()
	sink := new(spanSink)
	receiver := httptest.NewServer(sink)
	defer receiver.Close()
	env := environ(t, dataDir(t), "OTEL_EXPORTER_OTLP_ENDPOINT="+receiver.URL, "LOG_LEVEL=debug")
	server := start(t, append(env, "WORKERS=0"), "serve")
	worker := start(t, append(env, "WORKERS=1"), "work")
	_, key := user(t, env, "ada@example.com", "pro")
	c := client{base: server.api, key: key}
	j, err := c.upload(t.Context(), "canary-name.pdf", pdftest.Pages(3))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the job's end", func() bool { return jobOf(t, c, j.ID).Status == "done" })
	worker.terminate()
	server.terminate() // and what is left of the spans is sent

	sink.mu.Lock()
	defer sink.mu.Unlock()
	byID := make(map[string]*otlp.Span)
	var submission *otlp.Span
	for _, span := range sink.spans {
		byID[string(span.SpanId)] = span
		if span.Name == "POST /jobs" {
			submission = span
		}
		if text := span.String(); strings.Contains(text, "canary") || strings.Contains(text, key) {
			t.Errorf("a span tells too much: %s", text)
		}
	}
	if submission == nil {
		t.Fatalf("no span of the submission among %d", len(sink.spans))
	}
	pages := 0
	for _, span := range sink.spans {
		if span.Name != "page" {
			continue
		}
		pages++
		var way []string
		for at := span; at != nil; at = byID[string(at.ParentSpanId)] {
			way = append(way, at.Name)
			if string(at.TraceId) != string(submission.TraceId) {
				t.Errorf("%s is of another trace", at.Name)
			}
		}
		if got := strings.Join(way, " < "); got != "page < engine.Convert < convert < postgres.Submit < POST /jobs" {
			t.Errorf("a page came by %s", got)
		}
	}
	if pages != 3 {
		t.Errorf("%d spans of pages, want 3", pages)
	}
	trace := hex.EncodeToString(submission.TraceId)
	for _, p := range []*process{server, worker} {
		if !strings.Contains(p.logText(), `"trace_id":"`+trace+`"`) {
			t.Errorf("no line with the trace's id in\n%s", p.logText())
		}
	}
}

// TestLogs looks for the ids that belong into the log, and for what must never be there.
func TestLogs(t *testing.T) {
	t.Parallel()
	delivered := make(chan struct{}, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case delivered <- struct{}{}:
		default:
		}
	}))
	defer receiver.Close()
	env := environ(t, dataDir(t), "LOG_LEVEL=debug", "WEBHOOK_ALLOW_PRIVATE=true")
	server := start(t, env, "serve")
	id, key := user(t, env, "canary-mail@example.com", "pro")
	locked := pdftest.New()
	locked.Page(300, 300).Text(50, 200, 12, pdftest.Regular, "canary-content")
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", "canary-name.pdf")
	if err != nil {
		t.Fatal(err)
	}
	_, wrote := file.Write(locked.Encrypted("canary-password", "owner"))
	if err := errors.Join(wrote, form.WriteField("options", `{"password":"canary-password"}`), form.WriteField("webhook_url", receiver.URL+"/canary-path"), form.Close()); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.api+"/jobs?canary-query=1", &body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("X-Api-Key", key)
	req.Header.Set("Authorization", "Bearer canary-token")
	req.Header.Set("X-Request-Id", "submission-1")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var j demoJob
	if err := json.NewDecoder(res.Body).Decode(&j); err != nil || res.StatusCode != http.StatusCreated {
		t.Fatalf("%d, %v", res.StatusCode, err)
	}
	c := client{base: server.api, key: key}
	eventually(t, "the job's end", func() bool { return jobOf(t, c, j.ID).Status == "done" })
	link := jobOf(t, c, j.ID).DownloadURLs["markdown"]
	if a := request(t, http.MethodGet, link, ""); a.status != 200 || !strings.Contains(a.body, "canary") {
		t.Errorf("download: %d", a.status)
	}
	select {
	case <-delivered:
	case <-t.Context().Done():
	}
	server.terminate() // when the delivery's work has ended

	log := server.logText()
	_, signature, _ := strings.Cut(link, "?")
	for _, secret := range []string{"canary", key[3:], signature} {
		if at := strings.Index(log, secret); at >= 0 {
			t.Errorf("the log has %q: …%.300s", secret, log[max(at-200, 0):])
		}
	}
	ended, told := false, false
	for line := range strings.Lines(log) {
		var l struct {
			Msg       string
			RequestID string `json:"request_id"`
			Account   string
			Job       string
			Attempt   int
		}
		if json.Unmarshal([]byte(line), &l) == nil && (l.Msg == "job ended" || l.Msg == "webhook") {
			ended, told = ended || l.Msg == "job ended", told || l.Msg == "webhook"
			if l.RequestID != "submission-1" || l.Account != id || l.Job != j.ID || l.Attempt != 1 {
				t.Errorf("the worker's line is %s", line)
			}
		}
	}
	if !ended || !told {
		t.Errorf("no line about the job's end, or none about its webhook, in\n%s", log)
	}
}

// metricName finds the metrics in what operators are given.
var metricName = regexp.MustCompile(`\bragify_[a-z0-9_]+\b`)

// TestMetrics_of_the_documents wants a running service to export what the dashboard, the alerts and the page ask for, and
// the page to name all that it exports.
func TestMetrics_of_the_documents(t *testing.T) {
	t.Parallel()
	env := environ(t, dataDir(t), "LEMONSQUEEZY_WEBHOOK_SECRET=0123456789abcdef", "LEMONSQUEEZY_VARIANTS=1=pro")
	server := start(t, env, "serve")
	_, key := user(t, env, "ada@example.com", "pro")
	c := client{base: server.api, key: key}
	j, err := c.upload(t.Context(), "a.pdf", pdftest.Pages(3))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the job's end", func() bool { return jobOf(t, c, j.ID).Status == "done" })
	if a := request(t, http.MethodPost, server.api+"/webhooks/lemonsqueezy", ""); a.status != http.StatusUnauthorized {
		t.Errorf("an event without signature: %d", a.status)
	}
	var a answer
	eventually(t, "the job's count, which comes after its end", func() bool {
		a = request(t, http.MethodGet, server.admin+"/metrics", "")
		return strings.Contains(a.body, "ragify_queue_pages_charged_total 3\n")
	})
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.New(strings.NewReader(a.body)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("against the conventions of Prometheus: %v, %v", problems, err)
	}
	for _, want := range []string{
		`ragify_engine_page_duration_seconds_count{ocr="false",pool="convert"} 3`, `ragify_queue_jobs_ended_total{code="",status="done"} 1`,
		`ragify_queue_work{queue="convert",state="available"} 0`, `ragify_queue_work{queue="suspect",state="running"} 0`,
		`ragify_queue_work{queue="erasure",state="retryable"} 0`,
		`ragify_webhook_attempts_total{outcome="delivered"} 0`, `ragify_postgres_listening 0`,
	} {
		if !strings.Contains(a.body, want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	page, err := os.ReadFile("../../docs/observability/README.md")
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string][]string{"dashboard.json": dashboardQueries(t), "alerts.yaml": alertQueries(t), "README.md": {string(page)}}
	for file, queries := range asked {
		for _, query := range queries {
			for _, name := range metricName.FindAllString(query, -1) {
				base := name
				for _, suffix := range []string{"_bucket", "_sum", "_count"} {
					if f := families[strings.TrimSuffix(name, suffix)]; f != nil && f.GetType() == dto.MetricType_HISTOGRAM {
						base = strings.TrimSuffix(name, suffix)
					}
				}
				f := families[base]
				if f == nil || f.GetType() == dto.MetricType_HISTOGRAM && base == name && file != "README.md" {
					t.Errorf("%s names %s, which nothing exports", file, name)
					continue
				}
				checkLabels(t, file, query, base, f)
			}
		}
	}
	for name := range families {
		if strings.HasPrefix(name, "ragify_") && !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("README.md does not have %s", name)
		}
	}
	server.terminate()
}

// checkLabels wants f to have the labels by which a query selects of it.
func checkLabels(t *testing.T, file, query, name string, f *dto.MetricFamily) {
	t.Helper()
	has := []string{"le", "instance", "job"} // given by the histogram and by Prometheus
	for _, l := range f.GetMetric()[0].GetLabel() {
		has = append(has, l.GetName())
	}
	for _, m := range regexp.MustCompile(name+`(?:_bucket|_sum|_count)?\{([^}]*)\}`).FindAllStringSubmatch(query, -1) {
		for _, l := range regexp.MustCompile(`(\w+)(?:=~|!~|!=|=)"`).FindAllStringSubmatch(m[1], -1) {
			if !slices.Contains(has, l[1]) {
				t.Errorf("%s: %s has no label %s", file, name, l[1])
			}
		}
	}
}

// dashboardQueries reads the dashboard, checks what Grafana needs of it, and gives its queries.
func dashboardQueries(t *testing.T) (queries []string) {
	t.Helper()
	var d struct {
		Templating struct {
			List []struct{ Name, Type, Query any }
		}
		Panels []struct {
			ID          int
			Type, Title string
			Datasource  struct{ UID string }
			GridPos     struct{ X, Y, W, H int }
			FieldConfig struct{ Defaults struct{ Unit string } }
			Targets     []struct {
				Expr, LegendFormat, RefID string
				Datasource                struct{ UID string }
			}
		}
	}
	b, err := os.ReadFile("../../docs/observability/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	if v := d.Templating.List; len(v) == 0 || v[0].Name != "datasource" || v[0].Type != "datasource" || v[0].Query != "prometheus" {
		t.Errorf("no variable for the data source: %+v", v)
	}
	ids, cells := make(map[int]bool), make(map[[2]int]string)
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" {
			t.Errorf("panel %d %q: the id is taken, or there is no title", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, taken := cells[[2]int{x, y}]; taken || x >= 24 {
					t.Fatalf("panel %q lies over %q or outside", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.FieldConfig.Defaults.Unit == "" || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("panel %q has no unit, no query, or not the chosen data source", p.Title)
		}
		refs := make(map[string]bool)
		for _, q := range p.Targets {
			if q.LegendFormat == "" || q.Datasource.UID != "${datasource}" || refs[q.RefID] {
				t.Errorf("panel %q: %+v", p.Title, q)
			}
			refs[q.RefID] = true
			queries = append(queries, q.Expr)
		}
	}
	return queries
}

// alertQueries reads the alert rules, wants them complete, and gives their queries.
func alertQueries(t *testing.T) (queries []string) {
	t.Helper()
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	b, err := os.ReadFile("../../docs/observability/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(b))
	decoder.KnownFields(true)
	if err := decoder.Decode(&rules); err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" || names[r.Alert] || r.Expr == "" || r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%+v", r)
			}
			if _, err := model.ParseDuration(r.For); err != nil {
				t.Errorf("%s: %v", r.Alert, err)
			}
			names[r.Alert] = true
			queries = append(queries, r.Expr)
		}
	}
	return queries
}

func TestTelemetryVariables(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"OTEL_TRACES_EXPORTER=zipkin", "OTEL_EXPORTER_OTLP_ENDPOINT=collector:4318", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_TRACES_SAMPLER=some"} {
		name, _, _ := strings.Cut(bad, "=")
		if o := ragify(t, environ(t, t.TempDir(), bad), "serve"); o.code != exitFailure || !strings.HasPrefix(o.stderr, "ragify: "+name+": ") || strings.Count(o.stderr, "\n") != 1 {
			t.Errorf("%s: %+v", bad, fmt.Sprintf("%+v", o))
		}
	}
}

// TestTraces_that_do_not_arrive wants submissions, conversions and a good end from a service whose collector is no help.
func TestTraces_that_do_not_arrive(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(func() {
		close(release)
		hangs.Close()
	})
	away := httptest.NewServer(nil)
	away.Close()
	for name, url := range map[string]string{"the collector hangs": hangs.URL, "the collector is away": away.URL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := environ(t, dataDir(t), "OTEL_EXPORTER_OTLP_ENDPOINT="+url, "WORKERS=1")
			server := start(t, env, "serve")
			_, key := user(t, env, "ada@example.com", "pro")
			c := client{base: server.api, key: key}
			j, err := c.upload(t.Context(), "a.pdf", pdftest.Pages(3))
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "the job's end", func() bool { return jobOf(t, c, j.ID).Status == "done" })
			server.terminate()
			if log := server.logText(); !strings.Contains(log, "traces") {
				t.Errorf("nobody is told in\n%s", log)
			}
		})
	}
}
