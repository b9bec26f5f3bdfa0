package engine

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// child is one process of the pool.
type child struct {
	cmd    *exec.Cmd
	pid    int
	in     *os.File // its standard input
	out    *os.File // its standard output
	reader *bufio.Reader
	stderr *tail
	gone   chan struct{} // closed when the process has been reaped
}

// starter starts all children from one thread of its own. Linux kills a child whose parent asked for it
// (Pdeathsig) when the parent's *thread* ends, so the thread has to live as long as the children.
type starter struct {
	requests chan func()
	once     sync.Once
}

func newStarter(niceness int) *starter {
	s := &starter{requests: make(chan func())}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		beNice(niceness)       // and is inherited by what it starts
		for f := range s.requests {
			f()
		}
	}()
	return s
}

// stop ends the thread. No start may follow.
func (s *starter) stop() { s.once.Do(func() { close(s.requests) }) }

// start starts a child process. Its environment is only what programs need to run at all: the service's
// secrets stay with the service.
func (s *starter) start(command []string) (*child, error) {
	childIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		closeAll(childIn, in)
		return nil, err
	}
	c := &child{in: in, out: out, reader: bufio.NewReader(out), stderr: &tail{}, gone: make(chan struct{})}
	c.cmd = exec.Command(command[0], command[1:]...)
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = childIn, childOut, c.stderr
	c.cmd.Env = environment()
	c.cmd.WaitDelay = time.Second // for standard error held open by a grandchild
	detach(c.cmd)
	started := make(chan error)
	s.requests <- func() { started <- c.cmd.Start() }
	err = <-started
	closeAll(childIn, childOut)
	if err != nil {
		closeAll(in, out)
		return nil, err
	}
	c.pid = c.cmd.Process.Pid
	go func() {
		_ = c.cmd.Wait() // how it ended is in cmd.ProcessState
		close(c.gone)
	}()
	return c, nil
}

// environment is the part of our environment that a child gets.
func environment() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TMP", "TEMP", "LANG", "LC_ALL", "TZ", "SYSTEMROOT", "GOMAXPROCS", "GOCOVERDIR", "GORACE", "TESSDATA_PREFIX"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// exchange sends a request and waits for its answer. When ctx ends first, the child is killed. After an
// error the child must not be used again.
func (c *child) exchange(ctx context.Context, r request, report func(progress)) (response, error) {
	if err := ctx.Err(); err != nil {
		return response{}, err
	}
	stop := context.AfterFunc(ctx, c.kill)
	defer stop()
	if err := writeFrame(c.in, r); err != nil {
		return response{}, fmt.Errorf("sending: %w", err)
	}
	resp, err := receive(c.reader, report)
	if err != nil {
		return response{}, fmt.Errorf("receiving: %w", err)
	}
	if !stop() {
		return response{}, ctx.Err() // answered, but killed at the same moment
	}
	return resp, nil
}

// kill ends the child and everything it has started, at once.
func (c *child) kill() {
	if c.alive() {
		killGroup(c.cmd.Process)
	}
}

// end kills the child, waits until it is gone and lets go of it.
func (c *child) end() {
	c.kill()
	<-c.gone
	closeAll(c.in, c.out)
}

// alive reports whether the process has not ended.
func (c *child) alive() bool {
	select {
	case <-c.gone:
		return false
	default:
		return true
	}
}

// status says how the child ended, for the log.
func (c *child) status() string {
	<-c.gone
	return c.cmd.ProcessState.String()
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		_ = f.Close() // pipes: nothing is lost
	}
}

// tail keeps the beginning and the end of what a child writes to standard error: a Go program that
// crashes says the most important things first.
type tail struct {
	mu   sync.Mutex
	head []byte
	last []byte
}

// Bounds of a tail's two parts in bytes.
const (
	tailHead = 4 << 10
	tailLast = 2 << 10
)

// Write implements io.Writer and never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	if room := tailHead - len(t.head); room > 0 {
		k := min(room, len(p))
		t.head, p = append(t.head, p[:k]...), p[k:]
	}
	if t.last = append(t.last, p...); len(t.last) > tailLast {
		t.last = append([]byte(nil), t.last[len(t.last)-tailLast:]...)
	}
	return n, nil
}

// String is what was kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.last) == 0 {
		return string(t.head)
	}
	return string(t.head) + "\n[…]\n" + string(t.last)
}
