// Package provider takes in the webhooks of outside services that decide about accounts: Clerk, whose
// users they belong to, and Lemon Squeezy, where plans are paid. A message is verified over the bytes as
// they came before it is looked at, and takes effect once however often and wherever it arrives.
package provider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/plan"
)

// Store keeps what the providers say.
type Store interface {
	// ApplyClerkChange makes, changes or deletes the account of a Clerk user, once for each event.
	ApplyClerkChange(ctx context.Context, e account.Event, c account.ClerkChange) (account.Outcome, account.ID, error)
	// ApplySubscription notes a subscription's new state, once for each event.
	ApplySubscription(ctx context.Context, e account.Event, s account.Subscription) (account.Outcome, account.ID, error)
}

// Config is what a Receiver needs. Store is required; a provider without a secret is off.
type Config struct {
	Store              Store
	ClerkSecret        string              // signing secret of the endpoint at Clerk: "whsec_" and base64
	LemonSqueezySecret string              // signing secret of the webhook at Lemon Squeezy
	Variants           map[int64]plan.Tier // what the variants of products at Lemon Squeezy give
	TestMode           bool                // take the events of Lemon Squeezy's test mode, and only those
	Logger             *slog.Logger        // default slog.Default()
	Registry           prometheus.Registerer
}

// Receiver takes in events. Safe for concurrent use.
type Receiver struct {
	store     Store
	providers map[account.Provider]parser
	logger    *slog.Logger
	events    *prometheus.CounterVec
}

// parser verifies a message and says what it wants. The type is known as soon as the message is verified, with an error, too.
type parser interface {
	parse(h http.Header, body []byte) (message, error)
}

// message is what a verified event wants.
type message struct {
	event account.Event
	// apply is nil for an event that changes nothing; then outcome says why.
	apply   func(ctx context.Context, s Store) (account.Outcome, account.ID, error)
	outcome account.Outcome
}

// otherType stands in metrics and logs for types that we do not know.
const otherType = "other"

// New makes a receiver. Its errors begin with the configuration variable that is wrong.
func New(c Config) (*Receiver, error) {
	r := &Receiver{
		store: c.Store, providers: make(map[account.Provider]parser), logger: c.Logger,
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ragify_provider_events_total",
			Help: "Webhooks received from providers, by what became of them; refused: not verified or not understood, failed: to be sent again.",
		}, []string{"provider", "event", "outcome"}),
	}
	if r.logger == nil {
		r.logger = slog.Default()
	}
	if err := CheckClerkSecret(c.ClerkSecret); err != nil {
		return nil, fmt.Errorf("CLERK_WEBHOOK_SECRET: %w", err)
	}
	if err := CheckLemonSqueezySecret(c.LemonSqueezySecret); err != nil {
		return nil, fmt.Errorf("LEMONSQUEEZY_WEBHOOK_SECRET: %w", err)
	}
	if c.ClerkSecret != "" {
		verifier, err := standardwebhooks.NewWebhook(c.ClerkSecret)
		if err != nil {
			return nil, fmt.Errorf("CLERK_WEBHOOK_SECRET: %w", err)
		}
		r.providers[account.Clerk] = &clerk{verifier}
	}
	if c.LemonSqueezySecret != "" {
		r.providers[account.LemonSqueezy] = &lemonSqueezy{[]byte(c.LemonSqueezySecret), c.Variants, c.TestMode}
	}
	if c.Registry != nil {
		if err := c.Registry.Register(r.events); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Enabled tells whether a provider is configured.
func (r *Receiver) Enabled(p account.Provider) bool { return r.providers[p] != nil }

// Receive takes in one webhook of an enabled provider: its headers and its body as it came.
//
// Faults: Unauthenticated "invalid_signature" or "signature_expired"; Invalid "invalid_event" for what is
// signed but not understood; Unavailable when the database is away.
func (r *Receiver) Receive(ctx context.Context, p account.Provider, h http.Header, body []byte) (account.Outcome, error) {
	parser := r.providers[p]
	if parser == nil {
		return "", fmt.Errorf("provider %q is not configured", p)
	}
	m, err := parser.parse(h, body)
	if m.event.Type == "" {
		m.event.Type = otherType
	}
	if err != nil {
		r.count(p, m.event.Type, "refused")
		return "", err
	}
	if m.apply == nil {
		r.count(p, m.event.Type, string(m.outcome))
		r.logger.DebugContext(ctx, "event of a provider", "provider", p, "event", m.event.Type, "outcome", m.outcome)
		return m.outcome, nil
	}
	outcome, id, err := m.apply(ctx, r.store)
	if err != nil {
		r.count(p, m.event.Type, "failed")
		return "", err
	}
	r.count(p, m.event.Type, string(outcome))
	level := slog.LevelInfo
	if outcome == account.NoAccount || outcome == account.UnknownVariant {
		level = slog.LevelWarn // somebody pays and does not get it
	}
	r.logger.Log(ctx, level, "event of a provider", "provider", p, "event", m.event.Type, "event_id", m.event.ID, "outcome", outcome, "account", id)
	return outcome, nil
}

func (r *Receiver) count(p account.Provider, event, outcome string) {
	r.events.WithLabelValues(string(p), event, outcome).Inc()
}

// ParseVariants reads what variants give: "12345=pro,67890=business".
func ParseVariants(text string) (map[int64]plan.Tier, error) {
	variants := make(map[int64]plan.Tier)
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		number, name, _ := strings.Cut(pair, "=")
		id, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		tier := plan.Tier(strings.TrimSpace(name))
		switch {
		case err != nil || id < 1:
			return nil, fmt.Errorf("%q is not of the form VARIANT=PLAN with the number of a variant", strings.TrimSpace(pair))
		case !slices.Contains(plan.Tiers(), tier):
			return nil, fmt.Errorf("there is no plan %q", tier)
		case variants[id] != "":
			return nil, fmt.Errorf("variant %d is named twice", id)
		}
		variants[id] = tier
	}
	return variants, nil
}

func errSignature(cause error) error {
	return fault.New(fault.Unauthenticated, "invalid_signature", "The signature of this webhook is missing or does not match its body and the configured secret.").
		Because(cause)
}

// errEvent is for what the provider signed and we do not understand. The cause names fields, no contents.
func errEvent(cause string) error {
	return fault.New(fault.Invalid, "invalid_event", "The signature is right, but the body is not an event of the expected form.").
		Because(errors.New(cause))
}
