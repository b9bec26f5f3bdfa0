package webhook

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// ParseNetworks reads a list of address ranges ("10.1.0.0/16", "fd12::/32") and single addresses.
func ParseNetworks(list []string) ([]netip.Prefix, error) {
	networks := make([]netip.Prefix, 0, len(list))
	for _, raw := range list {
		raw = strings.TrimSpace(raw)
		p, err := netip.ParsePrefix(raw)
		if a, single := netip.ParseAddr(raw); single == nil && a.Zone() == "" {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("%q is not a range of addresses such as 10.1.0.0/16", raw)
		case p.Addr().Is4In6():
			return nil, fmt.Errorf("%q: write it as an IPv4 range", raw)
		case p != p.Masked():
			return nil, fmt.Errorf("%q has bits after its prefix length; the range is %s", raw, p.Masked())
		}
		networks = append(networks, p)
	}
	return networks, nil
}

// guard decides which addresses webhooks may be sent to.
type guard struct {
	private  bool           // also loopback and private networks
	networks []netip.Prefix // whatever lies in them
}

// errAddress means that an address is refused. It does not tell which one: names resolve to addresses that their owner may not
// know.
var errAddress = errors.New("the host has no address that webhooks may be sent to")

// control is a net.Dialer's Control. It sees the address that is really dialled, after the name was looked up: a name that
// resolves to something else the second time changes nothing.
func (g guard) control(network, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil || (network != "tcp4" && network != "tcp6") || !g.allows(ap.Addr()) {
		return errAddress
	}
	return nil
}

// allows reports whether webhooks may be sent to a.
func (g guard) allows(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range g.networks {
		if p.Contains(a) {
			return true
		}
	}
	if metadata(a) {
		return false
	}
	return public(a) || g.private && (a.IsLoopback() || a.IsPrivate() || sharedSpace.Contains(a))
}

// metadataServices answer whoever runs on a cloud's machine with its credentials. Most have link-local addresses; these do
// not, and one of them is even public.
var metadataServices = [...]netip.Addr{
	netip.MustParseAddr("100.100.100.200"), // Alibaba
	netip.MustParseAddr("168.63.129.16"),   // Azure
	netip.MustParseAddr("192.0.0.192"),     // Oracle
	netip.MustParseAddr("fd00:ec2::254"),   // Amazon
	netip.MustParseAddr("fd00:42::42"),     // Scaleway
	netip.MustParseAddr("fd20:ce::254"),    // Google
}

// metadata reports whether a may be a machine's metadata service. That has to be allowed by its own range: a private network
// is no reason to let it be reached.
func metadata(a netip.Addr) bool {
	for _, service := range metadataServices {
		if a == service {
			return true
		}
	}
	return a.IsLinkLocalUnicast()
}

// sharedSpace is for carrier-grade NAT; clouds and overlay networks use it as another private network.
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// special are the networks of the IANA special-purpose registries that netip's own predicates leave
// out: they are not reachable from the internet, or embed another address that may be private.
var special = [...]netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), // this network
	sharedSpace,
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("192.88.99.0/24"),  // former 6to4 relays
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, broadcast
	netip.MustParsePrefix("::/96"),           // former IPv4-compatible addresses
	netip.MustParsePrefix("::ffff:0:0:0/96"), // IPv4-translated: embeds an IPv4 address
	netip.MustParsePrefix("64:ff9b::/96"),    // NAT64: embeds an IPv4 address
	netip.MustParsePrefix("64:ff9b:1::/48"),  // local NAT64
	netip.MustParsePrefix("100::/64"),        // discard
	netip.MustParsePrefix("100:0:0:1::/64"),  // dummy
	netip.MustParsePrefix("2001::/23"),       // protocol assignments, Teredo
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("2002::/16"),       // 6to4: embeds an IPv4 address
	netip.MustParsePrefix("3fff::/20"),       // documentation
	netip.MustParsePrefix("5f00::/16"),       // segment routing
	netip.MustParsePrefix("fec0::/10"),       // former site-local
}

// public reports whether a is a unicast address of the public internet.
func public(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() { // global unicast: not loopback, link-local, multicast, unspecified
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// dialer makes connections that the guard allows. resolver nil means the system's.
func (g guard) dialer(resolver *net.Resolver) *net.Dialer {
	return &net.Dialer{Timeout: sendTimeout, Control: g.control, Resolver: resolver}
}
