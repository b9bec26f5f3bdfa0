package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ragify/ragify/internal/auth/authtest"
	"github.com/ragify/ragify/internal/httpapi"
	"github.com/ragify/ragify/internal/plan"
)

func TestMe(t *testing.T) {
	w := newWorld(t)
	t.Run("by API key", func(t *testing.T) {
		u := w.user(plan.Pro)
		u.upload(pdf(47)).want(http.StatusCreated)
		got := u.get("/auth/me").want(http.StatusOK).object()
		now := time.Now().UTC()
		start := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
		want := map[string]any{
			"id": string(u.id), "email": got["email"], "tier": "pro", "auth_method": "api_key",
			"pages_used": 47.0, "pages_limit": 2000.0, "pages_remaining": 1953.0,
			"period_start": start.Format(time.RFC3339), "period_end": start.AddDate(0, 1, 0).Format(time.RFC3339),
			"active_jobs": 1.0, "max_concurrent_jobs": 5.0, "max_file_size_bytes": 150_000_000.0, "max_api_keys": 3.0,
			"formats":    []any{"markdown", "json", "html", "text", "tagged-pdf", "annotated-pdf", "chunks"},
			"created_at": got["created_at"],
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if email := got["email"].(string); !strings.HasSuffix(email, "@example.com") {
			t.Errorf("email %q", email)
		}
	})
	t.Run("by session token, without an email", func(t *testing.T) {
		got := w.send(http.MethodGet, "/auth/me", nil, "Authorization", "Bearer "+w.token("user_1")).want(http.StatusOK).object()
		if got["auth_method"] != "clerk" || got["tier"] != "free" || got["email"] != nil || got["max_api_keys"] != 0.0 {
			t.Errorf("%v", got)
		}
	})
	t.Run("unlimited is null", func(t *testing.T) {
		got := w.user(plan.Business).get("/auth/me").want(http.StatusOK).object()
		if v, ok := got["max_file_size_bytes"]; !ok || v != nil {
			t.Errorf("max_file_size_bytes %v", v)
		}
	})
}

// protected has a request for every endpoint that needs credentials.
func protected() [][2]string {
	id := uuid.NewString()
	return [][2]string{
		{"GET", "/auth/me"},
		{"GET", "/usage"},
		{"GET", "/webhook-secret"},
		{"GET", "/api-keys"},
		{"POST", "/api-keys"},
		{"DELETE", "/api-keys/" + id},
		{"GET", "/jobs"},
		{"POST", "/jobs"},
		{"POST", "/jobs?dry_run=true"},
		{"GET", "/jobs/" + id},
		{"DELETE", "/jobs/" + id},
		{"GET", "/jobs/" + id + "/events"},
	}
}

func TestEveryEndpoint(t *testing.T) {
	w := newWorld(t)
	pro, free := w.user(plan.Pro), w.user(plan.Free)
	for _, e := range protected() {
		t.Run(e[0]+e[1]+"/needs credentials", func(t *testing.T) {
			w.in(t).send(e[0], e[1], nil).fails(http.StatusUnauthorized, "missing_credentials")
		})
		t.Run(e[0]+e[1]+"/refuses keys on plans without API access", func(t *testing.T) {
			detail := free.in(t).send(e[0], e[1], nil).fails(http.StatusForbidden, "api_access_not_in_plan")
			facts(t, detail, map[string]any{"tier": "free"})
		})
		t.Run(e[0]+e[1]+"/takes a key or a token", func(t *testing.T) {
			for _, a := range []answer{
				pro.in(t).send(e[0], e[1], nil),
				w.in(t).send(e[0], e[1], nil, "Authorization", "Bearer "+w.token("user_1")),
			} {
				if a.status == http.StatusUnauthorized || a.status == http.StatusForbidden {
					t.Errorf("%d %s", a.status, a.body)
				}
			}
		})
	}
}

func TestTokens(t *testing.T) {
	w := newWorld(t)
	stranger := authtest.New(t)
	now := time.Now()
	claims := func(change map[string]any) map[string]any { return authtest.Claims("user_1", now, change) }
	signed := func(change map[string]any) string { return "Bearer " + w.clerk.Token(t, claims(change)) }
	none := "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + strings.Split(w.clerk.Token(t, claims(nil)), ".")[1] + "."
	good := w.clerk.Token(t, claims(nil))

	w.send(http.MethodGet, "/auth/me", nil, "Authorization", "Bearer "+good).want(http.StatusOK)
	for name, header := range map[string]string{
		"expired":                          signed(map[string]any{"exp": now.Add(-time.Minute).Unix()}),
		"not yet valid":                    signed(map[string]any{"nbf": now.Add(time.Minute).Unix()}),
		"issued in the future":             signed(map[string]any{"iat": now.Add(time.Minute).Unix()}),
		"alg none":                         "Bearer " + none,
		"alg none with a signature":        "Bearer " + none + "AAAA",
		"HS256 signed with the public key": "Bearer " + authtest.Sign(t, jose.HS256, []byte(w.clerk.PEM(t)), w.clerk.ID, claims(nil)),
		"RS512":                            "Bearer " + authtest.Sign(t, jose.RS512, w.clerk.Key, w.clerk.ID, claims(nil)),
		"PS256":                            "Bearer " + authtest.Sign(t, jose.PS256, w.clerk.Key, w.clerk.ID, claims(nil)),
		"another key":                      "Bearer " + stranger.Token(t, claims(nil)),
		"another key under the right id":   "Bearer " + authtest.Sign(t, jose.RS256, stranger.Key, w.clerk.ID, claims(nil)),
		"a broken signature":               "Bearer " + good[:len(good)-8] + "AAAAAAAA",
		"a missing signature":              "Bearer " + good[:strings.LastIndexByte(good, '.')+1],
		"wrong azp":                        signed(map[string]any{"azp": "https://evil.example"}),
		"empty azp":                        signed(map[string]any{"azp": ""}),
		"missing azp":                      signed(map[string]any{"azp": nil}),
		"azp of another type":              signed(map[string]any{"azp": []string{"https://app.example.com"}}),
		"missing exp":                      signed(map[string]any{"exp": nil}),
		"exp of another type":              signed(map[string]any{"exp": "tomorrow"}),
		"missing sub":                      signed(map[string]any{"sub": nil}),
		"empty sub":                        signed(map[string]any{"sub": ""}),
		"sub with NUL":                     signed(map[string]any{"sub": "user_\x00"}),
		"sts pending":                      signed(map[string]any{"sts": "pending"}),
		"sts of another type":              signed(map[string]any{"sts": 1}),
		"foreign issuer":                   signed(map[string]any{"iss": "https://issuer.example"}),
		"missing issuer":                   signed(map[string]any{"iss": nil}),
		"no Bearer":                        good,
		"another scheme":                   "Token " + good,
		"Bearer without a token":           "Bearer ",
		"Bearer only":                      "Bearer",
		"two tokens":                       "Bearer " + good + " " + good,
		"garbage":                          "Bearer garbage",
		"three parts of garbage":           "Bearer a.b.c",
		"JSON serialization":               `Bearer {"payload":"e30","signatures":[{"protected":"e30","signature":"e30"}]}`,
		"a token that is far too long":     "Bearer " + strings.Repeat("a", 20_000) + ".b.c",
		"not UTF-8":                        "Bearer \xff.\xff.\xff",
	} {
		t.Run(name, func(t *testing.T) {
			w.in(t).send(http.MethodGet, "/auth/me", nil, "Authorization", header).fails(http.StatusUnauthorized, "invalid_token")
		})
	}
}

func TestClerk_user_gets_one_account_however_many_requests_come_first(t *testing.T) {
	w := newWorld(t)
	token := w.token("user_parallel")
	ids := make([]any, 20)
	var wait sync.WaitGroup
	for i := range ids {
		wait.Go(func() {
			ids[i] = w.send(http.MethodGet, "/auth/me", nil, "Authorization", "Bearer "+token).want(http.StatusOK).object()["id"]
		})
	}
	wait.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("accounts %v and %v", ids[0], id)
		}
	}
	accounts, err := w.store.Accounts(t.Context())
	if err != nil || len(accounts) != 1 {
		t.Errorf("%d accounts, %v", len(accounts), err)
	}
}

