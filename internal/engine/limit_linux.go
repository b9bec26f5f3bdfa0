package engine

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// limitMemory makes the kernel refuse this process more than limit bytes of data memory on top of what
// it has now (heap, WebAssembly memory and compiled code count; what is only reserved does not).
func limitMemory(limit int64) error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	_, rest, found := strings.Cut(string(status), "VmData:")
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return fmt.Errorf("no VmData in /proc/self/status")
	}
	kilobytes, err := strconv.ParseUint(fields[0], 10, 64)
	if err != nil {
		return err
	}
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_DATA, &old); err != nil {
		return err
	}
	max := min(kilobytes<<10+uint64(limit), old.Max)
	return unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: max, Max: max})
}
