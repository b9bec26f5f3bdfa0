package engine_test

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ragify/ragify/internal/engine"
)

func TestChildren_give_way_as_configured(t *testing.T) {
	own, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil {
		t.Fatal(err)
	}
	const niceness, children = 19, 3
	const slice = 100e6 // in ns, where the kernel tells it
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
		if got, err := unix.SchedGetAttr(pid, 0); err != nil || got.Policy != unix.SCHED_NORMAL || (got.Runtime != 0 && got.Runtime != slice) {
			t.Errorf("child %d is scheduled as %+v, %v", pid, got, err)
		}
		if got, err := syscall.Getpriority(syscall.PRIO_PROCESS, pid); err != nil || got != 20-niceness {
			t.Errorf("child %d has priority %d, %v", pid, got, err)
		}
	}
	if now, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0); err != nil || now != own {
		t.Errorf("our own priority is %d, was %d, %v", now, own, err)
	}
}
