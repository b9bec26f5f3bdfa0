package blob_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/blob"
	"github.com/ragify/ragify/internal/blob/s3test"
	"github.com/ragify/ragify/internal/fault"
)

// fixture is a backend under test. url makes links to its objects work from here.
type fixture struct {
	store *blob.Store
	local bool   // links lead to our own handler
	dir   string // of a file store
}

func TestFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "blobs")
	f := openLocal(t, "file://"+filepath.ToSlash(dir))
	f.dir = dir
	conformance(t, f)
}
func TestMemory(t *testing.T) { conformance(t, openLocal(t, "mem://")) }

// TestS3 runs against a real S3 server.
func TestS3(t *testing.T) {
	server := s3test.Start(t)
	s, err := blob.Open(t.Context(), server.URL(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	conformance(t, fixture{store: s})
	t.Run("downloads through ragify", func(t *testing.T) {
		conformLinks(t, openLocal(t, server.URL("serve_downloads=true")))
	})
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// openLocal opens a store whose links lead to a test server.
func openLocal(t *testing.T, rawURL string) fixture {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	t.Cleanup(server.Close)
	s, err := blob.Open(t.Context(), rawURL, blob.Options{PublicURL: "http://" + server.Listener.Addr().String(), SigningKey: []byte("secret")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	server.Config.Handler = s.Handler(writeError)
	server.Start()
	return fixture{store: s, local: true}
}

func writeError(w http.ResponseWriter, _ *http.Request, err error) {
	status := map[fault.Kind]int{fault.Forbidden: 403, fault.NotFound: 404, fault.MethodNotAllowed: 405}[fault.KindOf(err)]
	if status == 0 {
		status = 500
	}
	http.Error(w, fault.From(err).Code, status)
}

// conformance is what every backend must do.
func conformance(t *testing.T, f fixture) {
	ctx, s := t.Context(), f.store
	t.Run("what was put comes back", func(t *testing.T) {
		big := make([]byte, 20<<20) // more than two parts of an S3 upload
		_, _ = rand.Read(big)       // never fails
		for _, content := range [][]byte{{}, []byte("text"), big} {
			put(t, s, "round/trip.bin", content)
			if got := get(t, s, "round/trip.bin"); !bytes.Equal(got, content) {
				t.Errorf("%d bytes went in, %d others came out", len(content), len(got))
			}
		}
	})
	t.Run("a missing object is not found", func(t *testing.T) {
		_, _, err := s.Get(ctx, "no/such")
		wantCode(t, err, "file_not_found")
		path := filepath.Join(t.TempDir(), "copy")
		wantCode(t, s.Fetch(ctx, "no/such", path), "file_not_found")
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a file was left: %v", err)
		}
		if err := s.Delete(ctx, "no/such"); err != nil {
			t.Errorf("deleting it: %v", err)
		}
	})
	t.Run("a failing source stores nothing and keeps its error", func(t *testing.T) {
		broken := errors.New("the client went away")
		err := s.Put(ctx, "half/done", "text/plain", io.MultiReader(strings.NewReader("half"), errReader{broken}))
		if !errors.Is(err, broken) || fault.KindOf(err) == fault.Unavailable {
			t.Errorf("error %v, want the source's", err)
		}
		_, _, err = s.Get(ctx, "half/done")
		wantCode(t, err, "file_not_found")
	})
	t.Run("a large source that fails leaves no parts", func(t *testing.T) {
		broken := errors.New("the client went away")
		source := io.MultiReader(bytes.NewReader(make([]byte, 20<<20)), errReader{broken}) // two parts are on their way
		if err := s.Put(ctx, "half/large", "text/plain", source); !errors.Is(err, broken) {
			t.Errorf("error %v, want the source's", err)
		}
		stopped, stop := context.WithCancel(ctx)
		source = io.MultiReader(bytes.NewReader(make([]byte, 20<<20)), funcReader(func() { stop() }), bytes.NewReader(make([]byte, 20<<20)))
		if err := s.Put(stopped, "half/large", "text/plain", source); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want the context's", err)
		}
		if left := keys(t, s, "half/"); len(left) != 0 {
			t.Errorf("visible: %v", left)
		}
		if n, err := s.RemoveUnfinished(ctx, "half/", time.Now().Add(time.Hour)); err != nil || n > 1 || (n == 1 && f.dir == "") { // a folder
			t.Errorf("left behind: %d, %v", n, err)
		}
	})
	t.Run("Fetch copies to a private file", func(t *testing.T) {
		put(t, s, "fetch/me", []byte("content"))
		path := filepath.Join(t.TempDir(), "copy")
		if err := s.Fetch(ctx, "fetch/me", path); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != "content" {
			t.Errorf("%q, %v", got, err)
		}
		if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v; want 0600", fi.Mode(), err)
		}
	})
	t.Run("List and DeletePrefix keep to the prefix", func(t *testing.T) {
		for _, key := range []string{"a/1/x", "a/1/y.md", "a/10/z", "b/1"} {
			put(t, s, key, []byte(key))
		}
		if diff := cmp.Diff([]string{"a/1/x", "a/1/y.md", "a/10/z"}, keys(t, s, "a/")); diff != "" {
			t.Error("keys (-want +got)\n", diff)
		}
		for range 2 { // the second time there is nothing
			if err := s.DeletePrefix(ctx, "a/1/"); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]string{"a/10/z"}, keys(t, s, "a/")); diff != "" {
			t.Error("keys (-want +got)\n", diff)
		}
		if err := s.DeletePrefix(ctx, "a"); err == nil {
			t.Error("a prefix without its slash would take a-other along, and was accepted")
		}
	})
	t.Run("no key leads outside", func(t *testing.T) {
		for _, key := range []string{"", "/", "/etc/passwd", "..", "../x", "a/../../x", "a/./b", "a//b", "a/", `a\b`, "a\x00b", "a\nb", "a b", "ä", "a%2f..", "a/x.attrs", "a/x.1f.tmp"} {
			_, _, err := s.Get(ctx, key)
			wantCode(t, err, "file_not_found")
			wantCode(t, s.Put(ctx, key, "text/plain", strings.NewReader("x")), "file_not_found")
			_, err = s.SignedURL(ctx, key, "x", time.Minute)
			wantCode(t, err, "file_not_found")
			if err := s.DeletePrefix(ctx, key); err == nil && key != "a/" {
				t.Errorf("DeletePrefix(%q) was accepted", key)
			}
		}
	})
	t.Run("it answers", func(t *testing.T) {
		if err := s.Ping(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Run("links", func(t *testing.T) { conformLinks(t, f) })
}

func conformLinks(t *testing.T, f fixture) {
	s := f.store
	put(t, s, "links/report.md", []byte("0123456789"))
	link := func(name string, ttl time.Duration) string {
		u, err := s.SignedURL(t.Context(), "links/report.md", name, ttl)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	t.Run("download with name, type and protection", func(t *testing.T) {
		res, body := request(t, http.MethodGet, link("Bericht für \"März\".md", time.Minute), nil)
		if res.StatusCode != 200 || body != "0123456789" {
			t.Fatalf("%d %q", res.StatusCode, body)
		}
		want := map[string]string{
			"Content-Type":        "text/markdown; charset=utf-8",
			"Content-Disposition": `attachment; filename="Bericht f_r _M_rz_.md"; filename*=UTF-8''Bericht%20f%C3%BCr%20%22M%C3%A4rz%22.md`,
		}
		if f.local {
			want["X-Content-Type-Options"] = "nosniff"
			want["Content-Security-Policy"] = "default-src 'none'; sandbox"
		}
		for name, value := range want {
			if got := res.Header.Get(name); got != value {
				t.Errorf("%s: %q, want %q", name, got, value)
			}
		}
	})
	t.Run("byte ranges", func(t *testing.T) {
		res, body := request(t, http.MethodGet, link("r.md", time.Minute), http.Header{"Range": {"bytes=3-5"}})
		if res.StatusCode != 206 || body != "345" {
			t.Errorf("%d %q, want 206 and bytes 3 to 5", res.StatusCode, body)
		}
	})
	t.Run("HEAD gives the size", func(t *testing.T) {
		if !f.local {
			t.Skip("S3 signs the method: a GET link does not answer HEAD")
		}
		if res, body := request(t, http.MethodHead, link("r.md", time.Minute), nil); res.StatusCode != 200 || body != "" || res.ContentLength != 10 {
			t.Errorf("%d, body %q, length %d", res.StatusCode, body, res.ContentLength)
		}
	})
	t.Run("an expired link is refused", func(t *testing.T) {
		if !f.local {
			t.Skip("S3 keeps its own time, with a resolution of seconds")
		}
		if res, body := request(t, http.MethodGet, link("r.md", -time.Second), nil); res.StatusCode != 403 || body != "expired_link\n" {
			t.Errorf("%d %q", res.StatusCode, body)
		}
	})
	t.Run("other methods are refused", func(t *testing.T) {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
			res, body := request(t, method, link("r.md", time.Minute), nil)
			if res.StatusCode < 400 {
				t.Errorf("%s: %d %q", method, res.StatusCode, body)
			}
		}
		if got := string(get(t, s, "links/report.md")); got != "0123456789" {
			t.Errorf("the object is now %q", got)
		}
	})
	t.Run("a changed link is refused", func(t *testing.T) {
		put(t, s, "links/secret.md", []byte("secret"))
		good := link("r.md", time.Minute)
		for _, change := range []func(u *url.URL, q url.Values){
			func(u *url.URL, _ url.Values) { u.Path = strings.Replace(u.Path, "report", "secret", 1) },
			func(u *url.URL, _ url.Values) { u.Path = strings.Replace(u.Path, "links", "links/../links", 1) },
			func(_ *url.URL, q url.Values) { bump(q, "expires", "X-Amz-Expires") },
			func(_ *url.URL, q url.Values) { bump(q, "name", "response-content-disposition") },
			func(_ *url.URL, q url.Values) { bump(q, "signature", "X-Amz-Signature") },
			func(_ *url.URL, q url.Values) { q.Del("signature"); q.Del("X-Amz-Signature") },
		} {
			u, err := url.Parse(good)
			if err != nil {
				t.Fatal(err)
			}
			q := u.Query()
			change(u, q)
			u.RawQuery = q.Encode()
			if res, body := request(t, http.MethodGet, u.String(), nil); res.StatusCode < 400 || strings.Contains(body, "0123456789") {
				t.Errorf("%s: %d %q", u, res.StatusCode, body)
			}
		}
	})
	t.Run("a signature has one spelling", func(t *testing.T) {
		if !f.local {
			t.Skip("the spelling of S3's signatures is S3's")
		}
		// The last character of 32 bytes in base64 has two bits that decoders ignore, and line ends are skipped.
		good := link("r.md", time.Minute)
		u, err := url.Parse(good)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		signature := q.Get("signature")
		changed := []string{signature + "\n", signature + "="}
		for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
			if other := signature[:len(signature)-1] + string(c); other != signature {
				changed = append(changed, other)
			}
		}
		for _, s := range changed {
			q.Set("signature", s)
			u.RawQuery = q.Encode()
			if res, body := request(t, http.MethodGet, u.String(), nil); res.StatusCode != 403 {
				t.Errorf("%q for %q: %d %q", s, signature, res.StatusCode, body)
			}
		}
	})
	t.Run("a link outlives its object as 404", func(t *testing.T) {
		put(t, s, "links/gone.md", []byte("x"))
		u, err := s.SignedURL(t.Context(), "links/gone.md", "x", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.DeletePrefix(t.Context(), "links/"); err != nil {
			t.Fatal(err)
		}
		if res, body := request(t, http.MethodGet, u, nil); res.StatusCode != 404 {
			t.Errorf("%d %q", res.StatusCode, body)
		}
	})
}

// bump changes a value in the query, under whichever of the names it is there.
func bump(q url.Values, names ...string) {
	for _, name := range names {
		if v := q.Get(name); v != "" {
			q.Set(name, v[:len(v)-1]+string('1'+(v[len(v)-1]-'0'+1)%5))
		}
	}
}

func TestOpen(t *testing.T) {
	for _, bad := range []string{
		"", "/var/lib/x", "ftp://host/x", "file://", "file://host/x", "file:///tmp/x?create_dir=1", "s3://", "s3://b?no_such=1", "s3://b/folder", "s3://b?region=x&public_endpoint=files.example.com", "s3://b?region=x&public_endpoint=https://host/path",
		"s3://b?region=x&serve_downloads=perhaps", "s3://b?region=x&serve_downloads=true&public_endpoint=https://host", "://",
	} {
		if _, err := blob.Open(t.Context(), bad, blob.Options{}); err == nil {
			t.Errorf("Open(%q) was accepted", bad)
		}
	}
}

func TestUnavailable(t *testing.T) {
	t.Run("S3 away", func(t *testing.T) {
		t.Setenv("AWS_ACCESS_KEY_ID", "x")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "x")
		t.Setenv("AWS_MAX_ATTEMPTS", "1")
		s, err := blob.Open(t.Context(), "s3://b?region=us-east-1&endpoint=http://"+freeAddress(t), blob.Options{})
		if err != nil {
			t.Fatal(err)
		}
		wantCode(t, s.Ping(t.Context()), "storage_unavailable")
		_, _, err = s.Get(t.Context(), "a/b")
		wantCode(t, err, "storage_unavailable")
		wantCode(t, s.Put(t.Context(), "a/b", "text/plain", strings.NewReader("x")), "storage_unavailable")
		if s.Handler(writeError) != nil {
			t.Error("links lead to S3, yet there is a handler for them")
		}
	})
	t.Run("directory gone", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "blobs")
		s, err := blob.Open(t.Context(), "file://"+filepath.ToSlash(dir), blob.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		wantCode(t, s.Ping(t.Context()), "storage_unavailable")
	})
}

// An object that is being written is not seen, and what a kill leaves of it goes with the job's folder.
func TestDeletePrefixTakesLeftovers(t *testing.T) {
	dir := t.TempDir()
	s, err := blob.Open(t.Context(), "file://"+filepath.ToSlash(dir), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "jobs/1/source.pdf", []byte("x"))
	if err := os.WriteFile(filepath.Join(dir, "jobs", "1", "source.pdf.18ab3f.tmp"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.DeletePrefix(t.Context(), "jobs/1/"); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Join(dir, "jobs"))
	if err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// funcReader is an empty source that calls itself on the way.
type funcReader func()

func (f funcReader) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}

// What killed processes left among the files of living jobs goes once it is old; nothing else does.
func TestRemoveUnfinishedFiles(t *testing.T) {
	dir := t.TempDir()
	s := open(t, "file://"+filepath.ToSlash(dir), blob.Options{})
	put(t, s, "jobs/1/source.pdf", []byte("x"))
	old := time.Now().Add(-48 * time.Hour)
	for _, name := range []string{"source.pdf.18ab3f.tmp", "result.md.attrs", "young.md.18ab40.tmp"} {
		path := filepath.Join(dir, "jobs", "1", name)
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(name, "young") {
			continue
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	empty := filepath.Join(dir, "jobs", "2")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{empty, filepath.Join(dir, "jobs", "1", "source.pdf"), filepath.Join(dir, "jobs", "1", "source.pdf.attrs")} {
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.List(t.Context(), "", func(key string, _ time.Time) error {
		if key != "jobs/1/source.pdf" {
			t.Errorf("half-written, and visible: %s", key)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{3, 0} {
		if n, err := s.RemoveUnfinished(t.Context(), "jobs/", time.Now().Add(-24*time.Hour)); n != want || err != nil {
			t.Errorf("removed %d, %v; want %d", n, err, want)
		}
	}
	if string(get(t, s, "jobs/1/source.pdf")) != "x" {
		t.Error("an object is gone")
	}
	if _, err := os.Stat(filepath.Join(dir, "jobs", "1", "young.md.18ab40.tmp")); err != nil {
		t.Errorf("what may still become an object is gone: %v", err)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func put(t *testing.T, s *blob.Store, key string, content []byte) {
	t.Helper()
	if err := s.Put(t.Context(), key, "text/markdown; charset=utf-8", bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, s *blob.Store, key string) []byte {
	t.Helper()
	r, size, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil || int64(len(b)) != size {
		t.Fatalf("%d bytes of %d: %v", len(b), size, err)
	}
	return b
}

func keys(t *testing.T, s *blob.Store, prefix string) (found []string) {
	t.Helper()
	err := s.List(t.Context(), prefix, func(key string, modified time.Time) error {
		if time.Since(modified) > time.Hour {
			t.Errorf("%s: last changed %v", key, modified)
		}
		found = append(found, key)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return found
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if !errors.Is(err, &fault.Fault{Code: code}) {
		t.Errorf("error %v, want fault %s", err, code)
	}
}

func request(t *testing.T, method, rawURL string, header http.Header) (*http.Response, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, rawURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		req.Header[k] = v
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
	return res, string(body)
}
