package auth

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
	"github.com/clerk/clerk-sdk-go/v2/jwks"
	"github.com/clerk/clerk-sdk-go/v2/jwt"
	"github.com/clerk/clerk-sdk-go/v2/user"

	"github.com/ragify/ragify/internal/account"
)

// Clerk configures session tokens. With neither SecretKey nor JWTKey they are not accepted.
type Clerk struct {
	SecretKey string // CLERK_SECRET_KEY: key set and user addresses come from Clerk's API
	JWTKey    string // CLERK_JWT_KEY: PEM of the RSA key that signs; no network for tokens
	// AuthorizedParties are the front ends' origins; when there are any, a token's azp has to be one of them.
	AuthorizedParties []string
	Issuer            string // exact; "" means any Clerk issuer
	BaseURL           string // of Clerk's API; "" means Clerk's own
}

const (
	// leeway forgives clocks that are apart, in both directions: as much as Clerk's own middlewares do.
	leeway = 5 * time.Second
	// maxToken is in bytes. Clerk keeps session tokens below 4 KB, because they travel in a cookie.
	maxToken = 16 << 10
	// clerkTimeout bounds one call of Clerk's API.
	clerkTimeout = 5 * time.Second
	minRSABits   = 2048
)

// verifier checks Clerk session tokens.
type verifier struct {
	keys    keySource
	parties []string
	issuer  string
	users   *user.Client // nil without a secret key
	now     func() time.Time
}

// keySource finds the key that a token says it is signed with.
type keySource interface {
	// key gives an RSA key for RS256; errUnknownKey when there is none by that id.
	key(ctx context.Context, id string) (*clerk.JSONWebKey, error)
}

// newVerifier gives nil when c accepts no tokens.
func newVerifier(c Clerk, now func() time.Time) (*verifier, error) {
	if c.SecretKey == "" && c.JWTKey == "" {
		return nil, nil
	}
	v := &verifier{parties: c.AuthorizedParties, issuer: c.Issuer, now: now}
	backend := clerk.BackendConfig{Key: &c.SecretKey, HTTPClient: &http.Client{Timeout: clerkTimeout}}
	if c.BaseURL != "" {
		backend.URL = &c.BaseURL
	}
	if c.SecretKey != "" {
		v.users = user.NewClient(&clerk.ClientConfig{BackendConfig: backend})
		v.keys = newKeySet(jwks.NewClient(&clerk.ClientConfig{BackendConfig: backend}), now)
	}
	if c.JWTKey != "" {
		key, err := parsePEM(c.JWTKey)
		if err != nil {
			return nil, fmt.Errorf("CLERK_JWT_KEY: %w", err)
		}
		v.keys = fixedKey{key}
	}
	return v, nil
}

// parsePEM reads a public key. Line breaks may be written as \n, as they often are in the environment.
func parsePEM(text string) (*clerk.JSONWebKey, error) {
	key, err := clerk.JSONWebKeyFromPEM(strings.ReplaceAll(text, `\n`, "\n"))
	if err != nil {
		return nil, errors.New("not a PEM public key")
	}
	public, ok := key.Key.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("not an RSA key")
	}
	if public.N.BitLen() < minRSABits {
		return nil, fmt.Errorf("an RSA key of %d bits is too short", public.N.BitLen())
	}
	return key, nil
}

type fixedKey struct{ jwk *clerk.JSONWebKey }

func (k fixedKey) key(context.Context, string) (*clerk.JSONWebKey, error) { return k.jwk, nil }

// clerkUser is who a valid token speaks for.
type clerkUser struct{ id, email string }

// moreClaims are the claims that the SDK does not know. They are any, so that one of a surprising type
// is judged here.
type moreClaims struct {
	Email  any `json:"email"`
	Status any `json:"sts"`
}

