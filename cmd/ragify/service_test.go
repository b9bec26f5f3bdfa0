package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
	"github.com/ragify/ragify/internal/webhook"
)

func TestServe(t *testing.T) {
	t.Parallel()
	const signingKeys = "the-present-signing-key,the-former-signing-key"
	env := environ(t, dataDir(t), "URL_SIGNING_KEY="+signingKeys, "WEBHOOK_ALLOW_NETWORKS=127.0.0.0/8")
	server := start(t, env, "serve")
	id, key := user(t, env, "ada@example.com", "pro")
	c := client{base: server.api, key: key}

	t.Run("webhooks are signed with every listed key", func(t *testing.T) { testWebhookKeys(t, c, account.ID(id), signingKeys) })
	t.Run("from upload to Markdown", func(t *testing.T) {
		j, err := c.upload(t.Context(), "report.pdf", pdftest.Pages(3))
		if err != nil {
			t.Fatal(err)
		}
		if j.Status != "pending" || j.PageCount != 3 {
			t.Errorf("the new job is %+v", j)
		}
		j, err = c.follow(t.Context(), j.ID, func(demoJob) {})
		if err != nil || j.Status != "done" {
			t.Fatalf("job %+v, %v", j, err)
		}
		a := request(t, http.MethodGet, j.DownloadURLs["markdown"], "")
		if a.status != 200 || !strings.Contains(a.body, "Page 1 of 3") {
			t.Errorf("download: %d %q", a.status, a.body)
		}
		if !strings.HasPrefix(j.DownloadURLs["markdown"], server.api+"/files/") {
			t.Errorf("without PUBLIC_URL the link is %s, which does not lead to %s", j.DownloadURLs["markdown"], server.api)
		}
		t.Run("which another account does not see", func(t *testing.T) {
			_, other := user(t, env, "bob@example.com", "business")
			if a := request(t, http.MethodGet, server.api+"/jobs/"+j.ID, other); a.status != 404 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	})
	t.Run("errors are JSON on every route", func(t *testing.T) {
		for path, want := range map[string]int{"/no/such/route": 404, "/auth/me": 401, "/jobs": 401, "/files/jobs/x/result.md": 403} {
			a := request(t, http.MethodGet, server.api+path, "")
			if code, _ := a.detail(t); a.status != want || code == "" {
				t.Errorf("GET %s: %d %s, want %d", path, a.status, a.body, want)
			}
		}
	})
	t.Run("even where no request could be read", func(t *testing.T) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(server.api, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "nonsense\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if code, _ := (answer{res.StatusCode, res.Header, string(body)}).detail(t); res.StatusCode != 400 || code == "" {
			t.Errorf("%d %s", res.StatusCode, body)
		}
	})
	t.Run("accounts and keys are managed beside it", func(t *testing.T) { testKeys(t, env, server) })
	t.Run("a second one on its data directory says what is in the way", func(t *testing.T) {
		if o := ragify(t, env, "serve"); o.code != exitFailure || !strings.Contains(o.stderr, "DATA_DIR") {
			t.Errorf("%+v", o)
		}
	})
	t.Run("the admin listener has metrics, the API has not", func(t *testing.T) {
		if a := request(t, http.MethodGet, server.admin+"/metrics", ""); a.status != 200 || !strings.Contains(a.body, "ragify_http_requests_total") {
			t.Errorf("%d %.300s", a.status, a.body)
		}
		if a := request(t, http.MethodGet, server.api+"/metrics", ""); a.status != 404 {
			t.Errorf("the API answers %d", a.status)
		}
	})
	t.Run("health tells", func(t *testing.T) {
		address := strings.TrimPrefix(server.api, "http://")
		ragifyOK(t, append(env, "LISTEN_ADDR="+address), "health")
		if o := ragify(t, append(env, "LISTEN_ADDR=127.0.0.1:1"), "health"); o.code != exitFailure {
			t.Errorf("of nobody: %+v", o)
		}
	})
	t.Run("large uploads", func(t *testing.T) { testLargeUploads(t, server, key) })
	t.Run("what it knows survives an orderly end", func(t *testing.T) {
		server.terminate()
		again := start(t, env, "serve")
		a := request(t, http.MethodGet, again.api+"/jobs", key)
		var list struct{ Total int }
		if err := json.Unmarshal([]byte(a.body), &list); err != nil || list.Total == 0 {
			t.Errorf("jobs after the restart: %s, %v", a.body, err)
		}
		again.terminate()
	})
}

func testKeys(t *testing.T, env []string, server *process) {
	id, key := user(t, env, "eve@example.com", "pro")
	me := func(key string) answer { return request(t, http.MethodGet, server.api+"/auth/me", key) }
	if a := me(key); a.status != 200 || !strings.Contains(a.body, id) {
		t.Fatalf("GET /auth/me: %d %s", a.status, a.body)
	}
	var made keyView
	out := ragifyOK(t, env, "key", "create", "--id", id, "--name", "second", "--json")
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatal(err)
	}
	if a := me(made.RawKey); a.status != 200 {
		t.Errorf("the second key: %d %s", a.status, a.body)
	}
	if out := ragifyOK(t, env, "key", "list", "--email", "eve@example.com"); strings.Contains(out, made.RawKey) || !strings.Contains(out, made.KeyPrefix) {
		t.Errorf("key list shows %s", out)
	}
	ragifyOK(t, env, "key", "revoke", "--email", "eve@example.com", made.ID.String())
	if a := me(made.RawKey); a.status != 401 {
		t.Errorf("right after its revocation: %d %s", a.status, a.body)
	}
	if o := ragify(t, env, "key", "revoke", "--email", "eve@example.com", made.ID.String()); o.code != exitFailure {
		t.Errorf("revoking it again: %+v", o)
	}
	ragifyOK(t, env, "user", "set-tier", "--email", "eve@example.com", "--tier", "free")
	if a := me(key); a.status != 403 {
		t.Errorf("an API key on the free plan: %d %s", a.status, a.body)
	}
	if o := ragify(t, env, "key", "create", "--id", id, "--name", "third"); o.code != exitFailure || !strings.Contains(o.stderr, "free") {
		t.Errorf("a key on the free plan: %+v", o)
	}
	if o := ragify(t, env, "user", "create", "--email", "EVE@example.com"); o.code != exitFailure {
		t.Errorf("the same address again: %+v", o)
	}
	var users []userView
	if err := json.Unmarshal([]byte(ragifyOK(t, env, "user", "list", "--json")), &users); err != nil {
		t.Fatal(err)
	}
	if last := users[len(users)-1]; string(last.ID) != id || last.Tier != "free" {
		t.Errorf("the last account is %+v", last)
	}
	_, key = user(t, env, "ann@example.com", "free")
	if a := me(key); a.status != 403 {
		t.Errorf("a key made ahead of a plan with API access: %d %s", a.status, a.body)
	}
	ragifyOK(t, env, "user", "set-tier", "--email", "ann@example.com", "--tier", "pro")
	if a := me(key); a.status != 200 {
		t.Errorf("the same key on the pro plan: %d %s", a.status, a.body)
	}
}

