package account_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ragify/ragify/internal/account"
)

func TestSecret(t *testing.T) {
	s := account.NewSecret()
	t.Run("is rg_ and 40 lower-case hex characters", func(t *testing.T) {
		if !regexp.MustCompile(`^rg_[0-9a-f]{40}$`).MatchString(s.Reveal()) {
			t.Fatal("wrong shape")
		}
		if len(s.Prefix()) != 11 || !strings.HasPrefix(s.Reveal(), s.Prefix()) {
			t.Fatal("wrong prefix")
		}
	})
	t.Run("never prints itself", func(t *testing.T) {
		for _, f := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			if out := fmt.Sprintf(f, s); strings.Contains(out, s.Reveal()[3:]) {
				t.Fatalf("%s prints the key", f)
			}
			if out := fmt.Sprintf(f, struct{ S account.Secret }{s}); strings.Contains(out, s.Reveal()[3:]) {
				t.Fatalf("%s of a struct prints the key", f)
			}
			if out := fmt.Sprintf(f, struct{ s account.Secret }{s}); strings.Contains(out, s.Reveal()[3:]) {
				t.Fatalf("%s of an unexported field prints the key", f)
			}
		}
	})
	t.Run("survives a round trip", func(t *testing.T) {
		got, ok := account.ParseSecret(s.Reveal())
		if !ok || got.Hash() != s.Hash() {
			t.Fatal("not the same key")
		}
	})
	for _, bad := range []string{"", "rg_", s.Reveal()[1:], s.Reveal() + "0", "rg_" + strings.Repeat("A", 40), "rg-" + s.Reveal()[3:], " " + s.Reveal()} {
		t.Run(fmt.Sprintf("refuses %d characters of another shape", len(bad)), func(t *testing.T) {
			if _, ok := account.ParseSecret(bad); ok {
				t.Fatal("accepted")
			}
		})
	}
}

func TestPeriodOf(t *testing.T) {
	t.Run("is the UTC month, end exclusive, across time zones and years", func(t *testing.T) {
		west := time.FixedZone("west", -8*3600)
		p := account.PeriodOf(time.Date(2026, 12, 31, 20, 0, 0, 0, west)) // already January in UTC
		if p.Start.Format(time.RFC3339) != "2027-01-01T00:00:00Z" || p.End.Format(time.RFC3339) != "2027-02-01T00:00:00Z" {
			t.Fatalf("got %v", p)
		}
	})
}
