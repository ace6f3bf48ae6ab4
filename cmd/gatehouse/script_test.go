package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gatehouse-dev/gatehouse/certs"
)

// The scenarios under testdata/script run the real command as its own process,
// with real TLS, a real issuer and real backends over TCP. These are the
// commands they use besides those of testscript:
//
// What there is (script_backend_test.go, script_issuer_test.go):
//
//	backend NAME FILE [STATUS] [Header: value]… [after DURATION] [open] [mutual]
//	                             a backend that answers everything with FILE; its address is $NAME.
//	                             Said again, it changes what it answers. Content-Encoding: gzip, br or zstd
//	                             packs it. An open answer does not end, as a feed does not.
//	                             A mutual one speaks TLS with certs/gateway.pem, to clients of certs/ca.pem only.
//	                             /healthz answers 200, or STATUS where that is above 499
//	forget NAME                  what has reached the backend counts no more
//	unplug NAME                  the backend is gone; nobody listens there any more
//	issuer                       an issuer of tokens at $ISSUER, its key set in jwks.json too
//	redis, redis kill            a redis-server at $REDIS, until killed; condition [redis]
//	receiver NAME [STATUS]       a receiver of alerts at $NAME over HTTPS, who verifies signatures by $WEBHOOK_SECRET and
//	                             answers 204. Said again, it changes what it answers (script_alerts_test.go)
//	syslog NAME                  a syslog server at $NAME over TLS
//	port NAME                    a free port as $NAME
//	aged DIR DAYS [HOST]…        what `gatehouse certs dev` would have made that long ago
//	fill FILE SIZE               a file of so many bytes
//	join FILE PART[*N]…          a file of others, or of N times another
//	form FILE FIELD=TEXT FIELD=@PATH[;name=NAME][;type=TYPE]…
//	                             a multipart body with the boundary `gatehouse`
//
// The gateway (script_gateway_test.go):
//
//	gateway FILE                 `gatehouse serve -c FILE`, until the scenario ends or says shutdown
//	hangup                       SIGHUP, and wait for the reload to end
//	terminate                    SIGTERM, and go on
//	shutdown                     SIGTERM, and the gateway must end well
//	exits CODE gatehouse ARG…    another verb, and how it ends; then stdout, stderr as in testscript
//	becomes CODE gatehouse ARG…  the same, run until it ends so
//	order VAR                    $VAR is the id of the order that the last verb has given
//
// Requests (script_request_test.go, script_tls_test.go):
//
//	as NAME CLAIM=VALUE…         from now on requests carry NAME's token; `as nobody`: none.
//	                             age=2h is an older token, alg=HS256 secret=… another signature
//	token TEXT                   or this one
//	signedout FILE CLAIM=VALUE…  the form that the issuer posts when somebody signs out; key=other is signed by
//	                             somebody else
//	carry COOKIE                 the token goes in a cookie of this name from now on; `carry header`: as before
//	keep VAR HEADER              $VAR is that header of the last answer
//	learn VAR NAME HEADER        $VAR is that header of the last request that reached a backend
//	certificate NAME             the client shows certs/NAME.pem from now on; no NAME: none
//	servername NAME              the client asks for this server name from now on
//	proxied ADDRESS              a load balancer opens the client's connections from now on, and names it
//	                             so by the PROXY protocol; `proxied` alone: none does
//	handshake [VERSION] [SUITE] [NAME]
//	                             a TLS handshake of this version and with this suite only, for that host;
//	                             `! handshake` must fail
//	GET PATH [Header: value]…    a request; also POST, PUT, PATCH, DELETE, OPTIONS, HEAD; @FILE is the body.
//	                             `! GET` must get no answer at all
//	http VERSION                 the client speaks HTTP/1.1 from now on, or 2, which is the default
//	cut METHOD PATH…             a request whose answer begins and breaks off, which the client must notice
//	peek TEXT METHOD PATH…       a request whose answer is read until it holds TEXT, and left there
//	begin METHOD PATH…, finish   a request that its backend answers at finish, as all that have begun
//	raw LINE [Header: value]…    a request with just these bytes, over HTTP/1.1 or what LINE ends with
//	trickle METHOD PATH N Header: value
//	                             a request that sends its head and N bytes of a longer body, and waits
//	admin METHOD PATH [TOKEN]    a request to the admin listener
//	until 'CHECK ARG…' REQUEST…  a request again and again, until the check holds
//
// What must be (script_checks_test.go):
//
//	status N, code CODE, header NAME TEXT, noheader NAME, has TEXT, lacks TEXT, json FILE, body FILE
//	                             of the answer
//	served NAME                  of the gateway's certificate
//	saw NAME N                   how many requests reached the backend so far
//	received NAME TEXT           the last request that reached it, head and body, holds TEXT
//	notreceived NAME TEXT        or does not
//	alerted NAME TEXT [N]        a receiver or syslog server has taken events, N of them, that hold TEXT
//	logged TEXT [N], notlogged TEXT
//	                             of the gateway's standard output: N lines hold TEXT
//
// Policies have a budget of a minute there instead of 50 ms: scenarios run side by
// side, and none but one is about a machine that is too busy.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			w := &world{env: map[string]string{"WORK": e.WorkDir, "PATH": e.Getenv("PATH"), "HOME": e.WorkDir}, backends: map[string]*recorder{}}
			e.Values[worldKey{}] = w
			e.Defer(w.close)
			return certs.Dev(filepath.Join(e.WorkDir, "certs"), []string{"api.example.com"}, time.Now())
		},
		Cmds: scriptCommands(),
		Condition: func(name string) (bool, error) {
			_, err := exec.LookPath("redis-server")
			// Where everything must be tested a missing server is a failure.
			return name == "redis" && (err == nil || os.Getenv("CI") != ""), nil
		},
	})
}

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"gatehouse": main})
}

