package gateway

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// words is how messages are written in these tests: as they are.
type words struct{}

func (words) Name() string { return "text" }

func (words) Marshal(v any) ([]byte, error) {
	s, _ := v.(*string)
	return []byte(*s), nil
}

func (words) Unmarshal(b []byte, v any) error {
	s, _ := v.(*string)
	*s = string(b)
	return nil
}

// calls is a backend of gRPC.
type calls struct {
	begun chan metadata.MD // a call has come, with this
	gone  chan error       // a call was given up by its client
}

// newCalls runs the backend; {CALLS} in the configuration is its address. With
// credentials it is spoken to over TLS.
func newCalls(w *world, o ...grpc.ServerOption) *calls {
	w.t.Helper()
	b := &calls{make(chan metadata.MD, 100), make(chan error, 100)}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	s := grpc.NewServer(append(o, grpc.ForceServerCodec(words{}))...)
	s.RegisterService(&grpc.ServiceDesc{ServiceName: "test.Calls", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{
		{StreamName: "Echo", ServerStreams: true, ClientStreams: true, Handler: b.echo},
		{StreamName: "Count", ServerStreams: true, Handler: b.count},
		{StreamName: "Join", ClientStreams: true, Handler: b.join},
		{StreamName: "Fail", Handler: b.fail},
		{StreamName: "Wait", ServerStreams: true, Handler: b.wait},
	}}, nil)
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	w.t.Cleanup(func() { s.Stop(); <-done })
	w.vars["CALLS"] = ln.Addr().String()
	return b
}

func (b *calls) begin(s grpc.ServerStream) {
	md, _ := metadata.FromIncomingContext(s.Context())
	b.begun <- md
}

// echo answers each message as it comes.
func (b *calls) echo(_ any, s grpc.ServerStream) error {
	b.begin(s)
	s.SetTrailer(metadata.Pairs("x-sum", "7"))
	for {
		var m string
		if err := s.RecvMsg(&m); err == io.EOF {
			return nil
		} else if err != nil {
			b.gone <- err
			return err
		}
		if err := s.SendMsg(&m); err != nil {
			return err
		}
	}
}

// count answers with as many messages as it is asked for.
func (b *calls) count(_ any, s grpc.ServerStream) error {
	b.begin(s)
	var m string
	if err := s.RecvMsg(&m); err != nil {
		return err
	}
	n := 0
	_, _ = fmt.Sscan(m, &n)
	for i := range n {
		one := fmt.Sprint(i)
		if err := s.SendMsg(&one); err != nil {
			return err
		}
	}
	return nil
}

// join answers with one message when all have come.
func (b *calls) join(_ any, s grpc.ServerStream) error {
	b.begin(s)
	var all []string
	for {
		var m string
		if err := s.RecvMsg(&m); err != nil {
			joined := strings.Join(all, ",")
			return s.SendMsg(&joined)
		}
		all = append(all, m)
	}
}

func (b *calls) fail(_ any, s grpc.ServerStream) error {
	b.begin(s)
	return status.Error(codes.AlreadyExists, "there is one: 100 % ü")
}

// wait says one thing and then nothing, until its client has gone.
func (b *calls) wait(_ any, s grpc.ServerStream) error {
	b.begin(s)
	m := "begun"
	if err := s.SendMsg(&m); err != nil {
		return err
	}
	<-s.Context().Done()
	b.gone <- s.Context().Err()
	return s.Context().Err()
}

// grpc gives a client of the gateway.
func (w *world) grpc() *grpc.ClientConn {
	w.t.Helper()
	c, err := grpc.NewClient("passthrough:///"+strings.TrimPrefix(w.base, "https://"),
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: w.roots(), ServerName: "localhost", MinVersion: tls.VersionTLS12})),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(words{})))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	w.idle = append(w.idle, func() { _ = c.Close() })
	return c
}

// call opens a stream; a unary call is one of one message each way.
func call(ctx context.Context, t testing.TB, c *grpc.ClientConn, method string, send ...string) grpc.ClientStream {
	t.Helper()
	s, err := c.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/test.Calls/"+method)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range send {
		if err := s.SendMsg(&m); err != nil && err != io.EOF {
			t.Fatal(err)
		}
	}
	return s
}

// rest reads a stream to its end.
func rest(s grpc.ClientStream) (all []string, err error) {
	for {
		var m string
		if err := s.RecvMsg(&m); err == io.EOF {
			return all, nil
		} else if err != nil {
			return all, err
		}
		all = append(all, m)
	}
}

