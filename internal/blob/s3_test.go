package blob_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/ragify/ragify/internal/blob"
	"github.com/ragify/ragify/internal/blob/s3test"
	"github.com/ragify/ragify/internal/fault"
)

// gate stands before an S3 server, as a proxy does that clients reach.
type gate struct {
	url    string
	refuse func(w http.ResponseWriter, r *http.Request) bool // answers itself; nil: never

	mu       sync.Mutex
	requests []string // what went through
	largest  int64    // body, bytes
}

func newGate(t *testing.T, server *s3test.Server) *gate {
	g := new(gate)
	target := &url.URL{Scheme: "http", Host: server.Address}
	// SetURL without a new Host: signatures cover it.
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		g.requests = append(g.requests, operation(r))
		g.largest = max(g.largest, r.ContentLength)
		g.mu.Unlock()
		if g.refuse == nil || !g.refuse(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	g.url = front.URL
	return g
}

// operation is a request in S3's terms, roughly.
func operation(r *http.Request) string {
	q := r.URL.Query()
	switch {
	case q.Has("list-type"):
		return "ListObjectsV2"
	case q.Has("delete"):
		return "DeleteObjects"
	case q.Has("partNumber"):
		return "UploadPart"
	case q.Has("uploads") && r.Method == http.MethodPost:
		return "CreateMultipartUpload"
	case q.Has("uploadId") && r.Method == http.MethodPost:
		return "CompleteMultipartUpload"
	}
	return r.Method
}

// taken gives the requests since it was last called.
func (g *gate) taken() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.requests
	g.requests = nil
	return r
}

