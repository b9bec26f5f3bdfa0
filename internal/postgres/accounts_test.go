package postgres_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/plan"
)

func TestCreateAccount(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a, err := b.CreateAccount(t.Context(), " Owner@Example.com ", plan.Pro)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("is found by id and by address in any letter case", func(t *testing.T) {
		byID, err := b.Account(t.Context(), a.ID)
		if err != nil {
			t.Fatal(err)
		}
		byEmail, err := b.AccountByEmail(t.Context(), "owner@EXAMPLE.com")
		if err != nil {
			t.Fatal(err)
		}
		want := account.Account{ID: a.ID, Email: "Owner@Example.com", Tier: plan.Pro, CreatedAt: b.clock.Now()}
		if d := cmp.Diff([]account.Account{want, want, want}, []account.Account{a, byID, byEmail}); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})

	t.Run("an address is taken once, in any letter case, also in parallel", func(t *testing.T) {
		_, err := b.CreateAccount(t.Context(), "OWNER@example.com", plan.Free)
		wantFault(t, err, fault.Invalid, "email_taken")
		got := tally(t, parallel(10, func(int) error {
			_, err := b.CreateAccount(t.Context(), "second@example.com", plan.Free)
			return err
		}))
		if d := cmp.Diff(map[string]int{"ok": 1, "email_taken": 9}, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})

	t.Run("wants an address and a known plan", func(t *testing.T) {
		for _, bad := range []string{"", "owner", "@example.com", "owner@", "a b@example.com", "a\x00@example.com"} {
			_, err := b.CreateAccount(t.Context(), bad, plan.Free)
			wantFault(t, err, fault.Invalid, "invalid_email")
		}
		_, err := b.CreateAccount(t.Context(), "third@example.com", "gold")
		wantFault(t, err, fault.Invalid, "unknown_tier")
	})

	t.Run("the plan can change", func(t *testing.T) {
		if err := b.SetTier(t.Context(), a.ID, plan.Business); err != nil {
			t.Fatal(err)
		}
		if got, err := b.Account(t.Context(), a.ID); err != nil || got.Tier != plan.Business {
			t.Errorf("got %s, %v", got.Tier, err)
		}
		wantFault(t, b.SetTier(t.Context(), a.ID, "gold"), fault.Invalid, "unknown_tier")
		wantFault(t, b.SetTier(t.Context(), account.NewID(), plan.Pro), fault.NotFound, "account_not_found")
	})

	t.Run("unknown accounts are not found", func(t *testing.T) {
		_, err := b.Account(t.Context(), account.NewID())
		wantFault(t, err, fault.NotFound, "account_not_found")
		for _, email := range []string{"", "nobody@example.com"} {
			_, err = b.AccountByEmail(t.Context(), email)
			wantFault(t, err, fault.NotFound, "account_not_found")
		}
	})

	t.Run("all are listed, oldest first", func(t *testing.T) {
		b.clock.Add(time.Second)
		last, err := b.CreateAccount(t.Context(), "last@example.com", plan.Free)
		if err != nil {
			t.Fatal(err)
		}
		all, err := b.Accounts(t.Context())
		if err != nil || len(all) != 3 || all[2].ID != last.ID {
			t.Errorf("got %+v, %v", all, err)
		}
	})
}

func TestAccountByClerkUser(t *testing.T) {
	t.Parallel()
	b := newBench(t)

	t.Run("two first tokens at once make one account", func(t *testing.T) {
		var created atomic.Int32
		ids := make([]account.ID, 10)
		errs := parallel(len(ids), func(i int) error {
			a, isNew, err := b.AccountByClerkUser(t.Context(), "user_1", "one@example.com")
			if isNew {
				created.Add(1)
			}
			ids[i] = a.ID
			return err
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			if id != ids[0] || id == "" {
				t.Errorf("accounts differ: %v", ids)
			}
		}
		if n := created.Load(); n != 1 {
			t.Errorf("%d calls report that they made the account", n)
		}
		if a, err := b.Account(t.Context(), ids[0]); err != nil || a.Tier != plan.Free || a.ClerkUser != "user_1" || a.Email != "one@example.com" {
			t.Errorf("got %+v, %v", a, err)
		}
	})

	t.Run("a later address replaces the stored one, none does not", func(t *testing.T) {
		for _, email := range []string{"new@example.com", ""} {
			a, created, err := b.AccountByClerkUser(t.Context(), "user_1", email)
			if err != nil || created || a.Email != "new@example.com" {
				t.Errorf("%q: got %+v, created %v, %v", email, a, created, err)
			}
		}
	})

	t.Run("a token's address neither takes over nor blocks an operator's account", func(t *testing.T) {
		own, err := b.CreateAccount(t.Context(), "boss@example.com", plan.Business)
		if err != nil {
			t.Fatal(err)
		}
		other, created, err := b.AccountByClerkUser(t.Context(), "user_2", "boss@example.com")
		if err != nil || !created || other.ID == own.ID {
			t.Fatalf("got %+v, created %v, %v", other, created, err)
		}
		if a, err := b.AccountByEmail(t.Context(), "boss@example.com"); err != nil || a.ID != own.ID {
			t.Errorf("by address: got %+v, %v", a, err)
		}
		_, err = b.CreateAccount(t.Context(), "new@example.com", plan.Pro)
		wantFault(t, err, fault.Invalid, "email_taken") // user_1's: the operator should change that one's plan
	})

	t.Run("users without an address are different users", func(t *testing.T) {
		a, _, err := b.AccountByClerkUser(t.Context(), "user_3", "")
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := b.AccountByClerkUser(t.Context(), "user_4", "")
		if err != nil || c.ID == a.ID {
			t.Errorf("got %s and %s, %v", a.ID, c.ID, err)
		}
	})
}

func TestCreateKey(t *testing.T) {
	t.Parallel()

	t.Run("parallel creations stay within the limit", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a := b.account(t, plan.Pro)
		got := tally(t, parallel(20, func(int) error {
			_, err := b.CreateKey(t.Context(), a.ID, "k", account.NewSecret(), new(3))
			return err
		}))
		if d := cmp.Diff(map[string]int{"ok": 3, "key_limit_reached": 17}, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		keys, err := b.Keys(t.Context(), a.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.RevokeKey(t.Context(), a.ID, keys[0].ID); err != nil {
			t.Fatal(err)
		}
		if _, err := b.CreateKey(t.Context(), a.ID, "k", account.NewSecret(), new(3)); err != nil {
			t.Errorf("after a revocation there is room: %v", err)
		}
		_, err = b.CreateKey(t.Context(), a.ID, "k", account.NewSecret(), new(3))
		f := wantFault(t, err, fault.Forbidden, "key_limit_reached")
		if d := cmp.Diff(map[string]any{"active_keys": 3, "max_api_keys": 3, "tier": plan.Pro}, f.Facts); d != "" {
			t.Errorf("facts (-want +got):\n%s", d)
		}
	})

	t.Run("the key finds its account until it is revoked", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a, other := b.account(t, plan.Pro), b.account(t, plan.Pro)
		secret := account.NewSecret()
		k, err := b.CreateKey(t.Context(), a.ID, "ci", secret, nil)
		if err != nil {
			t.Fatal(err)
		}
		gotAccount, gotKey, err := b.AccountByKeyHash(t.Context(), secret.Hash())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(a, gotAccount); d != "" {
			t.Errorf("account (-want +got):\n%s", d)
		}
		if d := cmp.Diff(k, gotKey); d != "" {
			t.Errorf("key (-created +found):\n%s", d)
		}
		wantFault(t, b.RevokeKey(t.Context(), other.ID, k.ID), fault.NotFound, "api_key_not_found")
		if err := b.RevokeKey(t.Context(), a.ID, k.ID); err != nil {
			t.Fatal(err)
		}
		_, _, err = b.AccountByKeyHash(t.Context(), secret.Hash())
		wantFault(t, err, fault.NotFound, "api_key_not_found")
		wantFault(t, b.RevokeKey(t.Context(), a.ID, k.ID), fault.NotFound, "api_key_not_found")
		wantFault(t, b.RevokeKey(t.Context(), a.ID, uuid.New()), fault.NotFound, "api_key_not_found")
		_, _, err = b.AccountByKeyHash(t.Context(), account.NewSecret().Hash())
		wantFault(t, err, fault.NotFound, "api_key_not_found")
	})

	t.Run("the key itself is nowhere in the database", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a := b.account(t, plan.Pro)
		secret := account.NewSecret()
		if _, err := b.CreateKey(t.Context(), a.ID, "ci", secret, nil); err != nil {
			t.Fatal(err)
		}
		var found bool
		if err := b.pool.QueryRow(t.Context(), `SELECT bool_or(k::text LIKE '%' || $1 || '%') FROM api_keys k`, secret.Reveal()[11:]).Scan(&found); err != nil || found {
			t.Errorf("found %v, %v", found, err)
		}
	})

	t.Run("keys are listed newest first, revoked ones included, another account's not", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a, other := b.account(t, plan.Pro), b.account(t, plan.Pro)
		var want []uuid.UUID
		for range 3 {
			b.clock.Add(time.Second)
			k, err := b.CreateKey(t.Context(), a.ID, "k", account.NewSecret(), nil)
			if err != nil {
				t.Fatal(err)
			}
			want = append([]uuid.UUID{k.ID}, want...)
		}
		if _, err := b.CreateKey(t.Context(), other.ID, "k", account.NewSecret(), nil); err != nil {
			t.Fatal(err)
		}
		if err := b.RevokeKey(t.Context(), a.ID, want[1]); err != nil {
			t.Fatal(err)
		}
		keys, err := b.Keys(t.Context(), a.ID)
		if err != nil {
			t.Fatal(err)
		}
		var got []uuid.UUID
		for _, k := range keys {
			got = append(got, k.ID)
			if k.Active == (k.ID == want[1]) {
				t.Errorf("key %s: active %v", k.ID, k.Active)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})

	t.Run("an unknown account has no keys", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		_, err := b.CreateKey(t.Context(), account.NewID(), "k", account.NewSecret(), nil)
		wantFault(t, err, fault.NotFound, "account_not_found")
	})
}

func TestTouchKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.account(t, plan.Pro)
	var ids []uuid.UUID
	for range 5 {
		k, err := b.CreateKey(t.Context(), a.ID, "k", account.NewSecret(), nil)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, k.ID)
	}
	at := b.clock.Now()
	used := func(at time.Time) map[uuid.UUID]time.Time {
		m := map[uuid.UUID]time.Time{uuid.New(): at} // an unknown one is passed over
		for _, id := range ids {
			m[id] = at
		}
		return m
	}
	// Many nodes at once, with different times: the latest wins.
	errs := parallel(20, func(i int) error { return b.TouchKeys(t.Context(), used(at.Add(time.Duration(i)*time.Second))) })
	if err := errors.Join(append(errs, b.TouchKeys(t.Context(), used(at)), b.TouchKeys(t.Context(), nil))...); err != nil {
		t.Fatal(err)
	}
	keys, err := b.Keys(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k.LastUsedAt == nil || !k.LastUsedAt.Equal(at.Add(19*time.Second)) {
			t.Errorf("last used %v, want %v", k.LastUsedAt, at.Add(19*time.Second))
		}
	}
}
