package queue_test

import (
	"testing"
	"time"

	"github.com/ragify/ragify/internal/queue"
)

func TestRoundLate(t *testing.T) {
	const limit = time.Hour
	for name, c := range map[string]struct {
		done, elected time.Duration
		want          bool
	}{
		"done lately":                   {done: limit / 2, elected: 10 * limit},
		"not done for too long":         {done: 2 * limit, elected: time.Second, want: true},
		"never, by workers just begun":  {elected: limit / 2},
		"never, by workers there a day": {elected: 24 * limit, want: true},
	} {
		if got := (queue.Round{Done: c.done, Limit: limit}).Late(c.elected); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
