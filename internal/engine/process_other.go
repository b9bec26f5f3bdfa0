//go:build !unix

package engine

import (
	"os"
	"os/exec"
)

// detach does nothing here: when we die, the child's standard input ends, and it follows.
func detach(*exec.Cmd) {}

// killGroup kills a child.
func killGroup(p *os.Process) {
	_ = p.Kill() // fails only when it is gone already
}

// terminated cannot tell here.
func terminated(*os.ProcessState) bool { return false }

// beNice does nothing here, where a thread has no priority of its own.
func beNice(int) {}
