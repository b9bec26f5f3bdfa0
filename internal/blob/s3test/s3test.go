// Package s3test runs a real S3 server for tests: versitygw, on a loopback port, with its objects in a
// directory of the test.
package s3test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Bucket is the name of the bucket that a Server has from the start.
const Bucket = "documents"

// The server's only user. Start puts it into the environment of the test, where the SDK looks for it.
const (
	AccessKey = "tester"
	SecretKey = "tester-secret"
)

// startTimeout is how long a server may take to listen: it needs a tenth of a second on an idle machine.
const startTimeout = 30 * time.Second

// Server is a running S3 server. Its methods are for the goroutine of the test.
type Server struct {
	Address string // host:port; stays the same over Stop and Start

	t       testing.TB
	program string
	root    string
	cmd     *exec.Cmd // nil while stopped
}

// Start starts a server that lives as long as the test, and sets AWS_ACCESS_KEY_ID and
// AWS_SECRET_ACCESS_KEY; the test cannot be parallel therefore. Where versitygw is not installed the test
// is skipped, loudly: scripts/prepare.sh versitygw installs it.
func Start(t testing.TB) *Server {
	t.Helper()
	program := Find()
	if program == "" {
		t.Skip("SKIPPED, S3 IS UNTESTED: versitygw is not installed (scripts/prepare.sh versitygw)")
	}
	t.Setenv("AWS_ACCESS_KEY_ID", AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", SecretKey)
	// What the developer's own machine says of S3 must not count.
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	s := &Server{t: t, program: program, root: t.TempDir(), Address: freeAddress(t)}
	// A directory is a bucket; parts of unfinished uploads lie in its hidden folder .sgwtmp.
	if err := os.Mkdir(filepath.Join(s.root, Bucket), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	s.Start()
	return s
}

// Find gives the path of versitygw: on PATH, or where "go install" puts programs. "" means that it is
// not installed.
func Find() string {
	if path, err := exec.LookPath("versitygw"); err == nil {
		return path
	}
	out, err := exec.Command("go", "env", "GOBIN", "GOPATH").Output()
	if err != nil {
		return ""
	}
	bin, gopath, _ := strings.Cut(strings.TrimRight(string(out), "\r\n"), "\n")
	if bin == "" {
		first := filepath.SplitList(gopath)
		if len(first) == 0 {
			return ""
		}
		bin = filepath.Join(first[0], "bin")
	}
	path, err := exec.LookPath(filepath.Join(bin, "versitygw"))
	if err != nil {
		return ""
	}
	return path
}

// Start starts the server again after Stop, with the objects it had, and returns when it listens.
func (s *Server) Start() {
	s.t.Helper()
	s.cmd = exec.Command(s.program, "--port", s.Address, "--access", AccessKey, "--secret", SecretKey, "--quiet", "posix", s.root)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(5 * time.Millisecond) {
		c, err := new(net.Dialer).DialContext(context.Background(), "tcp", s.Address)
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatal("versitygw does not listen: ", err)
		}
	}
}

// Stop kills the server; the objects stay for the next Start. A stopped one stays stopped.
func (s *Server) Stop() {
	s.t.Helper()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may have ended
	var ended *exec.ExitError
	if err := s.cmd.Wait(); err != nil && !errors.As(err, &ended) {
		s.t.Error(err)
	}
	s.cmd = nil
}

// URL is the BLOB_URL of the bucket, with more query parameters if there are any: "name=value".
func (s *Server) URL(more ...string) string {
	q := url.Values{"region": {"us-east-1"}, "use_path_style": {"true"}, "endpoint": {"http://" + s.Address}}
	for _, m := range more {
		name, value, _ := strings.Cut(m, "=")
		q.Set(name, value)
	}
	return "s3://" + Bucket + "?" + q.Encode()
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
