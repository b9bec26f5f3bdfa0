//go:build !linux && !darwin

package pdfium

import "os"

// trusted cannot tell here who may write to a directory.
func trusted(os.FileInfo) bool { return true }

// fileLock is no lock here: processes that start at the same time each compile for themselves.
type fileLock struct{}

func lockFile(string) (*fileLock, error) { return &fileLock{}, nil }

func (*fileLock) release() {}