// testLargeUploads sends what the pro plan just allows, and what it just does not.
func testWebhookKeys(t *testing.T, c client, id account.ID, signingKeys string) {
	type delivery struct {
		header http.Header
		body   []byte
	}
	got := make(chan delivery, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- delivery{r.Header, body}
	}))
	t.Cleanup(receiver.Close)
	setDefault := func(method string) {
		r, err := http.NewRequestWithContext(t.Context(), method, c.base+"/webhook", strings.NewReader(`{"url": "`+receiver.URL+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Api-Key", c.key)
		r.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(r)
		if err != nil || res.StatusCode >= 300 {
			t.Fatalf("%s /webhook: %+v, %v", method, res, err)
		}
		_ = res.Body.Close()
	}
	setDefault(http.MethodPut)
	if _, err := c.upload(t.Context(), "a.pdf", pdftest.Pages(1)); err != nil {
		t.Fatal(err)
	}
	var d delivery
	select {
	case d = <-got:
	case <-time.After(time.Minute):
		t.Fatal("nothing arrived")
	}
	setDefault(http.MethodDelete)

	config, err := loadConfig(map[string]string{"URL_SIGNING_KEY": signingKeys, "DATA_DIR": t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := config.signingKeys()
	if err != nil || len(keys) != 2 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	for i, key := range keys {
		verifier, err := standardwebhooks.NewWebhook(webhook.Secret(key, id))
		if err != nil {
			t.Fatal(err)
		}
		if err := verifier.Verify(d.body, d.header); err != nil {
			t.Errorf("by key %d: %v", i+1, err)
		}
	}
	if a := request(t, http.MethodGet, c.base+"/webhook-secret", c.key); !strings.Contains(a.body, webhook.Secret(keys[0], id)) {
		t.Error("clients are not told the secret of the first key")
	}
}

func testLargeUploads(t *testing.T, server *process, key string) {
	const limit = 150_000_000
	before := residentMemory(t, server)
	var most atomic.Int64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
				most.Store(max(most.Load(), residentMemory(t, server)))
			}
		}
	}()
	a := uploadPadded(t, server.api, key, limit)
	close(stop)
	<-stopped
	if a.status != 201 {
		t.Errorf("%d bytes: %d %s", limit, a.status, a.body)
	}
	if grown := most.Load() - before; grown > 32<<20 {
		t.Errorf("resident memory grew by %d MiB during an upload of 150 MB", grown>>20)
	}
	a = uploadPadded(t, server.api, key, limit+1_000_000)
	if code, facts := a.detail(t); a.status != 413 || facts["max_bytes"] != float64(limit) || facts["tier"] != "pro" {
		t.Errorf("151 MB: %d %s %v", a.status, code, facts)
	}
}

