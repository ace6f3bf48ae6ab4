package main

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// setProxied puts a load balancer before the client.
func setProxied(ts *testscript.TestScript, _ bool, args []string) {
	c := &of(ts).client
	c.forget()
	c.head = nil
	switch len(args) {
	case 0:
	case 1:
		a, err := netip.ParseAddr(args[0])
		ts.Check(err)
		c.head = proxyHeader(a)
	default:
		ts.Fatalf("usage: proxied [ADDRESS]")
	}
}

// proxyHeader is a PROXY protocol v2 header for a TCP connection.
func proxyHeader(client netip.Addr) []byte {
	family := byte(0x11)
	if client.Is6() {
		family = 0x21
	}
	ends := append(append(client.AsSlice(), client.AsSlice()...), 0x12, 0x34, 0x01, 0xbb)
	head := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), 0x21, family)
	return append(binary.BigEndian.AppendUint16(head, uint16(len(ends))), ends...)
}

// dial opens a connection and sends what it begins with.
func (c *client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: 30 * time.Second}
	conn, err := d.DialContext(ctx, network, address)
	if err == nil && len(c.head) > 0 {
		_, err = conn.Write(c.head)
	}
	return conn, err
}
