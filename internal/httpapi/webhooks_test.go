package httpapi_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/plan"
	"github.com/ragify/ragify/internal/queue"
	"github.com/ragify/ragify/internal/webhook"
)

// instantly converts at once; page 2 is damaged.
type instantly struct{}

func (instantly) Convert(_ context.Context, r engine.Request, _ func(done, total int)) (engine.Result, error) {
	if r.Options.Pages == "2" {
		return engine.Result{}, fault.New(fault.Invalid, "damaged_page", "Page 2 is damaged.")
	}
	name := r.Stem + ".md"
	err := os.WriteFile(filepath.Join(r.OutDir, name), []byte("# Hello\n"), 0o600)
	return engine.Result{Pages: 1, Outputs: []engine.Output{{Format: option.Markdown, Name: name, Type: "text/markdown"}}}, err
}

// workingWorld has a queue that works, with an engine that does not. Webhooks reach the loopback.
func workingWorld(t *testing.T, networks ...string) *world {
	t.Helper()
	w := newWorld(t)
	var allowed []netip.Prefix
	for _, n := range networks {
		allowed = append(allowed, netip.MustParsePrefix(n))
	}
	webhooks, err := webhook.New(webhook.Config{SigningKeys: [][]byte{[]byte("key")}, AllowNetworks: allowed})
	if err != nil {
		t.Fatal(err)
	}
	w.queue, err = queue.New(queue.Config{
		Pool: w.pool, Store: w.store, Engine: instantly{}, Blobs: w.blobs, Webhooks: webhooks, Workers: 2, TempDir: t.TempDir(), Logger: w.deps.Logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.queue.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.queue.Stop(context.Background()) })
	return w
}

// hook is a client's server.
type hook struct {
	url    string
	got    chan hooked
	answer chan int // statuses of the next answers; none: 204
}

type hooked struct {
	header http.Header
	body   string
}

