package auth

import (
	"context"
	"net/http"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
	"github.com/clerk/clerk-sdk-go/v2/jwks"
)

// Probe checks that c can be used: that its public key is one, and that Clerk answers to its secret key
// with the keys of sessions. ahead is Clerk's clock less ours, to the second, 0 where Clerk was not asked.
func Probe(ctx context.Context, c Clerk) (ahead time.Duration, err error) {
	if _, err := newVerifier(c, time.Now); err != nil || c.SecretKey == "" {
		return 0, err
	}
	clock := &dated{}
	backend := clerk.BackendConfig{Key: &c.SecretKey, HTTPClient: &http.Client{Timeout: clerkTimeout, Transport: clock}}
	if c.BaseURL != "" {
		backend.URL = &c.BaseURL
	}
	_, err = jwks.NewClient(&clerk.ClientConfig{BackendConfig: backend}).Get(ctx, &jwks.GetParams{})
	return clock.ahead, err
}

// dated notes the clock of the server that it talks to.
type dated struct{ ahead time.Duration }

// RoundTrip sends r.
func (d *dated) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		if theirs, err := http.ParseTime(res.Header.Get("Date")); err == nil {
			d.ahead = time.Until(theirs).Truncate(time.Second)
		}
	}
	return res, err
}
