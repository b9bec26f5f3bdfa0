package httpapi

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ragify/ragify/api"
	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/fault"
)

// maxKeyName is in characters.
const maxKeyName = 100

// GetMe is GET /auth/me.
func (s *server) GetMe(ctx context.Context, _ api.GetMeRequestObject) (api.GetMeResponseObject, error) {
	who := caller(ctx)
	usage, err := s.Accounts.Usage(ctx, who.Account.ID)
	if err != nil {
		return nil, err
	}
	a, p := who.Account, who.Plan
	return api.GetMe200JSONResponse{
		ID: a.ID, Email: orNull(a.Email), Tier: a.Tier, AuthMethod: string(who.Method),
		PagesUsed: usage.PagesUsed, PagesLimit: p.PagesPerMonth, PagesRemaining: remainingOf(p.PagesPerMonth, usage.PagesUsed),
		PeriodStart: usage.Period.Start, PeriodEnd: usage.Period.End,
		ActiveJobs: a.ActiveJobs, MaxConcurrentJobs: p.MaxConcurrentJobs,
		MaxFileSizeBytes: p.MaxFileSize, MaxAPIKeys: p.MaxAPIKeys, Formats: p.Formats,
		CreatedAt: a.CreatedAt.UTC(),
	}, nil
}

// remainingOf is what is left of a limit, nil when it is unlimited.
func remainingOf(limit *int, used int) *int {
	if limit == nil {
		return nil
	}
	return new(max(0, *limit-used))
}

// GetUsage is GET /usage.
func (s *server) GetUsage(ctx context.Context, req api.GetUsageRequestObject) (api.GetUsageResponseObject, error) {
	page, size, err := paging(req.Params.Page, req.Params.PageSize)
	if err != nil {
		return nil, err
	}
	who := caller(ctx)
	current, err := s.Accounts.Usage(ctx, who.Account.ID)
	if err != nil {
		return nil, err
	}
	months, err := s.Accounts.UsageHistory(ctx, who.Account.ID)
	if err != nil {
		return nil, err
	}
	entries, total, err := s.Accounts.Ledger(ctx, who.Account.ID, page, size)
	if err != nil {
		return nil, err
	}
	out := api.GetUsage200JSONResponse{
		Current: api.CurrentUsage{
			PeriodStart: current.Period.Start, PeriodEnd: current.Period.End, PagesUsed: current.PagesUsed,
			PagesLimit: who.Plan.PagesPerMonth, PagesRemaining: remainingOf(who.Plan.PagesPerMonth, current.PagesUsed),
		},
		Months: make([]api.MonthUsage, len(months)),
		Ledger: api.Ledger{Items: make([]api.LedgerEntry, len(entries)), Total: total, Page: page, PageSize: size},
	}
	for i, m := range months {
		out.Months[i] = api.MonthUsage{PeriodStart: m.Period.Start, PeriodEnd: m.Period.End, PagesUsed: m.PagesUsed}
	}
	for i, e := range entries {
		out.Ledger.Items[i] = api.LedgerEntry{ID: e.ID, Kind: e.Kind, Pages: e.Pages, JobID: e.Job, CreatedAt: e.At.UTC()}
	}
	return out, nil
}

// ListAPIKeys is GET /api-keys.
func (s *server) ListAPIKeys(ctx context.Context, _ api.ListAPIKeysRequestObject) (api.ListAPIKeysResponseObject, error) {
	keys, err := s.Accounts.Keys(ctx, caller(ctx).Account.ID)
	if err != nil {
		return nil, err
	}
	out := make(api.ListAPIKeys200JSONResponse, len(keys))
	for i, k := range keys {
		out[i] = api.APIKey{
			ID: k.ID, Name: k.Name, KeyPrefix: k.Prefix, IsActive: k.Active,
			CreatedAt: k.CreatedAt.UTC(), LastUsedAt: utc(k.LastUsedAt),
		}
	}
	return out, nil
}

// CreateAPIKey is POST /api-keys: the only place where a raw key leaves the service.
func (s *server) CreateAPIKey(ctx context.Context, req api.CreateAPIKeyRequestObject) (api.CreateAPIKeyResponseObject, error) {
	name, err := keyName(req.Body.Name)
	if err != nil {
		return nil, err
	}
	who, secret := caller(ctx), account.NewSecret()
	k, err := s.Accounts.CreateKey(ctx, who.Account.ID, name, secret, who.Plan.MaxAPIKeys)
	if err != nil {
		return nil, err
	}
	return api.CreateAPIKey201JSONResponse{
		ID: k.ID, Name: k.Name, KeyPrefix: k.Prefix, IsActive: k.Active,
		CreatedAt: k.CreatedAt.UTC(), LastUsedAt: utc(k.LastUsedAt), RawKey: secret.Reveal(),
	}, nil
}

// keyName trims and checks the name of a new key.
func keyName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if n := utf8.RuneCountInString(name); n < 1 || n > maxKeyName || strings.ContainsFunc(name, unicode.IsControl) {
		return "", fault.Newf(fault.Invalid, "invalid_name", "The name must have 1 to %d characters, without control characters.", maxKeyName).
			With("field", "name")
	}
	return name, nil
}

// RevokeAPIKey is DELETE /api-keys/{key_id}.
func (s *server) RevokeAPIKey(ctx context.Context, req api.RevokeAPIKeyRequestObject) (api.RevokeAPIKeyResponseObject, error) {
	if err := s.Accounts.RevokeKey(ctx, caller(ctx).Account.ID, req.KeyID); err != nil {
		return nil, err
	}
	return api.RevokeAPIKey204Response{}, nil
}
