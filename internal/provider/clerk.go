package provider

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/fault"
)

// minClerkSecret is in bytes; Svix makes secrets of 24.
const minClerkSecret = 16

// clerk reads Clerk's webhooks, which Svix sends.
//
// Svix's own library brings a client of its whole API along; the one of Standard Webhooks, which Svix
// wrote too, verifies the same signatures, and goes by other names of the headers.
type clerk struct{ verifier *standardwebhooks.Webhook }

// CheckClerkSecret refuses what cannot be a signing secret of Clerk's; "" is fine.
func CheckClerkSecret(secret string) error {
	encoded, ok := strings.CutPrefix(secret, "whsec_")
	if key, err := base64.StdEncoding.DecodeString(encoded); secret != "" && (!ok || err != nil || len(key) < minClerkSecret) {
		return errors.New("must be what Clerk shows as the endpoint's signing key: whsec_ and base64")
	}
	return nil
}

// svixHeaders maps the names of Svix's headers to those of Standard Webhooks.
func svixHeaders() map[string]string {
	return map[string]string{
		"Svix-Id":        standardwebhooks.HeaderWebhookID,
		"Svix-Timestamp": standardwebhooks.HeaderWebhookTimestamp,
		"Svix-Signature": standardwebhooks.HeaderWebhookSignature,
	}
}

// verify checks the signature and, within five minutes, its time, and returns the event's id, which is signed, too.
// While a secret is being replaced there are signatures by both; one that is right suffices.
func (c *clerk) verify(h http.Header, body []byte) (id string, err error) {
	standard := make(http.Header)
	for svix, name := range svixHeaders() {
		values := h[svix]
		if len(values) != 1 {
			return "", errSignature(fmt.Errorf("%d headers %s", len(values), svix))
		}
		standard.Set(name, values[0])
	}
	err = c.verifier.Verify(body, standard)
	switch {
	case errors.Is(err, standardwebhooks.ErrMessageTooOld), errors.Is(err, standardwebhooks.ErrMessageTooNew):
		return "", fault.New(fault.Unauthenticated, "signature_expired",
			"This webhook was signed more than five minutes ago, or the clocks differ by as much.").Because(err)
	case err != nil:
		return "", errSignature(errors.New("no signature matches")) // the library's error may show a header
	}
	id = h["Svix-Id"][0]
	if !account.Printable(id) {
		return "", errEvent("svix-id is not an id")
	}
	return id, nil
}

// clerkEvent is what we read of an event: https://clerk.com/docs/webhooks/overview, Payload structure.
type clerkEvent struct {
	Type string `json:"type"`
	Data struct {
		ID             string `json:"id"`
		PrimaryEmailID string `json:"primary_email_address_id"`
		UpdatedAt      int64  `json:"updated_at"` // milliseconds since 1970
		EmailAddresses []struct {
			ID      string `json:"id"`
			Address string `json:"email_address"`
			// Operators find accounts by their address: one that nobody has checked could be somebody else's.
			Verification struct {
				Status string `json:"status"`
			} `json:"verification"`
		} `json:"email_addresses"`
	} `json:"data"`
}

func (c *clerk) parse(h http.Header, body []byte) (m message, err error) {
	id, err := c.verify(h, body)
	if err != nil {
		return m, err
	}
	// The type first: what other events hold need not suit us.
	var kind struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(body, &kind); err != nil || kind.Type == "" {
		return m, errEvent("no JSON object with a type")
	}
	if !slices.Contains([]string{"user.created", "user.updated", "user.deleted"}, kind.Type) {
		m.outcome = account.Ignored
		return m, nil
	}
	m.event = account.Event{Provider: account.Clerk, ID: id, Type: kind.Type}
	var e clerkEvent
	if err := json.Unmarshal(body, &e); err != nil {
		return m, errEvent("the data is of another form")
	}
	change := account.ClerkChange{User: e.Data.ID, Deleted: kind.Type == "user.deleted"}
	if !account.Printable(change.User) {
		return m, errEvent("data.id is not a user's id")
	}
	if !change.Deleted {
		change.At = time.UnixMilli(e.Data.UpdatedAt)
		if !plausibleTime(change.At) {
			return m, errEvent("data.updated_at is not a time")
		}
		for _, address := range e.Data.EmailAddresses {
			if address.ID == e.Data.PrimaryEmailID && address.ID != "" && address.Verification.Status == "verified" {
				change.Email = account.PlausibleEmail(address.Address)
			}
		}
	}
	m.apply = func(ctx context.Context, s Store) (account.Outcome, account.ID, error) {
		return s.ApplyClerkChange(ctx, m.event, change)
	}
	return m, nil
}

// plausibleTime accepts what a provider's clock can have shown, and Postgres can keep.
func plausibleTime(t time.Time) bool { return t.Year() >= 2000 && t.Year() <= 9999 }
