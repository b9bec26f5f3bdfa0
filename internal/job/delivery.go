package job

import "time"

// DeliveryStatus is what has become of telling a webhook's receiver about an event.
type DeliveryStatus string

// The states of a delivery. Failed is final unless the client asks for it again.
const (
	DeliveryPending DeliveryStatus = "pending" // an attempt is under way, or will be made
	Delivered       DeliveryStatus = "delivered"
	DeliveryFailed  DeliveryStatus = "failed" // given up
)

// Delivery is one event for a job's webhook, and the attempts to deliver it.
type Delivery struct {
	Event         string // id, the same at every attempt
	Type          string // "job.done" or "job.failed"
	URL           string
	Status        DeliveryStatus
	CreatedAt     time.Time
	NextAttemptAt *time.Time // nil while an attempt is under way and when there will be none
	Attempts      []Attempt  // newest first, at most MaxAttemptsLogged
}

// MaxAttemptsLogged is how many attempts of an event are remembered: with every redelivery there are more, so the oldest go.
const MaxAttemptsLogged = 100

// AttemptOutcome is how an attempt went. It tells a client what to look at, and nothing of networks that are not its own:
// a host name without address and an address that is refused are the same.
type AttemptOutcome string

// The outcomes. Only AttemptDelivered is success.
const (
	AttemptDelivered   AttemptOutcome = "delivered"   // an answer 2xx
	AttemptRefused     AttemptOutcome = "refused"     // any other answer; redirects are not followed
	AttemptGone        AttemptOutcome = "gone"        // the answer 410: no more attempts
	AttemptTimedOut    AttemptOutcome = "timed_out"   // no answer in time
	AttemptUnreachable AttemptOutcome = "unreachable" // no connection, or one that broke
	AttemptInsecure    AttemptOutcome = "tls_failed"  // no TLS connection: certificate, name, protocol
	AttemptNoAddress   AttemptOutcome = "no_address"  // the host has no address that webhooks may be sent to
)

// Attempt is one attempt to deliver an event.
type Attempt struct {
	At         time.Time
	Took       time.Duration
	Outcome    AttemptOutcome
	HTTPStatus int // 0 without answer
}

// Announcement is an event that is in the queue.
type Announcement struct {
	Event string // id; "" when there is nothing to announce
	Type  string
	Work  int64 // the queue's id of it
}
