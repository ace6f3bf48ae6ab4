package upstream

import (
	"context"
	"errors"
	"net"
	"time"
)

// errDrained is why a target that is gone has no connections.
var errDrained = errors.New("the endpoint is not in use any more")

// link is a connection of a target, which knows it as long as it is open.
type link struct {
	*net.TCPConn
	target *target
}

// dial connects to the target, whatever the address that is asked for: the name
// of its endpoint is for the Host header and TLS. It is the one way in which
// connections of a target are made, so that they can be ended with it.
func (t *target) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	c, err := d.DialContext(ctx, network, t.address)
	if err != nil {
		return nil, err
	}
	l := &link{c.(*net.TCPConn), t}
	if !t.links.add(l.TCPConn) {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: c.RemoteAddr(), Err: errDrained}
	}
	return l, nil
}

// Close ends the connection.
func (l *link) Close() error {
	l.target.links.remove(l.TCPConn)
	return l.TCPConn.Close()
}
