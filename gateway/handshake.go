package gateway

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// webSocket is what a connection may turn into (RFC 6455).
const webSocket = "websocket"

// What a request says about becoming a WebSocket.
const (
	asksNothing = iota
	asksWell    // as RFC 6455, section 4.1, has it
	asksBadly   // in a way that one server takes for a handshake and another does not
)

// handshake reads what a request says about becoming a WebSocket. It is asked
// before the door takes Upgrade and Connection away. Other protocols, and Upgrade
// in HTTP/1.0, are not heard (RFC 9110, section 7.8).
func handshake(r *http.Request) int {
	upgrade := r.Header["Upgrade"]
	if len(upgrade) == 0 || r.ProtoMajor != 1 || r.ProtoMinor == 0 {
		return asksNothing
	}
	if !httpguts.HeaderValuesContainsToken(upgrade, webSocket) {
		return asksNothing
	}
	h := r.Header
	switch {
	case len(upgrade) > 1 || !strings.EqualFold(upgrade[0], webSocket),
		!httpguts.HeaderValuesContainsToken(h["Connection"], "Upgrade"),
		r.Method != http.MethodGet,
		r.ContentLength != 0 || len(r.TransferEncoding) > 0,
		len(h["Sec-Websocket-Version"]) != 1 || h["Sec-Websocket-Version"][0] != "13",
		len(h["Sec-Websocket-Key"]) != 1 || !isNonce(h["Sec-Websocket-Key"][0]):
		return asksBadly
	}
	return asksWell
}

// isNonce reports whether s is 16 bytes in base64.
func isNonce(s string) bool {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	return err == nil && len(b) == 16
}

// upgrades notes that an exchange may end in a WebSocket: the client asks for it
// and the route lets it. Where the route does not, nobody hears what was asked.
func (s *passage) upgrades(r *config.Route, asked int) *middleware.Refusal {
	if asked == asksNothing || !slices.Contains(r.Upgrade, webSocket) {
		return nil
	}
	if asked == asksBadly {
		return middleware.Refuse("router", middleware.HeaderInvalid, "the request is not a handshake of WebSocket, version 13 (RFC 6455, section 4.1)")
	}
	s.x.Upgrade = webSocket
	return nil
}
