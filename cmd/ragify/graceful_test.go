package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ragify/ragify/internal/clustertest"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
	"github.com/ragify/ragify/internal/plan"
	"github.com/ragify/ragify/internal/postgres/pgtest"
)

// TestTerminated_in_the_middle ends the service while a conversion, an event stream, a long poll, an upload and a download
// go on: each comes to its end.
func TestTerminated_in_the_middle(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	server := start(t, environ(t, dir, "SHUTDOWN_GRACE=5s", "WORKERS=1"), "serve")
	_, key := user(t, environ(t, dir), "ada@example.com", "pro")
	c := client{base: server.api, key: key}

	result := finishedResult(t, c, dir)
	slow, err := c.upload(t.Context(), "slow.pdf", pdftest.Slow())
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the job at work", func() bool { return jobOf(t, c, slow.ID).Status == "processing" })
	stream, err := c.do(t.Context(), http.MethodGet, c.base+"/jobs/"+slow.ID+"/events", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	polled := make(chan answer, 1)
	go func() { polled <- request(t, http.MethodGet, c.base+"/jobs/"+slow.ID+"?wait=60", key) }()
	download, err := c.do(t.Context(), http.MethodGet, result, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer download.Body.Close()
	upload := beginUpload(t, c)
	eventually(t, "all of them under way", func() bool {
		m := request(t, http.MethodGet, server.admin+"/metrics", "").body
		return strings.Contains(m, "ragify_http_requests_waiting 2\n") && strings.Contains(m, "ragify_http_requests_in_flight 4\n")
	})

	ended := make(chan error, 1)
	if err := server.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	go func() { ended <- server.wait() }()
	eventually(t, "readiness turns 503", func() bool { return request(t, http.MethodGet, c.base+"/readyz", "").status == 503 })
	late, err := http.Post(c.base+"/jobs", "multipart/form-data; boundary=x", io.LimitReader(spaces{}, 20<<20))
	if err == nil {
		_ = late.Body.Close()
	}
	if err == nil && late.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger's upload: %s", late.Status)
	}
	refused := uploadPadded(t, c.base, key, 20_000_000)
	if code, _ := refused.detail(t); refused.status != 503 || code != "shutting_down" || refused.header.Get("Retry-After") == "" {
		t.Errorf("a new job: %d %s", refused.status, refused.body)
	}
	if a := request(t, http.MethodGet, c.base+"/auth/me", key); a.status != 200 {
		t.Errorf("everything else: %d %s", a.status, a.body)
	}
	if a := upload.finish(); a.status != 201 {
		t.Errorf("the upload under way: %d %s", a.status, a.body)
	}
	if n, err := io.Copy(io.Discard, download.Body); err != nil || n != resultSize {
		t.Errorf("the download under way: %d bytes, %v", n, err)
	}
	if a := <-polled; a.status != 200 || !strings.Contains(a.body, slow.ID) {
		t.Errorf("the long poll: %d %s", a.status, a.body)
	}
	events, err := io.ReadAll(stream.Body)
	if lines := strings.Split(strings.TrimSpace(string(events)), "\n"); err != nil || !strings.HasPrefix(lines[len(lines)-1], "retry: ") {
		t.Errorf("the stream: %v, ends with %q", err, lines[len(lines)-1])
	}
	if err := <-ended; err != nil || !strings.Contains(server.logText(), `"msg":"stopped"`) || strings.Contains(server.logText(), "cut off") {
		t.Errorf("%v\n%s", err, server.logText())
	}
}

// resultSize is larger in bytes than what a connection buffers.
const resultSize = 64 << 20

// finishedResult is the URL of a result of resultSize bytes.
func finishedResult(t *testing.T, c client, dir string) (url string) {
	t.Helper()
	j, err := c.upload(t.Context(), "a.pdf", pdftest.Pages(1))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first job's end", func() bool { j = jobOf(t, c, j.ID); return j.Status == "done" })
	grown := false
	err = filepath.WalkDir(filepath.Join(dir, "blobs", "jobs", j.ID), func(path string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Base(path) == "result.md" {
			grown, err = true, os.Truncate(path, resultSize)
		}
		return err
	})
	if err != nil || !grown {
		t.Fatalf("no result to make larger: %v", err)
	}
	return j.DownloadURLs["markdown"]
}

// halfUpload is an upload of which the end has not been sent.
type halfUpload struct {
	form   *multipart.Writer
	body   *io.PipeWriter
	answer chan answer
}

func beginUpload(t *testing.T, c client) halfUpload {
	t.Helper()
	body, w := io.Pipe()
	u := halfUpload{multipart.NewWriter(w), w, make(chan answer, 1)}
	go func() {
		defer close(u.answer)
		res, err := c.do(t.Context(), http.MethodPost, c.base+"/jobs", u.form.FormDataContentType(), body)
		if err != nil {
			u.answer <- answer{body: err.Error()}
			return
		}
		defer res.Body.Close()
		u.answer <- answer{status: res.StatusCode}
	}()
	file, err := u.form.CreateFormFile("file", "half.pdf")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(pdftest.Pages(1)); err != nil {
		t.Fatal(err)
	}
	return u
}

// finish sends the rest and gives the answer.
func (u halfUpload) finish() answer {
	_ = u.body.CloseWithError(u.form.Close())
	return <-u.answer
}

// TestTerminated_tells_a_stalled_upload_why: it is neither waited for without end nor cut off without a word.
func TestTerminated_tells_a_stalled_upload_why(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	server := start(t, environ(t, dir), "serve")
	_, key := user(t, environ(t, dir), "ada@example.com", "pro")
	upload := beginUpload(t, client{base: server.api, key: key})
	eventually(t, "the upload under way", func() bool {
		return strings.Contains(request(t, http.MethodGet, server.admin+"/metrics", "").body, "ragify_http_requests_in_flight 1\n")
	})
	server.terminate()
	if a := <-upload.answer; !strings.Contains(a.body, "shutting down") {
		t.Errorf("the answer is %d %q", a.status, a.body)
	}
	_ = upload.body.Close()
}

// TestTerminated_twice: whoever cannot wait need not.
func TestTerminated_twice(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	server := start(t, environ(t, dir, "SHUTDOWN_GRACE=10m", "WORKERS=1"), "serve")
	_, key := user(t, environ(t, dir), "ada@example.com", "pro")
	c := client{base: server.api, key: key}
	j, err := c.upload(t.Context(), "slow.pdf", pdftest.Slow())
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the job at work", func() bool { return jobOf(t, c, j.ID).Status == "processing" })
	if err := server.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "readiness turns 503", func() bool { return request(t, http.MethodGet, c.base+"/readyz", "").status == 503 })
	if err := server.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := server.wait(); err == nil || err.Error() != "signal: terminated" {
		t.Errorf("it ends with %v", err)
	}
}

