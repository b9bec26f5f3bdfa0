package httpapi_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/httpapi"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/plan"
)

// event is one server-sent event, or a retry line: then it has no name.
type event struct {
	name  string
	id    string
	retry int // milliseconds
	data  map[string]any
}

// follow opens a job's event stream. The channel gets its events and is closed at its end.
func (u user) follow(id string, headers ...string) <-chan event {
	u.world.t.Helper()
	resp := u.open(id, headers...)
	if h := resp.Header; resp.StatusCode != http.StatusOK || h.Get("Content-Type") != "text/event-stream" || h.Get("Cache-Control") != "no-store, no-transform" {
		u.world.t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	events := make(chan event)
	go func() {
		defer close(events)
		var e event
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
			case "event":
				e.name = value
			case "id":
				e.id = value
			case "retry":
				e.retry, _ = strconv.Atoi(value)
			case "data":
				_ = json.Unmarshal([]byte(value), &e.data)
			case "":
				if e.name != "" || e.retry != 0 {
					select {
					case events <- e:
					case <-u.world.t.Context().Done():
						return
					}
				}
				e = event{}
			}
		}
	}()
	if first := <-events; first.retry != 2000 {
		u.world.t.Errorf("the stream begins with %+v, want how to connect again", first)
	}
	return events
}

// open asks for a job's event stream.
func (u user) open(id string, headers ...string) *http.Response {
	t := u.world.t
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u.world.server.URL+"/jobs/"+id+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Api-Key", u.key.Reveal())
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := u.world.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// next waits for one event and checks it against its schema.
func (w *world) next(events <-chan event, name, schema string) event {
	w.t.Helper()
	select {
	case e, ok := <-events:
		if !ok {
			w.t.Fatalf("the stream ended, want event %s", name)
		}
		if e.name != name {
			w.t.Fatalf("event %+v, want %s", e, name)
		}
		if err := description(w.t).doc.Components.Schemas[schema].Value.VisitJSON(e.data, openapi3.EnableJSONSchema2020()); err != nil {
			w.t.Errorf("event %+v: not as described: %v", e, err)
		}
		if (e.id == "") != (name == "deleted") {
			w.t.Errorf("event %s with id %q", name, e.id)
		}
		return e
	case <-time.After(20 * time.Second):
		w.t.Fatalf("no event, want %s", name)
		return event{}
	}
}

// status waits for a status event with that status.
func (w *world) status(events <-chan event, want job.Status) event {
	w.t.Helper()
	e := w.next(events, "status", "Job")
	if e.data["status"] != string(want) {
		w.t.Fatalf("status %v, want %s", e.data["status"], want)
	}
	return e
}

// progress waits for a progress event with that many pages done.
func (w *world) progress(events <-chan event, want int) event {
	w.t.Helper()
	e := w.next(events, "progress", "ProgressEvent")
	if got := e.data["progress"].(map[string]any)["pages_done"]; got != float64(want) || e.data["status"] != "processing" {
		w.t.Fatalf("%v, want %d pages done", e.data, want)
	}
	return e
}

// ends checks that nothing more comes.
func (w *world) ends(events <-chan event) {
	w.t.Helper()
	select {
	case e, ok := <-events:
		if ok {
			w.t.Fatalf("event %+v, want the end", e)
		}
	case <-time.After(20 * time.Second):
		w.t.Fatal("the stream does not end")
	}
}

// begin makes a job processing, as a worker does.
func (w *world) begin(id string) {
	w.t.Helper()
	if _, err := w.store.StartJob(w.t.Context(), uuid.MustParse(id)); err != nil {
		w.t.Fatal(err)
	}
}

// advance notes pages as done, as a worker does.
func (w *world) advance(id string, pages int) {
	w.t.Helper()
	if err := w.store.SetProgress(w.t.Context(), uuid.MustParse(id), pages); err != nil {
		w.t.Fatal(err)
	}
}

func TestEvents_tell_a_jobs_life(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Pro)
	id := u.upload(pdf(9)).want(http.StatusCreated).object()["id"].(string)
	events := u.follow(id)
	ids := []string{w.status(events, job.Pending).id}
	w.begin(id)
	ids = append(ids, w.status(events, job.Processing).id)
	w.advance(id, 4)
	e := w.progress(events, 4)
	if ids = append(ids, e.id); e.data["progress"].(map[string]any)["pages_total"] != 9.0 {
		t.Errorf("%v", e.data)
	}
	w.begin(id) // another worker takes over
	ids = append(ids, w.progress(events, 0).id)
	w.advance(id, 4)
	ids = append(ids, w.progress(events, 4).id)
	o := job.Outcome{Status: job.Done, Files: []job.File{{Format: "markdown", Name: "result.md"}}}
	if _, err := w.store.FinishJob(t.Context(), uuid.MustParse(id), o, nil); err != nil {
		t.Fatal(err)
	}
	e = w.status(events, job.Done)
	if len(e.data["download_urls"].(map[string]any)) != 1 {
		t.Errorf("%v", e.data)
	}
	w.ends(events)
	if ids = append(ids, e.id); len(slices.Compact(slices.Sorted(slices.Values(ids)))) != len(ids) {
		t.Errorf("ids %q are not all different", ids)
	}

	again := u.follow(id) // an ended job has one event
	w.status(again, job.Done)
	w.ends(again)
}

