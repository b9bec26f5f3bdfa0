package httpapi_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/httpapi"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/plan"
	"github.com/ragify/ragify/internal/postgres"
	"github.com/ragify/ragify/internal/provider"
	"github.com/ragify/ragify/internal/queue"
	"github.com/ragify/ragify/internal/webhook"
)

const (
	clerkSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u"
	otherSecret = "whsec_b3RoZXJvdGhlcm90aGVyb3RoZXI0NTY3"
	lemonSecret = "0123456789abcdef0123"
)

// receiver makes one with both providers on.
func (w *world) receiver(change ...func(*provider.Config)) *provider.Receiver {
	w.t.Helper()
	c := provider.Config{
		Store: w.store, ClerkSecret: clerkSecret, LemonSqueezySecret: lemonSecret, Logger: w.deps.Logger,
		Variants: map[int64]plan.Tier{1: plan.Pro, 2: plan.Business}, Registry: prometheus.NewRegistry(),
	}
	for _, f := range change {
		f(&c)
	}
	r, err := provider.New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// lateProviders lets the receiver be made after the world that it needs.
type lateProviders struct{ *provider.Receiver }

func providerWorld(t *testing.T, change ...func(*provider.Config)) *world {
	t.Helper()
	late := new(lateProviders)
	w := newWorld(t, func(d *httpapi.Deps) { d.Providers = late })
	late.Receiver = w.receiver(change...)
	return w
}

// svix signs a body as Svix does.
func svix(t *testing.T, secret, id string, at time.Time, body string) []string {
	t.Helper()
	signer, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := signer.Sign(id, at, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return []string{"svix-id", id, "svix-timestamp", strconv.FormatInt(at.Unix(), 10), "svix-signature", signature}
}

// clerkEvent is a user.created or user.updated.
func clerkEvent(kind, user, email string, at int) string {
	return fmt.Sprintf(`{"type":"user.%s","object":"event","data":{"id":%q,"object":"user","primary_email_address_id":"idn_2",
		"email_addresses":[{"id":"idn_1","email_address":"old@example.com"},{"id":"idn_2","email_address":%q,"verification":{"status":"verified"}}],
		"created_at":1700000000000,"updated_at":%d}}`, kind, user, email, 1700000000000+at)
}

func clerkDeleted(user string) string {
	return fmt.Sprintf(`{"type":"user.deleted","object":"event","data":{"id":%q,"object":"user","deleted":true}}`, user)
}

// clerk delivers an event as Clerk does, and gives its outcome.
func (w *world) clerkSends(id, body string) string {
	w.t.Helper()
	a := w.send(http.MethodPost, "/webhooks/clerk", strings.NewReader(body), svix(w.t, clerkSecret, id, time.Now(), body)...)
	return a.want(http.StatusOK).object()["outcome"].(string)
}

// subscription is an event about subscription id; more goes into its attributes.
func subscription(id, owner, status string, variant, second int, more string) string {
	return fmt.Sprintf(`{"meta":{"event_name":"subscription_updated","test_mode":false,"custom_data":{"user_id":%q}},
		"data":{"type":"subscriptions","id":%q,"attributes":{"store_id":2,"variant_id":%d,"user_email":"buyer@example.com","status":%q,
		"ends_at":null,"updated_at":"2026-11-23T10:00:%02d.000000Z","test_mode":false%s}}}`, owner, id, variant, status, second, more)
}

func lemonSignature(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

// lemonSends delivers an event as Lemon Squeezy does, and gives its outcome.
func (w *world) lemonSends(body string) string {
	w.t.Helper()
	a := w.send(http.MethodPost, "/webhooks/lemonsqueezy", strings.NewReader(body), "X-Signature", lemonSignature(lemonSecret, body))
	return a.want(http.StatusOK).object()["outcome"].(string)
}

func (w *world) wantOutcome(got, want string) {
	w.t.Helper()
	if got != want {
		w.t.Fatalf("outcome %q, want %q", got, want)
	}
}

func (u user) wantTier(want plan.Tier) {
	u.world.t.Helper()
	a, err := u.world.store.Account(u.world.t.Context(), u.id)
	if err != nil || a.Tier != want {
		u.world.t.Fatalf("the account is on %q, %v; want %q", a.Tier, err, want)
	}
}

func TestProviders_are_off_unless_configured(t *testing.T) {
	for name, w := range map[string]*world{
		"no receiver": newWorld(t),
		"no secrets":  providerWorld(t, func(c *provider.Config) { c.ClerkSecret, c.LemonSqueezySecret = "", "" }),
	} {
		for _, path := range []string{"/webhooks/clerk", "/webhooks/lemonsqueezy"} {
			t.Run(name+path, func(t *testing.T) {
				w.in(t).send(http.MethodPost, path, strings.NewReader(`{}`)).fails(http.StatusNotFound, "not_found")
			})
		}
	}
}

func TestProviders_refuse(t *testing.T) {
	w := providerWorld(t)
	now := time.Now()
	body := clerkEvent("created", "user_refused", "a@example.com", 1)
	good := svix(t, clerkSecret, "msg_1", now, body)
	for name, tc := range map[string]struct {
		body    string
		headers []string
		code    string
	}{
		"no headers":           {body, nil, "invalid_signature"},
		"a missing id":         {body, good[2:], "invalid_signature"},
		"a doubled signature":  {body, append(slices.Clone(good), "svix-signature", good[5]), "invalid_signature"},
		"another secret":       {body, svix(t, otherSecret, "msg_1", now, body), "invalid_signature"},
		"a changed body":       {strings.Replace(body, "user_refused", "user_refusal", 1), good, "invalid_signature"},
		"a changed id":         {body, append([]string{"svix-id", "msg_2"}, good[2:]...), "invalid_signature"},
		"an old message":       {body, svix(t, clerkSecret, "msg_1", now.Add(-6*time.Minute), body), "signature_expired"},
		"a message to come":    {body, svix(t, clerkSecret, "msg_1", now.Add(6*time.Minute), body), "signature_expired"},
		"a time that is none":  {body, append([]string{"svix-timestamp", "now"}, slices.Concat(good[:2], good[4:])...), "invalid_signature"},
		"another's signatures": {body, []string{"X-Signature", lemonSignature(lemonSecret, body)}, "invalid_signature"},
	} {
		t.Run("clerk, "+name, func(t *testing.T) {
			w.in(t).send(http.MethodPost, "/webhooks/clerk", strings.NewReader(tc.body), tc.headers...).fails(http.StatusUnauthorized, tc.code)
		})
	}
	lemon := subscription("1", "usr_0", "active", 1, 0, "")
	for name, headers := range map[string][]string{
		"no header":        nil,
		"another secret":   {"X-Signature", lemonSignature("another secret 0000", lemon)},
		"a changed body":   {"X-Signature", lemonSignature(lemonSecret, lemon+" ")},
		"not hexadecimal":  {"X-Signature", "zz"},
		"a part of it":     {"X-Signature", lemonSignature(lemonSecret, lemon)[:32]},
		"a doubled header": {"X-Signature", lemonSignature(lemonSecret, lemon), "X-Signature", lemonSignature(lemonSecret, lemon)},
	} {
		t.Run("lemonsqueezy, "+name, func(t *testing.T) {
			w.in(t).send(http.MethodPost, "/webhooks/lemonsqueezy", strings.NewReader(lemon), headers...).fails(http.StatusUnauthorized, "invalid_signature")
		})
	}
	t.Run("a huge body, whoever signed it", func(t *testing.T) {
		huge := strings.Repeat(" ", 1<<20) + "{}"
		w.in(t).send(http.MethodPost, "/webhooks/lemonsqueezy", strings.NewReader(huge), "X-Signature", lemonSignature(lemonSecret, huge)).
			fails(http.StatusRequestEntityTooLarge, "body_too_large")
	})
	t.Run("what is signed but no event", func(t *testing.T) {
		w := w.in(t)
		for _, body := range []string{"", "[]", "{}", `{"type":"user.created","data":[]}`, `{"type":"user.deleted","data":{}}`, `{"type":"user.updated","data":{"id":"user_1"}}`} {
			w.send(http.MethodPost, "/webhooks/clerk", strings.NewReader(body), svix(t, clerkSecret, "msg_bad", now, body)...).fails(http.StatusBadRequest, "invalid_event")
		}
		for _, body := range []string{
			"", "[]", "{}", `{"meta":{"event_name":"subscription_created"}}`, subscription("1", "", "gone", 1, 0, ""), subscription("", "", "active", 1, 0, ""),
			subscription("1", "", "active", 1, 0, `,"ends_at":"tomorrow"`),
		} {
			w.send(http.MethodPost, "/webhooks/lemonsqueezy", strings.NewReader(body), "X-Signature", lemonSignature(lemonSecret, body)).fails(http.StatusBadRequest, "invalid_event")
		}
	})
	var accounts, events int
	if err := w.pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM accounts), (SELECT count(*) FROM provider_events)`).Scan(&accounts, &events); err != nil || accounts+events != 0 {
		t.Errorf("%d accounts, %d events, %v after refusals only", accounts, events, err)
	}
}

func TestProviders_hold_few_large_bodies_of_strangers(t *testing.T) {
	w := providerWorld(t)
	// Requests whose bodies do not end.
	var pipes []*io.PipeWriter
	var held sync.WaitGroup
	for range 16 {
		body, end := io.Pipe()
		pipes = append(pipes, end)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+"/webhooks/clerk", body)
		if err != nil {
			t.Fatal(err)
		}
		held.Go(func() {
			if resp, err := w.server.Client().Do(r); err == nil {
				_ = resp.Body.Close()
			}
		})
		if _, err := end.Write(make([]byte, 100<<10)); err != nil {
			t.Fatal(err)
		}
	}
	large := strings.Repeat(" ", 100<<10) + "{}"
	send := func() answer {
		return w.send(http.MethodPost, "/webhooks/lemonsqueezy", strings.NewReader(large), "X-Signature", lemonSignature(lemonSecret, large))
	}
	for deadline := time.Now().Add(20 * time.Second); ; { // what was written may not be read yet
		a := send()
		if a.status == http.StatusServiceUnavailable {
			a.fails(http.StatusServiceUnavailable, "too_many_events")
			if a.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("one more large body is taken: %d", a.status)
		}
	}
	w.wantOutcome(w.clerkSends("small", clerkEvent("created", "user_small", "s@example.com", 1)), "applied")
	for _, end := range pipes {
		_ = end.CloseWithError(io.ErrUnexpectedEOF)
	}
	held.Wait()
	for deadline := time.Now().Add(20 * time.Second); ; { // the server sees it a moment later
		a := send()
		if a.status != http.StatusServiceUnavailable {
			a.fails(http.StatusBadRequest, "invalid_event")
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the places are not given back")
		}
	}
}

func TestClerk_events(t *testing.T) {
	w := providerWorld(t)
	email := func(t *testing.T, user string) string {
		t.Helper()
		var me struct{ Email string }
		w.in(t).send(http.MethodGet, "/auth/me", nil, "Authorization", "Bearer "+w.in(t).token(user)).want(http.StatusOK).decode(&me)
		return me.Email
	}

	t.Run("a user's account is made, and follows the newest address, in whatever order", func(t *testing.T) {
		w := w.in(t)
		w.wantOutcome(w.clerkSends("a1", clerkEvent("updated", "user_a", "second@example.com", 2)), "applied")
		w.wantOutcome(w.clerkSends("a2", clerkEvent("created", "user_a", "first@example.com", 1)), "stale")
		w.wantOutcome(w.clerkSends("a3", clerkEvent("updated", "user_a", "third@example.com", 3)), "applied")
		w.wantOutcome(w.clerkSends("a1", clerkEvent("updated", "user_a", "second@example.com", 2)), "duplicate")
		if got := email(t, "user_a"); got != "third@example.com" {
			t.Errorf("the address is %q", got)
		}
	})
	t.Run("an address that nobody has checked is not the user's", func(t *testing.T) {
		w := w.in(t)
		unverified := func(event string) string {
			return strings.Replace(event, `"status":"verified"`, `"status":"unverified"`, 1)
		}
		w.wantOutcome(w.clerkSends("u1", unverified(clerkEvent("created", "user_u", "victim@example.com", 1))), "applied")
		if got := email(t, "user_u"); got != "" {
			t.Errorf("the address is %q", got)
		}
		w.wantOutcome(w.clerkSends("u2", clerkEvent("updated", "user_u", "own@example.com", 2)), "applied")
		null := strings.Replace(clerkEvent("updated", "user_u", "victim@example.com", 3), `{"status":"verified"}`, "null", 1)
		w.wantOutcome(w.clerkSends("u3", null), "applied")
		if got := email(t, "user_u"); got != "" {
			t.Errorf("the address is %q", got)
		}
	})
	t.Run("a signature by the new or the old secret suffices", func(t *testing.T) {
		body := clerkEvent("created", "user_rotated", "r@example.com", 1)
		headers := svix(t, clerkSecret, "rotated", time.Now(), body)
		headers[5] = svix(t, otherSecret, "rotated", time.Now(), body)[5] + " " + headers[5]
		a := w.in(t).send(http.MethodPost, "/webhooks/clerk", strings.NewReader(body), headers...)
		w.in(t).wantOutcome(a.want(http.StatusOK).object()["outcome"].(string), "applied")
	})
	t.Run("events of other types change nothing", func(t *testing.T) {
		w := w.in(t)
		w.wantOutcome(w.clerkSends("s1", `{"type":"session.created","data":{"id":7}}`), "ignored")
	})
	t.Run("a deleted user stays deleted", func(t *testing.T) {
		w := w.in(t)
		w.wantOutcome(w.clerkSends("d1", clerkEvent("created", "user_d", "d@example.com", 1)), "applied")
		token := w.token("user_d")
		w.wantOutcome(w.clerkSends("d2", clerkDeleted("user_d")), "applied")
		w.send(http.MethodGet, "/auth/me", nil, "Authorization", "Bearer "+token).fails(http.StatusUnauthorized, "account_deleted")
		w.wantOutcome(w.clerkSends("d3", clerkEvent("updated", "user_d", "d@example.com", 9)), "stale")
		w.wantOutcome(w.clerkSends("d4", clerkDeleted("user_d")), "applied")
		w.send(http.MethodGet, "/auth/me", nil, "Authorization", "Bearer "+token).fails(http.StatusUnauthorized, "account_deleted")
	})
	t.Run("a deletion may come before everything else", func(t *testing.T) {
		w := w.in(t)
		w.wantOutcome(w.clerkSends("e1", clerkDeleted("user_e")), "applied")
		w.wantOutcome(w.clerkSends("e2", clerkEvent("created", "user_e", "e@example.com", 1)), "stale")
		w.send(http.MethodGet, "/auth/me", nil, "Authorization", "Bearer "+w.token("user_e")).fails(http.StatusUnauthorized, "account_deleted")
	})
	t.Run("the log has no addresses", func(t *testing.T) {
		if strings.Contains(w.log.String(), "@example.com") {
			t.Error("an address is in the log")
		}
	})
}

func TestLemonSqueezy_events(t *testing.T) {
	w := providerWorld(t)

	t.Run("the plan follows the state of the subscription", func(t *testing.T) {
		for i, tc := range []struct {
			status, more string
			want         plan.Tier
		}{
			{"on_trial", "", plan.Pro},
			{"active", "", plan.Pro},
			{"past_due", "", plan.Pro},
			{"cancelled", `,"ends_at":"2126-01-01T00:00:00.000000Z"`, plan.Pro},
			{"cancelled", `,"ends_at":"2026-01-01T00:00:00.000000Z"`, plan.Free},
			{"cancelled", "", plan.Free},
			{"paused", "", plan.Free},
			{"unpaid", "", plan.Free},
			{"expired", "", plan.Free},
		} {
			w := w.in(t)
			u := w.user(plan.Free)
			w.wantOutcome(w.lemonSends(subscription(fmt.Sprint("state-", i), string(u.id), tc.status, 1, 1, tc.more)), "applied")
			u.wantTier(tc.want)
		}
	})
	t.Run("a key works while the plan has API access", func(t *testing.T) {
		w := w.in(t)
		u := w.user(plan.Free).in(t)
		u.get("/auth/me").fails(http.StatusForbidden, "api_access_not_in_plan")
		w.wantOutcome(w.lemonSends(subscription("key", string(u.id), "active", 1, 1, "")), "applied")
		u.get("/auth/me").want(http.StatusOK)
		w.wantOutcome(w.lemonSends(subscription("key", string(u.id), "expired", 1, 2, "")), "applied")
		u.get("/auth/me").fails(http.StatusForbidden, "api_access_not_in_plan")
	})
	t.Run("an older state never comes back, a repetition changes nothing", func(t *testing.T) {
		w := w.in(t)
		u := w.user(plan.Free)
		active := subscription("order", string(u.id), "active", 2, 1, "")
		w.wantOutcome(w.lemonSends(active), "applied")
		w.wantOutcome(w.lemonSends(subscription("order", string(u.id), "expired", 2, 5, "")), "applied")
		w.wantOutcome(w.lemonSends(active), "duplicate")
		w.wantOutcome(w.lemonSends(subscription("order", string(u.id), "active", 2, 4, "")), "stale")
		w.wantOutcome(w.lemonSends(subscription("order", string(u.id), "active", 2, 5, "")), "stale") // the same second: the later state counts
		if _, err := w.pool.Exec(t.Context(), `DELETE FROM provider_events`); err != nil {            // forgotten after a month
			t.Fatal(err)
		}
		w.wantOutcome(w.lemonSends(active), "stale")
		u.wantTier(plan.Free)
	})
	t.Run("the best subscription counts, and what the operator gave stays", func(t *testing.T) {
		w := w.in(t)
		u := w.user(plan.Pro)
		w.lemonSends(subscription("best-1", string(u.id), "active", 1, 1, ""))
		w.lemonSends(subscription("best-2", string(u.id), "active", 2, 1, ""))
		u.wantTier(plan.Business)
		w.lemonSends(subscription("best-2", string(u.id), "expired", 2, 2, ""))
		w.lemonSends(subscription("best-1", string(u.id), "expired", 1, 2, ""))
		u.wantTier(plan.Pro)
	})
	t.Run("a Clerk user may buy before his account exists", func(t *testing.T) {
		w := w.in(t)
		w.wantOutcome(w.lemonSends(subscription("early", "user_early", "active", 1, 1, "")), "no_account")
		var me struct{ Tier plan.Tier }
		w.send(http.MethodGet, "/auth/me", nil, "Authorization", "Bearer "+w.token("user_early")).want(http.StatusOK).decode(&me)
		if me.Tier != plan.Pro {
			t.Errorf("the account is on %q", me.Tier)
		}
	})
	t.Run("whose it is decides nobody's address", func(t *testing.T) {
		w := w.in(t)
		buyer, err := w.store.CreateAccount(t.Context(), "buyer@example.com", plan.Free)
		if err != nil {
			t.Fatal(err)
		}
		u := user{world: w, id: buyer.ID}
		w.wantOutcome(w.lemonSends(strings.Replace(subscription("nobody", "", "active", 1, 1, ""), `{"user_id":""}`, `[]`, 1)), "no_account")
		u.wantTier(plan.Free)
		if err := w.store.AssignSubscription(t.Context(), "nobody", u.id); err != nil {
			t.Fatal(err)
		}
		u.wantTier(plan.Pro)
		w.wantOutcome(w.lemonSends(subscription("nobody", "usr_other", "active", 2, 2, "")), "applied") // the operator has decided
		u.wantTier(plan.Business)
	})
	t.Run("an unknown variant gives nothing until it is known", func(t *testing.T) {
		w := w.in(t)
		u := w.user(plan.Free)
		w.wantOutcome(w.lemonSends(subscription("variant", string(u.id), "active", 9, 1, "")), "unknown_variant")
		u.wantTier(plan.Free)
		if changed, err := w.store.SetVariants(t.Context(), map[int64]plan.Tier{9: plan.Business}); err != nil || changed != 1 {
			t.Fatalf("changed %d, %v", changed, err)
		}
		u.wantTier(plan.Business)
	})
	t.Run("events of the other mode and of other things change nothing", func(t *testing.T) {
		w := w.in(t)
		u := w.user(plan.Free)
		w.wantOutcome(w.lemonSends(strings.ReplaceAll(subscription("test", string(u.id), "active", 1, 1, ""), `"test_mode":false`, `"test_mode":true`)), "other_mode")
		w.wantOutcome(w.lemonSends(`{"meta":{"event_name":"order_created"},"data":{"type":"orders","id":"1"}}`), "ignored")
		w.wantOutcome(w.lemonSends(`{"meta":{"event_name":"subscription_payment_success"},"data":{"type":"subscription-invoices","id":"1"}}`), "ignored")
		u.wantTier(plan.Free)
	})
	t.Run("two nodes at once apply an event once", func(t *testing.T) {
		w := w.in(t)
		u := w.user(plan.Free)
		body := []byte(subscription("twice", string(u.id), "active", 1, 1, ""))
		outcomes := make([]account.Outcome, 8)
		var wait sync.WaitGroup
		for i := range outcomes {
			node := w.receiver()
			wait.Go(func() {
				var err error
				outcomes[i], err = node.Receive(t.Context(), account.LemonSqueezy, http.Header{"X-Signature": {lemonSignature(lemonSecret, string(body))}}, body)
				if err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		slices.Sort(outcomes)
		if outcomes[0] != account.Applied || outcomes[1] != account.Duplicate || outcomes[7] != account.Duplicate {
			t.Errorf("outcomes %v", outcomes)
		}
	})
}

func TestProviders_ask_for_a_repetition_while_the_database_is_away(t *testing.T) {
	nobody, err := pgxpool.New(t.Context(), "postgres://ragify@127.0.0.1:1/ragify") // connects when it is asked something
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nobody.Close)
	w := providerWorld(t, func(c *provider.Config) { c.Store = postgres.New(postgres.Config{Pool: nobody}) })
	body := subscription("1", "usr_1", "active", 1, 1, "")
	a := w.send(http.MethodPost, "/webhooks/lemonsqueezy", strings.NewReader(body), "X-Signature", lemonSignature(lemonSecret, body))
	a.fails(http.StatusServiceUnavailable, "database_unavailable")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestDeletion_of_an_account_removes_everything(t *testing.T) {
	w := providerWorld(t)
	other := w.user(plan.Pro).in(t)
	kept := other.upload(pdf(2)).want(http.StatusCreated).object()["id"].(string)
	w.clerkSends("c", clerkEvent("created", "user_gone", "gone@example.com", 1))
	gone, _, err := w.store.AccountByClerkUser(t.Context(), "user_gone", "")
	if err != nil {
		t.Fatal(err)
	}
	w.lemonSends(subscription("gone", string(gone.ID), "active", 1, 1, ""))
	u := user{w, gone.ID, account.NewSecret()}
	if _, err := w.store.CreateKey(t.Context(), u.id, "k", u.key, nil); err != nil {
		t.Fatal(err)
	}
	done := u.upload(pdf(3), "Idempotency-Key", "once").want(http.StatusCreated).object()["id"].(string)
	w.finish(done, job.Done)
	failed := u.upload(append(pdf(4), field{"webhook_url", "", "https://example.com/hook?token=hush"})).want(http.StatusCreated).object()["id"].(string)
	w.finish(failed, job.Failed)
	deleted := u.upload(pdf(5)).want(http.StatusCreated).object()["id"].(string)
	u.send(http.MethodDelete, "/jobs/"+deleted, nil).want(http.StatusNoContent)
	u.upload(pdf(6)).want(http.StatusCreated) // stays pending

	w.wantOutcome(w.clerkSends("d", clerkDeleted("user_gone")), "applied")
	u.get("/auth/me").fails(http.StatusUnauthorized, "invalid_api_key")
	u.upload(pdf(1)).fails(http.StatusUnauthorized, "invalid_api_key")
	// The previous version knows no deleted accounts, and may run beside this one.
	late := user{w, gone.ID, account.NewSecret()}
	hash := late.key.Hash()
	if _, err := w.pool.Exec(t.Context(), `INSERT INTO api_keys (id, account_id, name, prefix, hash, created_at) VALUES ($1, $2, 'late', $3, $4, now())`,
		uuid.New(), gone.ID, late.key.Prefix(), hash[:]); err != nil {
		t.Fatal(err)
	}
	late.get("/auth/me").fails(http.StatusUnauthorized, "invalid_api_key")
	if err := w.store.SetWebhookURL(t.Context(), gone.ID, "https://example.com/late"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a default webhook of a deleted account: %v", err)
	}

	// The bucket is away at first: the work waits for it.
	blobs := &flakyBlobs{Blobs: w.blobs, failures: 2}
	q, err := queue.New(queue.Config{
		Pool: w.pool, Store: w.store, Engine: noEngine{}, Blobs: blobs, Webhooks: noWebhooks{}, Workers: 1, TempDir: t.TempDir(), Logger: w.deps.Logger,
		StopGrace: time.Millisecond, // the other account's job never ends
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.await(`SELECT NOT EXISTS (SELECT FROM accounts WHERE id = $1) AND NOT EXISTS (
		SELECT FROM river_job WHERE queue = 'erasure' AND state NOT IN ('completed'))`, gone.ID)
	if err := q.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
	for _, table := range []string{"jobs", "api_keys", "page_usage", "page_ledger", "idempotency_keys"} {
		var left int
		if err := w.pool.QueryRow(t.Context(), `SELECT count(*) FROM `+table+` WHERE account_id = $1`, gone.ID).Scan(&left); err != nil || left != 0 {
			t.Errorf("%d rows of %s are left, %v", left, table, err)
		}
	}
	var webhooks int
	if err := w.pool.QueryRow(t.Context(), `SELECT count(*) FROM river_job WHERE kind = 'webhook' AND args <> '{"event": {}}'`).Scan(&webhooks); err != nil || webhooks != 0 {
		t.Errorf("the queue keeps %d webhooks with what they said, %v", webhooks, err)
	}
	var subscriptions int
	if err := w.pool.QueryRow(t.Context(), `SELECT count(*) FROM subscriptions`).Scan(&subscriptions); err != nil || subscriptions != 0 {
		t.Errorf("%d subscriptions are left, %v", subscriptions, err)
	}
	var stored []string
	if err := w.blobs.List(t.Context(), "", func(key string, _ time.Time) error { stored = append(stored, key); return nil }); err != nil {
		t.Fatal(err)
	}
	for _, key := range stored {
		if !strings.Contains(key, kept) {
			t.Errorf("the file %s is left", key)
		}
	}
	if len(stored) == 0 {
		t.Error("another account's files are gone")
	}
	other.get("/jobs/" + kept).want(http.StatusOK)
}

func TestProviders_count_events(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	w := providerWorld(t, func(c *provider.Config) { c.Registry = registry })
	w.clerkSends("1", clerkDeleted("user_1"))
	w.clerkSends("2", `{"type":"anything.else"}`)
	w.send(http.MethodPost, "/webhooks/clerk", bytes.NewReader(nil)).fails(http.StatusUnauthorized, "invalid_signature")
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range families[0].GetMetric() {
		var labels []string
		for _, l := range m.GetLabel() {
			labels = append(labels, l.GetValue())
		}
		got = append(got, fmt.Sprint(strings.Join(labels, " "), " ", m.GetCounter().GetValue()))
	}
	slices.Sort(got)
	want := []string{"other ignored clerk 1", "other refused clerk 1", "user.deleted applied clerk 1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// flakyBlobs fails to delete a few times.
type flakyBlobs struct {
	queue.Blobs

	mu       sync.Mutex
	failures int
}

func (b *flakyBlobs) DeletePrefix(ctx context.Context, prefix string) error {
	b.mu.Lock()
	b.failures--
	fail := b.failures >= 0
	b.mu.Unlock()
	if fail {
		return fmt.Errorf("the bucket is away")
	}
	return b.Blobs.DeletePrefix(ctx, prefix)
}

// noEngine converts nothing until it is stopped.
type noEngine struct{}

func (noEngine) Convert(ctx context.Context, _ engine.Request, _ func(done, total int)) (engine.Result, error) {
	<-ctx.Done()
	return engine.Result{}, ctx.Err()
}

// noWebhooks is for tests that do not ask what is sent.
type noWebhooks struct{}

func (noWebhooks) Send(context.Context, webhook.Event) (webhook.Result, error) {
	return webhook.Result{}, nil
}

// await waits until a query gives true.
func (w *world) await(sql string, args ...any) {
	w.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for {
		var ok bool
		if err := w.pool.QueryRow(w.t.Context(), sql, args...).Scan(&ok); err != nil {
			w.t.Fatal(err)
		}
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("never true: %s", sql)
		}
	}
}
