package httpapi

import (
	"context"
	"errors"
	"strings"

	"github.com/ragify/ragify/api"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/job"
)

// GetWebhook is GET /webhook.
func (s *server) GetWebhook(ctx context.Context, _ api.GetWebhookRequestObject) (api.GetWebhookResponseObject, error) {
	return api.GetWebhook200JSONResponse{URL: orNull(caller(ctx).Account.WebhookURL)}, nil
}

// SetWebhook is PUT /webhook.
func (s *server) SetWebhook(ctx context.Context, req api.SetWebhookRequestObject) (api.SetWebhookResponseObject, error) {
	url := strings.TrimSpace(req.Body.URL)
	if err := s.CheckWebhookURL(url); err != nil {
		if f, ok := errors.AsType[*fault.Fault](err); ok {
			return nil, f.With("field", "url")
		}
		return nil, err
	}
	if err := s.Accounts.SetWebhookURL(ctx, caller(ctx).Account.ID, url); err != nil {
		return nil, err
	}
	return api.SetWebhook200JSONResponse{URL: &url}, nil
}

// DeleteWebhook is DELETE /webhook.
func (s *server) DeleteWebhook(ctx context.Context, _ api.DeleteWebhookRequestObject) (api.DeleteWebhookResponseObject, error) {
	if err := s.Accounts.SetWebhookURL(ctx, caller(ctx).Account.ID, ""); err != nil {
		return nil, err
	}
	return api.DeleteWebhook204Response{}, nil
}

// GetWebhookSecret is GET /webhook-secret.
func (s *server) GetWebhookSecret(ctx context.Context, _ api.GetWebhookSecretRequestObject) (api.GetWebhookSecretResponseObject, error) {
	return api.GetWebhookSecret200JSONResponse{Secret: s.WebhookSecret(caller(ctx).Account.ID)}, nil
}

// ListDeliveries is GET /jobs/{id}/deliveries.
func (s *server) ListDeliveries(ctx context.Context, req api.ListDeliveriesRequestObject) (api.ListDeliveriesResponseObject, error) {
	list, err := s.Jobs.Deliveries(ctx, caller(ctx).Account.ID, req.ID)
	if err != nil {
		return nil, err
	}
	out := make(api.ListDeliveries200JSONResponse, len(list))
	for i, d := range list {
		out[i] = deliveryOf(d)
	}
	return out, nil
}

// Redeliver is POST /jobs/{id}/deliveries/{event_id}/redeliver.
func (s *server) Redeliver(ctx context.Context, req api.RedeliverRequestObject) (api.RedeliverResponseObject, error) {
	d, err := s.Jobs.Redeliver(ctx, caller(ctx).Account.ID, req.ID, req.EventID)
	if err != nil {
		return nil, err
	}
	return api.Redeliver202JSONResponse(deliveryOf(d)), nil
}

// deliveryOf is a delivery as the API shows it.
func deliveryOf(d job.Delivery) api.Delivery {
	out := api.Delivery{
		EventID: d.Event, Type: d.Type, URL: d.URL, Status: d.Status,
		CreatedAt: d.CreatedAt.UTC(), NextAttemptAt: utc(d.NextAttemptAt), Attempts: make([]api.Attempt, len(d.Attempts)),
	}
	for i, a := range d.Attempts {
		out.Attempts[i] = api.Attempt{StartedAt: a.At.UTC(), DurationMs: a.Took.Milliseconds(), Outcome: a.Outcome}
		if a.HTTPStatus != 0 {
			out.Attempts[i].HTTPStatus = new(a.HTTPStatus)
		}
	}
	return out
}
