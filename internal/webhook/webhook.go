// Package webhook tells a client's server that a job has ended, as the Standard Webhooks specification
// has it: a signed POST whose receiver can check who sent it, when, and that it is no repetition.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/job"
)

const (
	maxURLBytes = 2048
	// sendTimeout bounds one attempt, from the name lookup to the end of the answer: the least that the specification
	// recommends, for a slow receiver keeps a worker busy.
	sendTimeout = 15 * time.Second
	// maxAnswerBytes is what is read of an answer's body, which is thrown away: a receiver that is cut off in the middle of
	// a short one would log an error.
	maxAnswerBytes = 16 << 10
	// maxHeaderBytes bounds an answer's header. Go's own limit is 10 MB.
	maxHeaderBytes = 64 << 10
	// maxRetryAfter bounds what a receiver may ask for: a day, about the last pause between attempts.
	maxRetryAfter = 24 * time.Hour
)

// Secret is what an account verifies the signatures of its webhooks with: "whsec_" and base64. It is
// derived from the service's signing key, so nothing has to be stored.
func Secret(signingKey []byte, id account.ID) string {
	mac := hmac.New(sha256.New, signingKey)
	mac.Write([]byte("webhook:" + string(id)))
	return "whsec_" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// CheckURL accepts an absolute http or https URL without user name, of at most 2048 bytes. Its port is 80, 443 or 1024 and
// above: the others belong to services, mail for one, that must not hear from us what a client makes us say. Whether its
// host may be called is decided at the time of the call. Fault: Invalid "invalid_webhook_url" with the
// fact field, "webhook_url".
func CheckURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || !utf8.ValidString(raw) || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil || len(raw) > maxURLBytes {
		return fault.New(fault.Invalid, "invalid_webhook_url", "The webhook's URL must be an http or https URL without user name, of at most 2048 characters.").
			With("field", "webhook_url")
	}
	if port := u.Port(); port != "" && port != "80" && port != "443" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n < 1024 {
			return fault.New(fault.Invalid, "invalid_webhook_url", "The webhook's URL must have the port 80, 443, or one from 1024 to 65535.").
				With("field", "webhook_url")
		}
	}
	return nil
}

// Config is what a Sender needs.
type Config struct {
	// SigningKeys are what Secret derives from: the present key first, then those that receivers may still know. Every
	// attempt is signed with all of them. At least one is required.
	SigningKeys [][]byte
	// AllowPrivate lets webhooks reach loopback, private (RFC 1918, fc00::/7) and shared (100.64.0.0/10) addresses. Off, a
	// client cannot make the service talk to its own network. Link-local addresses and the metadata services of clouds stay
	// out of reach.
	AllowPrivate bool
	// AllowNetworks are ranges that webhooks may reach, whatever they are.
	AllowNetworks []netip.Prefix
	Now           func() time.Time      // default time.Now
	Registry      prometheus.Registerer // optional

	resolver *net.Resolver // of tests; nil means the system's
}

// Sender delivers events. Safe for concurrent use.
type Sender struct {
	keys    [][]byte
	now     func() time.Time
	client  *http.Client
	metrics metrics
}

// New makes a sender.
func New(c Config) (*Sender, error) {
	if len(c.SigningKeys) == 0 {
		return nil, errors.New("webhook: a signing key is required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	m, err := newMetrics(c.Registry)
	if err != nil {
		return nil, err
	}
	return &Sender{
		keys: c.SigningKeys, now: c.Now, metrics: m,
		client: &http.Client{
			Timeout: sendTimeout,
			Transport: &http.Transport{
				// No Proxy: a proxy would dial in our place, unguarded.
				DialContext:            guard{c.AllowPrivate, c.AllowNetworks}.dialer(c.resolver).DialContext,
				ForceAttemptHTTP2:      true,
				DisableKeepAlives:      true, // one delivery per host now and then
				DisableCompression:     true, // nobody reads the answer
				MaxResponseHeaderBytes: maxHeaderBytes,
			},
			// A redirect is an answer like any other that is not 2xx: not followed.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Result is what came of one attempt.
type Result struct {
	job.Attempt
	// RetryAfter is how long the receiver asks to be left alone, at most a day; 0 when it does not.
	RetryAfter time.Duration
}

// Send tries to deliver e once. Only an answer 2xx is success (job.AttemptDelivered); after job.AttemptGone no later attempt
// makes sense; every other outcome may be another one later. An error means that nothing was sent, for a reason of ours. The
// log of an attempt that ctx ended says nothing about the receiver.
func (s *Sender) Send(ctx context.Context, e Event) (r Result, err error) {
	defer fault.Op(&err, "webhook.Send(%s)", e.ID)
	r.At = s.now().UTC()
	req, err := s.request(ctx, e, r.At)
	if err != nil {
		return Result{}, err
	}
	began := time.Now()
	res, err := s.client.Do(req)
	if err != nil {
		r.Outcome = outcomeOf(err) // the error itself has the URL, which may hold a secret
	} else {
		_, _ = io.CopyN(io.Discard, res.Body, maxAnswerBytes)
		_ = res.Body.Close()
		r.HTTPStatus, r.Outcome, r.RetryAfter = res.StatusCode, outcomeOfStatus(res.StatusCode), retryAfter(res.Header, r.At)
	}
	r.Took = time.Since(began)
	if ctx.Err() == nil {
		s.metrics.count(r.Attempt)
	}
	return r, nil
}

// request is e as it is sent at a time, signed.
func (s *Sender) request(ctx context.Context, e Event, at time.Time) (*http.Request, error) {
	signatures := make([]string, len(s.keys))
	for i, key := range s.keys {
		signer, err := standardwebhooks.NewWebhook(Secret(key, e.Account))
		if err != nil {
			return nil, err
		}
		if signatures[i], err = signer.Sign(e.ID, at, e.Body); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(e.Body))
	if err != nil {
		return nil, errors.New("the URL is malformed") // it was checked, and an error would hold it
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "ragify-webhook")
	req.Header.Set(standardwebhooks.HeaderWebhookID, e.ID)
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return req, nil
}

// retryAfter reads the header of that name, a number of seconds or a date (RFC 9110, section 10.2.3).
func retryAfter(h http.Header, now time.Time) time.Duration {
	raw := h.Get("Retry-After")
	if raw == "" {
		return 0
	}
	var wait time.Duration
	if seconds, err := strconv.ParseUint(raw, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if date, err := http.ParseTime(raw); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
