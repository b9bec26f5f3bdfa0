//go:build unix && !linux

package pgserver

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// inheritedDir is empty: these systems have no path for an inherited directory.
const inheritedDir = ""

// dieWithParent does nothing here: an orphan is ended by the next Start.
func dieWithParent(*syscall.SysProcAttr) {}

// pinThread does nothing here.
func pinThread() (unpin func()) { return func() {} }

// clusterUsers gives the server that the pid file names, if that process is alive and is a Postgres on
// this cluster.
func clusterUsers(data string) (pids []int) {
	pid := readPid(filepath.Join(data, "postmaster.pid"))
	if pid == 0 {
		return nil
	}
	out, err := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	if err != nil || !strings.Contains(string(out), "postgres") || !strings.Contains(string(out), data) {
		return nil
	}
	return []int{pid}
}
