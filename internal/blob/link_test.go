package blob_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
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
