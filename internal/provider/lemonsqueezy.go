package provider

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/plan"
)

// The length of a secret in bytes. Lemon Squeezy takes 6 to 40; we do not take what can be guessed.
const (
	minLemonSqueezySecret = 16
	maxLemonSqueezySecret = 40
)

// lemonSqueezy reads Lemon Squeezy's webhooks.
type lemonSqueezy struct {
	secret   []byte
	variants map[int64]plan.Tier
	testMode bool
}

// CheckLemonSqueezySecret refuses what is too short or too long; "" is fine.
func CheckLemonSqueezySecret(secret string) error {
	if secret != "" && (len(secret) < minLemonSqueezySecret || len(secret) > maxLemonSqueezySecret) {
		return fmt.Errorf("must have %d to %d characters", minLemonSqueezySecret, maxLemonSqueezySecret)
	}
	return nil
}

// verify checks X-Signature, the HMAC-SHA256 of the body in hexadecimal.
func (l *lemonSqueezy) verify(h http.Header, body []byte) error {
	values := h["X-Signature"]
	if len(values) != 1 {
		return errSignature(fmt.Errorf("%d headers X-Signature", len(values)))
	}
	got, err := hex.DecodeString(values[0])
	if err != nil {
		return errSignature(errors.New("not hexadecimal"))
	}
	mac := hmac.New(sha256.New, l.secret)
	mac.Write(body)
	if !hmac.Equal(got, mac.Sum(nil)) { // in constant time
		return errSignature(errors.New("another signature"))
	}
	return nil
}

// subscriptionEvents are the events that bring the whole state of a subscription. What they say beyond
// it, whether it was paused or its plan changed, does not matter: the state does.
func subscriptionEvents() []string {
	return []string{
		"subscription_created", "subscription_updated", "subscription_cancelled", "subscription_resumed", "subscription_expired",
		"subscription_paused", "subscription_unpaused", "subscription_plan_changed",
	}
}

// lemonSqueezyMeta is what every event has: https://docs.lemonsqueezy.com/help/webhooks/webhook-requests.
type lemonSqueezyMeta struct {
	Meta struct {
		EventName string `json:"event_name"`
		TestMode  bool   `json:"test_mode"`
		// What the checkout was given as custom data, and so the buyer can choose: by paying for another
		// account he can only do it good.
		CustomData json.RawMessage `json:"custom_data"`
	} `json:"meta"`
}

// lemonSqueezySubscription is what we read of a subscription: https://docs.lemonsqueezy.com/api/subscriptions/the-subscription-object.
type lemonSqueezySubscription struct {
	Data struct {
		Type       string `json:"type"`
		ID         string `json:"id"`
		Attributes struct {
			VariantID int64                      `json:"variant_id"`
			Status    account.SubscriptionStatus `json:"status"`
			EndsAt    *time.Time                 `json:"ends_at"`
			UpdatedAt time.Time                  `json:"updated_at"`
			TestMode  bool                       `json:"test_mode"`
		} `json:"attributes"`
	} `json:"data"`
}

func (l *lemonSqueezy) parse(h http.Header, body []byte) (m message, err error) {
	if err := l.verify(h, body); err != nil {
		return m, err
	}
	var meta lemonSqueezyMeta
	if err := json.Unmarshal(body, &meta); err != nil || meta.Meta.EventName == "" {
		return m, errEvent("no JSON object with meta.event_name")
	}
	if !slices.Contains(subscriptionEvents(), meta.Meta.EventName) {
		m.outcome = account.Ignored
		return m, nil
	}
	digest := sha256.Sum256(body) // events have no id
	m.event = account.Event{Provider: account.LemonSqueezy, ID: hex.EncodeToString(digest[:]), Type: meta.Meta.EventName}
	var e lemonSqueezySubscription
	if err := json.Unmarshal(body, &e); err != nil {
		return m, errEvent("the data is of another form")
	}
	a := e.Data.Attributes
	switch {
	case e.Data.Type != "subscriptions" || !account.Printable(e.Data.ID):
		return m, errEvent("data is not a subscription")
	case !slices.Contains(account.SubscriptionStatuses(), a.Status):
		return m, errEvent("data.attributes.status is unknown")
	case !plausibleTime(a.UpdatedAt) || a.EndsAt != nil && !plausibleTime(*a.EndsAt):
		return m, errEvent("data.attributes has an implausible time")
	case (meta.Meta.TestMode || a.TestMode) != l.testMode:
		m.outcome = account.OtherMode
		return m, nil
	}
	s := account.Subscription{
		ID: e.Data.ID, Owner: ownerOf(meta.Meta.CustomData), Variant: a.VariantID, Tier: l.variants[a.VariantID],
		Status: a.Status, EndsAt: a.EndsAt, UpdatedAt: a.UpdatedAt,
	}
	m.apply = func(ctx context.Context, st Store) (account.Outcome, account.ID, error) {
		return st.ApplySubscription(ctx, m.event, s)
	}
	return m, nil
}

// ownerOf finds user_id in the custom data. The buyer's address is no substitute: nobody has checked that it is his.
func ownerOf(custom json.RawMessage) string {
	var data struct {
		UserID string `json:"user_id"`
	}
	if err := json.Unmarshal(custom, &data); err != nil || !account.Printable(data.UserID) {
		return "" // none, an array as PHP writes an empty object, or something else
	}
	return data.UserID
}
