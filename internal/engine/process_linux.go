package engine

import (
	"os"
	"os/exec"
	"syscall"
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

// beNice lets the calling thread, and the processes that it starts from now on, give way to others. Where that is forbidden,
// they do not.
func beNice(niceness int) {
	if niceness > 0 {
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, niceness) // 0 means the thread, on Linux
	}
}
