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
