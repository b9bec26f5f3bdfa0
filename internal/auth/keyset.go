package auth

import (
	"context"
	"crypto/rsa"
	"errors"
	"sync"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
	"github.com/clerk/clerk-sdk-go/v2/jwks"
	"golang.org/x/sync/singleflight"

	"github.com/ragify/ragify/internal/fault"
)

var errUnknownKey = errors.New("signed with a key that is not in the key set")

const (
	// keyTTL is how long a fetched key set serves: Clerk's own SDKs cache it for an hour.
	keyTTL = time.Hour
	// keyMaxAge is how long an old key set serves while Clerk cannot be reached.
	keyMaxAge = 24 * time.Hour
	// fetchPause is the least time between two fetches: tokens with made-up key ids cannot make us ask
	// Clerk more often, and a new key of Clerk's works after this at the latest.
	fetchPause = 10 * time.Second
)

// keySet is a cache of Clerk's public keys by their id. Fetches are shared by all who wait for one.
type keySet struct {
	client *jwks.Client
	now    func() time.Time
	flight singleflight.Group

	mu      sync.Mutex
	keys    map[string]*clerk.JSONWebKey
	fetched time.Time // when keys came, zero before the first time
	tried   time.Time // when the last fetch ended, well or not
	failure error     // of the last fetch
}

func newKeySet(client *jwks.Client, now func() time.Time) *keySet {
	return &keySet{client: client, now: now}
}

// key finds a key, fetching the set when it is old or lacks the key. Fault: Unavailable
// "identity_provider_unavailable".
func (s *keySet) key(ctx context.Context, id string) (*clerk.JSONWebKey, error) {
	if id == "" {
		return nil, errUnknownKey
	}
	if key, settled, err := s.cached(id); settled {
		return key, err
	}
	select {
	// The fetch outlives the caller that began it, since others wait for it too.
	case <-s.flight.DoChan("", func() (any, error) { s.fetch(context.WithoutCancel(ctx)); return nil, nil }):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	key, _, err := s.cached(id)
	return key, err
}

// cached answers from memory. It is not settled when a fetch may bring a better answer.
func (s *keySet) cached(id string) (key *clerk.JSONWebKey, settled bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	age := now.Sub(s.fetched)
	if age < keyMaxAge {
		key = s.keys[id]
	}
	settled = key != nil && age < keyTTL || now.Sub(s.tried) < fetchPause
	switch {
	case key != nil:
		return key, settled, nil
	case s.failure != nil:
		return nil, settled, fault.New(fault.Unavailable, "identity_provider_unavailable",
			"The identity provider cannot be reached to check this session token. Try again shortly.").
			After(fetchPause).Because(s.failure)
	default:
		return nil, settled, errUnknownKey
	}
}

func (s *keySet) fetch(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, clerkTimeout)
	defer cancel()
	set, err := s.client.Get(ctx, &jwks.GetParams{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried, s.failure = s.now(), err
	if err != nil {
		return
	}
	s.fetched = s.tried
	s.keys = make(map[string]*clerk.JSONWebKey)
	for _, k := range set.Keys {
		if k == nil {
			continue
		}
		if public, ok := k.Key.(*rsa.PublicKey); ok && k.Algorithm == "RS256" && public.N.BitLen() >= minRSABits {
			s.keys[k.KeyID] = k
		}
	}
}
