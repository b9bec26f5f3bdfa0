//go:build unix

package main

import (
	"archive/zip"
	"bytes"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/ragify/ragify/internal/blob/s3test"
	"github.com/ragify/ragify/internal/clustertest"
	"github.com/ragify/ragify/internal/plan"
)

// front is a proxy before an S3 server that counts requests by method.
func front(t *testing.T, target *url.URL) (rawURL string, taken func() map[string]int) {
	var mu sync.Mutex
	counts := make(map[string]int)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // signatures cover it
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		if strings.Contains(r.URL.Path, "/jobs/") || r.URL.Query().Get("prefix") != "" {
			counts[r.Method]++ // the others are questions whether it is there
		}
		mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		taken := counts
		counts = make(map[string]int)
		return taken
	}
}

// TestS3Downloads is a client of an installation whose bucket it reaches by another address than ragify,
// and of one whose bucket it does not reach at all.
func TestS3Downloads(t *testing.T) {
	if s3test.Find() == "" {
		t.Skip("SKIPPED, S3 IS UNTESTED: versitygw is not installed (scripts/prepare.sh versitygw)")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cache, err := engineCache()
	if err != nil {
		t.Fatal(err)
	}
	cluster := clustertest.Start(t, clustertest.Options{
		Program: []string{exe}, EngineCache: cache, Env: []string{programEnv + "=1", "WORKERS=1"}, Volatile: true,
	})
	bucket, err := url.Parse(cluster.Bucket.URL())
	if err != nil {
		t.Fatal(err)
	}
	endpoint, err := url.Parse(bucket.Query().Get("endpoint"))
	if err != nil {
		t.Fatal(err)
	}
	internal, own := front(t, endpoint)
	public, _ := front(t, endpoint)
	start := func(change func(url.Values)) *clustertest.Node {
		t.Helper()
		q := bucket.Query()
		change(q)
		u := *bucket
		u.RawQuery = q.Encode()
		n := cluster.Add("serve")
		n.Env = append(n.Env, "BLOB_URL="+u.String())
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
		return n
	}
	node := start(func(q url.Values) {
		q.Set("endpoint", internal)
		q.Set("public_endpoint", public)
	})
	a := cluster.Account("client@example.com", plan.Pro)
	client := node.Client(a)
	j, err := client.Submit(t.Context(), clustertest.Submission{
		Name: "Übersicht.pdf", PDF: sample,
		Options: `{"format": ["markdown", "json", "html", "text", "tagged-pdf", "annotated-pdf", "chunks"], "image_output": "external"}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	if j, err = client.Wait(t.Context(), j.ID); err != nil || j.Status != "done" {
		t.Fatal(j, err)
	}
	took := own()
	t.Logf("requests to S3 for an upload and %d results: %v", len(j.DownloadURLs), took)
	if want := len(j.DownloadURLs) + 1; took[http.MethodPut] != want || took[http.MethodGet] > 3 || took[http.MethodHead] != 0 {
		t.Errorf("requests to S3: %v; want %d PUT, no HEAD, at most 3 GET", took, want)
	}
	check := func(t *testing.T, urls map[string]string, base string) {
		t.Helper()
		types := map[string]string{
			"markdown": "text/markdown", "json": "application/json", "html": "text/html", "text": "text/plain",
			"tagged-pdf": "application/pdf", "annotated-pdf": "application/pdf", "images": "application/zip",
		}
		for format, want := range types {
			if urls[format] == "" {
				t.Errorf("no link to %s", format)
				continue
			}
			if !strings.HasPrefix(urls[format], base+"/") {
				t.Errorf("%s: clients do not reach %s", format, urls[format])
			}
			res, err := http.Get(urls[format])
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || res.StatusCode != http.StatusOK || len(body) == 0 {
				t.Errorf("%s: %s, %d bytes, %v", format, res.Status, len(body), err)
			}
			if got := res.Header.Get("Content-Type"); !strings.HasPrefix(got, want) {
				t.Errorf("%s has type %q", format, got)
			}
			how, params, err := mime.ParseMediaType(res.Header.Get("Content-Disposition"))
			if err != nil || how != "attachment" || !strings.HasPrefix(params["filename"], "Übersicht") {
				t.Errorf("%s is offered as %s %v, %v", format, how, params, err)
			}
			if format == "images" {
				if _, err := zip.NewReader(bytes.NewReader(body), int64(len(body))); err != nil {
					t.Errorf("images: %v", err)
				}
			}
		}
	}
	check(t, j.DownloadURLs, public)

	other := start(func(q url.Values) { q.Set("serve_downloads", "true") })
	if j, err = other.Client(a).Job(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	check(t, j.DownloadURLs, other.URL()+"/files")
	own()
	if err := client.Delete(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	if took := own(); took[http.MethodGet] != 1 || took[http.MethodDelete] != 0 {
		t.Errorf("a deletion took %v, want one listing and one DeleteObjects", took)
	}
	if res, err := http.Get(j.DownloadURLs["markdown"]); err != nil || res.StatusCode != http.StatusNotFound {
		t.Errorf("a link to a deleted file: %v, %v", res, err)
	}
}
