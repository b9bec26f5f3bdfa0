package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"github.com/ragify/ragify/api"
	"github.com/ragify/ragify/internal/job"
)

const (
	// heartbeat is the longest silence of a stream: proxies cut connections that are idle for a minute or less.
	heartbeat = 15 * time.Second
	// eventTimeout is how long a client may take to accept an event.
	eventTimeout = 30 * time.Second
	// streamLifetime ends a stream, whose client then connects again: so a revoked key or a downgraded plan counts.
	streamLifetime = time.Hour
	// reconnectAfter is the pause that clients are told to make when a connection breaks.
	reconnectAfter = 2 * time.Second
	// Of a server that ends its streams the clients go elsewhere at once, spread over a second: there may be thousands.
	leaveSoonest, leaveLatest = 100 * time.Millisecond, 1100 * time.Millisecond
)

// streamJobEvents is GET /jobs/{id}/events: https://html.spec.whatwg.org/multipage/server-sent-events.html
func (s *server) streamJobEvents(w http.ResponseWriter, r *http.Request) error {
	id, err := uuid.Parse(chi.URLParam(r, "id"))
	if err != nil {
		return errJobNotFound()
	}
	ctx := r.Context()
	owner := caller(ctx).Account.ID
	leave, err := s.waiting.enter(owner)
	if err != nil {
		return err
	}
	defer leave()
	j, changes, err := s.Jobs.Watch(ctx, owner, id)
	if err != nil {
		return err
	}
	stream := &eventStream{server: s, w: w, control: http.NewResponseController(w), id: id}
	if r.Header.Get("Last-Event-ID") == eventID(j) {
		if !j.Status.Active() {
			w.WriteHeader(http.StatusNoContent) // which is how a browser learns not to connect again
			return nil
		}
		stream.last = j
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store, no-transform") // nor compressed on the way, which would hold events back
	h.Set("X-Accel-Buffering", "no")                 // as nginx would
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	// Or the last event's deadline would end the next requests of this connection.
	defer func() { _ = stream.control.SetWriteDeadline(time.Time{}) }()
	if err := stream.reconnect(reconnectAfter); err != nil {
		return err
	}
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
	id      uuid.UUID
	last    job.Job // as the client knows it
}

// follow sends what changes until the job ends, the client leaves or the server shuts down.
func (e *eventStream) follow(ctx context.Context, changes <-chan job.Job) error {
	end := time.Now().Add(streamLifetime)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case j, exists := <-changes:
			if !exists {
				return e.event("deleted", "", api.DeletedEvent{ID: e.id})
			}
			if err := e.show(ctx, j); err != nil || !j.Status.Active() {
				return err
			}
		case now := <-beat.C:
			if now.After(end) {
				return nil
			}
			if err := e.send([]byte(": still here\n\n")); err != nil {
				return err
			}
		case <-e.server.Leave:
			return e.reconnect(leaveSoonest + rand.N(leaveLatest-leaveSoonest))
		case <-ctx.Done():
			return nil
		}
	}
}

// show sends a job: all of it when its status is new, else its progress if that is.
func (e *eventStream) show(ctx context.Context, j job.Job) error {
	before := e.last
	e.last = j
	if j.Status == before.Status {
		if j.PagesDone == before.PagesDone {
			return nil
		}
		return e.event("progress", eventID(j), api.ProgressEvent{Status: j.Status, Progress: progressOf(j)})
	}
	out, err := e.server.jobOf(ctx, j)
	if err != nil {
		return err
	}
	return e.event("status", eventID(j), out)
}

// eventID names a state of a job, the same on every node: a client that sends it back has seen that state. It tells
// states apart without ordering them, since the clocks of nodes differ and a job that is tried again goes back.
func eventID(j job.Job) string {
	return fmt.Sprintf("%d-%s-%d", j.UpdatedAt.UnixMicro(), j.Status, j.PagesDone)
}

// event sends an event; without an id the last one stays in force.
func (e *eventStream) event(name, id string, data any) error {
	var b bytes.Buffer
	b.WriteString("event: " + name + "\n")
	if id != "" {
		b.WriteString("id: " + id + "\n")
	}
	b.WriteString("data: ")
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(data); err != nil { // ends with a newline, and has no other
		return err
	}
	b.WriteString("\n")
	return e.send(b.Bytes())
}

// reconnect says how long the client should wait before it connects again, once the stream has ended.
func (e *eventStream) reconnect(after time.Duration) error {
	return e.send(fmt.Appendf(nil, "retry: %d\n\n", after.Milliseconds()))
}

func (e *eventStream) send(b []byte) error {
	_ = e.control.SetWriteDeadline(time.Now().Add(eventTimeout)) // not supported by a test's recorder
	if _, err := e.w.Write(b); err != nil {
		return err
	}
	return e.control.Flush()
}
