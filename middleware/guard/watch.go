package guard

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/alert"
	"github.com/gatehouse-dev/gatehouse/middleware/guard/detect"
)

// outcome is how a request ended: the status, and the code of a refusal. It is
// none where the client went away, where something of ours failed, and where the
// guard itself refused: whoever is blocked and asks again is not blocked for longer.
func outcome(res *http.Response, err error) (status int, code middleware.Code, ok bool) {
	if err == nil {
		return res.StatusCode, "", true
	}
	var r *middleware.Refusal
	if !errors.As(err, &r) || r.Stage == stageName {
		return 0, "", false
	}
	return r.Status, middleware.Code(r.Code), true
}

// over shows the detectors a request that is no login. Most are of no interest to
// any of them, and cost nothing.
func (s *Stage) over(x *middleware.Exchange, res *http.Response, err error) {
	status, code, ok := outcome(res, err)
	if !ok {
		return
	}
	if g := s.guard; len(g.watches) > 0 && (status >= http.StatusBadRequest || len(x.Suspicions()) > 0) {
		signal := &detect.Signal{Time: time.Now(), Address: network(x.Client), Status: status, Code: code}
		s.complete(x, signal)
		g.show(x, signal)
	}
	s.measure(x, res)
}

// tried shows the detectors a login. Only what the upstream says of it tells
// whether it failed: a refusal of ours says nothing about the password.
func (s *Stage) tried(x *middleware.Exchange, signal *detect.Signal, res *http.Response, err error) {
	status, code, ok := outcome(res, err)
	if !ok {
		return
	}
	signal.Time, signal.Status, signal.Code, signal.Login = time.Now(), status, code, err == nil
	if err != nil && x.Answered != 0 { // and a stage could not send the answer on
		signal.Status, signal.Code, signal.Login = x.Answered, "", true
	}
	s.complete(x, signal)
	s.guard.show(x, signal)
	if signal.Login {
		s.guard.login(x, signal)
	}
	s.measure(x, res)
}

// complete fills in who asked and for what.
func (s *Stage) complete(x *middleware.Exchange, to *detect.Signal) {
	to.Route, to.Method, to.Suspicions = s.route, x.Request.Method, x.Suspicions()
	if u := x.Subject; u != nil {
		to.Subject, to.Tenant, to.Role = detect.Subject{Issuer: u.Issuer, ID: u.ID}, u.Tenant, u.Role
	}
	if s.guard.ids && to.Status >= http.StatusBadRequest {
		to.Params = s.ids(x)
	}
}

// ids are what a request asks for: the values of the path's {id} segments, or its
// last segment where the route names none.
func (s *Stage) ids(x *middleware.Exchange) []string {
	if len(s.params) == 0 {
		path := strings.TrimSuffix(x.Path, "/")
		return []string{path[strings.LastIndexByte(path, '/')+1:]}
	}
	out := make([]string, len(s.params))
	for i, name := range s.params {
		out[i] = x.Params[name]
	}
	return out
}

// measure shows data_volume what was served, which is known when the answer is
// over.
func (s *Stage) measure(x *middleware.Exchange, res *http.Response) {
	if s.guard.volume == nil || res == nil || x.Subject == nil {
		return
	}
	middleware.WhenClosed(res, &served{stage: s, x: x, status: res.StatusCode})
}

// served is an answer that is being sent.
type served struct {
	middleware.Watched
	stage  *Stage
	x      *middleware.Exchange
	status int
	signal detect.Signal
}

// Closed shows what it held.
func (a *served) Closed(int64, error) {
	s, x := a.stage, a.x
	if x.Served == (middleware.Served{}) {
		return
	}
	a.signal = detect.Signal{
		Time: time.Now(), Address: network(x.Client), Status: a.status,
		Records: x.Served.Records, Sensitive: x.Served.Sensitive,
	}
	s.complete(x, &a.signal)
	s.guard.ask(x, &a.signal, s.guard.volume)
}

// show asks the detectors, one after the other.
func (g *Guard) show(x *middleware.Exchange, s *detect.Signal) {
	for _, w := range g.watches {
		g.ask(x, s, w)
	}
}

func (g *Guard) ask(x *middleware.Exchange, s *detect.Signal, w *watch) {
	found := w.detector.See(s)
	for i := range found {
		g.found(x, s, w, &found[i])
	}
}

// login tells of a login, where the configuration wants that.
func (g *Guard) login(x *middleware.Exchange, s *detect.Signal) {
	failed := s.Status == http.StatusUnauthorized
	if g.Raiser == nil || g.logins == "off" || g.logins == "" || !failed && (g.logins != "all" || s.Status/100 != 2) {
		return
	}
	e := alert.Event{
		Class: alert.Authentication, Time: s.Time, Severity: alert.Informational, Failed: failed,
		Client: x.Client, Address: s.Address, Route: s.Route, RequestID: x.ID,
	}
	if len(s.Users) == 1 {
		e.User = userText(s.Users[0])
	}
	g.Raiser.Raise(e)
}
