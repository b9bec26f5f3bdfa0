package pdftest

import (
	"os"
	"path/filepath"
	"testing"
)

// CacheDir is a directory where tests of all packages keep the compiled PDFium, so that it is compiled
// once on a machine and not once a package.
func CacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil { // no home directory
		base = os.TempDir()
	}
	dir := filepath.Join(base, "ragify-test")
	return dir, os.MkdirAll(dir, 0o700)
}

// Shared is a path below the folder of public test documents and benchmarks that lies beside the
// repository, or where RAGIFY_SHARED says. The test is skipped, saying so, where it is absent.
func Shared(tb testing.TB, path string) string {
	tb.Helper()
	root := os.Getenv("RAGIFY_SHARED")
	if root == "" {
		dir, err := os.Getwd()
		if err != nil {
			tb.Fatal(err)
		}
		for !exists(filepath.Join(dir, "go.mod")) && dir != filepath.Dir(dir) {
			dir = filepath.Dir(dir)
		}
		root = filepath.Join(dir, "..", "shared")
	}
	full := filepath.Join(root, path)
	if !exists(full) {
		tb.Skipf("SKIPPED: the shared test documents are not here (no %s); set RAGIFY_SHARED", full)
	}
	return full
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
