//go:build unix && !linux

package engine

import (
	"os"
	"os/exec"
	"syscall"
)

// detach puts the child into a process group of its own, so that a terminal's Ctrl-C does not reach it
// and killGroup does. When we die, its standard input ends, and it follows.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills a child's process group.
func killGroup(p *os.Process) {
	_ = syscall.Kill(-p.Pid, syscall.SIGKILL) // fails only when it is gone already
}

// beNice does nothing here, where a thread has no priority of its own.
func beNice(int) {}
