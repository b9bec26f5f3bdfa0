package job

import (
	"sort"
	"time"
)

// Backlog is the work of all accounts that is not done, as of one moment. Work is counted in pages, with what a job costs
// beside them.
type Backlog struct {
	Waiting int           // jobs that no worker has begun
	Queue   []BacklogPart // their work, in the order in which it is due
	Running int           // jobs begun
	Rest    float64       // work left of them
	Speed   float64       // work that one worker does in a second; 0 when nothing is known of it
}

// BacklogPart is a stretch of the queue: the jobs from place First to place Last.
type BacklogPart struct {
	First, Last float64
	Work        float64
}

// waitSteps are what an estimated wait is rounded up to. They tell when to look again, but not how many jobs others have
// or how large they are: each is up to twice or three times the one before.
var waitSteps = [...]time.Duration{
	5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 24 * time.Hour,
}

// Wait estimates how long the job at place waits for a worker, rounded up to one of a few steps, so that an account learns
// no more of others than it has to; the last step stands for all that is longer. Not known: nothing is known of the speed.
func (b Backlog) Wait(place float64) (wait time.Duration, known bool) {
	if b.Speed <= 0 {
		return 0, false
	}
	seconds := (b.Rest + b.before(place)) / (b.Speed * float64(max(b.Running, 1)))
	for _, wait = range waitSteps {
		if seconds <= wait.Seconds() {
			break
		}
	}
	return wait, true
}

// before is the waiting work that is due before place. Within a part it is taken to be spread evenly.
func (b Backlog) before(place float64) (work float64) {
	for _, p := range b.Queue[:sort.Search(len(b.Queue), func(i int) bool { return b.Queue[i].First >= place })] {
		share := 1.0
		if place < p.Last {
			share = (place - p.First) / (p.Last - p.First)
		}
		work += share * p.Work
	}
	return work
}