// verify checks everything about a token. Faults: Unauthenticated "invalid_token"; Unavailable
// "identity_provider_unavailable".
func (v *verifier) verify(ctx context.Context, token string) (clerkUser, error) {
	const refusal = "This session token is not valid."
	if err := compact(token); err != nil {
		return clerkUser{}, errToken(refusal, err)
	}
	// What the token claims is looked at before its signature: no forged token makes us ask Clerk for keys
	// unless everything else about it is right.
	unverified, err := jwt.Decode(ctx, &jwt.DecodeParams{Token: token})
	if err != nil {
		return clerkUser{}, errToken(refusal, err)
	}
	party, _ := unverified.Extra["azp"].(string)
	if err := v.check(&unverified.RegisteredClaims, party, unverified.Extra["sts"]); err != nil {
		return clerkUser{}, errToken(refusal, err)
	}
	key, err := v.keys.key(ctx, unverified.KeyID)
	if errors.Is(err, errUnknownKey) {
		return clerkUser{}, errToken(refusal, err)
	}
	if err != nil {
		return clerkUser{}, err
	}
	params := &jwt.VerifyParams{
		Token: token, JWK: key, Leeway: leeway, Clock: clock(v.now),
		CustomClaimsConstructor: func(context.Context) any { return new(moreClaims) },
	}
	if v.issuer != "" {
		params.ProxyURL = &v.issuer // this makes the SDK compare the issuer exactly
	}
	claims, err := jwt.Verify(ctx, params)
	if err != nil {
		return clerkUser{}, errToken(refusal, err)
	}
	more := claims.Custom.(*moreClaims)
	if err := v.check(&claims.RegisteredClaims, claims.AuthorizedParty, more.Status); err != nil {
		return clerkUser{}, errToken(refusal, err)
	}
	email, _ := more.Email.(string)
	return clerkUser{claims.Subject, account.PlausibleEmail(email)}, nil
}

// clock is a time source for the SDK.
type clock func() time.Time

// Now is the time.
func (c clock) Now() time.Time { return c() }

// check judges claims: exp and sub have to be there, which the SDK does not ask for; its rule for issuers
// is too wide, and it lets an empty azp and a pending session pass.
func (v *verifier) check(c *clerk.RegisteredClaims, party string, status any) error {
	switch {
	case c.Expiry == nil:
		return errors.New("no exp claim")
	case !onCalendar(c.NotBefore) || !onCalendar(c.IssuedAt):
		return errors.New("nbf or iat is no date")
	case !account.Printable(c.Subject):
		return errors.New("no usable sub claim")
	case status != nil && status != "active":
		return fmt.Errorf("the session is %v", status)
	case !v.allowsIssuer(c.Issuer):
		return fmt.Errorf("foreign issuer %q", c.Issuer)
	case len(v.parties) > 0 && (party == "" || !slices.Contains(v.parties, party)):
		return fmt.Errorf("foreign authorized party %q", party)
	}
	return c.ValidateWithLeeway(v.now(), leeway)
}

// onCalendar tells whether a time, which may be missing, is one. Numbers that overflow turn a far future
// into a far past.
func onCalendar(seconds *int64) bool {
	const end = 253402300799 // of the year 9999, since 1970
	return seconds == nil || *seconds >= 0 && *seconds <= end
}

// allowsIssuer compares with the configured issuer or, without one, takes https://clerk.… and
// https://….clerk.accounts.dev.
func (v *verifier) allowsIssuer(issuer string) bool {
	if v.issuer != "" {
		return issuer == v.issuer
	}
	u, err := url.Parse(issuer)
	if err != nil || issuer != "https://"+u.Host || u.Port() != "" {
		return false // no path, query, user or port can hide what looks like a Clerk host
	}
	if instance, ok := strings.CutSuffix(u.Host, ".clerk.accounts.dev"); ok {
		return instance != ""
	}
	domain, ok := strings.CutPrefix(u.Host, "clerk.")
	return ok && domain != ""
}

// emailOf asks Clerk for the primary address of a user, "" when there is none that is verified or no secret key to ask with.
func (v *verifier) emailOf(ctx context.Context, userID string) (string, error) {
	if v.users == nil {
		return "", nil
	}
	u, err := v.users.Get(ctx, userID)
	if err != nil || u.PrimaryEmailAddressID == nil {
		return "", err
	}
	for _, address := range u.EmailAddresses {
		if address != nil && address.ID == *u.PrimaryEmailAddressID && address.Verification != nil && address.Verification.Status == "verified" {
			return account.PlausibleEmail(address.EmailAddress), nil
		}
	}
	return "", nil
}

// compact accepts the three-part form of a signed token only: the parser of the SDK also takes JSON.
func compact(token string) error {
	if len(token) > maxToken {
		return fmt.Errorf("%d bytes long", len(token))
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return fmt.Errorf("%d parts", len(parts))
	}
	for _, part := range parts {
		// An empty signature is how "alg": "none" looks.
		if part == "" || strings.Trim(part, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return errors.New("not base64url")
		}
	}
	return nil
}
