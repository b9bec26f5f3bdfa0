package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/ragify/ragify/api"
	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/fault"
)

// maxEventBody is in bytes. Events of a subscription have 5 kB, those of a user as much as his metadata.
const maxEventBody = 1 << 20

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
		body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxEventBody))
		if err != nil {
			if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
				return fault.Newf(fault.TooLarge, "body_too_large", "The body is larger than %d bytes.", maxEventBody).With("max_bytes", maxEventBody)
			}
			return fault.New(fault.Invalid, "invalid_body", "The body ends too early.").Because(err)
		}
		outcome, err := s.Providers.Receive(r.Context(), p, r.Header, body)
		if err != nil {
			return err
		}
		writeJSON(w, http.StatusOK, api.ProviderEvent{Outcome: outcome})
		return nil
	})
}
