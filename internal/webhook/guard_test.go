package webhook

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/ragify/ragify/internal/job"
)

func TestGuard_allows(t *testing.T) {
	const (
		everyone = iota // always
		private         // with AllowPrivate
		explicit        // only by its own range
	)
	kinds := map[int][]string{
		everyone: {"8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"},
		private: {
			"127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1",
			"::1", "fc00::1", "fd12::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1",
		},
		explicit: {
			"169.254.169.254", "169.254.1.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fe80::1%eth0",
			"::ffff:169.254.169.254", "::ffff:100.100.100.200",
			"0.0.0.0", "0.1.2.3", "192.0.0.1", "192.88.99.1", "198.18.0.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
			"::", "::a00:1", "::ffff:0:a00:1", "ff02::1", "64:ff9b::a00:1", "64:ff9b::808:808", "64:ff9b:1::1", "2002:a00:1::", "2001:0:1::", "fec0::1",
			"2001:db8::1", "3fff::1", "100::1", "5f00::1",
		},
	}
	for kind, addresses := range kinds {
		for _, raw := range addresses {
			a := netip.MustParseAddr(raw)
			if got := (guard{}).allows(a); got != (kind == everyone) {
				t.Errorf("%s: allowed %v", a, got)
			}
			if got := (guard{private: true}).allows(a); got != (kind <= private) {
				t.Errorf("%s: allowed %v where private networks are", a, got)
			}
			plain := a.Unmap().WithZone("")
			if !(guard{networks: []netip.Prefix{netip.PrefixFrom(plain, plain.BitLen())}}).allows(a) {
				t.Errorf("%s is refused though its range is allowed", a)
			}
		}
	}
}

// FuzzGuard: however an IPv4 address is wrapped into an IPv6 address, what is refused plain is refused wrapped.
func FuzzGuard(f *testing.F) {
	for _, a := range []string{"127.0.0.1", "10.0.0.1", "169.254.169.254", "8.8.8.8", "0.0.0.1"} {
		v4 := netip.MustParseAddr(a).As4()
		f.Add(v4[:])
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) != 4 {
			return
		}
		plain := netip.AddrFrom4([4]byte(raw))
		embed := func(prefix string, at int) netip.Addr {
			b := netip.MustParseAddr(prefix).As16()
			copy(b[at:], raw)
			return netip.AddrFrom16(b)
		}
		for _, g := range []guard{{}, {private: true}} {
			for _, wrapped := range []netip.Addr{
				embed("::ffff:0.0.0.0", 12), embed("::", 12), embed("::ffff:0:0:0", 12), embed("64:ff9b::", 12), embed("64:ff9b:1::", 12),
				embed("2002::", 2), embed("2001::", 4),
			} {
				if wrapped != netip.IPv6Loopback() && g.allows(wrapped) && !g.allows(plain) {
					t.Errorf("%s is refused, %s is not", plain, wrapped)
				}
			}
		}
	})
}

// rebinding is a resolver whose answer to every second question is another one.
func rebinding(t *testing.T, answers ...string) *net.Resolver {
	t.Helper()
	conn, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		asked := 0
		for buf := make([]byte, 1500); ; {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Authoritative, m.Additionals = true, true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				a := netip.MustParseAddr(answers[asked%len(answers)])
				asked++
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
					Body:   &dnsmessage.AResource{A: a.As4()},
				}}
			}
			if packed, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(packed, from)
			}
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp4", conn.LocalAddr().String())
	}}
}

func TestSend_to_a_name_that_changes_its_address(t *testing.T) {
	var arrived atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived.Add(1) }))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	// 127.0.0.2 stands for the address that a check before the call would see.
	s, err := New(Config{
		SigningKeys: [][]byte{[]byte("key")}, AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")},
		resolver: rebinding(t, "127.0.0.2", "127.0.0.1"),
	})
	if err != nil {
		t.Fatal(err)
	}
	var outcomes []job.AttemptOutcome
	for range 4 {
		r, err := s.Send(t.Context(), Event{ID: "msg_1", URL: "http://receiver.example:" + u.Port(), Body: []byte("{}")})
		if err != nil {
			t.Fatal(err)
		}
		outcomes = append(outcomes, r.Outcome)
	}
	if arrived.Load() != 0 {
		t.Errorf("%d requests arrived at the address that is refused", arrived.Load())
	}
	for i, want := range []job.AttemptOutcome{job.AttemptUnreachable, job.AttemptNoAddress, job.AttemptUnreachable, job.AttemptNoAddress} {
		if outcomes[i] != want {
			t.Errorf("attempt %d: %s, want %s", i+1, outcomes[i], want)
		}
	}
}
