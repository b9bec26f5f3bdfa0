//go:build linux || darwin

package pdfium

import (
	"os"

	"golang.org/x/sys/unix"
)

// lockFile waits for the exclusive lock on path and gives the function that releases it. The kernel
// releases it as well when the process dies.
func lockFile(path string) (unlock func() error, err error) {
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
	return f.Close, nil
}