func bounded(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

const grpcRoutes = `
upstreams: {calls: {endpoints: ["http://{CALLS}"], protocol: h2c}}
routes:
  - {name: calls, match: {path: /test.Calls/}, upstream: calls, authn: {issuers: [auth]}, policy: on}
  - {name: open, match: {path: /test.Calls/Wait}, upstream: calls, public: true, policy: off}
`

const grpcPolicy = `
allow if input.subject.role in {"staff", "clerk"}
mask contains {"path": "$..salary", "action": "redact"} if input.subject.role == "clerk"
`

// authorized gives a context with somebody's token.
func (w *world) authorized(role string) context.Context {
	_, value, _ := strings.Cut(w.as("u7", role), ": ")
	return metadata.AppendToOutgoingContext(bounded(w.t), "authorization", value)
}

// TestGRPC: every kind of call passes, message by message, with what stands in
// its head and behind its messages; over h2c and over TLS.
func TestGRPC(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("tls ", secure), func(t *testing.T) {
			w := open(t)
			settings, options := grpcRoutes, []grpc.ServerOption(nil)
			if secure {
				pair, err := tls.LoadX509KeyPair(w.dir+"/certs/gateway.pem", w.dir+"/certs/gateway-key.pem")
				if err != nil {
					t.Fatal(err)
				}
				options = append(options, grpc.Creds(credentials.NewServerTLSFromCert(&pair)))
				settings = strings.Replace(settings, `endpoints: ["http://{CALLS}"], protocol: h2c`, `endpoints: ["https://{CALLS}"], protocol: http2, ca: certs/ca.pem, server_name: localhost`, 1)
			}
			b := newCalls(w, options...)
			w.start(settings, grpcPolicy)
			c := w.grpc()
			ctx := metadata.AppendToOutgoingContext(w.authorized("staff"), "x-note", "yes", "x-user-id", "root")

			t.Run("both speak in turn", func(t *testing.T) {
				s := call(ctx, t, c, "Echo")
				for i := range 20 { // the next is sent when the answer to the one before is there
					m, got := fmt.Sprint("message ", i), ""
					if err := s.SendMsg(&m); err != nil {
						t.Fatal(err)
					}
					if err := s.RecvMsg(&got); err != nil || got != m {
						t.Fatalf("got %q, %v", got, err)
					}
				}
				_ = s.CloseSend()
				if all, err := rest(s); err != nil || len(all) > 0 {
					t.Errorf("at the end: %q, %v", all, err)
				}
				if got := s.Trailer().Get("x-sum"); len(got) != 1 || got[0] != "7" {
					t.Errorf("trailers: %v", s.Trailer())
				}
				md := <-b.begun
				if md.Get("x-note")[0] != "yes" || md.Get("x-user-id") != nil || md.Get("x-request-id") == nil {
					t.Errorf("the backend saw %v", md)
				}
			})
			t.Run("the server speaks", func(t *testing.T) {
				s := call(ctx, t, c, "Count", "2000")
				_ = s.CloseSend()
				all, err := rest(s)
				if err != nil || len(all) != 2000 || all[1999] != "1999" {
					t.Errorf("got %d messages, %v", len(all), err)
				}
			})
			t.Run("the client speaks", func(t *testing.T) {
				s := call(ctx, t, c, "Join", "a", "b", strings.Repeat("c", 100<<10))
				_ = s.CloseSend()
				all, err := rest(s)
				if err != nil || len(all) != 1 || len(all[0]) != 4+100<<10 {
					t.Errorf("got %.20q, %v", all, err)
				}
			})
			t.Run("the server fails", func(t *testing.T) {
				s := call(ctx, t, c, "Fail")
				_, err := rest(s)
				if st := status.Convert(err); st.Code() != codes.AlreadyExists || st.Message() != "there is one: 100 % ü" {
					t.Errorf("got %v", err)
				}
			})
			t.Run("the client gives up", func(t *testing.T) {
				ctx, cancel := context.WithCancel(ctx)
				s := call(ctx, t, c, "Wait")
				var m string
				if err := s.RecvMsg(&m); err != nil || m != "begun" {
					t.Fatal(m, err)
				}
				cancel()
				if err := <-b.gone; err == nil {
					t.Error("the backend was not told")
				}
			})
		})
	}
}

