//go:build unix

package clustertest

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

// keptLines is how much of a process's log is kept for a test that fails.
const keptLines = 2000

// process is a program that runs, or has run. It is killed when the test process ends.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed after the end
	err    error         // how it ended; read only after exited is closed
}

// launch runs cmd, and gives each line of its output to heard.
func launch(cmd *exec.Cmd, heard func(line string)) (*process, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = w, w
	// A group of its own: Ctrl-C reaches the test, whose end kills the process.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	p := &process{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The death of the parent is signalled when the THREAD that forked ends: keep it.
		defer pinThread()()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.exited)
		}
	}()
	err = <-started
	_ = w.Close() // the process holds its own
	if err != nil {
		_ = r.Close()
		return nil, err
	}
	go read(r, heard)
	return p, nil
}

func read(r io.ReadCloser, heard func(line string)) {
	defer r.Close()
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			heard(strings.TrimRight(line, "\n"))
		}
		if err != nil {
			return
		}
	}
}

// running reports whether the process has not ended. A nil process has.
func (p *process) running() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// signal sends s to the process alone, not to its children. Nothing happens when it has ended.
func (p *process) signal(s syscall.Signal) {
	if p.running() {
		_ = p.cmd.Process.Signal(s)
	}
}

// kill ends the process as kill -9 does, and waits for its end.
func (p *process) kill() {
	if p == nil {
		return
	}
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// transcript keeps the last lines of a log.
type transcript struct {
	mu    sync.Mutex
	lines []string
}

func (t *transcript) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) >= 2*keptLines {
		t.lines = append([]string(nil), t.lines[keptLines:]...)
	}
	t.lines = append(t.lines, line)
}

// String is what was kept.
func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines[max(0, len(t.lines)-keptLines):], "\n")
}
