//go:build unix

package clustertest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ragify/ragify/internal/blob"
	"github.com/ragify/ragify/internal/blob/s3test"
)

// What the S3 server and its clients agree on.
const (
	bucketName = "documents"
	accessKey  = "clustertest"
	secretKey  = "clustertest-secret"
	region     = "us-east-1"
)

// Bucket is the cluster's object storage: a versitygw process when that program is on this machine,
// else a directory that the nodes share, which cannot be away.
type Bucket struct {
	// S3 tells whether it is a server, which can be stopped.
	S3 bool

	t       testing.TB
	dir     string // the server's, or the shared one
	program string
	address string
	proc    *process
	log     transcript
}

func startBucket(t testing.TB, dir string, files bool) *Bucket {
	t.Helper()
	b := &Bucket{t: t, dir: dir}
	if !files {
		b.program = s3test.Find()
	}
	b.S3 = b.program != ""
	if err := os.MkdirAll(filepath.Join(dir, bucketName), 0o700); err != nil {
		t.Fatal(err)
	}
	if !b.S3 {
		if !files {
			t.Log("versitygw is not installed (scripts/prepare.sh versitygw): objects are kept in a shared directory")
		}
		return b
	}
	t.Cleanup(func() {
		b.proc.kill()
		if t.Failed() {
			t.Logf("log of the S3 server:\n%s", &b.log)
		}
	})
	b.Start()
	return b
}

// Start starts the server, unless it runs, and waits until it answers.
func (b *Bucket) Start() {
	b.t.Helper()
	if !b.S3 || b.proc.running() {
		return
	}
	for deadline := time.Now().Add(Patience); ; {
		err := b.try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			b.t.Errorf("start the S3 server: %v\n%s", err, &b.log)
			return
		}
	}
}

// try starts the server once, at its address or, the first time, at a free one. Somebody else may be
// faster at that address: then it fails.
func (b *Bucket) try() error {
	address := b.address
	if address == "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		address = l.Addr().String()
		if err := l.Close(); err != nil {
			return err
		}
	}
	cmd := exec.Command(b.program, "--port", address, "--access", accessKey, "--secret", secretKey, "--region", region, "--quiet",
		"posix", b.dir)
	cmd.Env = environment()
	proc, err := launch(cmd, b.log.add)
	if err != nil {
		return err
	}
	b.proc = proc
	for {
		c, err := net.Dial("tcp", address)
		if err == nil {
			b.address = address
			return c.Close()
		}
		select {
		case <-proc.exited:
			return fmt.Errorf("it ended: %w", errors.Join(proc.err, err))
		case <-time.After(pollInterval):
		}
	}
}

// Stop ends the server in good order. A shared directory goes on.
func (b *Bucket) Stop() {
	b.proc.signal(syscall.SIGTERM)
	if b.proc != nil {
		<-b.proc.exited
	}
}

// Kill ends the server as kill -9 does. A shared directory goes on.
func (b *Bucket) Kill() { b.proc.kill() }

// Freeze stops the server from answering, its connections open. A shared directory goes on.
func (b *Bucket) Freeze() { b.proc.signal(syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (b *Bucket) Thaw() { b.proc.signal(syscall.SIGCONT) }

// URL is the nodes' BLOB_URL.
func (b *Bucket) URL() string {
	if !b.S3 {
		return (&url.URL{Scheme: "file", Path: filepath.Join(b.dir, bucketName)}).String()
	}
	q := url.Values{"endpoint": {"http://" + b.address}, "region": {region}, "use_path_style": {"true"}}
	return (&url.URL{Scheme: "s3", Host: bucketName, RawQuery: q.Encode()}).String()
}

// Dir is the directory under which all objects lie as files of their keys.
func (b *Bucket) Dir() string { return filepath.Join(b.dir, bucketName) }

// credentials are the variables that a client of the server needs.
func (b *Bucket) credentials() []string {
	if !b.S3 {
		return nil
	}
	return []string{"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey, "AWS_REGION=" + region}
}

// open opens the bucket within the test process.
func (b *Bucket) open(ctx context.Context) (*blob.Store, error) {
	for _, v := range b.credentials() {
		name, value, _ := strings.Cut(v, "=")
		if err := os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	return blob.Open(ctx, b.URL(), blob.Options{SigningKey: []byte(signingKey)})
}
