package webhook_test

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/webhook"
)

var signingKey = []byte("0123456789abcdef0123456789abcdef")

// receiver is a client's server that answers with status and hands on what it got.
func receiver(t *testing.T, status int) (url string, got <-chan received) {
	t.Helper()
	c := make(chan received, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		c <- received{r.Method, r.URL.Path, r.Header, body}
	}))
	t.Cleanup(server.Close)
	return server.URL + "/hook", c
}

type received struct {
	method, path string
	header       http.Header
	body         []byte
}

func ended(url string, status job.Status) job.Job {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	j := job.Job{
		ID: uuid.MustParse("6f1c7c0e-5a52-4f4b-9a0c-0d6a1f3f0b11"), Account: "usr_0123456789abcdef01234567", Status: status,
		FileName: "report.pdf", PageCount: 15, PagesCharged: 15, WebhookURL: url,
		CreatedAt: at, UpdatedAt: at.Add(2 * time.Second), StartedAt: new(at.Add(time.Second)), FinishedAt: new(at.Add(2 * time.Second)), ExpiresAt: at.Add(720 * time.Hour),
	}
	if status == job.Failed {
		j.ErrorCode, j.ErrorMessage = "damaged_pdf", "This PDF is damaged."
	}
	return j
}

// sender reaches receivers on the loopback, unless c says otherwise.
func sender(t *testing.T, c webhook.Config) *webhook.Sender {
	t.Helper()
	if c.SigningKeys == nil {
		c.SigningKeys = [][]byte{signingKey}
	}
	s, err := webhook.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// event is what a done job sends to url.
func event(t *testing.T, url string) webhook.Event {
	t.Helper()
	e, err := webhook.JobEnded(ended(url, job.Done))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// send makes one attempt.
func send(t *testing.T, s *webhook.Sender, url string) webhook.Result {
	t.Helper()
	r, err := s.Send(t.Context(), event(t, url))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// verify checks a delivery as a receiver does that knows the secret made of key.
func verify(t *testing.T, r received, key []byte, id account.ID) error {
	t.Helper()
	v, err := standardwebhooks.NewWebhook(webhook.Secret(key, id))
	if err != nil {
		t.Fatal(err)
	}
	return v.Verify(r.body, r.header)
}

func TestSend(t *testing.T) {
	t.Run("the receiver can verify the signature with the account's secret", func(t *testing.T) {
		url, got := receiver(t, http.StatusNoContent)
		e := event(t, url)
		if r := send(t, sender(t, webhook.Config{AllowPrivate: true}), url); r.Outcome != job.AttemptDelivered || r.HTTPStatus != http.StatusNoContent || r.At.IsZero() {
			t.Errorf("%+v", r)
		}
		r := <-got
		if r.method != http.MethodPost || r.path != "/hook" || r.header.Get("Content-Type") != "application/json" {
			t.Errorf("got %s %s %s", r.method, r.path, r.header.Get("Content-Type"))
		}
		if err := verify(t, r, signingKey, e.Account); err != nil {
			t.Error(err)
		}
		if err := verify(t, r, signingKey, "usr_ffffffffffffffffffffffff"); err == nil {
			t.Error("another account's secret verifies it too")
		}
		if id := r.header.Get("webhook-id"); id != e.ID || id == "" {
			t.Errorf("webhook-id %q, want %q", id, e.ID)
		}
	})

	t.Run("while the signing key changes, the secrets of both verify it", func(t *testing.T) {
		url, got := receiver(t, http.StatusNoContent)
		next := []byte("ffffffffffffffffffffffffffffffff")
		send(t, sender(t, webhook.Config{AllowPrivate: true, SigningKeys: [][]byte{next, signingKey}}), url)
		r := <-got
		for _, key := range [][]byte{next, signingKey} {
			if err := verify(t, r, key, event(t, url).Account); err != nil {
				t.Error(err)
			}
		}
		if verify(t, r, []byte("another key"), event(t, url).Account) == nil {
			t.Error("any key verifies it")
		}
	})

	t.Run("without a key there is no sender", func(t *testing.T) {
		if _, err := webhook.New(webhook.Config{}); err == nil {
			t.Error("no error")
		}
	})

	t.Run("only 2xx is success, 410 is final, and a redirect is not followed", func(t *testing.T) {
		for status, want := range map[int]job.AttemptOutcome{
			http.StatusFound: job.AttemptRefused, http.StatusBadRequest: job.AttemptRefused, http.StatusInternalServerError: job.AttemptRefused,
			http.StatusGone: job.AttemptGone, http.StatusAccepted: job.AttemptDelivered,
		} {
			url, got := receiver(t, status)
			if r := send(t, sender(t, webhook.Config{AllowPrivate: true}), url); r.Outcome != want || r.HTTPStatus != status {
				t.Errorf("%d: %+v", status, r)
			}
			<-got
			select {
			case r := <-got:
				t.Errorf("%d: a second request, to %s", status, r.path)
			default:
			}
		}
	})

	t.Run("Retry-After counts in seconds and as a date, up to a day", func(t *testing.T) {
		now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
		for header, want := range map[string]time.Duration{
			"": 0, "120": 2 * time.Minute, "Mon, 23 Nov 2026 13:00:00 GMT": time.Hour, "1000000": 24 * time.Hour,
			"Mon, 23 Nov 2026 11:00:00 GMT": 0, "-5": 0, "soon": 0, "99999999999999999999": 0,
		} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", header)
				w.WriteHeader(http.StatusTooManyRequests)
			}))
			s := sender(t, webhook.Config{AllowPrivate: true, Now: func() time.Time { return now }})
			if r := send(t, s, server.URL); r.RetryAfter != want {
				t.Errorf("%q: %v, want %v", header, r.RetryAfter, want)
			}
			server.Close()
		}
	})

	t.Run("an endless answer and an endless header are not read to their end", func(t *testing.T) {
		body := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for err := error(nil); err == nil; {
				_, err = w.Write(make([]byte, 64<<10))
			}
		}))
		defer body.Close()
		if r := send(t, sender(t, webhook.Config{AllowPrivate: true}), body.URL); r.Outcome != job.AttemptDelivered {
			t.Errorf("%+v", r)
		}
		header := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 1<<20))
		}))
		defer header.Close()
		if r := send(t, sender(t, webhook.Config{AllowPrivate: true}), header.URL); r.Outcome != job.AttemptUnreachable {
			t.Errorf("%+v", r)
		}
	})

	t.Run("no TLS with a certificate of anyone's, and none with a server of HTTP", func(t *testing.T) {
		secure := httptest.NewTLSServer(http.NotFoundHandler())
		defer secure.Close()
		secure.Config.ErrorLog = log.New(io.Discard, "", 0)
		plain := httptest.NewServer(http.NotFoundHandler())
		defer plain.Close()
		for _, url := range []string{secure.URL, strings.Replace(plain.URL, "http:", "https:", 1)} {
			if r := send(t, sender(t, webhook.Config{AllowPrivate: true}), url); r.Outcome != job.AttemptInsecure || r.HTTPStatus != 0 {
				t.Errorf("%s: %+v", url, r)
			}
		}
	})

	t.Run("nobody listening is unreachable", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		if r := send(t, sender(t, webhook.Config{AllowPrivate: true}), server.URL); r.Outcome != job.AttemptUnreachable {
			t.Errorf("%+v", r)
		}
	})

	t.Run("a proxy is not asked", func(t *testing.T) {
		proxy, asked := receiver(t, http.StatusOK)
		t.Setenv("HTTP_PROXY", proxy)
		url, got := receiver(t, http.StatusOK)
		send(t, sender(t, webhook.Config{AllowPrivate: true}), url)
		<-got
		if len(asked) != 0 {
			t.Error("it was")
		}
	})

	t.Run("attempts are counted by outcome", func(t *testing.T) {
		registry := prometheus.NewRegistry()
		s := sender(t, webhook.Config{AllowPrivate: true, Registry: registry})
		url, _ := receiver(t, http.StatusOK)
		send(t, s, url)
		url, _ = receiver(t, http.StatusBadGateway)
		send(t, s, url)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		counts := make(map[string]float64)
		for _, f := range families {
			for _, m := range f.GetMetric() {
				for _, l := range m.GetLabel() {
					if m.GetCounter().GetValue() == 0 {
						continue // there from the start
					}
					counts[f.GetName()+" "+l.GetValue()] = m.GetCounter().GetValue()
				}
			}
		}
		want := map[string]float64{"ragify_webhook_attempts_total delivered": 1, "ragify_webhook_attempts_total refused": 1}
		if d := cmp.Diff(want, counts); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	})
}

