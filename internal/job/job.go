// Package job has the nouns and rules of conversion jobs. No SQL, no HTTP, no queue.
package job

import (
	"time"

	"github.com/google/uuid"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/option"
)

// Status is a job's state: pending → processing → done | failed.
type Status string

// The states. Pending and Processing hold a job slot and reserved pages.
const (
	Pending    Status = "pending"
	Processing Status = "processing"
	Done       Status = "done"
	Failed     Status = "failed"
)

// ParseStatus accepts the four states.
func ParseStatus(s string) (Status, bool) {
	switch st := Status(s); st {
	case Pending, Processing, Done, Failed:
		return st, true
	}
	return "", false
}

// Active reports whether a job in state s holds a slot.
func (s Status) Active() bool { return s == Pending || s == Processing }

// Job is one conversion.
type Job struct {
	ID           uuid.UUID
	Account      account.ID
	Status       Status
	Options      option.Options     // Password always ""
	FileName     string             // as the client named it, cleaned, "" when it gave none
	FileSize     int64              // bytes of the upload
	PageCount    int                // pages in the file
	PagesCharged int                // pages selected by options.pages
	PagesDone    int                // progress, 0…PagesCharged
	ErrorCode    string             // stable code of the failure, "" unless failed
	ErrorMessage string             // a safe sentence, "" unless failed
	Warnings     []document.Warning // until the job has ended, those of the upload as a whole
	Files        []File             // results; empty unless done and not expired
	WebhookURL   string             // "" when none
	CreatedAt    time.Time
	UpdatedAt    time.Time
	StartedAt    *time.Time
	FinishedAt   *time.Time
	ExpiresAt    time.Time // files are deleted then
	Place        float64   // in the order of all work, see Backlog
	Position     int       // among the account's own waiting jobs, from 1; 0 unless pending
}

// File is one result. Its blob key is Key(job, Name).
type File struct {
	Format string `json:"format"` // an option.Format, or "images"
	Name   string `json:"name"`   // path below the job's prefix: the folder of its attempt, the file name "result.md"
	Size   int64  `json:"size"`
	Type   string `json:"type"` // media type
}

// SourceKey is the blob key of a job's upload.
func SourceKey(id uuid.UUID) string { return Prefix(id) + "source.pdf" }

// Key is the blob key of a result.
func Key(id uuid.UUID, name string) string { return Prefix(id) + name }

// Prefix is what all blob keys of a job start with.
func Prefix(id uuid.UUID) string { return "jobs/" + id.String() + "/" }

// Submission is a request for a job, checked and with its upload stored under SourceKey(ID).
type Submission struct {
	ID           uuid.UUID
	Account      account.ID
	Options      option.Options
	FileName     string
	FileSize     int64
	FileSHA256   [32]byte // of the upload as sent
	PageCount    int
	PagesCharged int
	Warnings     []document.Warning // about the upload as a whole
	WebhookURL   string
	// IdempotencyKey is "" when the client sent none. OptionsHash and FileSHA256 tell a repetition
	// from a misuse; neither covers the password.
	IdempotencyKey string
	OptionsHash    [32]byte
}

// Outcome is how a job ends.
type Outcome struct {
	Status       Status // Done or Failed
	ErrorCode    string
	ErrorMessage string
	Warnings     []document.Warning
	Files        []File
}

// Abandoned is the outcome of a job whose work was given up for reasons that are ours.
func Abandoned() Outcome {
	return Outcome{
		Status:       Failed,
		ErrorCode:    "conversion_failed",
		ErrorMessage: "The conversion failed because of a problem on our side. Its pages were given back; please try again.",
	}
}

// Crashed is the outcome of a job whose conversion was at work every time when its worker died.
func Crashed() Outcome {
	return Outcome{
		Status:    Failed,
		ErrorCode: "conversion_crashed",
		ErrorMessage: "The conversion was cut off each time it was tried, most likely because this PDF needs more memory than there is. " +
			"Its pages were given back; please convert fewer pages at a time (option pages).",
	}
}
