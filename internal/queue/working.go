package queue

import (
	"context"
	"sync"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/ragify/ragify/internal/tracing"
)

// workingSet is the work that this process has in hand. The sentinel compares it with what the database
// takes to be running here.
type workingSet struct {
	mu  sync.Mutex
	ids map[int64]int // River's id → how many times over: it may be taken anew before the last time has ended
}

func newWorkingSet() *workingSet { return &workingSet{ids: make(map[int64]int)} }

// continued gives all work what its metadata tells of the request that caused it.
func continued() rivertype.Middleware {
	return river.WorkerMiddlewareFunc(func(ctx context.Context, work *rivertype.JobRow, do func(context.Context) error) error {
		return do(tracing.Continue(ctx, work.Metadata))
	})
}

// middleware notes all work from its beginning to its end.
func (s *workingSet) middleware() rivertype.Middleware {
	return river.WorkerMiddlewareFunc(func(ctx context.Context, work *rivertype.JobRow, do func(context.Context) error) error {
		s.add(work.ID, 1)
		defer s.add(work.ID, -1)
		return do(ctx)
	})
}

func (s *workingSet) add(id int64, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids[id] += n; s.ids[id] == 0 {
		delete(s.ids, id)
	}
}

// has reports whether the work is in hand.
func (s *workingSet) has(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ids[id] > 0
}
