package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// watchInterval is how often the memory of a running program is looked up.
const watchInterval = 10 * time.Millisecond

// runWatched runs a program and gives the most memory that it and the processes it started had in use together, in
// MB. It is 0 where the system does not tell, which only Linux does.
func runWatched(ctx context.Context, call []string) (megabytes float64, err error) {
	cmd := exec.CommandContext(ctx, call[0], call[1:]...)
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil {
				err = fmt.Errorf("%s: %w\n%s", strings.Join(call, " "), err, &text)
			}
			return megabytes, err
		case <-tick.C:
			megabytes = max(megabytes, float64(residentPages(cmd.Process.Pid)*os.Getpagesize())/1e6)
		}
	}
}

// residentPages adds up the pages of memory that a process and those below it have in use.
func residentPages(pid int) int {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	sum := 0
	if statm, err := os.ReadFile(filepath.Join(dir, "statm")); err == nil {
		if fields := strings.Fields(string(statm)); len(fields) > 1 {
			sum, _ = strconv.Atoi(fields[1])
		}
	}
	tasks, _ := filepath.Glob(filepath.Join(dir, "task", "*", "children"))
	for _, path := range tasks {
		children, err := os.ReadFile(path)
		if err != nil { // that thread has just ended
			continue
		}
		for field := range strings.FieldsSeq(string(children)) {
			if child, err := strconv.Atoi(field); err == nil {
				sum += residentPages(child)
			}
		}
	}
	return sum
}
