package httpapi_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ragify/ragify/internal/httpapi"
)

// TestListener_refuses_as_the_API_does: these requests never reach a handler.
func TestListener_refuses_as_the_API_does(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "1")
		http.Error(w, "a handler's own", http.StatusNotFound)
	}))
	server.Listener = httpapi.Listener(server.Listener)
	server.Config.MaxHeaderBytes = 8 << 10
	server.Start()
	defer server.Close()
	ask := func(request string) (status int, contentType string, body []byte) {
		t.Helper()
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, request) // the server may hang up before the end
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err = io.ReadAll(resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header.Get("Content-Type"), body
	}
	for name, tc := range map[string]struct {
		request string
		status  int
		code    string
	}{
		"a malformed address":          {"GET /jobs/%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed_request"},
		"no host":                      {"GET / HTTP/1.1\r\n\r\n", 400, "malformed_request"},
		"no HTTP":                      {"hello\r\n\r\n", 400, "malformed_request"},
		"a malformed length":           {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: y\r\n\r\n", 400, "malformed_request"},
		"an unknown expectation":       {"POST / HTTP/1.1\r\nHost: x\r\nExpect: y\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 417, "malformed_request"},
		"an unknown transfer encoding": {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: y\r\n\r\n", 501, "malformed_request"},
		"an unknown version":           {"GET / HTTP/3.7\r\nHost: x\r\n\r\n", 505, "malformed_request"},
		"a header that is too large":   {"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("y", 16<<10) + "\r\n\r\n", 431, "header_too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			status, contentType, body := ask(tc.request)
			a := answer{t, status, http.Header{"Content-Type": {contentType}}, body}
			a.fails(tc.status, tc.code)
			if err := description(t).checkError(&http.Response{StatusCode: status, Header: a.header}, body); err != nil {
				t.Errorf("%s: not as described: %v", body, err)
			}
		})
	}
	if status, _, body := ask("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); status != 404 || string(body) != "a handler's own\n" {
		t.Errorf("a handler's answer became %d %s", status, body)
	}
}

// TestListener_keeps_what_the_server_looks_for: without them downloads would be copied through memory.
func TestListener_keeps_what_the_server_looks_for(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := httpapi.Listener(tcp)
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, ok := c.(io.ReaderFrom); !ok {
		t.Error("no ReadFrom")
	}
	if _, ok := c.(interface{ CloseWrite() error }); !ok {
		t.Error("no CloseWrite")
	}
}