func open(t *testing.T, rawURL string, o blob.Options) *blob.Store {
	t.Helper()
	s, err := blob.Open(t.Context(), rawURL, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestPublicEndpoint(t *testing.T) {
	server := s3test.Start(t)
	g := newGate(t, server)
	s := open(t, server.URL("public_endpoint="+g.url), blob.Options{})
	put(t, s, "a/report.md", []byte("0123456789"))
	if through := g.taken(); len(through) != 0 {
		t.Errorf("ragify itself took the clients' way: %v", through)
	}
	link, err := s.SignedURL(t.Context(), "a/report.md", "Übersicht 2026.md", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(link, g.url+"/") {
		t.Fatalf("clients do not reach %s", link)
	}
	res, body := request(t, http.MethodGet, link, http.Header{"Range": {"bytes=2-4"}})
	if res.StatusCode != http.StatusPartialContent || body != "234" {
		t.Errorf("%d %q, want bytes 2 to 4", res.StatusCode, body)
	}
	if got, want := res.Header.Get("Content-Disposition"), `attachment; filename="_bersicht 2026.md"; filename*=UTF-8''%C3%9Cbersicht%202026.md`; got != want {
		t.Errorf("Content-Disposition %s, want %s", got, want)
	}
}

// TestRequests counts, since S3 charges by the request.
func TestRequests(t *testing.T) {
	server := s3test.Start(t)
	g := newGate(t, server)
	s := open(t, server.URL("endpoint="+g.url), blob.Options{})
	want := func(what string, requests ...string) {
		t.Helper()
		if got := g.taken(); !slices.Equal(got, requests) {
			t.Errorf("%s took %v, want %v", what, got, requests)
		}
	}
	for i := range 12 {
		put(t, s, fmt.Sprintf("jobs/1/result-%d", i), []byte("x"))
		want("a small upload", http.MethodPut)
	}
	if _, err := s.SignedURL(t.Context(), "jobs/1/result-1", "x", time.Minute); err != nil {
		t.Fatal(err)
	}
	want("a link")
	get(t, s, "jobs/1/result-1")
	want("a download", http.MethodGet)
	if err := s.DeletePrefix(t.Context(), "jobs/1/"); err != nil {
		t.Fatal(err)
	}
	want("a folder's deletion", "ListObjectsV2", "DeleteObjects")
	if err := s.DeletePrefix(t.Context(), "jobs/1/"); err != nil {
		t.Fatal(err)
	}
	want("an empty folder's deletion", "ListObjectsV2")

	const size = 70_000_000
	if err := s.Put(t.Context(), "jobs/2/large", "application/pdf", io.LimitReader(zeros{}, size)); err != nil {
		t.Fatal(err)
	}
	got := g.taken()
	slices.Sort(got) // parts go at once
	parts := slices.Repeat([]string{"UploadPart"}, 9)
	if all := slices.Concat([]string{"CompleteMultipartUpload", "CreateMultipartUpload"}, parts); !slices.Equal(got, all) {
		t.Errorf("70 MB took %v, want %v", got, all)
	}
	if g.largest > 9<<20 { // checksums come on top of the 8 MiB
		t.Errorf("one part had %d bytes", g.largest)
	}
	r, n, err := s.Get(t.Context(), "jobs/2/large")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil || n != size {
		t.Errorf("%d bytes are there, %v", n, err)
	}
}

// zeros is an endless source that is no io.Seeker.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// Google's S3 gateway refuses DeleteObjects.
func TestDeletePrefixWithoutDeleteObjects(t *testing.T) {
	server := s3test.Start(t)
	g := newGate(t, server)
	g.refuse = func(w http.ResponseWriter, r *http.Request) bool {
		if operation(r) == "DeleteObjects" {
			s3Error(w, http.StatusNotImplemented, "NotImplemented")
			return true
		}
		return false
	}
	s := open(t, server.URL("endpoint="+g.url), blob.Options{})
	put(t, s, "jobs/1/a", []byte("x"))
	put(t, s, "jobs/1/b", []byte("x"))
	if err := s.DeletePrefix(t.Context(), "jobs/1/"); err != nil {
		t.Fatal(err)
	}
	if left := keys(t, s, "jobs/"); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func s3Error(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>no</Message></Error>`, code)
}

// A process that is killed in the middle of an upload leaves its parts, which nobody sees and S3 charges for.
func TestRemoveUnfinishedUploads(t *testing.T) {
	server := s3test.Start(t)
	s := open(t, server.URL(), blob.Options{})
	put(t, s, "jobs/1/whole", []byte("x"))
	c, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"), config.WithBaseEndpoint("http://"+server.Address))
	if err != nil {
		t.Fatal(err)
	}
	client := s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = true })
	bucket := s3test.Bucket
	for _, key := range []string{"jobs/1/half", "elsewhere/half"} {
		u, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		number := int32(1)
		part := &s3.UploadPartInput{Bucket: &bucket, Key: &key, UploadId: u.UploadId, PartNumber: &number, Body: strings.NewReader("half")}
		if _, err := client.UploadPart(t.Context(), part); err != nil {
			t.Fatal(err)
		}
	}
	if seen := keys(t, s, ""); !slices.Equal(seen, []string{"jobs/1/whole"}) {
		t.Errorf("visible: %v", seen)
	}
	for _, c := range []struct {
		before time.Time
		want   int
	}{{time.Now().Add(-time.Hour), 0}, {time.Now().Add(time.Hour), 1}, {time.Now().Add(time.Hour), 0}} {
		if n, err := s.RemoveUnfinished(t.Context(), "jobs/", c.before); n != c.want || err != nil {
			t.Errorf("removed %d, %v; want %d", n, err, c.want)
		}
	}
	if n, err := s.RemoveUnfinished(t.Context(), "elsewhere/", time.Now().Add(time.Hour)); n != 1 || err != nil {
		t.Errorf("the bucket's other user has lost an upload: %d, %v", n, err)
	}
	if string(get(t, s, "jobs/1/whole")) != "x" {
		t.Error("an object is gone")
	}
}

// TestTroubles: whatever is wrong with the storage, a client hears that it is unavailable, and the log
// what to do. Never does it pass for a missing file.
func TestTroubles(t *testing.T) {
	server := s3test.Start(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	answering := func(status int, code string) string {
		h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { s3Error(w, status, code) }))
		t.Cleanup(h.Close)
		return "endpoint=" + h.URL
	}
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	for _, c := range []struct{ name, url, secret, want string }{
		{"wrong credentials", server.URL(), "wrong", "AWS_SECRET_ACCESS_KEY"},
		{"no bucket", strings.Replace(server.URL(), s3test.Bucket, "no-such-bucket", 1), "", "the bucket does not exist"},
		{"clock is wrong", server.URL(answering(http.StatusForbidden, "RequestTimeTooSkewed")), "", "clock"},
		{"not allowed", server.URL(answering(http.StatusForbidden, "AccessDenied")), "", "docs/storage.md"},
		{"credentials over", server.URL(answering(http.StatusBadRequest, "ExpiredToken")), "", "expired"},
		{"refuses connections", server.URL("endpoint=http://" + freeAddress(t)), "", "connection refused"},
		{"silent", server.URL("endpoint=http://" + silent.Addr().String()), "", "i/o timeout"},
		{"overloaded", server.URL(answering(http.StatusServiceUnavailable, "SlowDown")), "", "SlowDown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.secret != "" {
				t.Setenv("AWS_SECRET_ACCESS_KEY", c.secret)
			}
			s := open(t, c.url, blob.Options{StallTimeout: 100 * time.Millisecond})
			ctx := t.Context()
			_, _, getErr := s.Get(ctx, "jobs/1/x")
			for operation, err := range map[string]error{
				"Ping": s.Ping(ctx), "Get": getErr, "Put": s.Put(ctx, "jobs/1/x", "text/plain", strings.NewReader("x")),
				"large Put": s.Put(ctx, "jobs/1/x", "text/plain", io.LimitReader(zeros{}, 9<<20)),
				"Delete":    s.Delete(ctx, "jobs/1/x"), "DeletePrefix": s.DeletePrefix(ctx, "jobs/1/"),
				"Fetch": s.Fetch(ctx, "jobs/1/x", t.TempDir()+"/x"),
				"List":  s.List(ctx, "jobs/", func(string, time.Time) error { return nil }),
			} {
				if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: %v; want storage_unavailable and %q", operation, err, c.want)
				}
			}
		})
	}
}

// A server that falls silent in the middle of a download does not hold the reader.
func TestStallInTheMiddle(t *testing.T) {
	server := s3test.Start(t)
	over := make(chan struct{})
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		<-over
	}))
	t.Cleanup(h.Close)
	t.Cleanup(func() { close(over) })
	s := open(t, server.URL("endpoint="+h.URL), blob.Options{StallTimeout: 100 * time.Millisecond})
	wantCode(t, s.Fetch(t.Context(), "jobs/1/x", t.TempDir()+"/x"), "storage_unavailable")
}

// A passing refusal is not noticed: the SDK asks again.
func TestRetry(t *testing.T) {
	server := s3test.Start(t)
	g := newGate(t, server)
	var once sync.Once
	g.refuse = func(w http.ResponseWriter, _ *http.Request) (refused bool) {
		once.Do(func() {
			s3Error(w, http.StatusServiceUnavailable, "SlowDown")
			refused = true
		})
		return refused
	}
	s := open(t, server.URL("endpoint="+g.url), blob.Options{})
	put(t, s, "a/b", []byte("x"))
	if got := g.taken(); len(got) != 2 {
		t.Errorf("requests: %v", got)
	}
}

// While the bucket is away nothing hangs, and when it is back all is as before.
func TestAwayAndBack(t *testing.T) {
	server := s3test.Start(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	s := open(t, server.URL(), blob.Options{})
	put(t, s, "a/b", []byte("x"))
	server.Stop()
	wantCode(t, s.Ping(t.Context()), "storage_unavailable")
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := s.Ping(stopped); fault.KindOf(err) == fault.Unavailable {
		t.Errorf("the caller left, and the storage is blamed: %v", err)
	}
	server.Start()
	if got := string(get(t, s, "a/b")); got != "x" {
		t.Errorf("content %q", got)
	}
}