func TestEvents_go_on_where_a_stream_broke_off(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Pro)
	id := u.upload(pdf(9)).want(http.StatusCreated).object()["id"].(string)
	pending := w.status(u.follow(id), job.Pending).id

	t.Run("without a repetition", func(t *testing.T) {
		events := u.in(t).follow(id, "Last-Event-ID", pending)
		w.begin(id)
		w.in(t).status(events, job.Processing)
	})
	w.advance(id, 2)
	t.Run("with what was missed as one status", func(t *testing.T) {
		w, events := w.in(t), u.in(t).follow(id, "Last-Event-ID", pending)
		if e := w.status(events, job.Processing); e.data["progress"].(map[string]any)["pages_done"] != 2.0 {
			t.Errorf("%v", e.data["progress"])
		} else {
			events = u.in(t).follow(id, "Last-Event-ID", e.id)
		}
		w.advance(id, 3)
		w.progress(events, 3)
	})
	t.Run("and from the start for an id that is none of ours", func(t *testing.T) {
		for _, foreign := range []string{"", "17", "%s%n", strings.Repeat("9", 4000)} {
			w.in(t).status(u.in(t).follow(id, "Last-Event-ID", foreign), job.Processing)
		}
	})
	w.finish(id, job.Done)
	t.Run("also over the end", func(t *testing.T) {
		w, events := w.in(t), u.in(t).follow(id, "Last-Event-ID", pending)
		end := w.status(events, job.Done).id
		w.ends(events)
		if resp := u.in(t).open(id, "Last-Event-ID", end); resp.StatusCode != http.StatusNoContent {
			t.Errorf("after the end was seen: %s, want 204", resp.Status)
		}
	})
	t.Run("and never for others", func(t *testing.T) {
		if resp := w.in(t).user(plan.Pro).open(id, "Last-Event-ID", pending); resp.StatusCode != http.StatusNotFound {
			t.Errorf("another account: %s", resp.Status)
		}
	})
}

func TestEvents_tell_that_the_job_was_deleted(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Pro)
	id := u.upload(pdf(9)).want(http.StatusCreated).object()["id"].(string)
	events := u.follow(id)
	last := w.status(events, job.Pending).id
	u.send(http.MethodDelete, "/jobs/"+id, nil).want(http.StatusNoContent)
	if got := w.next(events, "deleted", "DeletedEvent"); got.data["id"] != id {
		t.Errorf("%v", got.data)
	}
	w.ends(events)
	if resp := u.open(id, "Last-Event-ID", last); resp.StatusCode != http.StatusNotFound {
		t.Errorf("afterwards: %s", resp.Status)
	}
}

func TestEvents_end_when_the_server_shuts_down(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Pro)
	id := u.upload(pdf(9)).want(http.StatusCreated).object()["id"].(string)
	events := u.follow(id)
	w.status(events, job.Pending)
	close(w.drain)
	w.begin(id) // until the end is near the stream goes on
	w.status(events, job.Processing)
	close(w.leave)
	if e := <-events; e.retry < 100 || e.retry > 1100 {
		t.Errorf("%+v, want a hint to connect again soon", e)
	}
	w.ends(events)
}

func TestEvents_of_one_account_leave_room_for_others(t *testing.T) {
	registry := prometheus.NewRegistry()
	w := newWorld(t, func(d *httpapi.Deps) { d.MaxWaiting, d.Registry = 4, registry })
	greedy, other := w.user(plan.Pro), w.user(plan.Pro)
	id := greedy.upload(pdf(9)).want(http.StatusCreated).object()["id"].(string)
	full := func(u user, path string) {
		t.Helper()
		a := u.get(path)
		if a.fails(http.StatusServiceUnavailable, "too_many_streams"); a.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	first := greedy.open(id)
	w.status(greedy.follow(id), job.Pending)
	full(greedy, "/jobs/"+id+"/events") // two of four are free
	full(greedy, "/jobs/"+id+"?wait=60")
	greedy.get("/jobs/" + id).want(http.StatusOK)

	own := other.upload(pdf(9)).want(http.StatusCreated).object()["id"].(string)
	w.status(other.follow(own), job.Pending)
	full(other, "/jobs/"+own+"/events")

	if err := first.Body.Close(); err != nil {
		t.Fatal(err)
	}
	w.gauge(registry, "ragify_http_requests_waiting", 2)
	w.status(other.follow(own), job.Pending)
}

// gauge waits until a gauge has a value.
func (w *world) gauge(registry *prometheus.Registry, name string, want float64) {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		families, err := registry.Gather()
		if err != nil {
			w.t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == name && f.GetMetric()[0].GetGauge().GetValue() == want {
				return
			}
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s never gets %v", name, want)
		}
	}
}

func TestEvents_when_Postgres_is_away(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Pro)
	id := u.upload(pdf(9)).want(http.StatusCreated).object()["id"].(string)
	events := u.follow(id)
	w.status(events, job.Pending)
	// The stream's connection, and all others.
	if _, err := w.pool.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := w.store.StartJob(t.Context(), uuid.MustParse(id)); err == nil {
			break
		} else if fault.KindOf(err) != fault.Unavailable {
			t.Fatal(err)
		}
	}
	w.status(events, job.Processing)
}

func TestEvents_can_be_followed_from_a_browser(t *testing.T) {
	const app = "https://app.example.com"
	w := newWorld(t, func(d *httpapi.Deps) { d.CORSOrigins = []string{app} })
	a := w.send(http.MethodOptions, "/jobs/"+uuid.NewString()+"/events", nil, "Origin", app,
		"Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization,last-event-id,x-api-key")
	if a.status != http.StatusOK || a.header.Get("Access-Control-Allow-Origin") != app ||
		!strings.Contains(strings.ToLower(a.header.Get("Access-Control-Allow-Headers")), "last-event-id") {
		t.Errorf("%d %v", a.status, a.header)
	}
	u := w.user(plan.Pro)
	id := u.upload(pdf(1)).want(http.StatusCreated).object()["id"].(string)
	if resp := u.open(id, "Origin", app); resp.Header.Get("Access-Control-Allow-Origin") != app {
		t.Errorf("%v", resp.Header)
	}
}
