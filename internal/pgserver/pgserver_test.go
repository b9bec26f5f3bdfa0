//go:build unix

package pgserver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ragify/ragify/internal/pgserver"
)

// ownerEnv makes the test binary an owner: a process that runs a server under the named directory.
const ownerEnv = "PGSERVER_TEST_OWNER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerEnv); dir != "" {
		os.Exit(own(dir))
	}
	os.Exit(m.Run())
}

// own starts a server, adds a row, prints how many there are, and stops when standard input ends.
func own(dir string) int {
	signal.Ignore(syscall.SIGPIPE)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if dir == "throwaway" {
		dir = ""
	}
	s, err := pgserver.Start(ctx, pgserver.Options{Dir: dir})
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	rows, err := addRow(ctx, s.URL())
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	fmt.Println("rows:", rows)
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := s.Stop(); err != nil {
		return 1
	}
	return 0
}

func addRow(ctx context.Context, url string) (rows int, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, `CREATE TABLE IF NOT EXISTS kept (n int); INSERT INTO kept VALUES (1)`); err != nil {
		return 0, err
	}
	err = conn.QueryRow(ctx, `SELECT count(*) FROM kept`).Scan(&rows)
	return rows, err
}

// owner is a process that runs a server.
type owner struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Reader
}

// startOwner runs the test binary as an owner of dir; as is the user to run as, nil for the current one.
func startOwner(t *testing.T, dir string, as *syscall.Credential) *owner {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if as != nil {
		exe = publicCopy(t, exe)
	}
	cmd := exec.Command(exe)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), ownerEnv+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return &owner{cmd, stdin, bufio.NewReader(stdout)}
}

// publicCopy copies the test binary to where every user can run it.
func publicCopy(t *testing.T, exe string) string {
	t.Helper()
	b, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(publicDir(t), "owner")
	if err := os.WriteFile(path, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// publicDir is a temporary directory that every user can reach and fill.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "pgserver-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (o *owner) rows(t *testing.T) int {
	t.Helper()
	line, err := o.lines.ReadString('\n')
	if err != nil {
		t.Fatalf("the owner ended early: %q, %v", line, err)
	}
	n, err := strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(line), "rows: "))
	if err != nil {
		t.Fatalf("the owner said %q", line)
	}
	return n
}

func (o *owner) kill9(t *testing.T) {
	t.Helper()
	if err := o.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = o.cmd.Wait() // "signal: killed"
}

func (o *owner) stop(t *testing.T) {
	t.Helper()
	_ = o.stdin.Close()
	if err := o.cmd.Wait(); err != nil {
		t.Errorf("orderly stop: %v", err)
	}
}

// nobody is an ordinary user to run as, when the tests run as root.
func nobody(t *testing.T) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to become another user; the other case covers the ordinary user")
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		t.Skipf("no user nobody on this system: %v", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func start(t *testing.T, dir string) *pgserver.Server {
	t.Helper()
	s, err := pgserver.Start(t.Context(), pgserver.Options{Dir: dir, Test: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	return s
}

func TestKilledOwner(t *testing.T) {
	t.Parallel()
	survives := func(t *testing.T, as *syscall.Credential) {
		dir := filepath.Join(publicDir(t), "pg")
		for run := 1; run <= 3; run++ {
			o := startOwner(t, dir, as)
			if got := o.rows(t); got != run {
				t.Fatalf("run %d sees %d rows: data of a killed run is lost", run, got)
			}
			o.kill9(t)
		}
		o := startOwner(t, dir, as)
		if got := o.rows(t); got != 4 {
			t.Fatalf("the last run sees %d rows, want 4", got)
		}
		o.stop(t)
	}
	t.Run("data survives kill -9, current user", func(t *testing.T) { t.Parallel(); survives(t, nil) })
	t.Run("data survives kill -9, ordinary user", func(t *testing.T) { t.Parallel(); survives(t, nobody(t)) })
	t.Run("a cluster half made is made anew", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(publicDir(t), "pg")
		o := startOwner(t, dir, nil)
		eventually(t, "initdb at work", func() bool {
			found, err := filepath.Glob(filepath.Join(dir, "unfinished-*", "PG_VERSION"))
			return err == nil && len(found) == 1
		})
		o.kill9(t)
		o = startOwner(t, dir, nil)
		if got := o.rows(t); got != 1 {
			t.Errorf("a fresh cluster has %d rows, want 1", got)
		}
		o.stop(t)
	})
}

// Not parallel: it moves the temporary directory.
func TestThrowawayOfKilledOwnerIsSweptByTheNext(t *testing.T) {
	tmp := publicDir(t)
	t.Setenv("TMPDIR", tmp)
	o := startOwner(t, "throwaway", nil)
	o.rows(t)
	o.kill9(t)
	left, err := filepath.Glob(filepath.Join(tmp, "ragify-pg-*"))
	if err != nil || len(left) != 1 {
		t.Fatalf("left behind: %v, %v", left, err)
	}
	eventually(t, "sweep", func() bool { // the orphan may still be writing its checkpoint
		s := start(t, "")
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		_, err := os.Stat(left[0])
		return errors.Is(err, os.ErrNotExist)
	})
}

// eventually waits for what another process does and announces nowhere.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	t.Run("two at once: one runs, the other says who is in the way", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		var wg sync.WaitGroup
		var errs [2]error
		var servers [2]*pgserver.Server
		for i := range errs {
			wg.Go(func() {
				servers[i], errs[i] = pgserver.Start(t.Context(), pgserver.Options{Dir: dir, Test: true})
			})
		}
		wg.Wait()
		won, lost := 0, 1
		if errs[won] != nil {
			won, lost = lost, won
		}
		if errs[won] != nil || !errors.Is(errs[lost], pgserver.ErrInUse) {
			t.Fatalf("errors %v and %v, want one nil and one ErrInUse", errs[0], errs[1])
		}
		if _, err := addRow(t.Context(), servers[won].URL()); err != nil {
			t.Errorf("the winner does not work: %v", err)
		}
		if err := servers[won].Stop(); err != nil {
			t.Error(err)
		}
	})
	t.Run("a directory below one that only its owner may enter", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "private")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for range 2 { // made, then found again
			s := start(t, filepath.Join(dir, "pg"))
			if _, err := addRow(t.Context(), s.URL()); err != nil {
				t.Fatal(err)
			}
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("a path too long for a socket", func(t *testing.T) {
		t.Parallel()
		s := start(t, filepath.Join(t.TempDir(), strings.Repeat("long/", 30)))
		if _, err := addRow(t.Context(), s.URL()); err != nil {
			t.Error(err)
		}
	})
	t.Run("a stale pid file that names a living stranger", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		if err := start(t, dir).Stop(); err != nil {
			t.Fatal(err)
		}
		pid := fmt.Sprintf("%d\n%s\n", os.Getpid(), filepath.Join(dir, "data"))
		if err := os.WriteFile(filepath.Join(dir, "data", "postmaster.pid"), []byte(pid), 0o600); err != nil {
			t.Fatal(err)
		}
		s := start(t, dir)
		if _, err := addRow(t.Context(), s.URL()); err != nil {
			t.Error(err)
		}
	})
	t.Run("a start cut short gives the directory free", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := pgserver.Start(ctx, pgserver.Options{Dir: dir, Test: true}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want context.Canceled", err)
		}
		start(t, dir)
	})
}

