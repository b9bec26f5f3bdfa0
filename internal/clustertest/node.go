//go:build unix

package clustertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// stopPatience is how long a node may take to end in good order: its own graces, and more for a busy
// machine.
const stopPatience = time.Minute

// Node is one ragify process, started anew as often as the test wants, at addresses that stay.
type Node struct {
	// Name tells nodes apart in logs: "node1".
	Name string
	// Link is the node's way to Postgres.
	Link *Link
	// Env are variables of this node alone, "NAME=value", from its next start on.
	Env []string

	c       *Cluster
	command string
	dir     string

	mu    sync.Mutex
	proc  *process // nil before the first start
	api   string   // URL, "" before the first start and for workers only
	admin string
	log   transcript
}

// Add makes another node, which runs the command "serve" or "work" once it is started.
func (c *Cluster) Add(command string) *Node {
	c.t.Helper()
	name := fmt.Sprintf("node%d", len(c.Nodes)+1)
	n := &Node{Name: name, Link: c.Postgres.link(), c: c, command: command, dir: filepath.Join(c.dir, name)}
	c.Nodes = append(c.Nodes, n)
	c.t.Cleanup(func() {
		n.Kill()
		if c.t.Failed() {
			c.t.Logf("log of %s:\n%s", n.Name, &n.log)
		}
	})
	return n
}

// URL is the node's API, "" before its first start.
func (n *Node) URL() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.api
}

// AdminURL is the node's admin listener, "" before its first start.
func (n *Node) AdminURL() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.admin
}

// Dir is the node's DATA_DIR.
func (n *Node) Dir() string { return n.dir }

// Log is what the node has logged last.
func (n *Node) Log() string { return n.log.String() }

// PID is the process's number, 0 when none runs.
func (n *Node) PID() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.proc.running() {
		return 0
	}
	return n.proc.cmd.Process.Pid
}

// Done is closed when the process that was started last has ended. Only after a start.
func (n *Node) Done() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.proc.exited
}

// errEnded is why a node that ends while it starts is not ready.
var errEnded = errors.New("it ended while starting")

// Start starts the node and waits until it says that it is ready. A node that does not start (its
// Postgres is away, say) is an error, and may be started again.
func (n *Node) Start() error {
	ready := make(chan [2]string, 1)
	cmd := exec.Command(n.c.o.Program[0], append(n.c.o.Program[1:len(n.c.o.Program):len(n.c.o.Program)], n.command)...)
	cmd.Env = n.environment()
	proc, err := launch(cmd, func(line string) {
		n.log.add(line)
		var event struct{ Msg, API, Admin string }
		if json.Unmarshal([]byte(line), &event) == nil && event.Msg == "ready" {
			select {
			case ready <- [2]string{event.API, event.Admin}:
			default:
			}
		}
	})
	if err != nil {
		return fmt.Errorf("%s: %w", n.Name, err)
	}
	n.mu.Lock()
	n.proc = proc
	n.mu.Unlock()
	select {
	case urls := <-ready:
		n.mu.Lock()
		n.api, n.admin = urls[0], urls[1]
		n.mu.Unlock()
		return nil
	case <-proc.exited:
		return fmt.Errorf("%s: %w (%w)", n.Name, errEnded, proc.err)
	case <-time.After(Patience):
		proc.kill()
		return fmt.Errorf("%s does not get ready", n.Name)
	}
}

// environment is what the node's process gets.
func (n *Node) environment() []string {
	env := append(environment(),
		"DATABASE_URL="+n.Link.URL(), "BLOB_URL="+n.c.Bucket.URL(), "URL_SIGNING_KEY="+signingKey, "DATA_DIR="+n.dir,
		"ENGINE_CACHE_DIR="+n.c.o.EngineCache, "LOG_FORMAT=json",
		"LISTEN_ADDR="+address(n.URL()), "ADMIN_ADDR="+address(n.AdminURL()))
	env = append(env, n.c.Bucket.credentials()...)
	env = append(env, n.c.o.Env...)
	return append(env, n.Env...)
}

// address is what to listen on: where the node was before, else a free port.
func address(raw string) string {
	if u, err := url.Parse(raw); err == nil && u.Host != "" {
		return u.Host
	}
	return "127.0.0.1:0"
}

// environment is what every program gets of the test's own environment: nothing that configures it.
func environment() (env []string) {
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "GORACE", "GOCOVERDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// Kill is kill -9 of the node's first process alone: what it has started must end by itself.
func (n *Node) Kill() {
	n.mu.Lock()
	proc := n.proc
	n.mu.Unlock()
	proc.kill()
}

// Terminate asks the node to end, as an orderly restart does, and waits until it has. It must do so with
// exit status 0.
func (n *Node) Terminate() error {
	n.mu.Lock()
	proc := n.proc
	n.mu.Unlock()
	proc.signal(syscall.SIGTERM)
	select {
	case <-proc.exited:
	case <-time.After(stopPatience):
		proc.kill()
		return fmt.Errorf("%s does not end after SIGTERM", n.Name)
	}
	if proc.err != nil {
		return fmt.Errorf("%s: after SIGTERM: %w", n.Name, proc.err)
	}
	return nil
}

// Restart is Terminate and Start.
func (n *Node) Restart() error {
	if err := n.Terminate(); err != nil {
		return err
	}
	return n.Start()
}

// Freeze stops the process where it is, as a host that stalls does. Its connections stay open.
func (n *Node) Freeze() { n.signal(syscall.SIGSTOP) }

// Thaw lets a frozen process go on.
func (n *Node) Thaw() { n.signal(syscall.SIGCONT) }

func (n *Node) signal(s syscall.Signal) {
	n.mu.Lock()
	proc := n.proc
	n.mu.Unlock()
	proc.signal(s)
}
