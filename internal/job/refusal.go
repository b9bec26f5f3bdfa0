package job

import (
	"fmt"
	"time"

	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/plan"
)

// activeRetry is when a client that was refused for its active jobs does well to try again: most
// documents convert in less.
const activeRetry = 5 * time.Second

// TooManyActive is the refusal of a submission while active jobs are running on a plan that allows
// limit at once.
func TooManyActive(active, limit int, tier plan.Tier) *fault.Fault {
	return fault.Newf(fault.TooManyActive, "too_many_active_jobs",
		"You have %s and the %s plan allows %d at once. Wait for one to finish, then try again.",
		count(active, "active job"), tier, limit).
		With("active_jobs", active).
		With("max_concurrent_jobs", limit).
		With("tier", tier).
		After(activeRetry)
}

// QuotaExceeded is the refusal of a PDF with pageCount pages, of which charged are selected, when used
// of the month's limit pages are taken.
func QuotaExceeded(pageCount, charged, used, limit int, tier plan.Tier) *fault.Fault {
	remaining := max(0, limit-used)
	what := fmt.Sprintf("This PDF has %s", count(pageCount, "page"))
	if charged != pageCount {
		what = fmt.Sprintf("You selected %s of this PDF", count(charged, "page"))
	}
	return fault.Newf(fault.QuotaExceeded, "page_quota_exceeded",
		"%s but you only have %s remaining this month.", what, count(remaining, "page")).
		With("pdf_pages", charged).
		With("pages_remaining", remaining).
		With("pages_used", used).
		With("pages_limit", limit).
		With("tier", tier)
}

// KeyReused is the refusal of an Idempotency-Key that belongs to a submission of another file or of
// other options.
func KeyReused() *fault.Fault {
	return fault.New(fault.Invalid, "idempotency_key_reused",
		"This Idempotency-Key was already used with another file or other options. Use a new key for a new request.").
		With("field", "Idempotency-Key")
}

// Repeats reports whether s and o ask for the same: file and options, the password aside.
func (s Submission) Repeats(o Submission) bool {
	return s.FileSHA256 == o.FileSHA256 && s.OptionsHash == o.OptionsHash
}

// count is n with its noun: "1 page", "3 pages".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
