package account

import (
	"strings"
	"time"

	"github.com/ragify/ragify/internal/plan"
)

// Provider names an outside service that tells us about accounts.
type Provider string

// The providers, named as in the paths of their webhooks.
const (
	Clerk        Provider = "clerk"
	LemonSqueezy Provider = "lemonsqueezy"
)

// Event identifies one message of a provider.
type Event struct {
	Provider Provider
	ID       string // the same at every delivery of the event
	Type     string // one of those that we know
}

// Outcome is what became of an event.
type Outcome string

// The outcomes. All of them are final: the provider need not send the event again.
const (
	Applied        Outcome = "applied"
	Duplicate      Outcome = "duplicate"       // of an event that was seen before
	Stale          Outcome = "stale"           // what it says is older than what is known
	Ignored        Outcome = "ignored"         // of a type that changes nothing here
	OtherMode      Outcome = "other_mode"      // a test event in live mode, or the other way round
	NoAccount      Outcome = "no_account"      // noted, but the subscription belongs to no account
	UnknownVariant Outcome = "unknown_variant" // noted, but the subscription's variant gives no plan
)

// ClerkChange is what Clerk says about one of its users.
type ClerkChange struct {
	User    string
	Deleted bool
	Email   string    // verified primary address, "" for none; not of deleted users
	At      time.Time // of the change, by Clerk's clock; not of deleted users
}

// SubscriptionStatus is the state of a subscription in Lemon Squeezy's words.
type SubscriptionStatus string

// The states, the later ones further from being paid for: of two states of the same moment the later one counts.
const (
	OnTrial   SubscriptionStatus = "on_trial"
	Active    SubscriptionStatus = "active"
	PastDue   SubscriptionStatus = "past_due"  // a payment failed and is being tried again
	Cancelled SubscriptionStatus = "cancelled" // paid for until EndsAt
	Paused    SubscriptionStatus = "paused"
	Unpaid    SubscriptionStatus = "unpaid"
	Expired   SubscriptionStatus = "expired"
)

// SubscriptionStatuses lists every state in their order.
func SubscriptionStatuses() []SubscriptionStatus {
	return []SubscriptionStatus{OnTrial, Active, PastDue, Cancelled, Paused, Unpaid, Expired}
}

// Subscription is one state of a subscription.
type Subscription struct {
	ID        string
	Owner     string    // an account's ID or its ClerkUser, "" when unknown
	Variant   int64     // Lemon Squeezy's number of what was bought
	Tier      plan.Tier // what the variant gives, "" when that is unknown
	Status    SubscriptionStatus
	EndsAt    *time.Time // when a cancelled one is over
	UpdatedAt time.Time  // since when it is in this state, by Lemon Squeezy's clock
}

// Owned is a known subscription with the account that it belongs to, "" for none.
type Owned struct {
	Subscription
	Account ID
}

// Printable tells whether a name that another service gave is sound: not empty, at most 255 bytes of ASCII without control
// characters.
func Printable(id string) bool {
	const most = 255
	if id == "" || len(id) > most {
		return false
	}
	for _, c := range []byte(id) {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}

// PlausibleEmail gives "" for what is no address.
func PlausibleEmail(s string) string {
	const most = 254 // RFC 5321
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at == len(s)-1 || len(s) > most || !Printable(s) {
		return ""
	}
	return s
}