// residentMemory gives the process's memory in bytes, 0 where the system has no /proc.
func residentMemory(t *testing.T, p *process) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kilobytes, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		t.Errorf("VmRSS: %v", err)
	}
	return kilobytes << 10
}

// uploadPadded uploads a valid one-page PDF blown up to size bytes, without having it in memory.
func uploadPadded(t *testing.T, api, key string, size int64) answer {
	t.Helper()
	pdf := pdftest.Pages(1)
	// As an incremental update that adds nothing but space: the last startxref points to the old table.
	at := bytes.LastIndex(pdf, []byte("startxref"))
	tail := append([]byte("\n"), pdf[at:]...)
	padding := io.LimitReader(spaces{}, size-int64(len(pdf)+len(tail)))
	body, w := io.Pipe()
	form := multipart.NewWriter(w)
	go func() {
		file, err := form.CreateFormFile("file", "large.pdf")
		if err == nil {
			_, err = io.Copy(file, io.MultiReader(bytes.NewReader(pdf), padding, bytes.NewReader(tail)))
		}
		if err == nil {
			err = form.Close()
		}
		w.CloseWithError(err) // an early answer closes the pipe from the other side
	}()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, api+"/jobs", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", key)
	req.Header.Set("Content-Type", form.FormDataContentType())
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("the answer did not come through: %v", err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(b)}
}

// spaces is an endless row of spaces.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestKilled kills the service in the middle of jobs. Whatever it was doing ends after the restart, and
// no slot and no page is lost.
func TestKilled(t *testing.T) {
	t.Parallel()
	env := environ(t, dataDir(t), "WORKERS=2")
	server := start(t, env, "serve")
	_, key := user(t, env, "ada@example.com", "pro")
	c := client{base: server.api, key: key}
	var ids []string
	for i, pdf := range [][]byte{pdftest.Slow(), pdftest.Slow(), pdftest.Pages(2), pdftest.Pages(1)} {
		j, err := c.upload(t.Context(), fmt.Sprintf("%d.pdf", i), pdf)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, j.ID)
	}
	eventually(t, "both slow jobs at work", func() bool {
		for _, id := range ids[:2] {
			if jobOf(t, c, id).Status != "processing" {
				return false
			}
		}
		return true
	})
	server.kill9()

	server = start(t, env, "serve")
	c.base = server.api
	for _, id := range ids[:2] { // whether they are at work again or not yet: they make place
		if a := request(t, http.MethodDelete, server.api+"/jobs/"+id, key); a.status != http.StatusNoContent {
			t.Fatalf("deleting job %s: %d %s", id, a.status, a.body)
		}
	}
	for _, id := range ids[2:] {
		eventually(t, "the end of job "+id, func() bool { s := jobOf(t, c, id).Status; return s == "done" || s == "failed" })
		if j := jobOf(t, c, id); j.Status != "done" {
			t.Errorf("job %s is %s (%s)", id, j.Status, j.ErrorMessage)
		}
	}
	var me struct {
		ActiveJobs int `json:"active_jobs"`
		PagesUsed  int `json:"pages_used"`
	}
	a := request(t, http.MethodGet, server.api+"/auth/me", key)
	if err := json.Unmarshal([]byte(a.body), &me); err != nil {
		t.Fatal(err)
	}
	if me.ActiveJobs != 0 || me.PagesUsed != 3 {
		t.Errorf("%d active jobs and %d pages used, want none and the 3 of the jobs that are done", me.ActiveJobs, me.PagesUsed)
	}
	server.terminate()
}

