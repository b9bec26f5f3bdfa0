package clustertest

import (
	"runtime"
	"syscall"
)

// dieWithParent lets the kernel kill the process when we end, however we end.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }

// pinThread keeps the calling goroutine on its thread until the returned function is called: "parent"
// in dieWithParent means the thread that forked.
func pinThread() (unpin func()) {
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}
