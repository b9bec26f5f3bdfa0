//go:build unix

package clustertest

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// program builds ragify once in a test process. State of the process by nature.
var program struct {
	once sync.Once
	path string
	err  error
}

// Build builds the program, once in a test process, and gives its path. It has the race detector when the
// test has it: what the test was compiled of is then used again. The program stays where it is for the
// next test process, which replaces it.
func Build(t testing.TB) string {
	t.Helper()
	program.once.Do(func() { program.path, program.err = build() })
	if program.err != nil {
		t.Fatal(program.err)
	}
	return program.path
}

func build() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	name := "ragify"
	if raceDetector {
		name = "ragify-race"
	}
	path := filepath.Join(cache, "ragify-test", "bin", name)
	unfinished, err := makeTemp(path)
	if err != nil {
		return "", err
	}
	defer os.Remove(unfinished)
	args := []string{"build", "-o", unfinished}
	if raceDetector {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "github.com/ragify/ragify/cmd/ragify")...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return "", err
	}
	// A rename: another test process may be running the one before.
	return path, os.Rename(unfinished, path)
}

// makeTemp makes an empty file beside path, and the folder of both.
func makeTemp(path string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-*")
	if err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}
