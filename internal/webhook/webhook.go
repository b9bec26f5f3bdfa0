// Package webhook tells a client's server that a job has ended, as the Standard Webhooks specification
// has it: a signed POST whose receiver can check who sent it, when, and that it is no repetition.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/job"
)

const (
	maxURLBytes = 2048
	// sendTimeout bounds one delivery, from the name lookup to the answer's headers.
	sendTimeout = 15 * time.Second
	// maxAnswerBytes is what is read of an answer that is thrown away.
	maxAnswerBytes = 16 << 10
)

// ErrGone means that the receiver answered 410: it wants this no more, and no retry makes sense.
var ErrGone = errors.New("the webhook's receiver is gone")

// Secret is what an account verifies the signatures of its webhooks with: "whsec_" and base64. It is
// derived from the service's signing key, so nothing has to be stored.
func Secret(signingKey []byte, id account.ID) string {
	mac := hmac.New(sha256.New, signingKey)
	mac.Write([]byte("webhook:" + string(id)))
	return "whsec_" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// CheckURL accepts an absolute http or https URL without user name, of at most 2048 bytes. Whether its
// host may be called is decided at the time of the call. Fault: Invalid "invalid_webhook_url" with the
// fact field.
func CheckURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || !utf8.ValidString(raw) || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil || len(raw) > maxURLBytes {
		return fault.New(fault.Invalid, "invalid_webhook_url", "webhook_url must be an http or https URL without user name, of at most 2048 characters.").
			With("field", "webhook_url")
	}
	return nil
}

// Event is one message, the same at every attempt to deliver it. Its JSON form is for a queue.
type Event struct {
	ID      string          `json:"id"` // unique to the event: receivers drop repetitions by it
	Account account.ID      `json:"account"`
	URL     string          `json:"url"`
	Body    json.RawMessage `json:"body"`
}

// body is the payload that the receiver sees.
type body struct {
	Type      string    `json:"type"` // "job.done" or "job.failed"
	Timestamp time.Time `json:"timestamp"`
	Data      data      `json:"data"`
}

// data has the job's fields under their names in the API. Results are fetched from the API.
type data struct {
	ID           string     `json:"id"`
	UserID       account.ID `json:"user_id"`
	Status       job.Status `json:"status"`
	FileName     string     `json:"file_name"`
	PageCount    int        `json:"page_count"`
	PagesCharged int        `json:"pages_charged"`
	ErrorCode    *string    `json:"error_code"`
	ErrorMessage *string    `json:"error_message"`
	CreatedAt    time.Time  `json:"created_at"`
	StartedAt    *time.Time `json:"started_at"`
	FinishedAt   *time.Time `json:"finished_at"`
	ExpiresAt    time.Time  `json:"expires_at"`
}

// JobEnded makes the event for a job that is done or failed and has a WebhookURL.
func JobEnded(j job.Job) (Event, error) {
	b := body{
		Type: "job." + string(j.Status), Timestamp: j.UpdatedAt,
		Data: data{
			ID: j.ID.String(), UserID: j.Account, Status: j.Status, FileName: j.FileName,
			PageCount: j.PageCount, PagesCharged: j.PagesCharged,
			CreatedAt: j.CreatedAt, StartedAt: j.StartedAt, FinishedAt: j.FinishedAt, ExpiresAt: j.ExpiresAt,
		},
	}
	if j.Status == job.Failed {
		b.Data.ErrorCode, b.Data.ErrorMessage = &j.ErrorCode, &j.ErrorMessage
	}
	raw, err := json.Marshal(b)
	// A job ends once, so its id makes the event's.
	return Event{ID: "msg_" + j.ID.String(), Account: j.Account, URL: j.WebhookURL, Body: raw}, err
}

// Config is what a Sender needs.
type Config struct {
	SigningKey []byte // what Secret derives from
	// AllowPrivate lets webhooks reach loopback, private and other addresses that are not on the
	// public internet. Off, a client cannot make the service talk to its own network.
	AllowPrivate bool
	Now          func() time.Time // default time.Now
}

// Sender delivers events. Safe for concurrent use.
type Sender struct {
	key    []byte
	now    func() time.Time
	client *http.Client
}

// New makes a sender.
func New(c Config) *Sender {
	if c.Now == nil {
		c.Now = time.Now
	}
	dialer := &net.Dialer{Timeout: sendTimeout}
	if !c.AllowPrivate {
		// Control sees the address that is really dialled, after the name was looked up: a name that
		// resolves to something else the second time changes nothing.
		dialer.Control = refusePrivate
	}
	return &Sender{
		key: c.SigningKey, now: c.Now,
		client: &http.Client{
			Timeout: sendTimeout,
			Transport: &http.Transport{
				// No Proxy: a proxy would dial in our place, unguarded.
				DialContext:           dialer.DialContext,
				ForceAttemptHTTP2:     true,
				DisableKeepAlives:     true, // one delivery per host now and then
				TLSHandshakeTimeout:   sendTimeout,
				ResponseHeaderTimeout: sendTimeout,
			},
			// A redirect is an answer like any other that is not 2xx: not followed.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Send tries to deliver e once. Only an answer 2xx is success. ErrGone says that no later attempt makes
// sense; every other error may go away.
func (s *Sender) Send(ctx context.Context, e Event) (err error) {
	defer fault.Op(&err, "webhook.Send(%s)", e.ID)
	signer, err := standardwebhooks.NewWebhook(Secret(s.key, e.Account))
	if err != nil {
		return err
	}
	now := s.now()
	signature, err := signer.Sign(e.ID, now, e.Body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(e.Body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "ragify-webhook")
	req.Header.Set(standardwebhooks.HeaderWebhookID, e.ID)
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	res, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.CopyN(io.Discard, res.Body, maxAnswerBytes) // what it says does not matter
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		return nil
	case res.StatusCode == http.StatusGone:
		return ErrGone
	}
	return fmt.Errorf("the receiver answered %d", res.StatusCode)
}
