//go:build linux || darwin

package pdfium

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPrepareCache_lets_one_process_compile_at_a_time(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	lock, err := prepareCache(dir)
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.Open(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	try := func() error { return unix.Flock(int(other.Fd()), unix.LOCK_EX|unix.LOCK_NB) }
	if err := try(); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Errorf("while one compiles: %v", err)
	}
	lock.release()
	if err := try(); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
