package webhook

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/job"
)

// Event is one message, the same at every attempt to deliver it. Its JSON form is for a queue.
type Event struct {
	ID      string          `json:"id"`   // unique to the event: receivers drop repetitions by it
	Type    string          `json:"type"` // "job.done" or "job.failed", as in Body
	Account account.ID      `json:"account"`
	URL     string          `json:"url"`
	Body    json.RawMessage `json:"body"`
}

// idPrefix comes before the job's id in an event's.
const idPrefix = "msg_"

// Job is the job that the event is about; the nil UUID when the id is not one of ours.
func (e Event) Job() uuid.UUID {
	id, _ := uuid.Parse(strings.TrimPrefix(e.ID, idPrefix))
	return id
}

// body is the payload that the receiver sees.
type body struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      data      `json:"data"`
}

// data has the job's fields under their names in the API. Results are fetched from the API.
type data struct {
	ID           string     `json:"id"`
	UserID       account.ID `json:"user_id"`
	Status       job.Status `json:"status"`
	FileName     string     `json:"file_name"`
	PageCount    int        `json:"page_count"`
	PagesCharged int        `json:"pages_charged"`
	ErrorCode    *string    `json:"error_code"`
	ErrorMessage *string    `json:"error_message"`
	CreatedAt    time.Time  `json:"created_at"`
	StartedAt    *time.Time `json:"started_at"`
	FinishedAt   *time.Time `json:"finished_at"`
	ExpiresAt    time.Time  `json:"expires_at"`
}

// JobEnded makes the event for a job that is done or failed and has a WebhookURL. It is the same, byte for byte, whenever it is
// made.
func JobEnded(j job.Job) (Event, error) {
	b := body{
		Type: "job." + string(j.Status), Timestamp: *j.FinishedAt,
		Data: data{
			ID: j.ID.String(), UserID: j.Account, Status: j.Status, FileName: j.FileName,
			PageCount: j.PageCount, PagesCharged: j.PagesCharged,
			CreatedAt: j.CreatedAt, StartedAt: j.StartedAt, FinishedAt: j.FinishedAt, ExpiresAt: j.ExpiresAt,
		},
	}
	if j.Status == job.Failed {
		b.Data.ErrorCode, b.Data.ErrorMessage = &j.ErrorCode, &j.ErrorMessage
	}
	raw, err := json.Marshal(b)
	// A job ends once, so its id makes the event's.
	return Event{ID: idPrefix + j.ID.String(), Type: b.Type, Account: j.Account, URL: j.WebhookURL, Body: raw}, err
}
