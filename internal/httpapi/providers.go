package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/ragify/ragify/api"
	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/fault"
)

// Bodies of events are read before anybody knows who sent them, since the signature is over all of them. Memory for them is
// bounded all the same: whoever opens connections gets smallEvent bytes for each, as for a header, and all together largeEvents
// times the rest. So senders of large bodies can be in the way of each other, but not of common events.
const (
	// maxEventBody is in bytes. Events of a subscription have 5 kB, those of a user as much as his metadata.
	maxEventBody = 1 << 20
	// smallEvent is in bytes, the size of the largest header that we take.
	smallEvent = 64 << 10
	// largeEvents is how many events above smallEvent are taken at once. One takes milliseconds.
	largeEvents = 16
	// largeEventRetry is what the others are told to wait; providers have pauses of their own.
	largeEventRetry = 5 * time.Second
)

// Providers takes in the webhooks of outside services.
type Providers interface {
	// Enabled tells whether a provider is configured.
	Enabled(p account.Provider) bool
	// Receive verifies a webhook by its headers and its body as it came, and does what it says, once.
	Receive(ctx context.Context, p account.Provider, h http.Header, body []byte) (account.Outcome, error)
}

// receiveEvent is POST /webhooks/{provider}. Nobody is authenticated: the signature is the credential. The
// answer is 200 whatever became of the event, which is what Lemon Squeezy takes for success.
func (s *server) receiveEvent(p account.Provider) http.HandlerFunc {
	return s.handler(func(w http.ResponseWriter, r *http.Request) error {
		if s.Providers == nil || !s.Providers.Enabled(p) {
			s.notFound(w, r)
			return nil
		}
		body, release, err := s.eventBody(r)
		if err != nil {
			return err
		}
		defer release()
		outcome, err := s.Providers.Receive(r.Context(), p, r.Header, body)
		if err != nil {
			return err
		}
		writeJSON(w, http.StatusOK, api.ProviderEvent{Outcome: outcome})
		return nil
	})
}

// eventBody reads an event's body. release is to be called when it is not needed any more.
func (s *server) eventBody(r *http.Request) (body []byte, release func(), err error) {
	// A body that is declared too large is refused before it comes.
	if r.ContentLength > maxEventBody {
		return nil, nil, errEventTooLarge()
	}
	whole := http.MaxBytesReader(nil, r.Body, maxEventBody)
	release = func() {}
	body, err = io.ReadAll(io.LimitReader(whole, smallEvent))
	if err == nil && len(body) == smallEvent {
		select {
		case s.largeEvents <- struct{}{}:
			release = func() { <-s.largeEvents }
		default:
			return nil, nil, fault.New(fault.Unavailable, "too_many_events", "Too many large events arrive at once. Send this one again in a few seconds.").
				After(largeEventRetry)
		}
		var rest []byte
		rest, err = io.ReadAll(whole)
		body = append(body, rest...)
	}
	if err == nil {
		return body, release, nil
	}
	release()
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, nil, errEventTooLarge()
	}
	return nil, nil, fault.New(fault.Invalid, "invalid_body", "The body ends too early.").Because(err)
}

func errEventTooLarge() error {
	return fault.Newf(fault.TooLarge, "body_too_large", "The body is larger than %d bytes.", maxEventBody).With("max_bytes", maxEventBody)
}
