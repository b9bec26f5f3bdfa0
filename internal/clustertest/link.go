//go:build unix

package clustertest

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Link is a way to Postgres that can be cut as a network is: without a word to either side.
type Link struct {
	listener net.Listener
	dial     func() (net.Conn, error)

	mu    sync.Mutex
	open  chan struct{} // closed while bytes pass
	ended bool
	conns map[net.Conn]struct{}
}

// newLink makes a link to what dial connects to. It goes when t ends.
func newLink(t testing.TB, dial func() (net.Conn, error)) *Link {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &Link{listener: l, dial: dial, open: make(chan struct{}), conns: make(map[net.Conn]struct{})}
	close(k.open)
	t.Cleanup(k.close)
	go k.accept()
	return k
}

// URL is the database's URL by this link.
func (k *Link) URL() string {
	return (&url.URL{
		Scheme: "postgres", User: url.User("postgres"), Host: k.listener.Addr().String(), Path: "/postgres", RawQuery: "sslmode=disable",
	}).String()
}

// Cut holds back every byte, of connections that are there and of new ones. Neither side is told.
func (k *Link) Cut() {
	k.mu.Lock()
	defer k.mu.Unlock()
	select {
	case <-k.open:
		k.open = make(chan struct{})
	default:
	}
}

// Heal lets the bytes pass again, those held back first.
func (k *Link) Heal() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.heal()
}

func (k *Link) heal() {
	select {
	case <-k.open:
	default:
		close(k.open)
	}
}

// Drop closes the connections that are there, as a proxy's restart does.
func (k *Link) Drop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for c := range k.conns {
		_ = c.Close()
	}
}

func (k *Link) close() {
	_ = k.listener.Close()
	k.Drop()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ended = true
	k.heal()
}

// pass waits until bytes may pass.
func (k *Link) pass() {
	k.mu.Lock()
	open := k.open
	k.mu.Unlock()
	<-open
}

// keep notes a connection; false: too late.
func (k *Link) keep(c net.Conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.ended {
		k.conns[c] = struct{}{}
	}
	return !k.ended
}

func (k *Link) forget(c net.Conn) {
	_ = c.Close()
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.conns, c)
}

func (k *Link) accept() {
	for {
		c, err := k.listener.Accept()
		if err != nil {
			return
		}
		go k.carry(c)
	}
}

// carry connects c with the other side until one of them is through.
func (k *Link) carry(c net.Conn) {
	defer k.forget(c)
	if !k.keep(c) {
		return
	}
	k.pass()
	server, err := k.dial()
	if err != nil {
		return
	}
	defer k.forget(server)
	if !k.keep(server) {
		return
	}
	through := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{c, server}, {server, c}} {
		go func() {
			_, _ = io.Copy(gate{k, way[1]}, way[0]) // a broken connection ends both ways
			k.pass()                                // a goodbye is held back, too
			through <- struct{}{}
		}()
	}
	<-through
}

// gate writes to a connection when the link lets it.
type gate struct {
	link *Link
	to   net.Conn
}

// Write implements io.Writer.
func (g gate) Write(b []byte) (int, error) {
	g.link.pass()
	return g.to.Write(b)
}