func TestGuard(t *testing.T) {
	raw, got := receiver(t, http.StatusOK)
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("the own network is out of reach, by address and by name, and looks like a name that is unknown", func(t *testing.T) {
		for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0", "no-such-host.invalid"} {
			if r := send(t, sender(t, webhook.Config{}), "http://"+host+":"+u.Port()+"/hook"); r.Outcome != job.AttemptNoAddress || r.HTTPStatus != 0 {
				t.Errorf("%s: %+v", host, r)
			}
		}
		if len(got) != 0 {
			t.Error("the request arrived")
		}
	})
	t.Run("the operator may allow a range", func(t *testing.T) {
		networks, err := webhook.ParseNetworks([]string{"10.0.0.0/8", " 127.0.0.1"})
		if err != nil {
			t.Fatal(err)
		}
		if r := send(t, sender(t, webhook.Config{AllowNetworks: networks}), raw); r.Outcome != job.AttemptDelivered {
			t.Errorf("%+v", r)
		}
		<-got
		if r := send(t, sender(t, webhook.Config{AllowNetworks: networks[:1]}), raw); r.Outcome != job.AttemptNoAddress {
			t.Errorf("%+v", r)
		}
	})
}

func TestJobEnded_says_what_became_of_the_job(t *testing.T) {
	for status, want := range map[job.Status]string{
		job.Done: `{"type":"job.done","timestamp":"2026-11-23T12:00:02Z","data":{"id":"6f1c7c0e-5a52-4f4b-9a0c-0d6a1f3f0b11",
			"user_id":"usr_0123456789abcdef01234567","status":"done","file_name":"report.pdf","page_count":15,"pages_charged":15,
			"error_code":null,"error_message":null,"created_at":"2026-11-23T12:00:00Z","started_at":"2026-11-23T12:00:01Z",
			"finished_at":"2026-11-23T12:00:02Z","expires_at":"2026-12-23T12:00:00Z"}}`,
		job.Failed: `{"type":"job.failed","timestamp":"2026-11-23T12:00:02Z","data":{"id":"6f1c7c0e-5a52-4f4b-9a0c-0d6a1f3f0b11",
			"user_id":"usr_0123456789abcdef01234567","status":"failed","file_name":"report.pdf","page_count":15,"pages_charged":15,
			"error_code":"damaged_pdf","error_message":"This PDF is damaged.","created_at":"2026-11-23T12:00:00Z","started_at":"2026-11-23T12:00:01Z",
			"finished_at":"2026-11-23T12:00:02Z","expires_at":"2026-12-23T12:00:00Z"}}`,
	} {
		j := ended("https://example.com", status)
		e, err := webhook.JobEnded(j)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(decode(t, []byte(want)), decode(t, e.Body)); d != "" {
			t.Errorf("%s (-want +got):\n%s", status, d)
		}
		if e.Type != "job."+string(status) || e.Job() != j.ID || e.Account != j.Account || e.URL != j.WebhookURL {
			t.Errorf("%+v", e)
		}
	}
}

func TestCheckURL(t *testing.T) {
	for _, ok := range []string{"https://example.com/hook?x=1", "http://example.com:8080", "https://[2001:4860::1]/", "http://example.com:443", "https://example.com:80/", "https://example.com:1024", "https://example.com:"} {
		if err := webhook.CheckURL(ok); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
	for _, bad := range []string{"", "example.com", "/hook", "ftp://example.com", "https://", "https://user:pw@example.com", "https://:443", "http://a b", "javascript:alert(1)", "https://example.com/\x9c", "http://example.com:25", "https://example.com:22/", "https://example.com:0", "https://example.com:65536", "https://example.com/\x00", "https://example.com/" + strings.Repeat("a", 2048)} {
		f := fault.From(webhook.CheckURL(bad))
		if f == nil || f.Kind != fault.Invalid || f.Code != "invalid_webhook_url" || f.Facts["field"] != "webhook_url" {
			t.Errorf("%.40q: got %v", bad, f)
		}
	}
}

func decode(t *testing.T, raw []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
