package httpapi

import (
	"bytes"
	"fmt"
	"net"
	"net/http"

	"github.com/ragify/ragify/internal/fault"
)

// Listener makes an http.Server on l give errors as the API does even where it calls no handler: what it
// cannot read as a request (a malformed address, say, or a header that is too large) net/http refuses by
// itself, in plain text.
func Listener(l net.Listener) net.Listener { return listener{l} }

type listener struct{ net.Listener }

// Accept is as in net.Listener.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		return conn{tcp}, err
	}
	return c, err
}

// conn is a connection whose refusals are rewritten. Of a net.TCPConn it keeps what net/http looks for:
// ReadFrom, through which the kernel copies downloads, and CloseWrite.
type conn struct{ *net.TCPConn }

// Write is as in net.Conn.
func (c conn) Write(p []byte) (int, error) {
	status, ok := serverRefusal(p)
	if !ok {
		return c.TCPConn.Write(p)
	}
	if _, err := c.TCPConn.Write(refusal(status)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// serverRefusal tells whether p is a refusal of net/http itself, and its status as in "400 Bad Request".
// net/http writes one at once, and without the X-Request-Id of every answer of ours. Bodies of ours that
// come through Write are JSON, which has no bare line breaks.
func serverRefusal(p []byte) (status []byte, ok bool) {
	const longest = 1 << 10
	if len(p) > longest || !bytes.HasPrefix(p, []byte("HTTP/1.1 4")) && !bytes.HasPrefix(p, []byte("HTTP/1.1 5")) {
		return nil, false
	}
	header, _, whole := bytes.Cut(p, []byte("\r\n\r\n"))
	if !whole || bytes.Contains(header, []byte("\r\nX-Request-Id: ")) {
		return nil, false
	}
	line, _, _ := bytes.Cut(header, []byte("\r\n"))
	// Some of them explain themselves after a colon.
	status, _, _ = bytes.Cut(bytes.TrimPrefix(line, []byte("HTTP/1.1 ")), []byte(":"))
	return status, true
}

// refusal is the whole answer that closes the connection.
func refusal(status []byte) []byte {
	f := fault.New(fault.Invalid, "malformed_request", "This is not a well-formed HTTP request. Look at its address and its headers.")
	if bytes.HasPrefix(status, []byte(fmt.Sprint(http.StatusRequestHeaderFieldsTooLarge))) {
		f = fault.New(fault.TooLarge, "header_too_large", "The header of this request is too large.")
	}
	body := fmt.Sprintf("{\"detail\":{\"code\":%q,\"message\":%q}}\n", f.Code, f.Message) // nothing in them needs escaping
	return fmt.Appendf(nil, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, len(body), body)
}