func TestRetention(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	env := environ(t, data, "RETENTION=1s")
	server := start(t, env, "serve")
	_, key := user(t, env, "ada@example.com", "pro")
	c := client{base: server.api, key: key}
	j, err := c.upload(t.Context(), "a.pdf", pdftest.Pages(1))
	if err != nil {
		t.Fatal(err)
	}
	files := func() int {
		found, err := filepath.Glob(filepath.Join(data, "blobs", "jobs", j.ID, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	if files() == 0 {
		t.Error("no files of the job, not even its upload")
	}
	eventually(t, "the end of the job", func() bool { return jobOf(t, c, j.ID).Status == "done" })
	eventually(t, "the files' deletion", func() bool { return files() == 0 })
	if a := request(t, http.MethodGet, server.api+"/jobs/"+j.ID, key); a.status != 200 || !strings.Contains(a.body, `"download_urls":{}`) {
		t.Errorf("the record afterwards: %d %s", a.status, a.body)
	}
	server.terminate()
}

func jobOf(t *testing.T, c client, id string) (j demoJob) {
	t.Helper()
	a := request(t, http.MethodGet, c.base+"/jobs/"+id, c.key)
	if a.status != 200 {
		t.Fatalf("GET /jobs/%s: %d %s", id, a.status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), &j); err != nil {
		t.Fatal(err)
	}
	return j
}

// TestTerminated ends the service while a job runs that does not finish in time.
func TestTerminated(t *testing.T) {
	t.Parallel()
	env := environ(t, dataDir(t), "SHUTDOWN_GRACE=5s", "WORKERS=1")
	server := start(t, env, "serve")
	_, key := user(t, env, "ada@example.com", "pro")
	c := client{base: server.api, key: key}
	j, err := c.upload(t.Context(), "slow.pdf", pdftest.Slow())
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the job at work", func() bool { return jobOf(t, c, j.ID).Status == "processing" })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		server.terminate()
	}()
	// Until the job has had its time, the service answers, but is not ready and takes nothing new.
	eventually(t, "readiness turns 503", func() bool { return request(t, http.MethodGet, c.base+"/readyz", "").status == 503 })
	if a := request(t, http.MethodGet, c.base+"/auth/me", key); a.status != 200 {
		t.Errorf("GET /auth/me while stopping: %d %s", a.status, a.body)
	}
	if _, err := c.upload(t.Context(), "late.pdf", pdftest.Pages(1)); err == nil {
		t.Error("a job was accepted while stopping")
	}
	<-ended
	if !strings.Contains(server.logText(), `"msg":"stopped"`) {
		t.Errorf("the log does not tell of an orderly end:\n%s", server.logText())
	}

	// The job went back to the queue; a worker beside a serve that has none takes it.
	env = append(env, "JOB_TIMEOUT=2s")
	server = start(t, append(env, "WORKERS=0"), "serve")
	c.base = server.api
	if s := jobOf(t, c, j.ID).Status; s != "pending" && s != "processing" {
		t.Errorf("after the restart the job is %s", s)
	}
	worker := start(t, env, "work")
	eventually(t, "the job's end", func() bool { return jobOf(t, c, j.ID).Status == "failed" })
	worker.terminate()
	server.terminate()
}

// TestPostgresLost kills the embedded Postgres: a service that can do nothing must end, so that whoever
// supervises it starts it anew.
func TestPostgresLost(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	env := environ(t, dir)
	server := start(t, env, "serve")
	b, err := os.ReadFile(filepath.Join(dir, "postgres", "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := server.wait(); err == nil || !strings.Contains(server.logText(), "embedded Postgres has ended") {
		t.Errorf("exit %v, log\n%s", err, server.logText())
	}
	start(t, env, "serve").terminate()
}

func TestWorkAlone(t *testing.T) {
	t.Parallel()
	env := environ(t, t.TempDir())
	if o := ragify(t, env, "work"); o.code != exitFailure || !strings.Contains(o.stderr, "DATABASE_URL") {
		t.Errorf("without a database: %+v", o)
	}
	if o := ragify(t, append(env, "WORKERS=0"), "work"); o.code != exitFailure || !strings.HasPrefix(o.stderr, "ragify: WORKERS: ") {
		t.Errorf("without workers: %+v", o)
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	env := environ(t, dataDir(t))
	up := ragifyOK(t, env, "migrate", "up")
	if version := ragifyOK(t, env, "migrate", "version"); version != up || version == "0\n" {
		t.Errorf("version %q after up gave %q", version, up)
	}
	for range 100 {
		if ragifyOK(t, env, "migrate", "down") == "0\n" {
			return
		}
	}
	t.Error("migrate down never reaches 0")
}

func TestDemo(t *testing.T) {
	t.Parallel()
	o := ragify(t, environ(t, t.TempDir()), "demo")
	if o.code != exitOK {
		t.Fatalf("%+v", o)
	}
	for _, want := range []string{"curl http://127.0.0.1:", "-H 'X-Api-Key: rg_", "Harbour", "2 of 2000 pages this month", `"tier":"pro"`} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("it does not show %q:\n%s", want, o.stdout)
		}
	}
	_, rest, _ := strings.Cut(o.stdout, "Postgres in ")
	dir, _, _ := strings.Cut(rest, "\n")
	if _, err := os.Stat(dir); !os.IsNotExist(err) || dir == "" {
		t.Errorf("%q was left behind: %v", dir, err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	var stderr bytes.Buffer
	if code := run(stopped, []string{"demo"}, environ(t, t.TempDir()), nil, io.Discard, &stderr); code != exitFailure || stderr.String() != "ragify: interrupted\n" {
		t.Errorf("interrupted: exit status %d, standard error %q", code, &stderr)
	}
	locked := pdftest.New()
	locked.Page(300, 300).Text(50, 200, 12, pdftest.Regular, "between us")
	for next, pdf := range map[string][]byte{"Choose another PDF": pdftest.Damaged(), "ragify parse --options": locked.Encrypted("user", "owner")} {
		o := ragify(t, environ(t, t.TempDir()), "demo", write(t, "bad.pdf", pdf))
		if o.code != exitFailure || !strings.Contains(o.stderr, next) {
			t.Errorf("exit status %d, standard error %q without the next step, %q", o.code, o.stderr, next)
		}
	}
}

// TestWorkHealth looks at workers without an API through their admin listener.
func TestWorkHealth(t *testing.T) {
	t.Parallel()
	env := environ(t, dataDir(t))
	server := start(t, append(env, "WORKERS=0"), "serve")
	worker := start(t, env, "work")
	for _, path := range []string{"/healthz", "/readyz"} {
		eventually(t, path, func() bool { return request(t, http.MethodGet, worker.admin+path, "").status == 200 })
	}
	address := "ADMIN_ADDR=" + strings.TrimPrefix(worker.admin, "http://")
	ragifyOK(t, append(env, address), "health", "--work")
	for url, want := range map[string]string{
		worker.admin: `ragify_health_up{part="queue"} 1`,
		server.admin: `ragify_health_up{part="engine_inspect"} 1`,
	} {
		if a := request(t, http.MethodGet, url+"/metrics", ""); a.status != 200 || !strings.Contains(a.body, want) || !strings.Contains(a.body, "ragify_build_info{") {
			t.Errorf("no %s in\n%s", want, a.body)
		}
	}
	server.terminate() // with its embedded Postgres
	var a answer
	eventually(t, "the worker sees that its database is away", func() bool {
		a = request(t, http.MethodGet, worker.admin+"/readyz", "")
		return a.status == 503
	})
	if _, facts := a.detail(t); !strings.Contains(fmt.Sprint(facts["parts"]), "database") {
		t.Errorf("%s", a.body)
	}
	if a := request(t, http.MethodGet, worker.admin+"/healthz", ""); a.status != 200 {
		t.Errorf("alive, but %d", a.status)
	}
	if o := ragify(t, append(env, address), "health", "--work"); o.code != exitFailure || !strings.Contains(o.stderr, "database") {
		t.Errorf("%+v", o)
	}
}
