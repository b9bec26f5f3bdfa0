// Package authtest plays Clerk in tests: it signs session tokens and serves the key set that proves them.
package authtest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v3"
)

// Issuer is whom the tokens are from.
const Issuer = "https://happy-otter-1.clerk.accounts.dev"

// Clerk signs tokens with one RSA key.
type Clerk struct {
	Key *rsa.PrivateKey
	ID  string // of the key, the kid of its tokens
}

// New makes a Clerk with a fresh key.
func New(t testing.TB) *Clerk {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return &Clerk{Key: key, ID: "ins_" + rand.Text()}
}

// PEM is the public key.
func (c *Clerk) PEM(t testing.TB) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&c.Key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// Claims are those of a good session token for user as of now, changed by change; a nil value removes a
// claim.
func Claims(user string, now time.Time, change map[string]any) map[string]any {
	claims := map[string]any{
		"iss": Issuer, "sub": user, "sid": "sess_1", "azp": "https://app.example.com", "sts": "active", "v": 2,
		"iat": now.Unix(), "nbf": now.Unix() - 1, "exp": now.Add(time.Minute).Unix(),
	}
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

// Token signs claims with RS256.
func (c *Clerk) Token(t testing.TB, claims map[string]any) string {
	t.Helper()
	return Sign(t, jose.RS256, c.Key, c.ID, claims)
}

// Sign makes a token with any algorithm and key.
func Sign(t testing.TB, alg jose.SignatureAlgorithm, key any, kid string, claims map[string]any) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType("JWT")
	if kid != "" {
		options = options.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// API is Clerk's backend API: GET /jwks and GET /users/{id}. Its zero value has neither keys nor users.
type API struct {
	Keys       atomic.Pointer[[]*Clerk]
	Emails     map[string]string // user → primary address
	Unverified []string          // users whose primary address nobody has checked
	Down       atomic.Bool       // answers 500
	Fetches    atomic.Int64      // of the key set
	Secret     string            // expected as a Bearer token
}

// Serve starts the API and gives its base URL.
func (a *API) Serve(t testing.TB) string {
	t.Helper()
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	return server.URL
}

// ServeHTTP is as in http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/jwks" {
		a.Fetches.Add(1)
	}
	switch {
	case a.Down.Load():
		w.WriteHeader(http.StatusInternalServerError)
	case r.Header.Get("Authorization") != "Bearer "+a.Secret:
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == "/jwks":
		a.serveKeys(w)
	default:
		a.serveUser(w, r.URL.Path)
	}
}

func (a *API) serveKeys(w http.ResponseWriter) {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	if keys := a.Keys.Load(); keys != nil {
		for _, c := range *keys {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: &c.Key.PublicKey, KeyID: c.ID, Algorithm: "RS256", Use: "sig"})
		}
	}
	_ = json.NewEncoder(w).Encode(set)
}

func (a *API) serveUser(w http.ResponseWriter, path string) {
	for user, email := range a.Emails {
		status := "verified"
		if slices.Contains(a.Unverified, user) {
			status = "unverified"
		}
		if path == "/users/"+user {
			_ = json.NewEncoder(w).Encode(map[string]any{
				"id": user, "primary_email_address_id": "idn_2",
				"email_addresses": []any{
					map[string]any{"id": "idn_1", "email_address": "old@example.com"},
					map[string]any{"id": "idn_2", "email_address": email, "verification": map[string]any{"status": status}},
				},
			})
			return
		}
	}
	w.WriteHeader(http.StatusNotFound)
}
