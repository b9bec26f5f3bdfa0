package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"github.com/ragify/ragify/api"
	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/job"
)

// eventTimeout is how long a client may take to accept an event.
const eventTimeout = 30 * time.Second

// streamJobEvents is GET /jobs/{id}/events.
func (s *server) streamJobEvents(w http.ResponseWriter, r *http.Request) error {
	id, err := uuid.Parse(chi.URLParam(r, "id"))
	if err != nil {
		return errJobNotFound()
	}
	// Watched before it is read: no change can fall between.
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	changes, err := s.Jobs.Watch(ctx, id)
	if err != nil {
		return err
	}
	stream := &eventStream{server: s, w: w, control: http.NewResponseController(w), account: caller(ctx).Account.ID, id: id}
	j, err := s.Jobs.Job(ctx, stream.account, id)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	// Or the last event's deadline would end the next requests of this connection.
	defer func() { _ = stream.control.SetWriteDeadline(time.Time{}) }()
	if err := stream.show(ctx, j); err != nil || !j.Status.Active() {
		return err
	}
	return stream.follow(ctx, changes)
}

// eventStream tells one client about one job.
type eventStream struct {
	server  *server
	w       http.ResponseWriter
	control *http.ResponseController
	account account.ID
	id      uuid.UUID
	last    job.Job // as the client knows it
}

// follow sends what changes until the job ends, the client leaves or the server shuts down.
func (e *eventStream) follow(ctx context.Context, changes <-chan struct{}) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case _, open := <-changes:
			if !open {
				return nil // ctx has ended, or the store has closed: the client connects again
			}
			ended, err := e.update(ctx)
			if ended || err != nil {
				return err
			}
		case <-beat.C:
			if err := e.send([]byte(": still here\n\n")); err != nil {
				return err
			}
		case <-e.server.Drain:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// update reads the job again and sends what is new about it.
func (e *eventStream) update(ctx context.Context) (ended bool, err error) {
	j, err := e.server.Jobs.Job(ctx, e.account, e.id)
	switch fault.KindOf(err) {
	case fault.NotFound:
		return true, e.event("deleted", api.DeletedEvent{ID: e.id})
	case fault.Unavailable:
		return false, nil // a later tick finds the database back
	}
	if err != nil {
		return false, err
	}
	return !j.Status.Active(), e.show(ctx, j)
}

// show sends a job: all of it when its status is new, else its progress if that is.
func (e *eventStream) show(ctx context.Context, j job.Job) error {
	before := e.last
	e.last = j
	if j.Status == before.Status {
		if j.PagesDone == before.PagesDone {
			return nil
		}
		return e.event("progress", api.ProgressEvent{Status: j.Status, Progress: progressOf(j)})
	}
	out, err := e.server.jobOf(ctx, j)
	if err != nil {
		return err
	}
	return e.event("status", out)
}

func (e *eventStream) event(name string, data any) error {
	var b bytes.Buffer
	b.WriteString("event: " + name + "\ndata: ")
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(data); err != nil { // ends with a newline, and has no other
		return err
	}
	b.WriteString("\n")
	return e.send(b.Bytes())
}

func (e *eventStream) send(b []byte) error {
	_ = e.control.SetWriteDeadline(time.Now().Add(eventTimeout)) // not supported by a test's recorder
	if _, err := e.w.Write(b); err != nil {
		return err
	}
	return e.control.Flush()
}