func newHook(t *testing.T) hook {
	t.Helper()
	h := hook{got: make(chan hooked, 100), answer: make(chan int, 100)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.got <- hooked{r.Header, string(body)}
		select {
		case status := <-h.answer:
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	t.Cleanup(server.Close)
	h.url = server.URL + "/hook?token=hush"
	return h
}

// next is what arrives next.
func (h hook) next(t *testing.T) hooked {
	t.Helper()
	select {
	case r := <-h.got:
		return r
	case <-time.After(20 * time.Second):
		t.Fatal("nothing arrived")
		panic("unreachable")
	}
}

// delivery is one as the API shows it.
type delivery struct {
	EventID       string  `json:"event_id"`
	Type          string  `json:"type"`
	URL           string  `json:"url"`
	Status        string  `json:"status"`
	NextAttemptAt *string `json:"next_attempt_at"`
	Attempts      []struct {
		Outcome    string `json:"outcome"`
		HTTPStatus *int   `json:"http_status"`
	} `json:"attempts"`
}

func (u user) deliveries(job string) (list []delivery) {
	u.world.t.Helper()
	u.get("/jobs/" + job + "/deliveries").want(http.StatusOK).decode(&list)
	return list
}

// delivered waits until the job's only delivery is as ok says.
func (u user) delivered(job string, ok func(delivery) bool) delivery {
	u.world.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		list := u.deliveries(job)
		if len(list) == 1 && ok(list[0]) {
			return list[0]
		}
		if time.Now().After(deadline) {
			u.world.t.Fatalf("the deliveries are still %+v", list)
		}
	}
}

func is(status string) func(delivery) bool {
	return func(d delivery) bool { return d.Status == status && d.NextAttemptAt == nil }
}

// waits is a delivery after n attempts that waits for the next.
func waits(n int) func(delivery) bool {
	return func(d delivery) bool { return len(d.Attempts) == n && d.Status == "pending" && d.NextAttemptAt != nil }
}

// hurry brings forward the attempts that wait.
func (w *world) hurry() {
	w.t.Helper()
	if _, err := w.pool.Exec(w.t.Context(), `UPDATE river_job SET state = 'available', scheduled_at = now() WHERE kind = 'webhook' AND state IN ('retryable', 'available', 'scheduled')`); err != nil {
		w.t.Fatal(err)
	}
}

// outcomes are those of a delivery, newest first.
func outcomes(d delivery) (list []string) {
	for _, a := range d.Attempts {
		list = append(list, a.Outcome)
	}
	return list
}

// submit uploads a PDF with a webhook and gives the job's id.
func (u user) submit(url string, fields ...field) string {
	u.world.t.Helper()
	f := append(pdf(2), fields...)
	if url != "" {
		f = append(f, field{"webhook_url", "", url})
	}
	return u.upload(f).want(http.StatusCreated).object()["id"].(string)
}

func TestWebhooks(t *testing.T) {
	w := workingWorld(t, "127.0.0.0/8")
	u, stranger := w.user(plan.Pro), w.user(plan.Pro)

	t.Run("a job's end is told, signed with the account's secret, and logged", func(t *testing.T) {
		u, h := u.in(t), newHook(t)
		id := u.submit(h.url)
		got := h.next(t)
		v, err := standardwebhooks.NewWebhook(u.get("/webhook-secret").want(http.StatusOK).object()["secret"].(string))
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Verify([]byte(got.body), got.header); err != nil {
			t.Error(err)
		}
		var e struct {
			Type string
			Data struct{ ID, Status string }
		}
		if err := json.Unmarshal([]byte(got.body), &e); err != nil || e.Type != "job.done" || e.Data.ID != id || e.Data.Status != "done" {
			t.Errorf("%s, %v", got.body, err)
		}
		d := u.delivered(id, is("delivered"))
		if d.EventID != got.header.Get("webhook-id") || d.Type != "job.done" || d.URL != h.url || len(d.Attempts) != 1 ||
			d.Attempts[0].Outcome != "delivered" || *d.Attempts[0].HTTPStatus != http.StatusNoContent {
			t.Errorf("%+v", d)
		}
		if j := u.get("/jobs/" + id).want(http.StatusOK).object(); j["webhook_url"] != h.url {
			t.Errorf("the job says %v", j["webhook_url"])
		}
	})

	t.Run("a failed job is told, too", func(t *testing.T) {
		u, h := u.in(t), newHook(t)
		id := u.submit(h.url, field{"options", "", `{"pages": "2"}`})
		if got := h.next(t); !strings.Contains(got.body, `"damaged_page"`) {
			t.Errorf("%s", got.body)
		}
		if d := u.delivered(id, is("delivered")); d.Type != "job.failed" {
			t.Errorf("%+v", d)
		}
	})

	t.Run("an answer that is not 2xx, or a redirect, gets the same event again", func(t *testing.T) {
		u, h := u.in(t), newHook(t)
		h.answer <- http.StatusInternalServerError
		h.answer <- http.StatusTemporaryRedirect
		id := u.submit(h.url)
		first := h.next(t)
		u.delivered(id, waits(1))
		w.in(t).hurry()
		second := h.next(t)
		u.delivered(id, waits(2))
		w.in(t).hurry()
		third := h.next(t)
		for _, again := range []hooked{second, third} {
			if again.body != first.body || again.header.Get("webhook-id") != first.header.Get("webhook-id") {
				t.Error("it is another event")
			}
		}
		if d := u.delivered(id, is("delivered")); !slices.Equal(outcomes(d), []string{"delivered", "refused", "refused"}) ||
			*d.Attempts[1].HTTPStatus != 307 || *d.Attempts[2].HTTPStatus != 500 {
			t.Errorf("%+v", d)
		}
		if len(h.got) != 0 {
			t.Error("the redirect was followed")
		}
	})

	t.Run("a receiver that asks for more time gets it", func(t *testing.T) {
		u := u.in(t)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7200")
			w.WriteHeader(http.StatusTooManyRequests)
		}))
		t.Cleanup(server.Close)
		d := u.delivered(u.submit(server.URL), waits(1))
		next, err := time.Parse(time.RFC3339, *d.NextAttemptAt)
		if err != nil || time.Until(next) < time.Hour {
			t.Errorf("the next attempt is at %s, %v", *d.NextAttemptAt, err)
		}
	})

	t.Run("410 ends the attempts; a redelivery brings the same event", func(t *testing.T) {
		u, h := u.in(t), newHook(t)
		h.answer <- http.StatusGone
		id := u.submit(h.url)
		first := h.next(t)
		d := u.delivered(id, is("failed"))
		path := "/jobs/" + id + "/deliveries/" + d.EventID + "/redeliver"
		if a := u.send(http.MethodPost, path, nil).want(http.StatusAccepted).object(); a["status"] != "pending" || a["event_id"] != d.EventID {
			t.Errorf("%v", a)
		}
		second := h.next(t)
		if second.body != first.body || second.header.Get("webhook-id") != first.header.Get("webhook-id") {
			t.Errorf("another event: %s, then %s", first.body, second.body)
		}
		if d := u.delivered(id, is("delivered")); !slices.Equal(outcomes(d), []string{"delivered", "gone"}) {
			t.Errorf("%+v", d)
		}
	})

	t.Run("a redelivery takes the place of the attempts to come", func(t *testing.T) {
		u, h := u.in(t), newHook(t)
		h.answer <- http.StatusServiceUnavailable
		id := u.submit(h.url)
		h.next(t)
		d := u.delivered(id, waits(1))
		u.send(http.MethodPost, "/jobs/"+id+"/deliveries/"+d.EventID+"/redeliver", nil).want(http.StatusAccepted)
		h.next(t)
		if d := u.delivered(id, is("delivered")); len(d.Attempts) != 2 {
			t.Errorf("%+v", d)
		}
		var waiting int
		if err := w.pool.QueryRow(t.Context(), `
			SELECT count(*) FROM river_job WHERE kind = 'webhook' AND finalized_at IS NULL AND state <> 'running' AND args->'event'->>'id' = $1`, d.EventID).Scan(&waiting); err != nil || waiting != 0 {
			t.Errorf("%d deliveries wait, %v", waiting, err)
		}
	})

	t.Run("while an attempt is under way a redelivery changes nothing", func(t *testing.T) {
		u := u.in(t)
		arrived, answer := make(chan struct{}, 10), make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			arrived <- struct{}{}
			<-answer
		}))
		t.Cleanup(server.Close)
		id := u.submit(server.URL)
		<-arrived
		event := u.deliveries(id)[0].EventID
		for range 3 {
			if d := u.send(http.MethodPost, "/jobs/"+id+"/deliveries/"+event+"/redeliver", nil).want(http.StatusAccepted).object(); d["status"] != "pending" {
				t.Errorf("%v", d)
			}
		}
		close(answer)
		if d := u.delivered(id, is("delivered")); len(d.Attempts) != 1 || len(arrived) != 0 {
			t.Errorf("%+v, %d more requests", d, len(arrived))
		}
	})

	t.Run("others and strangers to the job find nothing", func(t *testing.T) {
		u, stranger, h := u.in(t), stranger.in(t), newHook(t)
		id := u.submit(h.url)
		h.next(t)
		event := u.delivered(id, is("delivered")).EventID
		other := u.submit("")
		stranger.get("/jobs/"+id+"/deliveries").fails(http.StatusNotFound, "job_not_found")
		stranger.send(http.MethodPost, "/jobs/"+id+"/deliveries/"+event+"/redeliver", nil).fails(http.StatusNotFound, "job_not_found")
		for _, wrong := range []string{other + "/deliveries/" + event, id + "/deliveries/msg_1", id + "/deliveries/%00", id + "/deliveries/%ff"} {
			u.send(http.MethodPost, "/jobs/"+wrong+"/redeliver", nil).fails(http.StatusNotFound, "delivery_not_found")
		}
		u.get("/jobs/x/deliveries").fails(http.StatusNotFound, "job_not_found")
		if len(h.got) != 0 {
			t.Error("something was sent")
		}
	})

	t.Run("the account's default counts where a job names none, and an empty field means none", func(t *testing.T) {
		u, h, named := w.user(plan.Pro).in(t), newHook(t), newHook(t)
		if got := u.get("/webhook").want(http.StatusOK).object(); got["url"] != nil {
			t.Errorf("%v", got)
		}
		set := u.send(http.MethodPut, "/webhook", strings.NewReader(`{"url": " `+h.url+`"}`), "Content-Type", "application/json").want(http.StatusOK).object()
		if got := u.get("/webhook").want(http.StatusOK).object(); got["url"] != h.url || set["url"] != h.url {
			t.Errorf("%v, %v", set, got)
		}
		u.delivered(u.submit(""), is("delivered"))
		h.next(t)
		u.delivered(u.submit(named.url), is("delivered"))
		named.next(t)
		none := u.submit("", field{"webhook_url", "", ""})
		u.send(http.MethodDelete, "/webhook", nil).want(http.StatusNoContent)
		u.send(http.MethodDelete, "/webhook", nil).want(http.StatusNoContent)
		later := u.submit("")
		for _, id := range []string{none, later} {
			if j := u.get("/jobs/" + id + "?wait=60").want(http.StatusOK).object(); j["status"] != "done" || j["webhook_url"] != nil || len(u.deliveries(id)) != 0 {
				t.Errorf("%v", j)
			}
		}
		if len(h.got)+len(named.got) != 0 {
			t.Error("too much was sent")
		}
	})

	t.Run("a default that cannot be is refused", func(t *testing.T) {
		u := u.in(t)
		for _, bad := range []string{`{"url": ""}`, `{"url": "ftp://example.com"}`, `{"url": "http://example.com:25"}`, `{}`, `{"url": null}`} {
			facts(t, u.send(http.MethodPut, "/webhook", strings.NewReader(bad), "Content-Type", "application/json").fails(http.StatusBadRequest, "invalid_webhook_url"),
				map[string]any{"field": "url"})
		}
		u.send(http.MethodPut, "/webhook", strings.NewReader(`{"url": 1}`), "Content-Type", "application/json").fails(http.StatusBadRequest, "invalid_body")
	})

	t.Run("the URL's secrets stay out of the logs", func(t *testing.T) {
		if strings.Contains(w.log.String(), "hush") {
			t.Errorf("%s", w.log)
		}
		var kept int
		if err := w.pool.QueryRow(t.Context(), `SELECT count(*) FROM river_job WHERE errors::text LIKE '%hush%'`).Scan(&kept); err != nil || kept != 0 {
			t.Errorf("%d errors of the queue have it, %v", kept, err)
		}
	})
}

