package guard

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/alert"
	"github.com/gatehouse-dev/gatehouse/middleware/guard/detect"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
)

// by is who gives the blocks of detectors.
const by = "guard"

// found does what follows from a finding: the action where it is enforced, a note
// on the record, an event. The request that was one too many is answered as it is.
func (g *Guard) found(x *middleware.Exchange, s *detect.Signal, w *watch, f *detect.Finding) {
	e := g.event(x, s, w, f)
	if w.response.Mode == "enforce" && w.response.Action != "alert" {
		o, why := g.impose(x, w, f)
		if why == isBlocked {
			return // and what led to it was told then
		}
		if why != "" {
			e.Evidence = append(e.Evidence, [2]string{"not_blocked", why})
		} else {
			e.Enforced, e.Block, e.Until = true, o.ID, o.Ends
			x.Note("guard_block", o.ID)
		}
	}
	x.Note("guard_alert", w.name)
	if g.Found != nil {
		g.Found(w.name, w.response.Mode, w.response.Action)
	}
	if g.Raiser != nil {
		g.Raiser.Raise(e)
	}
}

// event tells of a finding.
func (g *Guard) event(x *middleware.Exchange, s *detect.Signal, w *watch, f *detect.Finding) alert.Event {
	e := alert.Event{
		Class: alert.Finding, Time: s.Time, Detector: w.name,
		Severity: alert.Severity(w.response.Severity), Action: w.response.Action,
		Client: x.Client, Address: s.Address, Issuer: s.Subject.Issuer, Subject: s.Subject.ID,
		Tenant: s.Tenant, Role: s.Role, Route: s.Route, RequestID: x.ID,
		Count: f.Count, Threshold: f.Threshold, Window: f.Window, Evidence: f.Evidence,
	}
	if f.Target == detect.TargetUser && f.User != (detect.Digest{}) {
		e.User = userText(f.User)
	}
	return e
}

// Why nothing was imposed.
const (
	isBlocked   = "it is blocked already"
	isTrusted   = "the address is trusted"
	isUnknown   = "the address of the client is not known"
	isAnonymous = "nobody was signed in"
	isNotGiven  = "the block could not be given"
)

// impose takes the action of a detector. It gives the order, or why there is none.
func (g *Guard) impose(x *middleware.Exchange, w *watch, f *detect.Finding) (o orders.Order, why string) {
	t, why := g.target(w.response.Action, f)
	if why != "" {
		return o, why
	}
	// One is enough, however many requests ask for it at the same time.
	if !g.Memory.begin(t) {
		return o, isBlocked
	}
	defer g.Memory.end(t)
	if g.blocked(x, t) {
		return o, isBlocked
	}
	level, _ := g.Book.LastBlock(t.order())
	o = *t.order()
	o.At = time.Now()
	o.By, o.Detector, o.Level = by, w.name, level+1
	o.Reason = fmt.Sprintf("%d %s within %s", f.Count, w.what, f.Window)
	if o.Ends = o.At.Add(w.response.Length(o.Level)); o.Action == orders.ActionStepUp {
		o.Ends = o.At.Add(g.Keep)
	}
	given, _, _ := g.Give(context.WithoutCancel(x.Request.Context()), o) // whoever gives it says what is wrong
	if given.ID == "" {
		return o, isNotGiven
	}
	return given, ""
}

// target is whom a block is about: an address, a username from there, or a
// subject.
type target struct {
	address netip.Prefix
	user    string
	subject detect.Subject
	action  string
}

// target says whom an action is to hit, or why nobody.
func (g *Guard) target(action string, f *detect.Finding) (t target, why string) {
	if action != "block_address" {
		if f.Target != detect.TargetSubject {
			return t, isAnonymous
		}
		t = target{subject: f.Subject}
		if action == "step_up" {
			t.action = orders.ActionStepUp
		}
		return t, ""
	}
	switch {
	case !f.Address.IsValid():
		return t, isUnknown
	case g.trusts(f.Address):
		return t, isTrusted
	}
	t = target{address: f.Address}
	if f.Target == detect.TargetUser {
		t.user = userText(f.User)
	}
	return t, ""
}

func (t target) order() *orders.Order {
	return &orders.Order{
		Kind: orders.Block, Address: t.address, User: t.user,
		Issuer: t.subject.Issuer, Subject: t.subject.ID, Action: t.action,
	}
}

// blocked reports whether a target is kept out already, if only by an order that
// means more than it. Requests that were under way when it began are no new reason.
func (g *Guard) blocked(x *middleware.Exchange, t target) bool {
	if t.subject != (detect.Subject{}) {
		o := g.Book.BlockedSubject(t.subject.Issuer, t.subject.ID, x.AuthTime())
		return o != nil && (o.Action == t.action || o.Action != orders.ActionStepUp)
	}
	if o := g.Book.BlockedAddress(t.address.Addr()); o != nil && o.Address.Bits() <= t.address.Bits() {
		return true
	}
	return t.user != "" && g.Book.BlockedUser(t.address, t.user) != nil
}

// Memory is whom blocks are being given of right now. It outlives plans.
type Memory struct {
	mu       sync.Mutex
	imposing map[target]struct{}
}

// NewMemory makes an empty one.
func NewMemory() *Memory { return &Memory{imposing: map[target]struct{}{}} }

// begin reports whether a block of a target may be given now: nobody else is about
// to. Whoever began must end.
func (m *Memory) begin(t target) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, busy := m.imposing[t]; busy {
		return false
	}
	m.imposing[t] = struct{}{}
	return true
}

func (m *Memory) end(t target) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.imposing, t)
}
