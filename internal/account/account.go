// Package account has the nouns and rules of accounts, API keys and the month's pages. No SQL, no HTTP.
package account

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/google/uuid"

	"github.com/ragify/ragify/internal/plan"
)

// ID names an account: "usr_" + 24 lower-case hex characters.
type ID string

// NewID makes a random account id.
func NewID() ID { return ID("usr_" + randomHex(12)) }

// Account is a paying (or free) customer.
type Account struct {
	ID         ID
	Email      string // "" when unknown
	ClerkUser  string // Clerk's user id, "" for accounts made by the operator
	Tier       plan.Tier
	ActiveJobs int // jobs pending or processing now
	CreatedAt  time.Time
	WebhookURL string // for jobs that name none, "" for none
}

// Key is an API key without its secret.
type Key struct {
	ID         uuid.UUID
	Account    ID
	Name       string
	Prefix     string // "rg_" + first 8 hex characters
	Active     bool
	CreatedAt  time.Time
	LastUsedAt *time.Time // nil: never
}

// Secret is the raw API key. It must not be stored or logged: String and GoString hide it, and the
// pointer hides it from fmt even where it cannot call them (unexported fields). The zero Secret is
// not a key.
type Secret struct{ raw *string }

// rawKeyBytes is the randomness of a key: 160 bits, shown as 40 hex characters.
const rawKeyBytes = 20

// NewSecret makes a random key.
func NewSecret() Secret { return Secret{new("rg_" + randomHex(rawKeyBytes))} }

// ParseSecret accepts exactly "rg_" + 40 lower-case hex characters.
func ParseSecret(s string) (Secret, bool) {
	if len(s) != 3+2*rawKeyBytes || s[:3] != "rg_" {
		return Secret{}, false
	}
	for _, c := range []byte(s[3:]) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return Secret{}, false
		}
	}
	return Secret{&s}, true
}

// Reveal gives the raw key, for the one response that may carry it.
func (s Secret) Reveal() string { return *s.raw }

// Prefix is what may be shown later.
func (s Secret) Prefix() string { return (*s.raw)[:11] }

// Hash is what is stored and looked up. The key has 160 random bits, so a fast hash is enough.
func (s Secret) Hash() [sha256.Size]byte { return sha256.Sum256([]byte(*s.raw)) }

// String hides the secret.
func (s Secret) String() string { return "rg_********" }

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return s.String() }

// Period is one calendar month in UTC: Start inclusive, End exclusive.
type Period struct{ Start, End time.Time }

// PeriodOf is the period that t falls into.
func PeriodOf(t time.Time) Period {
	t = t.UTC()
	start := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	return Period{start, start.AddDate(0, 1, 0)}
}

// Usage is what an account has used in one period.
type Usage struct {
	Period    Period
	PagesUsed int // reserved or charged, refunds taken off
}

// EntryKind is what a ledger entry did.
type EntryKind string

// A page entry's life: reserved at submission, then charged when done or refunded when failed or cancelled.
const (
	Reserve EntryKind = "reserve"
	Charge  EntryKind = "charge"
	Refund  EntryKind = "refund"
)

// Entry is one line of the page ledger. Job stays readable after the job's record is deleted.
type Entry struct {
	ID    int64
	Kind  EntryKind
	Job   uuid.UUID
	Pages int // always positive
	At    time.Time
}

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails (Go 1.24)
	return hex.EncodeToString(b)
}
