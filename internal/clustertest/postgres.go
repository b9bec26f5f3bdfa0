//go:build unix

package clustertest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/ragify/ragify/internal/pgserver"
)

// Postgres is the cluster's database server. It may be stopped in three ways and started again with its
// data. Nodes reach it through a Link each, at an address that stays.
type Postgres struct {
	t        testing.TB
	dir      string
	volatile bool
	direct   *Link  // the test's own
	started  func() // after each start: the test's own connections have broken

	mu     sync.Mutex
	server *pgserver.Server // nil while it is down
	socket string           // path of the socket of the server started last
}

func startPostgres(t testing.TB, dir string, volatile bool) *Postgres {
	t.Helper()
	p := &Postgres{t: t, dir: dir, volatile: volatile, started: func() {}}
	t.Cleanup(p.StopImmediately) // nobody needs the data any more
	p.Start()
	p.direct = p.link()
	return p
}

// URL is how the test itself reaches the server, also after a restart.
func (p *Postgres) URL() string { return p.direct.URL() }

// Start starts the server, unless it runs, and waits until it takes connections.
func (p *Postgres) Start() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	server, err := pgserver.Start(ctx, pgserver.Options{Dir: p.dir, Test: p.volatile})
	if err != nil {
		p.t.Errorf("start Postgres: %v", err)
		return
	}
	u, err := url.Parse(server.URL())
	if err != nil {
		p.t.Errorf("start Postgres: %v", err)
	}
	defer p.started()
	p.server, p.socket = server, filepath.Join(u.Query().Get("host"), ".s.PGSQL.5432")
}

// Stop is a fast shutdown, as of an orderly restart: sessions are cut off, what is committed stays.
func (p *Postgres) Stop() { p.down(0) }

// StopImmediately is an immediate shutdown: no goodbye to the sessions, recovery at the next start.
func (p *Postgres) StopImmediately() { p.down(syscall.SIGQUIT) }

// Kill is a kill -9 of the server's first process.
func (p *Postgres) Kill() { p.down(syscall.SIGKILL) }

// Restart is Stop and Start.
func (p *Postgres) Restart() {
	p.t.Helper()
	p.Stop()
	p.Start()
}

// down ends the server by a signal, 0 for a fast shutdown.
func (p *Postgres) down(s syscall.Signal) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server == nil {
		return
	}
	if s != 0 {
		pid, err := p.pid()
		if err == nil {
			err = syscall.Kill(pid, s)
		}
		if err != nil {
			p.t.Errorf("signal Postgres: %v", err)
		}
		<-p.server.Done()
	}
	if err := p.server.Stop(); err != nil && s == 0 {
		p.t.Errorf("stop Postgres: %v", err)
	}
	p.server = nil
}

func (p *Postgres) pid() (int, error) {
	b, err := os.ReadFile(filepath.Join(p.dir, "data", "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(b), "\n")
	return strconv.Atoi(first)
}

// link makes another way to the server. It goes when the test ends.
func (p *Postgres) link() *Link {
	p.t.Helper()
	return newLink(p.t, func() (net.Conn, error) {
		p.mu.Lock()
		socket, up := p.socket, p.server != nil
		p.mu.Unlock()
		if !up {
			return nil, fmt.Errorf("postgres is down")
		}
		return net.Dial("unix", socket)
	})
}
