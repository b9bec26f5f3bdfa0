//go:build unix

package engine_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

func killProcess(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}

// processAlive reports whether a process runs; a zombie that nobody has reaped does not.
func processAlive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return runtime.GOOS != "linux"
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return rest != "" && rest[0] != 'Z' && rest[0] != 'X'
}

// parent is a process with an engine whose child is busy, or idle, when the child's pid is printed. It
// waits to be killed.
func parent(source string) {
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	exe, err := os.Executable()
	if err != nil {
		fail(err)
	}
	cache, err := pdftest.CacheDir()
	if err != nil {
		fail(err)
	}
	e, err := engine.New(engine.Config{Command: []string{exe, "engine"}, Children: 1, CacheDir: cache})
	if err != nil {
		fail(err)
	}
	if source == "idle" {
		if err := e.Warm(context.Background()); err != nil {
			fail(err)
		}
		fmt.Println(e.Pids()[0])
		select {}
	}
	_, err = e.Convert(context.Background(), engine.Request{Source: source, OutDir: os.TempDir(), Stem: "never", Options: option.Default()},
		func(int, int) { fmt.Println(e.Pids()[0]) })
	fail(fmt.Errorf("the conversion ended: %w", err))
}

func TestOrphans_die_with_the_parent(t *testing.T) {
	for name, source := range map[string]string{"busy": save(t, pdftest.Slow()), "idle": "idle"} {
		t.Run(name, func(t *testing.T) {
			command := childCommand(t, "parent")
			cmd := exec.Command(command[0], command[1], source)
			cmd.Stderr = os.Stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil {
				t.Fatal(err)
			}
			if !processAlive(pid) {
				t.Fatal("no child")
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // killed
			waitFor(t, func() bool { return !processAlive(pid) })
		})
	}
}