// balancer sends requests to the nodes that say they are ready, as a load balancer does.
type balancer struct {
	nodes []*clustertest.Node

	mu    sync.Mutex
	ready []*clustertest.Node
	turn  int
}

// look asks the nodes whether they are ready, until ctx ends.
func (b *balancer) look(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		var ready []*clustertest.Node
		for _, n := range b.nodes {
			res, err := http.Get(n.URL() + "/readyz")
			if err != nil {
				continue
			}
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				ready = append(ready, n)
			}
		}
		b.mu.Lock()
		b.ready = ready
		b.mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// next is the node for the next request, nil when none is ready.
func (b *balancer) next() *clustertest.Node {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ready) == 0 {
		return nil
	}
	b.turn++
	return b.ready[b.turn%len(b.ready)]
}

// do sends a request to one node after another until one takes it. What a client would suffer from is an error: an answer
// other than 2xx that is not a 503 with Retry-After, and a connection that breaks off once it was made.
func (b *balancer) do(ctx context.Context, key, method, path, contentType string, body []byte) ([]byte, error) {
	for ctx.Err() == nil {
		n := b.next()
		if n == nil {
			return nil, errors.New("no node is ready")
		}
		req, err := http.NewRequestWithContext(ctx, method, n.URL()+path, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("X-Api-Key", key)
		if contentType != "" {
			req.Header.Set("Content-Type", contentType)
		}
		res, err := http.DefaultClient.Do(req)
		if errors.Is(err, syscall.ECONNREFUSED) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s %s %s: %w", n.Name, method, path, err)
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s %s %s: %w", n.Name, method, path, err)
		case res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") != "":
			continue
		case res.StatusCode >= 300:
			return nil, fmt.Errorf("%s %s %s: %s %s", n.Name, method, path, res.Status, text)
		}
		return text, nil
	}
	return nil, ctx.Err()
}

