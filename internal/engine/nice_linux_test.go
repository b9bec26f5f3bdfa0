package engine_test

import (
	"syscall"
	"testing"

	"github.com/ragify/ragify/internal/engine"
)

func TestChildren_give_way_as_configured(t *testing.T) {
	own, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil {
		t.Fatal(err)
	}
	const niceness, children = 19, 3
	e := newEngine(t, children, func(c *engine.Config) { c.Niceness = niceness })
	if err := e.WarmAll(within(t)); err != nil {
		t.Fatal(err)
	}
	pids := e.Pids()
	if len(pids) != children {
		t.Errorf("%d children are warm", len(pids))
	}
	for _, pid := range pids {
		// The system call gives 20 less the niceness.
		if got, err := syscall.Getpriority(syscall.PRIO_PROCESS, pid); err != nil || got != 20-niceness {
			t.Errorf("child %d has priority %d, %v", pid, got, err)
		}
	}
	if now, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0); err != nil || now != own {
		t.Errorf("our own priority is %d, was %d, %v", now, own, err)
	}
}
