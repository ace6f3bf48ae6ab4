package h1

import (
	"net/http"
	"strconv"

	"github.com/gatehouse-dev/gatehouse/gateway/wire"
	"github.com/gatehouse-dev/gatehouse/middleware/field"
)

// interim sends an answer ahead of the answer.
func (x *exchange) interim(status int) {
	x.begin(status)
	x.out = wire.AppendFields(x.out, x.header, func(name string) bool { return framing(name) || trailing(name) })
	x.out = append(x.out, '\r', '\n')
	_ = x.flush()
}

// begin appends the first line.
func (x *exchange) begin(status int) {
	x.buffer()
	x.out = appendStatus(x.out, x.new, status)
}

// appendStatus appends a status line.
func appendStatus(b []byte, v11 bool, status int) []byte {
	if v11 {
		b = append(b, "HTTP/1.1 "...)
	} else {
		b = append(b, "HTTP/1.0 "...)
	}
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	if text := http.StatusText(status); text != "" {
		b = append(b, text...)
	} else {
		b = append(b, "status code "...)
		b = strconv.AppendInt(b, int64(status), 10)
	}
	return append(b, '\r', '\n')
}

// lay writes the head as it is now, but for the fields that frame the answer: the
// handler may change it later, without effect.
func (x *exchange) lay() {
	x.begin(x.status)
	dated := false
	for name, values := range x.header {
		switch {
		case name == "Date":
			dated = true
		case name == "Connection":
			x.named = true
			for i, v := range values {
				if i > 0 {
					v = x.connection + ", " + v
				}
				x.connection = v
			}
			continue
		case name == "Content-Length":
			x.measure(values)
			continue
		case name == "Trailer":
			x.announce(values)
		case framing(name), trailing(name), name == "Content-Type" && x.status == http.StatusNotModified, !field.ValidName(name):
			continue
		}
		for _, v := range values {
			x.out = wire.AppendField(x.out, name, v)
		}
	}
	if !dated {
		x.out = wire.AppendField(x.out, "Date", x.c.s.now())
	}
	if x.connection == "close" {
		x.closes = true
	}
}

// measure takes the length that the handler says the answer has.
func (x *exchange) measure(values []string) {
	if len(values) == 0 || values[0] == "" {
		return
	}
	n, err := strconv.ParseUint(values[0], 10, 63)
	if err != nil {
		x.c.s.logf("http: invalid Content-Length of %q", values[0])
		return
	}
	x.length = int64(n) //nolint:gosec // of 63 bits
}

// frame makes the head whole: how long the answer is, and whether the connection
// ends with it.
func (x *exchange) frame() {
	x.framed = true
	if x.done && !x.empty && x.length < 0 && len(x.announced) == 0 && !x.trailers() {
		x.length = x.written
	} else if x.done && x.head && x.length < 0 && x.written > 0 && contentAllowed(x.status) {
		x.length = x.written
	}
	field := x.persist()
	switch {
	case !contentAllowed(x.status):
	case x.length >= 0:
		x.out = append(x.out, "Content-Length: "...)
		x.out = strconv.AppendInt(x.out, x.length, 10)
		x.out = append(x.out, '\r', '\n')
	case x.head:
	case x.new:
		x.chunked = true
		x.out = append(x.out, "Transfer-Encoding: chunked\r\n"...)
	default: // it ends with the connection
		if x.closes = true; !has(field, "close") {
			field = ""
		}
	}
	if field != "" {
		x.out = wire.AppendField(x.out, "Connection", field)
	}
	x.out = append(x.out, '\r', '\n')
}

// persist decides whether the connection may be kept, and gives the field that
// says so.
func (x *exchange) persist() string {
	field := x.connection
	up := !x.c.s.closing.Load()
	known := x.head || x.length >= 0 || !contentAllowed(x.status)
	switch {
	case x.keeps && known:
		if !x.named {
			field = "keep-alive"
		}
	case !x.new || x.unkept:
		x.closes = true
	}
	if !up || x.expects && !x.body.whole() {
		x.closes = true
	}
	if x.body != nil && !x.closes && !x.duplex && !x.body.settle() {
		x.closes = true
	}
	switching := x.status == http.StatusSwitchingProtocols && has(field, "upgrade")
	if !x.closes || switching || up && has(field, "close") {
		return field
	}
	if x.new {
		return "close"
	}
	return ""
}