// TestGRPCRefusals: a call that is refused is answered as calls are, and what
// must be masked and cannot be is withheld.
func TestGRPCRefusals(t *testing.T) {
	w := open(t)
	b := newCalls(w)
	w.backend("HR", echo("A"))
	w.start(strings.Replace(grpcRoutes, "upstreams: {", `upstreams: {gone: {endpoints: ["http://127.0.0.1:1"], protocol: h2c}, `, 1)+
		"  - {name: gone, match: {path: /gone/}, upstream: gone, public: true, policy: off}\n", grpcPolicy)
	c := w.grpc()
	for _, tt := range []struct {
		name, method string
		ctx          context.Context
		want         codes.Code
		text         string
		reached      bool
	}{
		{"no token", "/test.Calls/Echo", bounded(t), codes.Unauthenticated, "token_missing: ", false},
		{"not allowed", "/test.Calls/Echo", w.authorized("guest"), codes.PermissionDenied, "forbidden: ", false},
		{"no route", "/test.Other/Echo", w.authorized("staff"), codes.Unimplemented, "route_unknown: ", false},
		{"no backend", "/gone/Echo", bounded(t), codes.Unavailable, "upstream_unavailable: ", false},
		{"a mask", "/test.Calls/Count", w.authorized("clerk"), codes.Unavailable, "response_unmaskable: ", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := c.NewStream(tt.ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, tt.method)
			if err != nil {
				t.Fatal(err)
			}
			m := "3"
			_ = s.SendMsg(&m)
			_ = s.CloseSend()
			all, err := rest(s)
			if st := status.Convert(err); st.Code() != tt.want || !strings.HasPrefix(st.Message(), tt.text) || len(all) > 0 {
				t.Errorf("got %q, %v, want %v %s", all, err, tt.want, tt.text)
			}
			h, _ := s.Header()
			if got := append(h.Get("x-request-id"), s.Trailer().Get("x-request-id")...); len(got) != 1 {
				t.Errorf("the answer has no id: %v %v", h, s.Trailer())
			}
			if reached := len(b.begun) > 0; reached != tt.reached {
				t.Errorf("the backend was reached: %t", reached)
			}
		})
	}
	for _, line := range w.exchanges(5) {
		if line["code"] == nil || line["refused_by"] == nil {
			t.Errorf("a refusal on record: %v", line)
		}
	}
	a := do(t, w.client(false), w.request("POST", "/test.Calls/Echo", http.NoBody, "Content-Type: application/grpc"))
	refused(t, a, 401, "token_missing") // over HTTP/1.1 it is no call
}

// TestGRPCTime: a call is not bound by the time of a body, and is by the idle
// time of both directions together and by the longest time of a stream.
func TestGRPCTime(t *testing.T) {
	t.Parallel() // it mostly waits
	w := open(t)
	newCalls(w)
	w.start(grpcRoutes+`  - {name: silent, match: {path: /test.Calls/Count}, upstream: calls, public: true, policy: off, timeouts: {body: 30s, idle: 500ms}}
  - {name: short, match: {path: /test.Calls/Join}, upstream: calls, public: true, policy: off, timeouts: {stream: 700ms}}
  - {name: long, match: {path: /test.Calls/Echo}, upstream: calls, public: true, policy: off, timeouts: {body: 400ms, idle: 8s}}
`, grpcPolicy)
	c := w.grpc()
	t.Run("as long as something moves", func(t *testing.T) {
		s := call(bounded(t), t, c, "Echo")
		for range 10 { // in all longer than the time of a body, and than the idle time
			m, got := "still here", ""
			if err := s.SendMsg(&m); err != nil {
				t.Fatal(err)
			}
			if err := s.RecvMsg(&got); err != nil {
				t.Fatal(err)
			}
			time.Sleep(900 * time.Millisecond)
		}
		_ = s.CloseSend()
		if _, err := rest(s); err != nil {
			t.Error(err)
		}
	})
	t.Run("a client that says nothing", func(t *testing.T) {
		_, err := rest(call(bounded(t), t, c, "Count"))
		if st := status.Convert(err); st.Code() != codes.Unknown || !strings.HasPrefix(st.Message(), "body_timeout: ") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("for longer than a stream may last", func(t *testing.T) {
		s := call(bounded(t), t, c, "Join")
		var err error
		for m := "x"; err == nil; time.Sleep(20 * time.Millisecond) {
			err = s.SendMsg(&m)
		}
		if _, err := rest(s); status.Code(err) == codes.OK {
			t.Error("the call ended well")
		}
	})
}

// TestTE: what says that trailers are understood is sent on where the client
// said it, and nothing else of TE.
func TestTE(t *testing.T) {
	w := open(t)
	seen := make(chan string, 1)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- fmt.Sprint(r.Header["Te"]) }))
	s.Config.Protocols = &http.Protocols{}
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	w.vars["CALLS"] = strings.TrimPrefix(s.URL, "http://")
	w.start(grpcRoutes, grpcPolicy)
	for sent, want := range map[string]string{"trailers": "[trailers]", "": "[]"} {
		r := raw{method: "POST", target: "/test.Calls/Wait", headers: [][2]string{{"content-type", "application/grpc"}}, body: "x"}
		if sent != "" {
			r.headers = append(r.headers, [2]string{"te", sent})
		}
		o := w.ask(tlsH2, r)
		if got := <-seen; o.status != 200 || got != want {
			t.Errorf("te: %q: %v, the backend saw %s", sent, o, got)
		}
	}
}
