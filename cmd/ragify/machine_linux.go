package main

import (
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// machine is what the process has to work with: bytes of memory and of free disk, files and connections
// at once. 0 is not known.
type machine struct{ memory, disk, files int64 }

func thisMachine(dir string) (m machine) {
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) == nil {
		m.memory = clip(uint64(info.Totalram) * uint64(info.Unit))
	}
	// What a container may take, where the kernel has version 2 of control groups.
	if b, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if limit, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil {
			m.memory = min(m.memory, limit)
		}
	}
	var fs syscall.Statfs_t
	if syscall.Statfs(dir, &fs) == nil {
		m.disk = clip(fs.Bavail * uint64(fs.Bsize))
	}
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		m.files = clip(limit.Max) // Go raises the soft limit to it
	}
	return m
}

func clip(n uint64) int64 { return int64(min(n, math.MaxInt64)) }
