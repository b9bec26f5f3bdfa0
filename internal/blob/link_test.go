package blob_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ragify/ragify/internal/blob"
)

// FuzzLink looks for requests that get a file without a link made for it.
func FuzzLink(f *testing.F) {
	s, err := blob.Open(f.Context(), "mem://", blob.Options{PublicURL: "http://host", SigningKey: []byte("secret")})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	for _, key := range []string{"a/b", "a/c"} {
		if err := s.Put(f.Context(), key, "text/plain", strings.NewReader("content")); err != nil {
			f.Fatal(err)
		}
	}
	good, err := s.SignedURL(f.Context(), "a/b", "b.txt", time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	link, err := url.Parse(good)
	if err != nil {
		f.Fatal(err)
	}
	h := s.Handler(writeError)
	f.Add(link.Path, link.RawQuery)
	f.Add("/files/a/c", link.RawQuery)
	f.Add("/files/files/a/b", link.RawQuery+"&signature=")
	f.Add("/files/a/b", "expires=99999999999&name=&signature=")
	f.Fuzz(func(t *testing.T, path, query string) {
		r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{}}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			return
		}
		// The same link, perhaps written otherwise, is the only one that may work.
		want, got := link.Query(), r.URL.Query()
		_, key, _ := strings.Cut(path, "/files/")
		if key != "a/b" || got.Get("expires") != want.Get("expires") || got.Get("name") != want.Get("name") {
			t.Errorf("%q with %q was served", path, query)
		}
	})
}

// A key is changed in three steps: every node knows the new one, then signs with it, then forgets the old one.
func TestLinksOutliveAChangeOfKeys(t *testing.T) {
	dir := "file://" + filepath.ToSlash(t.TempDir())
	node := func(key string, former ...string) *blob.Store {
		t.Helper()
		o := blob.Options{PublicURL: "http://host", SigningKey: []byte(key)}
		for _, f := range former {
			o.FormerKeys = append(o.FormerKeys, []byte(f))
		}
		s, err := blob.Open(t.Context(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	oldOnly, knowsNew, signsNew, newOnly := node("old"), node("old", "new"), node("new", "old"), node("new")
	put(t, oldOnly, "a/b", []byte("content"))
	for _, c := range []struct {
		name     string
		from, to *blob.Store
		want     int
	}{
		{"before, to a node that knows the new key", oldOnly, knowsNew, 200},
		{"from one that knows the new key, to one that does not", knowsNew, oldOnly, 200},
		{"from one that signs with the new key, to one that knows it", signsNew, knowsNew, 200},
		{"an old link, to one that signs with the new key", oldOnly, signsNew, 200},
		{"an old link, after the old key was forgotten", oldOnly, newOnly, 403},
		{"a new link, to a node that was left out", newOnly, oldOnly, 403},
	} {
		link, err := c.from.SignedURL(t.Context(), "a/b", "b.txt", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		c.to.Handler(writeError).ServeHTTP(w, httptest.NewRequest(http.MethodGet, link, nil))
		if w.Code != c.want {
			t.Errorf("%s: %d, want %d", c.name, w.Code, c.want)
		}
	}
}
