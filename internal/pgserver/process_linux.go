package pgserver

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// inheritedDir is the path of the first inherited file (descriptor 3), for a process itself.
const inheritedDir = "/proc/self/fd/3"

// dieWithParent lets the kernel send the process a fast shutdown when we end, however we end.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }

// pinThread keeps the calling goroutine on its thread until the returned function is called:
// "parent" in dieWithParent means the thread that forked.
func pinThread() (unpin func()) {
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}

// clusterUsers lists the live processes on a cluster: the server and each of its backends work with the
// data directory as their working directory. A zombie or a reused process number does not show.
func clusterUsers(data string) (pids []int) {
	real, err := filepath.EvalSymlinks(data)
	if err != nil {
		return nil
	}
	links, _ := filepath.Glob("/proc/[0-9]*/cwd") // the pattern is well-formed
	for _, link := range links {
		if dir, err := os.Readlink(link); err == nil && dir == real {
			if pid, err := strconv.Atoi(strings.Split(link, "/")[2]); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
