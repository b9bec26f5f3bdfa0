package webhook_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
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

func TestSend(t *testing.T) {
	t.Run("the receiver can verify the signature with the account's secret", func(t *testing.T) {
		url, got := receiver(t, http.StatusNoContent)
		e, err := webhook.JobEnded(ended(url, job.Done))
		if err != nil {
			t.Fatal(err)
		}
		if err := webhook.New(webhook.Config{SigningKey: signingKey, AllowPrivate: true}).Send(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		r := <-got
		if r.method != http.MethodPost || r.path != "/hook" || r.header.Get("Content-Type") != "application/json" {
			t.Errorf("got %s %s %s", r.method, r.path, r.header.Get("Content-Type"))
		}
		verify := func(id account.ID) error {
			v, err := standardwebhooks.NewWebhook(webhook.Secret(signingKey, id))
			if err != nil {
				t.Fatal(err)
			}
			return v.Verify(r.body, r.header)
		}
		if err := verify(e.Account); err != nil {
			t.Error(err)
		}
		if err := verify("usr_ffffffffffffffffffffffff"); err == nil {
			t.Error("another account's secret verifies it too")
		}
		if id := r.header.Get("webhook-id"); id != e.ID || id == "" {
			t.Errorf("webhook-id %q, want %q", id, e.ID)
		}
	})

	t.Run("the body says what became of the job", func(t *testing.T) {
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
			e, err := webhook.JobEnded(ended("https://example.com", status))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(decode(t, []byte(want)), decode(t, e.Body)); d != "" {
				t.Errorf("%s (-want +got):\n%s", status, d)
			}
		}
	})

	t.Run("only 2xx is success, and a redirect is not followed", func(t *testing.T) {
		for _, status := range []int{http.StatusFound, http.StatusBadRequest, http.StatusInternalServerError} {
			url, got := receiver(t, status)
			e, err := webhook.JobEnded(ended(url, job.Done))
			if err != nil {
				t.Fatal(err)
			}
			err = webhook.New(webhook.Config{SigningKey: signingKey, AllowPrivate: true}).Send(t.Context(), e)
			if err == nil || errors.Is(err, webhook.ErrGone) {
				t.Errorf("%d: got %v", status, err)
			}
			<-got
			select {
			case r := <-got:
				t.Errorf("%d: a second request, to %s", status, r.path)
			default:
			}
		}
	})

	t.Run("410 says that it is wanted no more", func(t *testing.T) {
		url, _ := receiver(t, http.StatusGone)
		e, err := webhook.JobEnded(ended(url, job.Done))
		if err != nil {
			t.Fatal(err)
		}
		if err := webhook.New(webhook.Config{SigningKey: signingKey, AllowPrivate: true}).Send(t.Context(), e); !errors.Is(err, webhook.ErrGone) {
			t.Errorf("got %v, want ErrGone", err)
		}
	})

	t.Run("the own network is out of reach, by address and by name", func(t *testing.T) {
		raw, got := receiver(t, http.StatusOK)
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} {
			e, err := webhook.JobEnded(ended("http://"+host+":"+u.Port()+"/hook", job.Done))
			if err != nil {
				t.Fatal(err)
			}
			if err := webhook.New(webhook.Config{SigningKey: signingKey}).Send(t.Context(), e); err == nil || !strings.Contains(err.Error(), "public internet") {
				t.Errorf("%s: got %v", host, err)
			}
		}
		if len(got) != 0 {
			t.Error("the request arrived")
		}
	})
}

func TestCheckURL(t *testing.T) {
	for _, ok := range []string{"https://example.com/hook?x=1", "http://example.com:8080", "https://[2001:4860::1]/"} {
		if err := webhook.CheckURL(ok); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
	for _, bad := range []string{"", "example.com", "/hook", "ftp://example.com", "https://", "https://user:pw@example.com", "https://:443", "http://a b", "javascript:alert(1)", "https://example.com/\x9c", "https://example.com/\x00", "https://example.com/" + strings.Repeat("a", 2048)} {
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
