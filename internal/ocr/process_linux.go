package ocr

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel kill the program when we die. It stays in our process group, so that whoever kills that
// kills the program as well.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
