package auth_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/auth"
	"github.com/ragify/ragify/internal/auth/authtest"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/plan"
)

// memory is a Store of one key and any number of Clerk users.
type memory struct {
	secret account.Secret
	key    uuid.UUID
	tier   plan.Tier

	mu      sync.Mutex
	users   map[string]account.Account
	touches []map[uuid.UUID]time.Time
	failing bool
}

func newMemory() *memory {
	return &memory{secret: account.NewSecret(), key: uuid.New(), tier: plan.Pro, users: make(map[string]account.Account)}
}

func (m *memory) AccountByKeyHash(_ context.Context, hash [32]byte) (account.Account, account.Key, error) {
	if hash != m.secret.Hash() {
		return account.Account{}, account.Key{}, fault.New(fault.NotFound, "api_key_not_found", "No.")
	}
	return account.Account{ID: "usr_1", Tier: m.tier}, account.Key{ID: m.key}, nil
}

func (m *memory) AccountByClerkUser(_ context.Context, user, email string) (account.Account, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.users[user]
	if !ok {
		a = account.Account{ID: account.NewID(), ClerkUser: user, Tier: plan.Free}
	}
	if email != "" {
		a.Email = email
	}
	m.users[user] = a
	return a, !ok, nil
}

func (m *memory) TouchKeys(_ context.Context, used map[uuid.UUID]time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing {
		return errors.New("away")
	}
	m.touches = append(m.touches, used)
	return nil
}

func (m *memory) fail(failing bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failing = failing
}

func (m *memory) writes() []map[uuid.UUID]time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.touches
}