func TestKeys(t *testing.T) {
	w := newWorld(t)
	u, other := w.user(plan.Pro), w.user(plan.Pro)
	create := func(u user, name string) map[string]any {
		t.Helper()
		return u.send(http.MethodPost, "/api-keys", strings.NewReader(fmt.Sprintf(`{"name": %q}`, name)), "Content-Type", "application/json").
			want(http.StatusCreated).object()
	}
	made := create(u, "  nightly import ")
	raw := made["raw_key"].(string)

	t.Run("creation shows the raw key, once", func(t *testing.T) {
		if made["name"] != "nightly import" || made["is_active"] != true || made["last_used_at"] != nil || made["key_prefix"] != raw[:11] {
			t.Errorf("%v", made)
		}
		var listed []map[string]any
		a := u.get("/api-keys").want(http.StatusOK)
		a.decode(&listed)
		if strings.Contains(string(a.body), raw) || strings.Contains(string(a.body), "raw_key") {
			t.Errorf("the list shows it again: %s", a.body)
		}
		var names []string
		for _, k := range listed {
			names = append(names, k["name"].(string))
		}
		if !slices.Equal(names, []string{"nightly import", "first"}) {
			t.Errorf("not newest first: %v", names)
		}
	})
	t.Run("the key is stored nowhere", func(t *testing.T) {
		if dump := w.dump(); strings.Contains(dump, raw[11:]) || strings.Contains(dump, raw) {
			t.Error("the database has it")
		}
		if strings.Contains(w.log.String(), raw[11:]) {
			t.Error("the log has it")
		}
	})
	t.Run("use of a key moves last_used_at", func(t *testing.T) {
		w.auth.Start()
		w.send(http.MethodGet, "/auth/me", nil, "X-Api-Key", raw).want(http.StatusOK)
		w.auth.Stop(t.Context())
		var listed []map[string]any
		u.get("/api-keys").want(http.StatusOK).decode(&listed)
		used, err := time.Parse(time.RFC3339, fmt.Sprint(listed[0]["last_used_at"]))
		if err != nil || time.Since(used) > time.Minute {
			t.Errorf("last used %v", listed[0]["last_used_at"])
		}
	})
	t.Run("another account cannot revoke it", func(t *testing.T) {
		other.send(http.MethodDelete, "/api-keys/"+made["id"].(string), nil).fails(http.StatusNotFound, "api_key_not_found")
	})
	t.Run("a revoked key does not work once more", func(t *testing.T) {
		w.send(http.MethodGet, "/auth/me", nil, "X-Api-Key", raw).want(http.StatusOK)
		if a := u.send(http.MethodDelete, "/api-keys/"+made["id"].(string), nil).want(http.StatusNoContent); len(a.body) != 0 {
			t.Errorf("204 with a body: %s", a.body)
		}
		w.send(http.MethodGet, "/auth/me", nil, "X-Api-Key", raw).fails(http.StatusUnauthorized, "invalid_api_key")
		u.send(http.MethodDelete, "/api-keys/"+made["id"].(string), nil).fails(http.StatusNotFound, "api_key_not_found")
		var listed []map[string]any
		u.get("/api-keys").want(http.StatusOK).decode(&listed)
		if listed[0]["is_active"] != false {
			t.Errorf("%v", listed[0])
		}
	})
	t.Run("what is no id is not found", func(t *testing.T) {
		for _, id := range []string{uuid.NewString(), "x", "%00", "..%2f"} {
			u.send(http.MethodDelete, "/api-keys/"+id, nil).fails(http.StatusNotFound, "api_key_not_found")
		}
	})
	t.Run("names are checked", func(t *testing.T) {
		post := func(body string) answer {
			return other.send(http.MethodPost, "/api-keys", strings.NewReader(body), "Content-Type", "application/json")
		}
		for body, code := range map[string]string{
			`{"name": ""}`:         "invalid_name",
			`{"name": "   "}`:      "invalid_name",
			`{}`:                   "invalid_name",
			`{"name": null}`:       "invalid_name",
			`{"name": "a\u0000b"}`: "invalid_name",
			`{"name": "` + strings.Repeat("ä", 101) + `"}`: "invalid_name",
			`{"name": 5}`:  "invalid_body",
			`["name"]`:     "invalid_body",
			`{"name": "x"`: "invalid_body",
			``:             "invalid_body",
			`name=x`:       "invalid_body",
		} {
			detail := post(body).fails(http.StatusBadRequest, code)
			if code == "invalid_name" {
				facts(t, detail, map[string]any{"field": "name"})
			}
		}
		facts(t, post(`{"name": 5}`).fails(http.StatusBadRequest, "invalid_body"), map[string]any{"field": "name"})
		facts(t, post(`{"name": x}`).fails(http.StatusBadRequest, "invalid_body"), map[string]any{"position": 10})
		facts(t, post(`{"name": "`+strings.Repeat("x", 70_000)+`"}`).fails(http.StatusRequestEntityTooLarge, "body_too_large"), map[string]any{"max_bytes": 65536})
		create(other, strings.Repeat("ä", 100))
	})
}

