package job_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/plan"
)

func TestQuotaExceeded(t *testing.T) {
	for name, c := range map[string]struct {
		pages, charged, used, limit int
		want                        string
		remaining                   int
	}{
		"the contract's sentence":        {15, 15, 47, 50, "This PDF has 15 pages but you only have 3 pages remaining this month.", 3},
		"one page is singular":           {1, 1, 50, 50, "This PDF has 1 page but you only have 0 pages remaining this month.", 0},
		"one page left":                  {2, 2, 49, 50, "This PDF has 2 pages but you only have 1 page remaining this month.", 1},
		"a selection is named":           {100, 15, 47, 50, "You selected 15 pages of this PDF but you only have 3 pages remaining this month.", 3},
		"nothing left after a downgrade": {5, 5, 900, 50, "This PDF has 5 pages but you only have 0 pages remaining this month.", 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := job.QuotaExceeded(c.pages, c.charged, c.used, c.limit, plan.Free)
			if f.Message != c.want {
				t.Errorf("message\n got %q\nwant %q", f.Message, c.want)
			}
			want := map[string]any{"pdf_pages": c.charged, "pages_remaining": c.remaining, "pages_used": c.used, "pages_limit": c.limit, "tier": plan.Free}
			if d := cmp.Diff(want, f.Facts); d != "" {
				t.Errorf("facts (-want +got):\n%s", d)
			}
			if f.Kind != fault.QuotaExceeded || f.Code != "page_quota_exceeded" {
				t.Errorf("kind %d, code %q", f.Kind, f.Code)
			}
		})
	}
}

func TestTooManyActive(t *testing.T) {
	f := job.TooManyActive(5, 5, plan.Pro)
	if want := "You have 5 active jobs and the pro plan allows 5 at once. Wait for one to finish, then try again."; f.Message != want {
		t.Errorf("message\n got %q\nwant %q", f.Message, want)
	}
	want := map[string]any{"active_jobs": 5, "max_concurrent_jobs": 5, "tier": plan.Pro}
	if d := cmp.Diff(want, f.Facts); d != "" {
		t.Errorf("facts (-want +got):\n%s", d)
	}
	if f.Retry <= 0 {
		t.Error("no Retry-After")
	}
}
