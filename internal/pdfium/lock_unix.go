//go:build linux || darwin

package pdfium

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// trusted reports whether a directory belongs to us alone: nobody else can put files there.
func trusted(dir os.FileInfo) bool {
	s, ok := dir.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) == os.Geteuid() && dir.Mode().Perm()&0o022 == 0
}

// fileLock is a lock that processes exclude each other with.
type fileLock struct{ file *os.File }

// lockFile waits for the exclusive lock on path. The kernel releases it as well when the process dies.
func lockFile(path string) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		_ = f.Close() // the lock's error says more
		return nil, err
	}
	return &fileLock{f}, nil
}

// release lets the next process in.
func (l *fileLock) release() {
	_ = l.file.Close() // nothing was written to it
}