func TestWebhooks_to_the_own_network(t *testing.T) {
	w := workingWorld(t)
	u, h := w.user(plan.Pro), newHook(t)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	var first string
	for _, url := range []string{h.url, closed.URL, "http://169.254.169.254/latest/meta-data", "http://no-such-name.invalid/"} {
		d := u.delivered(u.submit(url), waits(1))
		d.EventID, d.URL, d.NextAttemptAt = "", "", nil
		told, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = string(told)
		}
		if d.Attempts[0].Outcome != "no_address" || string(told) != first {
			t.Errorf("%s: %s, another one %s: the difference tells of our network", url, told, first)
		}
	}
	if len(h.got) != 0 {
		t.Error("something arrived")
	}
}

func TestWebhooks_of_a_deleted_job_are_sent_no_more(t *testing.T) {
	w := workingWorld(t, "127.0.0.0/8")
	u, h := w.user(plan.Pro), newHook(t)
	h.answer <- http.StatusInternalServerError
	id := u.submit(h.url)
	h.next(t)
	u.delivered(id, waits(1))
	u.send(http.MethodDelete, "/jobs/"+id, nil).want(http.StatusNoContent)
	u.get("/jobs/"+id+"/deliveries").fails(http.StatusNotFound, "job_not_found")
	if len(h.got) != 0 {
		t.Error("it was sent again")
	}
	// The queue's work has the file's name and the URL.
	for _, table := range []string{"webhook_events", "webhook_attempts", "river_job WHERE kind = 'webhook'"} {
		var left int
		if err := w.pool.QueryRow(t.Context(), `SELECT count(*) FROM `+table).Scan(&left); err != nil || left != 0 {
			t.Errorf("%d rows of %s are left, %v", left, table, err)
		}
	}
}

func TestWebhooks_of_one_account_do_not_hold_up_anothers(t *testing.T) {
	w := workingWorld(t, "127.0.0.0/8")
	slow, quick, h := w.user(plan.Business), w.user(plan.Pro), newHook(t)
	arrived, answer := make(chan struct{}, 100), make(chan struct{})
	tarpit := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-answer
	}))
	t.Cleanup(tarpit.Close)
	t.Cleanup(func() { close(answer) })
	// As many as there are workers for webhooks, and more.
	for range 60 {
		id := slow.submit(tarpit.URL)
		slow.get("/jobs/" + id + "?wait=60").want(http.StatusOK)
	}
	quick.delivered(quick.submit(h.url), is("delivered"))
	if n := len(arrived); n < 1 || n > 4 {
		t.Errorf("%d deliveries of one account are under way", n)
	}
}
