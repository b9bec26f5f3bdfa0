package engine

import (
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// detach puts the child into a process group of its own, so that a terminal's Ctrl-C does not reach it
// and killGroup does, and has the kernel kill it when we die.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// killGroup kills a child's process group.
func killGroup(p *os.Process) {
	_ = syscall.Kill(-p.Pid, syscall.SIGKILL) // fails only when it is gone already
}

// niceSlice is how long a nice process would compute at a stretch. That is the most that Linux takes: since 6.12, who wakes up and
// asks for less interrupts it at once, instead of waiting for the end of a turn of a few milliseconds, again at each of the
// dozens of steps of a request. Its share of the processors stays as it is; older kernels ignore it.
const niceSlice = 100 * time.Millisecond

// beNice lets the calling thread, and the processes that it starts from now on, give way to others. Where that is forbidden,
// they do not.
func beNice(niceness int) {
	if niceness == 0 {
		return
	}
	attributes := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Nice: int32(niceness), Runtime: uint64(niceSlice)}
	if unix.SchedSetAttr(0, &attributes, 0) != nil { // 0 means the thread
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, niceness) // which more sandboxes allow
	}
}