func TestKeys_limit_holds_under_parallel_creation(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Pro) // has one
	statuses := make([]int, 20)
	var wait sync.WaitGroup
	for i := range statuses {
		wait.Go(func() {
			a := u.send(http.MethodPost, "/api-keys", strings.NewReader(`{"name": "x"}`), "Content-Type", "application/json")
			statuses[i] = a.status
			if a.status != http.StatusCreated {
				facts(t, a.fails(http.StatusForbidden, "key_limit_reached"), map[string]any{"tier": "pro", "max_api_keys": 3})
			}
		})
	}
	wait.Wait()
	detail := w.send(http.MethodPost, "/api-keys", strings.NewReader(`{"name": "x"}`), "Authorization", "Bearer "+w.token("user_free")).
		fails(http.StatusForbidden, "key_limit_reached")
	facts(t, detail, map[string]any{"tier": "free", "max_api_keys": 0, "active_keys": 0})
	created := 0
	for _, s := range statuses {
		if s == http.StatusCreated {
			created++
		}
	}
	if created != 2 {
		t.Errorf("%d keys created, want 2 beside the first", created)
	}
}

func TestUsage(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Pro)
	done := u.upload(pdf(3)).want(http.StatusCreated).object()["id"].(string)
	failed := u.upload(pdf(5)).want(http.StatusCreated).object()["id"].(string)
	active := u.upload(pdf(7)).want(http.StatusCreated).object()["id"].(string)
	w.finish(done, "done")
	w.finish(failed, "failed")

	got := u.get("/usage?page_size=4").want(http.StatusOK).object()
	current, ledger := got["current"].(map[string]any), got["ledger"].(map[string]any)
	if current["pages_used"] != 10.0 || current["pages_remaining"] != 1990.0 || current["pages_limit"] != 2000.0 {
		t.Errorf("current %v", current)
	}
	if months := got["months"].([]any); len(months) != 1 || months[0].(map[string]any)["pages_used"] != 10.0 {
		t.Errorf("months %v", months)
	}
	var entries []string
	for _, e := range ledger["items"].([]any) {
		e := e.(map[string]any)
		entries = append(entries, fmt.Sprint(e["kind"], " ", e["pages"], " ", e["job_id"]))
	}
	want := []string{"refund 5 " + failed, "charge 3 " + done, "reserve 7 " + active, "reserve 5 " + failed}
	if diff := cmp.Diff(want, entries); diff != "" || ledger["total"] != 5.0 || ledger["page"] != 1.0 || ledger["page_size"] != 4.0 {
		t.Errorf("ledger %v (-want +got):\n%s", ledger, diff)
	}
	second := u.get("/usage?page=2&page_size=4").want(http.StatusOK).object()["ledger"].(map[string]any)
	if items := second["items"].([]any); len(items) != 1 {
		t.Errorf("second page: %v", items)
	}
	u.get("/usage?page_size=101").fails(http.StatusBadRequest, "invalid_parameter")
}

