// Package auth finds out whose request it is: by API key or by Clerk session token.
package auth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/plan"
)

// Method is how a request authenticated.
type Method string

// The methods, named as in the API.
const (
	ByAPIKey Method = "api_key"
	ByClerk  Method = "clerk"
)

// Identity is the caller of a request.
type Identity struct {
	Account account.Account
	Method  Method
	Plan    plan.Plan // of Account.Tier
}

// Store is the memory that an Authenticator needs.
type Store interface {
	// AccountByKeyHash finds the active key with this hash: a fault NotFound when it is unknown or revoked.
	AccountByKeyHash(ctx context.Context, hash [32]byte) (account.Account, account.Key, error)
	// AccountByClerkUser finds the account of a Clerk user and makes it on first sight. A non-empty email
	// replaces the stored one.
	AccountByClerkUser(ctx context.Context, clerkUserID, email string) (a account.Account, created bool, err error)
	// TouchKeys notes when keys were last used.
	TouchKeys(ctx context.Context, used map[uuid.UUID]time.Time) error
}

// Config is what an Authenticator needs. Store and Plans are required.
type Config struct {
	Store Store
	Plans plan.Table
	Clerk Clerk
	// TouchInterval is how often uses of keys are written; default 2 s. Any one key is written at most
	// once a minute.
	TouchInterval time.Duration
	Now           func() time.Time // default time.Now
	Logger        *slog.Logger     // default slog.Default()
}

// Authenticator authenticates requests. Safe for concurrent use.
type Authenticator struct {
	store   Store
	plans   plan.Table
	clerk   *verifier // nil: Bearer tokens are not accepted
	touched *toucher
	logger  *slog.Logger
}

// New makes an Authenticator. Its errors name the configuration variable that is wrong.
func New(c Config) (*Authenticator, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.TouchInterval <= 0 {
		c.TouchInterval = 2 * time.Second
	}
	clerk, err := newVerifier(c.Clerk, c.Now)
	if err != nil {
		return nil, err
	}
	return &Authenticator{
		store: c.Store, plans: c.Plans, clerk: clerk, logger: c.Logger,
		touched: newToucher(c.Store, c.TouchInterval, c.Now, c.Logger),
	}, nil
}

// Start begins to write when keys were last used. Calling it again does nothing.
func (a *Authenticator) Start() { a.touched.start() }

// Stop writes what is not yet written, within ctx, and ends. Calling it early or twice does nothing.
func (a *Authenticator) Stop(ctx context.Context) { a.touched.stop(ctx) }

// Authenticate finds the caller of r. An X-Api-Key header decides, whatever else there is.
//
// Faults: Unauthenticated "missing_credentials", "invalid_api_key" or "invalid_token"; Forbidden
// "api_access_not_in_plan" (fact tier) for a key of an account whose plan has no API access; Unavailable
// when the database, or for a token that looks right the key set of Clerk, cannot be reached.
func (a *Authenticator) Authenticate(r *http.Request) (Identity, error) {
	if keys, ok := r.Header["X-Api-Key"]; ok {
		return a.byKey(r.Context(), keys)
	}
	if headers, ok := r.Header["Authorization"]; ok {
		return a.byToken(r.Context(), headers)
	}
	return Identity{}, fault.New(fault.Unauthenticated, "missing_credentials",
		"This needs an API key in the X-Api-Key header or a session token in the Authorization header.")
}

func (a *Authenticator) byKey(ctx context.Context, headers []string) (Identity, error) {
	if len(headers) != 1 {
		return Identity{}, errKey("Give one X-Api-Key header, not several.")
	}
	secret, ok := account.ParseSecret(headers[0])
	if !ok {
		return Identity{}, errKey("This is not an API key: keys are rg_ and 40 lower-case hexadecimal characters.")
	}
	// Looked up in the database each time: a revoked key must not work once more, on any node.
	acct, key, err := a.store.AccountByKeyHash(ctx, secret.Hash())
	if fault.KindOf(err) == fault.NotFound {
		return Identity{}, errKey("This API key is unknown or was revoked.")
	}
	if err != nil {
		return Identity{}, err
	}
	p, err := a.planOf(acct)
	if err != nil {
		return Identity{}, err
	}
	if !p.APIAccess() {
		return Identity{}, fault.Newf(fault.Forbidden, "api_access_not_in_plan",
			"The %s plan does not include API access. Choose a plan that does to use this key.", acct.Tier).
			With("tier", acct.Tier)
	}
	a.touched.touch(key.ID)
	return Identity{acct, ByAPIKey, p}, nil
}

func (a *Authenticator) byToken(ctx context.Context, headers []string) (Identity, error) {
	token, ok := bearer(headers)
	if !ok {
		return Identity{}, errToken(`The Authorization header must be "Bearer" and a session token.`, nil)
	}
	if a.clerk == nil {
		return Identity{}, errToken("Session tokens are not accepted here. Use an API key.", nil)
	}
	user, err := a.clerk.verify(ctx, token)
	if err != nil {
		return Identity{}, err
	}
	acct, created, err := a.store.AccountByClerkUser(ctx, user.id, user.email)
	if err != nil {
		return Identity{}, err
	}
	if created {
		a.logger.InfoContext(ctx, "account created for a new Clerk user", "account", acct.ID)
		if acct.Email == "" {
			acct = a.lookUpEmail(ctx, acct)
		}
	}
	p, err := a.planOf(acct)
	return Identity{acct, ByClerk, p}, err
}

// lookUpEmail asks Clerk for the address of a new account whose token names none. The account is good
// without, so a failure is only logged.
func (a *Authenticator) lookUpEmail(ctx context.Context, acct account.Account) account.Account {
	email, err := a.clerk.emailOf(ctx, acct.ClerkUser)
	if err == nil && email != "" {
		var updated account.Account
		if updated, _, err = a.store.AccountByClerkUser(ctx, acct.ClerkUser, email); err == nil {
			return updated
		}
	}
	if err != nil {
		a.logger.WarnContext(ctx, "no email for a new Clerk user", "account", acct.ID, "error", err)
	}
	return acct
}

func (a *Authenticator) planOf(acct account.Account) (plan.Plan, error) {
	p, ok := a.plans[acct.Tier]
	if !ok {
		return plan.Plan{}, errors.New("auth: account " + string(acct.ID) + " is on an unknown plan: " + string(acct.Tier))
	}
	return p, nil
}

// bearer takes the token out of the Authorization headers. The scheme's letter case is free (RFC 9110).
func bearer(headers []string) (token string, ok bool) {
	if len(headers) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(headers[0], " ")
	return strings.Trim(token, " "), ok && strings.EqualFold(scheme, "Bearer")
}

func errKey(message string) error {
	return fault.New(fault.Unauthenticated, "invalid_api_key", message)
}

func errToken(message string, cause error) error {
	return fault.New(fault.Unauthenticated, "invalid_token", message).Because(cause)
}