// convert takes a PDF from upload to Markdown.
func (b *balancer) convert(ctx context.Context, key string) error {
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	file, err := w.CreateFormFile("file", "a.pdf")
	if err != nil {
		return err
	}
	if _, err := file.Write(pdftest.Pages(2)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	text, err := b.do(ctx, key, http.MethodPost, "/jobs", w.FormDataContentType(), form.Bytes())
	for err == nil {
		var j demoJob
		if err := json.Unmarshal(text, &j); err != nil {
			return err
		}
		switch j.Status {
		case "done":
			return b.download(ctx, j.DownloadURLs["markdown"])
		case "failed":
			return errors.New(j.ErrorMessage)
		}
		if err := b.followed(ctx, key, j.ID); err != nil {
			return err
		}
		text, err = b.do(ctx, key, http.MethodGet, "/jobs/"+j.ID+"?wait=60", "", nil)
	}
	return err
}

// followed reads a job's event stream to its end, whichever that is.
func (b *balancer) followed(ctx context.Context, key, id string) error {
	text, err := b.do(ctx, key, http.MethodGet, "/jobs/"+id+"/events", "", nil)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	var all []string
	for lines.Scan() {
		all = append(all, lines.Text())
	}
	if !slices.ContainsFunc(all, func(l string) bool { return strings.HasPrefix(l, "id: ") }) {
		return fmt.Errorf("a stream without events: %q", text)
	}
	return lines.Err()
}

// download fetches a result. Links lead to the storage, not to a node.
func (b *balancer) download(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || !bytes.Contains(text, []byte("Page 2"))) {
		err = fmt.Errorf("download: %s %.200s", res.Status, text)
	}
	return err
}

// TestRollingRestart restarts three nodes one after the other under load. No client notices.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cache, err := engineCache()
	if err != nil {
		t.Fatal(err)
	}
	cluster := clustertest.Start(t, clustertest.Options{
		Nodes: 3, Program: []string{exe}, EngineCache: cache, Env: []string{programEnv + "=1", "WORKERS=1"}, Volatile: true,
	})
	b := &balancer{nodes: cluster.Nodes, ready: cluster.Nodes}
	ctx, stop := context.WithCancel(t.Context())
	var looking, clients sync.WaitGroup
	looking.Go(func() { b.look(ctx) })
	restarted := make(chan struct{})
	for _, a := range cluster.Accounts(4, plan.Pro) {
		clients.Go(func() {
			for n := 0; ; n++ {
				if err := b.convert(ctx, a.Key); err != nil {
					t.Errorf("job %d of an account: %v", n+1, err)
					return
				}
				select {
				case <-restarted:
					return
				default:
				}
			}
		})
	}
	for _, n := range cluster.Nodes {
		if err := n.Restart(); err != nil {
			t.Error(err)
		}
		eventually(t, n.Name+" takes requests again", func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			return slices.Contains(b.ready, n)
		})
	}
	close(restarted)
	clients.Wait()
	stop()
	looking.Wait()
	var notDone int
	if err := cluster.Pool().QueryRow(t.Context(), `SELECT count(*) FROM jobs WHERE status <> 'done'`).Scan(&notDone); err != nil || notDone != 0 {
		t.Errorf("%d jobs are not done, %v", notDone, err)
	}
	pgtest.CheckBooks(t, cluster.Pool())
}

// TestEvents_from_another_node follows a job through a node that does not work on it, and through a restart of Postgres.
func TestEvents_from_another_node(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cache, err := engineCache()
	if err != nil {
		t.Fatal(err)
	}
	cluster := clustertest.Start(t, clustertest.Options{
		Nodes: 1, Program: []string{exe}, EngineCache: cache, Files: true,
		Env: []string{programEnv + "=1", "WORKERS=1", "JOB_TIMEOUT=5s", "SHUTDOWN_GRACE=1s", "SHUTDOWN_DELAY=0s"},
	})
	other := cluster.Add("serve")
	other.Env = []string{"WORKERS=0"}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	a := cluster.Account("ada@example.com", plan.Pro)
	j, err := cluster.Nodes[0].Client(a).Submit(t.Context(), clustertest.Submission{Name: "slow.pdf", PDF: pdftest.Slow()})
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	restarted := false
	last, err := client{base: other.URL(), key: a.Key}.follow(t.Context(), j.ID, func(now demoJob) {
		if seen = append(seen, now.Status); now.Status == "processing" && !restarted {
			restarted = true
			cluster.Postgres.Kill()
			cluster.Postgres.Start()
		}
	})
	if err != nil || last.Status != "failed" || !restarted { // the job reaches its time limit
		t.Errorf("%s after %q, %v", last.Status, seen, err)
	}
}