func TestWebhookSecret_is_the_accounts_own(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Pro)
	first := u.get("/webhook-secret").want(http.StatusOK).object()["secret"]
	if again := u.get("/webhook-secret").want(http.StatusOK).object()["secret"]; again != first {
		t.Errorf("%v, then %v", first, again)
	}
	if others := w.user(plan.Pro).get("/webhook-secret").want(http.StatusOK).object()["secret"]; others == first {
		t.Error("two accounts have the same secret")
	}
}

func TestPlans_are_public(t *testing.T) {
	w := newWorld(t, func(d *httpapi.Deps) { d.Auth = nil })
	var got []plan.Plan
	w.send(http.MethodGet, "/plans", nil).want(http.StatusOK).decode(&got)
	var want []plan.Plan
	for _, tier := range plan.Tiers() {
		want = append(want, plan.Default()[tier])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// dump is everything the database has, as text.
func (w *world) dump() string {
	w.t.Helper()
	rows, err := w.pool.Query(w.t.Context(), `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`)
	if err != nil {
		w.t.Fatal(err)
	}
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			w.t.Fatal(err)
		}
		tables = append(tables, name)
	}
	if len(tables) < 5 {
		w.t.Fatalf("only %v", tables)
	}
	var dump strings.Builder
	for _, name := range tables {
		var text *string
		if err := w.pool.QueryRow(w.t.Context(), fmt.Sprintf("SELECT json_agg(t)::text FROM %q t", name)).Scan(&text); err != nil {
			w.t.Fatal(err)
		}
		if text != nil {
			dump.WriteString(*text)
		}
	}
	return dump.String()
}
