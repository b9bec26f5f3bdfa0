//go:build unix && !linux

package clustertest

import "syscall"

// dieWithParent does nothing here: a test that is killed leaves its processes behind.
func dieWithParent(*syscall.SysProcAttr) {}

func pinThread() (unpin func()) { return func() {} }