func newAuthenticator(t testing.TB, c auth.Config) *auth.Authenticator {
	t.Helper()
	c.Plans = plan.Default()
	a, err := auth.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func request(headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/auth/me", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func TestAuthenticate_by_key(t *testing.T) {
	m := newMemory()
	a := newAuthenticator(t, auth.Config{Store: m})
	raw := m.secret.Reveal()
	for name, tc := range map[string]struct {
		headers []string
		code    string // "" means accepted
	}{
		"the key":               {[]string{"X-Api-Key", raw}, ""},
		"the key and a token":   {[]string{"X-Api-Key", raw, "Authorization", "Bearer x"}, ""},
		"nothing":               {nil, "missing_credentials"},
		"an empty key":          {[]string{"X-Api-Key", ""}, "invalid_api_key"},
		"an empty key, a token": {[]string{"X-Api-Key", "", "Authorization", "Bearer x"}, "invalid_api_key"},
		"another key":           {[]string{"X-Api-Key", account.NewSecret().Reveal()}, "invalid_api_key"},
		"upper case":            {[]string{"X-Api-Key", strings.ToUpper(raw)}, "invalid_api_key"},
		"a short key":           {[]string{"X-Api-Key", raw[:len(raw)-1]}, "invalid_api_key"},
		"the key twice":         {[]string{"X-Api-Key", raw, "X-Api-Key", raw}, "invalid_api_key"},
		"the key as a token":    {[]string{"Authorization", "Bearer " + raw}, "invalid_token"},
		"another scheme":        {[]string{"Authorization", "Basic " + raw}, "invalid_token"},
	} {
		t.Run(name, func(t *testing.T) {
			id, err := a.Authenticate(request(tc.headers...))
			if tc.code == "" {
				if err != nil || id.Method != auth.ByAPIKey || id.Account.ID != "usr_1" || id.Plan.Tier != plan.Pro {
					t.Fatalf("%+v, %v", id, err)
				}
				return
			}
			if f := fault.From(err); f.Kind != fault.Unauthenticated || f.Code != tc.code {
				t.Fatalf("%v, want %s", err, tc.code)
			}
			if strings.Contains(err.Error(), raw[11:]) {
				t.Errorf("the error tells the key: %v", err)
			}
		})
	}
}

func TestAuthenticate_refuses_keys_on_plans_without_API_access(t *testing.T) {
	m := newMemory()
	m.tier = plan.Free
	a := newAuthenticator(t, auth.Config{Store: m})
	_, err := a.Authenticate(request("X-Api-Key", m.secret.Reveal()))
	if f := fault.From(err); f.Kind != fault.Forbidden || f.Code != "api_access_not_in_plan" || f.Facts["tier"] != plan.Free {
		t.Fatalf("%v", err)
	}
}

func TestAuthenticate_without_Clerk_refuses_tokens(t *testing.T) {
	clerk := authtest.New(t)
	a := newAuthenticator(t, auth.Config{Store: newMemory()})
	token := clerk.Token(t, authtest.Claims("user_1", time.Now(), nil))
	_, err := a.Authenticate(request("Authorization", "Bearer "+token))
	wantCode(t, err, fault.Unauthenticated, "invalid_token")
}

func TestNew_names_the_bad_variable(t *testing.T) {
	for name, pem := range map[string]string{
		"garbage": "not a key",
		"an elliptic key": "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9\n" +
			"q9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==\n-----END PUBLIC KEY-----\n",
	} {
		_, err := auth.New(auth.Config{Store: newMemory(), Plans: plan.Default(), Clerk: auth.Clerk{JWTKey: pem}})
		if err == nil || !strings.HasPrefix(err.Error(), "CLERK_JWT_KEY: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestClerk_PEM_may_be_written_in_one_line(t *testing.T) {
	clerk := authtest.New(t)
	a := newAuthenticator(t, auth.Config{Store: newMemory(), Clerk: auth.Clerk{JWTKey: strings.ReplaceAll(clerk.PEM(t), "\n", `\n`)}})
	for _, scheme := range []string{"Bearer ", "bearer ", "BEARER  "} {
		if _, err := a.Authenticate(request("Authorization", scheme+clerk.Token(t, authtest.Claims("user_1", time.Now(), nil)))); err != nil {
			t.Errorf("%q: %v", scheme, err)
		}
	}
}

func TestClerk_issuer(t *testing.T) {
	clerk := authtest.New(t)
	accepts := func(configured, issuer string) bool {
		a := newAuthenticator(t, auth.Config{Store: newMemory(), Clerk: auth.Clerk{JWTKey: clerk.PEM(t), Issuer: configured}})
		_, err := a.Authenticate(request("Authorization", "Bearer "+clerk.Token(t, authtest.Claims("user_1", time.Now(), map[string]any{"iss": issuer}))))
		return err == nil
	}
	for issuer, want := range map[string]bool{
		"https://clerk.example.com":                    true,
		"https://happy-otter-1.clerk.accounts.dev":     true,
		"http://clerk.example.com":                     false,
		"https://clerk.":                               false,
		"https://.clerk.accounts.dev":                  false,
		"https://evil.example/.clerk.accounts.dev":     false,
		"https://x.clerk.accounts.dev.evil.example":    false,
		"https://x.clerk.accounts.dev/":                false,
		"https://x.clerk.accounts.dev@evil.example":    false,
		"https://clerk.example.com:8443":               false,
		"https://example.com":                          false,
		"https://notclerk.example.com":                 false,
		"":                                             false,
		"https://clerk.example.com#.evil.example":      false,
		"https://example.com?x=.clerk.accounts.dev":    false,
		"https://x.clerk.accounts.development.invalid": false,
	} {
		if got := accepts("", issuer); got != want {
			t.Errorf("any Clerk issuer: %q accepted: %v", issuer, got)
		}
	}
	const own = "https://auth.example.com/clerk"
	if !accepts(own, own) {
		t.Error("the configured issuer is refused")
	}
	if accepts(own, authtest.Issuer) || accepts(own, own+"/") {
		t.Error("another issuer than the configured one is accepted")
	}
}

func TestClerk_leeway_is_five_seconds(t *testing.T) {
	clerk := authtest.New(t)
	now := time.Now().Truncate(time.Second)
	a := newAuthenticator(t, auth.Config{Store: newMemory(), Clerk: auth.Clerk{JWTKey: clerk.PEM(t)}, Now: func() time.Time { return now }})
	for _, tc := range []struct {
		claim  string
		offset time.Duration
		want   bool
	}{
		{"exp", -4 * time.Second, true},
		{"exp", -6 * time.Second, false},
		{"nbf", 4 * time.Second, true},
		{"nbf", 6 * time.Second, false},
		{"iat", 6 * time.Second, false},
	} {
		claims := authtest.Claims("user_1", now, map[string]any{tc.claim: now.Add(tc.offset).Unix()})
		_, err := a.Authenticate(request("Authorization", "Bearer "+clerk.Token(t, claims)))
		if got := err == nil; got != tc.want {
			t.Errorf("%s %v from now: accepted %v (%v)", tc.claim, tc.offset, got, err)
		}
	}
}

// TestClerk_times_beyond_all_calendars: as integers they overflow, and a far future becomes a far past.
func TestClerk_times_beyond_all_calendars(t *testing.T) {
	clerk := authtest.New(t)
	a := newAuthenticator(t, auth.Config{Store: newMemory(), Clerk: auth.Clerk{JWTKey: clerk.PEM(t)}})
	for _, claim := range []string{"nbf", "iat"} {
		for _, when := range []any{1e30, 9.2e18, int64(math.MaxInt64), 1e13} {
			claims := authtest.Claims("user_1", time.Now(), map[string]any{claim: when})
			_, err := a.Authenticate(request("Authorization", "Bearer "+clerk.Token(t, claims)))
			wantCode(t, err, fault.Unauthenticated, "invalid_token")
		}
	}
}

func TestClerk_email_of_a_new_user(t *testing.T) {
	clerk := authtest.New(t)
	api := &authtest.API{
		Secret: "sk_test_1", Emails: map[string]string{"user_asked": "asked@example.com", "user_unchecked": "victim@example.com"},
		Unverified: []string{"user_unchecked"},
	}
	api.Keys.Store(&[]*authtest.Clerk{clerk})
	m := newMemory()
	a := newAuthenticator(t, auth.Config{Store: m, Clerk: auth.Clerk{SecretKey: "sk_test_1", BaseURL: api.Serve(t)}})
	for _, tc := range []struct {
		user  string
		claim any
		want  string
	}{
		{"user_claimed", "claimed@example.com", "claimed@example.com"},
		{"user_asked", nil, "asked@example.com"},
		{"user_odd", 17, ""},
		{"user_unchecked", nil, ""},
		{"user_unknown_to_clerk", nil, ""},
	} {
		token := clerk.Token(t, authtest.Claims(tc.user, time.Now(), map[string]any{"email": tc.claim}))
		id, err := a.Authenticate(request("Authorization", "Bearer "+token))
		if err != nil || id.Account.Email != tc.want || id.Account.ClerkUser != tc.user || id.Method != auth.ByClerk || id.Account.Tier != plan.Free {
			t.Errorf("%s: %+v, %v", tc.user, id, err)
		}
	}
}

func TestKeySet(t *testing.T) {
	first, second, stranger := authtest.New(t), authtest.New(t), authtest.New(t)
	api := &authtest.API{Secret: "sk_test_1"}
	api.Keys.Store(&[]*authtest.Clerk{first})
	now := time.Now()
	a := newAuthenticator(t, auth.Config{
		Store: newMemory(), Clerk: auth.Clerk{SecretKey: "sk_test_1", BaseURL: api.Serve(t)}, Now: func() time.Time { return now },
	})
	try := func(c *authtest.Clerk) error {
		_, err := a.Authenticate(request("Authorization", "Bearer "+c.Token(t, authtest.Claims("user_1", now, nil))))
		return err
	}
	expect := func(step string, err error, code string, fetches int64) {
		t.Helper()
		if code == "" && err != nil || code != "" && (err == nil || fault.From(err).Code != code) {
			t.Fatalf("%s: %v, want %q", step, err, code)
		}
		if got := api.Fetches.Load(); got != fetches {
			t.Fatalf("%s: %d fetches so far, want %d", step, got, fetches)
		}
	}

	expect("a bad issuer is refused without asking Clerk", func() error {
		_, err := a.Authenticate(request("Authorization", "Bearer "+first.Token(t, authtest.Claims("user_1", now, map[string]any{"iss": "https://evil.example"}))))
		return err
	}(), "invalid_token", 0)

	var wait sync.WaitGroup
	errs := make([]error, 20)
	tokens := first.Token(t, authtest.Claims("user_1", now, nil))
	for i := range errs {
		wait.Go(func() { _, errs[i] = a.Authenticate(request("Authorization", "Bearer "+tokens)) })
	}
	wait.Wait()
	expect("twenty at once share one fetch", errors.Join(errs...), "", 1)
	expect("a cached key needs none", try(first), "", 1)

	now = now.Add(11 * time.Second)
	expect("an unknown key asks once", try(stranger), "invalid_token", 2)
	expect("and then not for a while", try(stranger), "invalid_token", 2)
	expect("while known keys go on working", try(first), "", 2)

	api.Keys.Store(&[]*authtest.Clerk{first, second})
	now = now.Add(11 * time.Second)
	expect("a new key works after the pause", try(second), "", 3)

	now = now.Add(time.Hour)
	api.Down.Store(true)
	expect("an old set serves while Clerk is away", try(second), "", 4)
	expect("and an unknown key cannot be judged", try(stranger), "identity_provider_unavailable", 4)
	now = now.Add(24 * time.Hour)
	expect("but not for ever", try(second), "identity_provider_unavailable", 5)

	api.Down.Store(false)
	api.Keys.Store(&[]*authtest.Clerk{first})
	now = now.Add(11 * time.Second)
	expect("a removed key stops working", try(second), "invalid_token", 6)
	expect("the others work again", try(first), "", 6)
}

func TestLastUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		a := newAuthenticator(t, auth.Config{Store: m, TouchInterval: time.Second})
		use := func() {
			t.Helper()
			if _, err := a.Authenticate(request("X-Api-Key", m.secret.Reveal())); err != nil {
				t.Fatal(err)
			}
		}
		a.Start()
		a.Start() // does nothing
		begin := time.Now()
		for range 100 {
			use()
		}
		time.Sleep(1500 * time.Millisecond)
		want := []map[uuid.UUID]time.Time{{m.key: begin}}
		if diff := cmp.Diff(want, m.writes()); diff != "" {
			t.Errorf("a hundred uses are not one write (-want +got):\n%s", diff)
		}
		use()
		time.Sleep(10 * time.Second)
		if diff := cmp.Diff(want, m.writes()); diff != "" {
			t.Errorf("a use within a minute is written (-want +got):\n%s", diff)
		}
		time.Sleep(time.Minute)
		m.fail(true)
		use()
		later := time.Now()
		time.Sleep(5 * time.Second)
		m.fail(false)
		time.Sleep(2 * time.Second)
		want = append(want, map[uuid.UUID]time.Time{m.key: later})
		if diff := cmp.Diff(want, m.writes()); diff != "" {
			t.Errorf("a use is lost when a write fails (-want +got):\n%s", diff)
		}
		time.Sleep(time.Minute)
		use()
		end := time.Now()
		a.Stop(t.Context())
		a.Stop(t.Context()) // does nothing
		want = append(want, map[uuid.UUID]time.Time{m.key: end})
		if diff := cmp.Diff(want, m.writes()); diff != "" {
			t.Errorf("Stop does not write the rest (-want +got):\n%s", diff)
		}
	})
}

func TestStop_before_Start(t *testing.T) {
	a := newAuthenticator(t, auth.Config{Store: newMemory()})
	a.Stop(t.Context())
	a.Start() // must not leave a goroutine behind
	a.Stop(t.Context())
}

func FuzzToken(f *testing.F) {
	clerk, stranger := authtest.New(f), authtest.New(f)
	a := newAuthenticator(f, auth.Config{Store: newMemory(), Clerk: auth.Clerk{JWTKey: clerk.PEM(f)}})
	for _, seed := range []string{
		"", ".", "..", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "{}", `{"payload":"e30","signatures":[]}`,
		stranger.Token(f, authtest.Claims("user_1", time.Now(), nil)),
		stranger.Token(f, map[string]any{"exp": 1e300, "sub": []string{"x"}}),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		_, err := a.Authenticate(request("Authorization", "Bearer "+token))
		wantCode(t, err, fault.Unauthenticated, "invalid_token")
	})
}

func wantCode(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted, want %s", code)
	}
	if f := fault.From(err); f.Kind != kind || f.Code != code {
		t.Fatalf("%v, want %s", err, code)
	}
}
