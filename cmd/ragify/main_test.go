package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

// programEnv makes the test binary the program itself, as a process that can be signalled and killed.
const programEnv = "RAGIFY_TEST_PROGRAM"

func TestMain(m *testing.M) {
	child := len(os.Args) > 1 && os.Args[1] == "engine" // what the engine starts is this binary, too
	if os.Getenv(programEnv) != "" || child {
		main()
	}
	os.Exit(m.Run())
}

// engineCache is a directory with the engine compiled. To compile it takes long under the race detector,
// and must not count against the time limits that tests set.
var engineCache = sync.OnceValues(func() (dir string, err error) {
	if dir, err = pdftest.CacheDir(); err != nil {
		return "", err
	}
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	e, err := engine.New(engine.Config{Command: []string{exe, "engine"}, Children: 1, CacheDir: dir})
	if err != nil {
		return "", err
	}
	return dir, errors.Join(e.Warm(context.Background()), e.Close())
})

// environ is an environment of the program: its data under dir, free ports, and what vars add.
func environ(t *testing.T, dir string, vars ...string) []string {
	t.Helper()
	cache, err := engineCache()
	if err != nil {
		t.Fatal(err)
	}
	env := []string{
		"DATA_DIR=" + dir, "LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0", "LOG_FORMAT=json",
		"ENGINE_CACHE_DIR=" + cache, "SHUTDOWN_DELAY=0s",
	}
	return append(env, vars...)
}

// outcome is how a run of the program ended.
type outcome struct {
	code           int
	stdout, stderr string
}

// ragify runs the program within this process.
func ragify(t *testing.T, env []string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, env, strings.NewReader(""), &stdout, &stderr)
	return outcome{code, stdout.String(), stderr.String()}
}

// ragifyOK runs the program and wants it to succeed; it gives what it printed.
func ragifyOK(t *testing.T, env []string, args ...string) string {
	t.Helper()
	o := ragify(t, env, args...)
	if o.code != exitOK {
		t.Fatalf("ragify %s: exit status %d\n%s%s", strings.Join(args, " "), o.code, o.stdout, o.stderr)
	}
	return o.stdout
}

// dataDir is a directory for a process that may be killed: cleaning up waits for what it leaves behind.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ragify-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		eventually(t, "removing "+dir, func() bool { return os.RemoveAll(dir) == nil })
	})
	return dir
}

// process is a running ragify serve or work.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	api   string        // URL of the API
	admin string        // URL of the admin listener
	read  chan struct{} // closed when all of its log has been read

	mu  sync.Mutex
	log strings.Builder

	waitOnce sync.Once
	waitErr  error
}

// program is the program as a process of its own.
func program(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = []string{programEnv + "=1"}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "GORACE", "GOCOVERDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// start runs the program as a process and waits until it is ready.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: program(t, env, args...), read: make(chan struct{})}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails when it has ended
		_ = p.wait()
		if t.Failed() {
			t.Logf("log of ragify %s:\n%s", strings.Join(args, " "), p.logText())
		}
	})
	ready := make(chan [2]string, 1)
	go p.readLog(stderr, ready)
	select {
	case urls := <-ready:
		p.api, p.admin = urls[0], urls[1]
	case <-p.read:
		t.Fatalf("ragify ended while starting: %v\n%s", p.wait(), p.logText())
	case <-time.After(2 * time.Minute):
		t.Fatalf("ragify does not get ready\n%s", p.logText())
	}
	return p
}

// readLog keeps the log, and tells the URLs of the API and the admin listener once they are known.
func (p *process) readLog(r io.Reader, ready chan<- [2]string) {
	defer close(p.read)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.mu.Lock()
		p.log.WriteString(lines.Text() + "\n")
		p.mu.Unlock()
		var line struct{ Msg, API, Admin string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "ready" {
			ready <- [2]string{line.API, line.Admin}
		}
	}
}

func (p *process) logText() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// wait waits for the process to end.
func (p *process) wait() error {
	p.waitOnce.Do(func() {
		<-p.read // Wait closes the pipe
		p.waitErr = p.cmd.Wait()
	})
	return p.waitErr
}

// terminate asks the process to end and wants it to do so in good order.
func (p *process) terminate() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if err := p.wait(); err != nil {
		p.t.Fatalf("after SIGTERM: %v, want exit status 0\n%s", err, p.logText())
	}
}

func (p *process) kill9() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	_ = p.wait() // "signal: killed"
}

// eventually waits for what another process does and announces nowhere.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// user makes an account with a key, through the command line.
func user(t *testing.T, env []string, email, tier string) (id, key string) {
	t.Helper()
	var view map[string]string
	out := ragifyOK(t, env, "user", "create", "--email", email, "--tier", tier, "--key", "test", "--json")
	if err := json.Unmarshal([]byte(out), &view); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if names := slices.Sorted(maps.Keys(view)); !slices.Equal(names, []string{"api_key", "email", "id", "tier"}) {
		t.Fatalf("fields %v", names)
	}
	return view["id"], view["api_key"]
}

// answer is an HTTP answer whose body has been read.
type answer struct {
	status int
	header http.Header
	body   string
}

func request(t *testing.T, method, url, key string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("X-Api-Key", key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

// detail is an error answer's code; the test fails when the answer is anything else.
func (a answer) detail(t *testing.T) (code string, facts map[string]any) {
	t.Helper()
	var e struct{ Detail map[string]any }
	if err := json.Unmarshal([]byte(a.body), &e); err != nil || e.Detail["message"] == "" || e.Detail["message"] == nil {
		t.Fatalf("%d with body %q is not an error answer: %v", a.status, a.body, err)
	}
	code, _ = e.Detail["code"].(string)
	return code, e.Detail
}

// write puts a file into a fresh directory.
func write(t *testing.T, name string, content []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
