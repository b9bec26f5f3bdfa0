//go:build unix

// Package pgserver runs a private Postgres from the binaries installed on this machine.
//
// The cluster lives under one directory and is reachable only through a Unix socket that its owner
// alone may use. At most one live process owns a directory. The server goes down with its owner: by
// Stop, or (on Linux at once, elsewhere at the next Start) when the owner is killed. Whatever a killed
// owner leaves behind is cleared away by the next Start, and the data is intact.
package pgserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrInUse is what Start returns, wrapped, when another live process owns the directory.
var ErrInUse = errors.New("the embedded Postgres is in use by another running process")

const (
	// shutdownGrace is how long a fast shutdown (which writes a checkpoint) may take before the
	// server is stopped the hard way; it then recovers from its log at the next start.
	shutdownGrace = 20 * time.Second
	// pollInterval paces the waits for events that Postgres does not announce: readiness after a
	// start and the end of an orphan. A warm start takes about 50 ms.
	pollInterval = 10 * time.Millisecond
	// maxLogBytes is the size from which the server's log file is begun anew at start.
	maxLogBytes = 16 << 20
	// dataName is the cluster's folder in Options.Dir.
	dataName = "data"
)

// Options tell Start what to run.
type Options struct {
	Dir    string       // holds the cluster, its log and lock; created when missing; "": a throwaway one, removed by Stop
	BinDir string       // folder of initdb and postgres; "": Find chooses
	Test   bool         // trade durability for speed: for throwaway data only
	Logger *slog.Logger // nil: silent
}

// Server is a running Postgres. Create one with Start.
type Server struct {
	url       string
	dir       string
	socketDir string
	throwaway bool
	lock      *os.File
	cmd       *exec.Cmd     // nil until the server process runs
	exited    chan struct{} // closed after the server process ended
	exitErr   error         // of the server process; read only after exited is closed
	stop      sync.Once
	stopErr   error
}

// Start runs the Postgres of o.Dir, making the cluster first when there is none, and returns when it
// takes connections. It returns an error that wraps ErrInUse when another live process owns the
// directory, and the error of Find when there are no binaries to run. ctx bounds the start only.
func Start(ctx context.Context, o Options) (_ *Server, err error) {
	if o.BinDir == "" {
		if o.BinDir, err = find(clusterVersion(filepath.Join(o.Dir, dataName))); err != nil {
			return nil, err
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{dir: o.Dir, throwaway: o.Dir == "", exited: make(chan struct{})}
	defer func() {
		if err != nil {
			_ = s.Stop() // the failure to start is what the caller needs to know
		}
	}()
	if err := s.claim(); err != nil {
		return nil, err
	}
	l, err := newLauncher(o, filepath.Join(s.dir, dataName))
	if err != nil {
		return nil, err
	}
	if err := clearLeftovers(ctx, s.dir, l.data); err != nil {
		return nil, err
	}
	if err := l.ensureCluster(ctx); err != nil {
		return nil, err
	}
	if s.socketDir, err = makeSocketDir(s.dir, l.who); err != nil {
		return nil, err
	}
	s.url = (&url.URL{
		Scheme: "postgres", User: url.User("postgres"), Path: "/postgres",
		RawQuery: url.Values{"host": {s.socketDir}, "sslmode": {"disable"}}.Encode(),
	}).String()
	// Before the server is up, so that a successor finds the socket directory of a start cut short.
	if err := writeNote(s.dir, note{SocketDir: s.socketDir}); err != nil {
		return nil, err
	}
	if err := s.launch(l); err != nil {
		return nil, err
	}
	if err := s.awaitReady(ctx); err != nil {
		return nil, err
	}
	if err := writeNote(s.dir, note{URL: s.url, SocketDir: s.socketDir}); err != nil {
		return nil, err
	}
	o.Logger.Debug("embedded Postgres started", "dir", s.dir, "binaries", o.BinDir)
	return s, nil
}

// URL is the connection URL, of a superuser, in the form that pgx and libpq understand.
func (s *Server) URL() string { return s.url }

// Done is closed when the server process has ended, by Stop or by itself.
func (s *Server) Done() <-chan struct{} { return s.exited }

// Stop shuts the server down and gives the directory free. Calling it again repeats the first answer.
func (s *Server) Stop() error {
	s.stop.Do(func() { s.stopErr = s.shutDown() })
	return s.stopErr
}

func (s *Server) shutDown() error {
	var errs []error
	if s.cmd != nil {
		errs = append(errs, s.endProcess())
	}
	if s.lock == nil { // never ours: touch nothing
		return errors.Join(errs...)
	}
	removeNote(s.dir)
	if s.socketDir != "" {
		errs = append(errs, os.RemoveAll(s.socketDir))
	}
	if s.throwaway {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(append(errs, s.lock.Close())...) // closing gives the lock back
}

func (s *Server) endProcess() error {
	// SIGINT is Postgres's fast shutdown: sessions are cut off, data is written out. The signal
	// fails only when the process has ended already, which exited then tells.
	_ = s.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-s.exited:
		return s.exitErr
	case <-time.After(shutdownGrace):
	}
	_ = s.cmd.Process.Signal(syscall.SIGQUIT)
	<-s.exited
	return fmt.Errorf("embedded Postgres had to be stopped the hard way: %w", s.exitErr)
}

// launch starts the server process and the goroutine that waits for its end.
func (s *Server) launch(l *launcher) error {
	args := []string{
		"-c", "listen_addresses=", // the Unix socket only
		"-c", "unix_socket_directories=" + s.socketDir,
		"-c", "unix_socket_permissions=0700",
		"-c", "logging_collector=off",
		"-c", "log_checkpoints=off", // on by default since version 15: a line every five minutes
		"-c", "shared_buffers=64MB",
	}
	if l.test {
		args = append(args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
			"-c", "max_wal_size=2GB", "-c", "autovacuum=off")
	}
	out, err := openLog(logPath(s.dir))
	if err != nil {
		return err
	}
	defer out.Close() // the server holds its own copy
	cmd, done, err := l.command("postgres", l.data, args...)
	if err != nil {
		return err
	}
	defer done()
	cmd.Stdout, cmd.Stderr = out, out
	started := make(chan error)
	go func() {
		// The death of the parent is signalled when the THREAD that forked ends: keep it.
		unpin := pinThread()
		defer unpin()
		err := cmd.Start()
		started <- err
		if err == nil {
			s.exitErr = cmd.Wait()
			close(s.exited)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("starting postgres: %w", err)
	}
	s.cmd = cmd
	return nil
}

func (s *Server) awaitReady(ctx context.Context) error {
	for {
		conn, err := pgx.Connect(ctx, s.url)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.exited:
			return fmt.Errorf("postgres ended while starting (%w); the end of %s: %s", s.exitErr, logPath(s.dir), tail(logPath(s.dir)))
		case <-ctx.Done():
			return fmt.Errorf("waiting for postgres to take connections (%w): %w", err, ctx.Err())
		case <-time.After(pollInterval):
		}
	}
}

func logPath(dir string) string { return filepath.Join(dir, "postgres.log") }

func openLog(path string) (*os.File, error) {
	mode := os.O_CREATE | os.O_APPEND | os.O_WRONLY
	if fi, err := os.Stat(path); err == nil && fi.Size() > maxLogBytes {
		mode |= os.O_TRUNC
	}
	return os.OpenFile(path, mode, 0o600)
}

// tail is the last part of a log, enough for the lines that tell why a start failed.
func tail(path string) string {
	const enough = 2000 // bytes
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-enough):])
}
