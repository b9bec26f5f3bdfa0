//go:build unix

package pgserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	lockName = "owner.lock"
	noteName = "server.json"
	// throwawayPrefix marks folders in the temporary directory that nobody needs once their owner is gone.
	throwawayPrefix = "ragify-pg-"
	// maxSocketDir is how long a socket directory's path may be, in bytes: the smallest limit of a
	// socket's path among the supported systems (104 on macOS and the BSDs, with the final NUL) less
	// "/.s.PGSQL.5432".
	maxSocketDir = 104 - 1 - len("/.s.PGSQL.5432")
)

// claim makes the directory and takes its lock. The lock ends with the process that holds it, however
// that process ends.
func (s *Server) claim() error {
	if s.throwaway {
		sweepThrowaways()
		dir, err := os.MkdirTemp("", throwawayPrefix)
		if err != nil {
			return err
		}
		s.dir = dir
	}
	dir, err := filepath.Abs(s.dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return err
	}
	// The server may run as another user than we do: let it pass through. The cluster and the
	// socket inside are closed to everybody else. A directory that is not ours stays as it is.
	if err := os.Chmod(dir, 0o755); err != nil && !errors.Is(err, os.ErrPermission) {
		return err
	}
	s.dir = dir
	s.lock, err = lockDir(dir)
	return err
}

func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	// Running takes the lock for an instant: it must not make a start fail.
	for range 20 {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			return f, nil
		}
		time.Sleep(pollInterval)
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("%w (directory %s)", ErrInUse, dir)
	}
	return nil, err
}

// owned reports whether a live process holds dir's lock.
func owned(dir string) bool {
	f, err := os.Open(filepath.Join(dir, lockName))
	if err != nil {
		return false
	}
	defer f.Close() // gives the lock back
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// sweepThrowaways removes what killed owners of throwaway servers left in the temporary directory.
func sweepThrowaways() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), throwawayPrefix+"*")) // the pattern is well-formed
	for _, dir := range dirs {
		f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0)
		if err != nil { // just being made, or not ours
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil && len(clusterUsers(filepath.Join(dir, dataName))) == 0 {
			_ = os.RemoveAll(dir) // what cannot be removed is left to the system's own cleaning
		}
		_ = f.Close()
	}
}

// makeSocketDir makes the folder of the server's socket: under dir where the path is short enough and
// the server's user gets there, because every process that shares dir sees it there; otherwise in a
// temporary directory.
func makeSocketDir(dir string, who *identity) (string, error) {
	if path := filepath.Join(dir, "socket"); len(path) <= maxSocketDir && who.reaches(dir) {
		if err := os.RemoveAll(path); err != nil {
			return "", err
		}
		if err := os.Mkdir(path, 0o700); err != nil {
			return "", err
		}
		return path, who.own(path)
	}
	for _, parent := range []string{os.TempDir(), "/tmp", "/var/tmp"} {
		if len(parent)+len("/ragify-4294967295") > maxSocketDir || !who.reaches(parent) {
			continue
		}
		path, err := os.MkdirTemp(parent, "ragify-")
		if err != nil {
			continue
		}
		return path, who.own(path)
	}
	return "", errors.New("no place for the socket of the embedded Postgres: set TMPDIR to a short path that every user can reach, or set DATABASE_URL")
}

// note is what a running server leaves beside its cluster for other processes and for its successor.
type note struct {
	URL       string `json:"url"` // "" until the server takes connections
	SocketDir string `json:"socket_dir"`
}

func writeNote(dir string, n note) error {
	b, err := json.Marshal(n)
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, noteName+".tmp")
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, noteName)) // a reader sees all of it or nothing
}

func readNote(dir string) (n note, ok bool) {
	b, err := os.ReadFile(filepath.Join(dir, noteName))
	return n, err == nil && json.Unmarshal(b, &n) == nil
}

func removeNote(dir string) { _ = os.Remove(filepath.Join(dir, noteName)) }

// Running gives the connection URL of the embedded server that another live process owns under dir.
// ok is false when there is none, or none that takes connections yet, or when the caller may not know.
func Running(dir string) (url string, ok bool) {
	n, ok := readNote(dir)
	if !ok || n.URL == "" || !owned(dir) {
		return "", false
	}
	return n.URL, true
}

// removeStaleSocket clears the socket directory that a killed owner left in a temporary directory.
func removeStaleSocket(dir string) {
	n, ok := readNote(dir)
	if !ok {
		return
	}
	removeNote(dir)
	// The note is a file under the data directory: remove only what looks like our making.
	if base := filepath.Base(n.SocketDir); filepath.IsAbs(n.SocketDir) && strings.HasPrefix(base, "ragify-") {
		_ = os.RemoveAll(n.SocketDir)
	}
}
