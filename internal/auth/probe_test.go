package auth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ragify/ragify/internal/auth"
	"github.com/ragify/ragify/internal/auth/authtest"
)

func TestProbe(t *testing.T) {
	clerk := authtest.New(t)
	api := &authtest.API{Secret: "sk_test_1"}
	api.Keys.Store(&[]*authtest.Clerk{clerk})
	url := api.Serve(t)
	for name, c := range map[string]struct {
		clerk auth.Clerk
		ok    bool
	}{
		"nothing configured":              {auth.Clerk{}, true},
		"a public key, without a network": {auth.Clerk{JWTKey: clerk.PEM(t)}, true},
		"no public key":                   {auth.Clerk{JWTKey: "nonsense"}, false},
		"the secret key":                  {auth.Clerk{SecretKey: "sk_test_1", BaseURL: url}, true},
		"another secret key":              {auth.Clerk{SecretKey: "sk_test_2", BaseURL: url}, false},
	} {
		ahead, err := auth.Probe(t.Context(), c.clerk)
		if (err == nil) != c.ok || ahead.Abs() > time.Minute {
			t.Errorf("%s: %v ahead, %v", name, ahead, err)
		}
		if err != nil && strings.Contains(err.Error(), "sk_test") {
			t.Errorf("%s: the key is in the error: %v", name, err)
		}
	}
}