func TestStop(t *testing.T) {
	t.Parallel()
	t.Run("twice is fine, and Done tells", func(t *testing.T) {
		t.Parallel()
		s := start(t, t.TempDir())
		for range 2 {
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
		}
		<-s.Done()
	})
	t.Run("a throwaway directory goes", func(t *testing.T) {
		t.Parallel()
		s := start(t, "")
		var dir string
		conn, err := pgx.Connect(t.Context(), s.URL())
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.QueryRow(t.Context(), "SHOW unix_socket_directories").Scan(&dir); err != nil {
			t.Fatal(err)
		}
		_ = conn.Close(t.Context())
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", dir, err)
		}
	})
}

func TestRunning(t *testing.T) {
	t.Parallel()
	dir := publicDir(t)
	if url, ok := pgserver.Running(dir); ok {
		t.Errorf("nothing runs, yet Running gives %q", url)
	}
	o := startOwner(t, dir, nil)
	o.rows(t)
	url, ok := pgserver.Running(dir)
	if !ok {
		t.Fatal("another process's server is not found")
	}
	if rows, err := addRow(t.Context(), url); err != nil || rows != 2 {
		t.Errorf("through Running's URL: %d rows, error %v; want 2 rows", rows, err)
	}
	o.kill9(t)
	if url, ok := pgserver.Running(dir); ok {
		t.Errorf("the owner was killed, yet Running gives %q", url)
	}
	start(t, dir) // sees the orphan out, so that the directory can go
}

func TestFind(t *testing.T) {
	t.Run("an installed Postgres", func(t *testing.T) {
		dir, err := pgserver.Find()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
			t.Error(err)
		}
	})
	t.Run("PG_BINDIR without the programs", func(t *testing.T) {
		dir := t.TempDir()
		t.Setenv("PG_BINDIR", dir)
		if _, err := pgserver.Find(); err == nil || !strings.Contains(err.Error(), "PG_BINDIR") || !strings.Contains(err.Error(), dir) {
			t.Errorf("error %v does not name the variable and the folder", err)
		}
	})
	t.Run("PG_BINDIR with an old version", func(t *testing.T) {
		dir := t.TempDir()
		for _, name := range []string{"initdb", "postgres"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho 'postgres (PostgreSQL) 12.22'\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("PG_BINDIR", dir)
		if _, err := pgserver.Find(); err == nil || !strings.Contains(err.Error(), "Postgres 12") {
			t.Errorf("error %v does not tell that 12 is too old", err)
		}
	})
}

func TestStartOfAnotherVersionsCluster(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data", "PG_VERSION"), []byte("9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := pgserver.Start(t.Context(), pgserver.Options{Dir: dir})
	if err == nil {
		_ = s.Stop()
	}
	if err == nil || !strings.Contains(err.Error(), "made by version 9") {
		t.Errorf("error %v does not tell which version made the cluster", err)
	}
}
