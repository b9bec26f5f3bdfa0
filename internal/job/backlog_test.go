package job_test

import (
	"testing"
	"time"

	"github.com/ragify/ragify/internal/job"
)

func TestBacklog_Wait(t *testing.T) {
	t.Parallel()
	queue := []job.BacklogPart{{First: 10, Last: 10, Work: 30}, {First: 20, Last: 40, Work: 100}, {First: 50, Last: 50, Work: 1e9}}
	for name, c := range map[string]struct {
		b     job.Backlog
		place float64
		want  time.Duration
	}{
		"nothing before it: the least step":            {job.Backlog{Queue: queue, Speed: 1}, 10, 5 * time.Second},
		"rounded up":                                   {job.Backlog{Queue: queue, Speed: 1}, 20, 30 * time.Second},
		"never down":                                   {job.Backlog{Queue: queue, Speed: 0.99}, 20, time.Minute},
		"half a part":                                  {job.Backlog{Queue: queue, Speed: 1}, 30, 2 * time.Minute}, // 30 + 50
		"shared by the workers":                        {job.Backlog{Queue: queue, Speed: 1, Running: 4}, 30, 20 * time.Second},
		"with what is left of the running":             {job.Backlog{Queue: queue, Speed: 1, Running: 4, Rest: 320}, 30, 2 * time.Minute},
		"behind everything, longer than the last step": {job.Backlog{Queue: queue, Speed: 1, Running: 4}, 60, 24 * time.Hour},
	} {
		if got, known := c.b.Wait(c.place); got != c.want || !known {
			t.Errorf("%s: %v %v, want %v", name, got, known, c.want)
		}
	}
	if _, known := (job.Backlog{Queue: queue}).Wait(10); known {
		t.Error("known without a speed")
	}
}