type worldKey struct{}

// world is what one scenario has running.
type world struct {
	env      map[string]string
	backends map[string]*recorder
	sinks    map[string]*alertSink
	issuer   *issuer
	token    string
	cookie   string // that carries the token, "" where the header does
	closers  []func()
	gateway  process
	redis    *exec.Cmd
	client   client
	answer

	mu       sync.Mutex
	finished chan struct{} // closed when what has begun shall end; nil while nobody waits for it
}

// release lets backends answer what has begun.
func (w *world) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.finished != nil {
		close(w.finished)
		w.finished = nil
	}
}

// until is closed when what has begun shall end.
func (w *world) until() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.finished == nil {
		w.finished = make(chan struct{})
	}
	return w.finished
}

func (w *world) close() {
	w.release()
	w.gateway.kill()
	for _, f := range w.closers {
		f()
	}
}

func of(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

func (w *world) set(ts *testscript.TestScript, name, value string) {
	w.env[name] = value
	ts.Setenv(name, value)
}

type command = func(ts *testscript.TestScript, neg bool, args []string)

func scriptCommands() map[string]command {
	cmds := map[string]command{
		"backend": startBackend, "unplug": unplug, "forget": forget, "issuer": startIssuer, "redis": startRedis, "receiver": startReceiver, "syslog": startSyslog, "port": freePort, "fill": fill, "join": join, "form": form,
		"gateway": startGateway, "hangup": hangup, "terminate": terminate, "shutdown": stopGateway, "exits": exits, "becomes": becomes,
		"as": setToken, "token": rawToken, "carry": carry, "keep": keep, "learn": learn, "certificate": setCertificate, "servername": setServerName, "aged": aged, "proxied": setProxied, "handshake": handshake, "http": setProtocol, "cut": cut, "peek": peek, "begin": begin, "finish": finish, "raw": raw, "trickle": trickle,
		"admin": askAdmin, "until": until, "order": keepOrder, "signedout": signedOut,
	}
	for _, m := range methods() {
		cmds[m] = func(ts *testscript.TestScript, neg bool, args []string) { request(ts, neg, m, args) }
	}
	for name := range checks() {
		cmds[name] = func(ts *testscript.TestScript, neg bool, args []string) {
			if neg {
				ts.Fatalf("%s cannot be negated", name)
			}
			ts.Check(checkThat(ts, append([]string{name}, args...)))
		}
	}
	return cmds
}
