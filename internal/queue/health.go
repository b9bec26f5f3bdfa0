package queue

import (
	"context"
	"errors"
)

// Check tells why this process works nothing at the moment, nil when it does. It does not wait.
func (q *Queue) Check(context.Context) error {
	stopped := q.ended.Load()
	if stopped == nil {
		return errors.New("not started")
	}
	select {
	case <-*stopped:
		return errors.New("stopped")
	default:
	}
	if !q.sentinel.locked.Load() {
		return errors.New("without the lock that shows this worker alive: others take over its work")
	}
	return nil
}

// Ended is closed when this process works nothing any more, for whatever reason. It blocks for ever before Start.
func (q *Queue) Ended() <-chan struct{} {
	if stopped := q.ended.Load(); stopped != nil {
		return *stopped
	}
	return nil
}
