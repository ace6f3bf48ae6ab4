package gateway

import "testing"

// Connections that have become WebSockets are counted while they are open, and no
// others.
func TestUpgradedConnectionsAreCounted(t *testing.T) {
	w := open(t)
	b := newChat(w, false)
	w.start(chatRoutes, chatPolicy)
	counted := func(plain, public float64) {
		t.Helper()
		for listener, want := range map[string]float64{"plain": plain, "public": public} {
			eventually(t, "as many are counted on "+listener+" as are open", func() bool { return w.gauge(listener, "gatehouse_connections_upgraded") == want })
		}
	}
	first, second := w.opened(plainH1, "/open"), w.opened(plainH1, "/open")
	third := w.opened(tlsH1, "/open")
	counted(2, 1)
	if _, res := w.ring(plainH1, opening("/none")); res.StatusCode != 200 {
		t.Errorf("a route without any: %s", res.Status)
	}
	if _, res := w.ring(plainH1, opening("/judged")); res.StatusCode != 401 {
		t.Errorf("without a token: %s", res.Status)
	}
	b.answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
	if _, res := w.ring(plainH1, opening("/open")); res.StatusCode != 502 {
		t.Errorf("a backend that has not understood: %s", res.Status)
	}
	counted(2, 1)
	_ = first.Close()
	counted(1, 1)
	_ = third.Close()
	counted(1, 0)
	w.stop()
	_ = second.Close()
	counted(0, 0)
	if err := <-w.done; err != nil {
		t.Error(err)
	}
	w.done <- nil // for close
}
