//go:build !linux && !darwin

package pdfium

// lockFile does nothing here: processes that start at the same time each compile for themselves.
func lockFile(string) (unlock func() error, err error) {
	return func() error { return nil }, nil
}
