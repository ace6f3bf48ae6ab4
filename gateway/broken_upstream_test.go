package gateway

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

func brokenUpstreams() []broken {
	reply := func(mediaType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mediaType)
			_, _ = io.WriteString(w, body)
		}
	}
	raw := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer c.Close()
			_, _ = io.WriteString(c, text)
		}
	}
	unmaskable := func(name string, h http.HandlerFunc) broken {
		return broken{name: "upstream/" + name, backend: h, status: 502, code: "response_unmaskable", saw: 1}
	}
	json := `{"id": "e2", "salary": ` + secret
	return []broken{
		{
			name: "upstream/down", prepare: func(w *world) { w.vars["HR"] = "http://" + nobody },
			status: 502, code: "upstream_unavailable",
		},
		{
			name: "upstream/slow", settings: one + "    timeouts: {upstream: 5s}\n",
			backend: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			status:  504, code: "upstream_timeout", saw: 1,
		},
		{name: "upstream/garbage", backend: raw("Salary " + secret + "\r\n\r\n"), status: 502, code: "upstream_unavailable", saw: 1},
		{name: "upstream/hangs up", backend: raw(""), status: 502, code: "upstream_unavailable", request: post, saw: 1},
		{name: "upstream/switches protocols", backend: raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n" + secret), status: 502, code: "upstream_unavailable", saw: 1},
		unmaskable("HTML", reply("text/html", "<b>"+secret+"</b>")),
		unmaskable("no media type", raw("HTTP/1.1 200 OK\r\nContent-Length: 32\r\n\r\n"+fmt.Sprintf("%-32s", json+"}"))),
		unmaskable("broken JSON", reply("application/json", json+",}")),
		unmaskable("two values", reply("application/json", json+"}{}")),
		unmaskable("not UTF-8", reply("application/json", json+", \"name\": \"\xff\"}")),
		unmaskable("another charset", reply("application/json; charset=utf-16", json+"}")),
		unmaskable("truncated by length", raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n"+json+"}")),
		unmaskable("truncated chunks", raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1e\r\n"+fmt.Sprintf("%-30s", json+"}")+"\r\n")),
		unmaskable("brotli", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			reply("application/json", json+"}")(w, nil)
		}),
		unmaskable("a part", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Range", "bytes 0-1/2")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, json+"}")
		}),
		{
			name: "upstream/larger than is masked", settings: one + "    mask: {buffer: full, max: 1KiB}\n",
			backend: reply("application/json", json+strings.Repeat(" ", 2000)+"}"), status: 502, code: "response_unmaskable", saw: 1,
		},
	}
}

// post is a request that net/http does not send a second time.
func post(w *world) *http.Request {
	return w.request("POST", "/api/employees/7", strings.NewReader(`{"a": 1}`), w.as("e2", "staff"), "Content-Type: application/json")
}
