package admin

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware/orders"
)

// loginBits is the longest mask of an IPv6 network that logins are known by.
const loginBits = 64

// BlockRequest is what POST /admin/blocks takes: an address or a network, with or
// without a username, or a subject of an issuer.
type BlockRequest struct {
	Address string `json:"address,omitempty"`
	// Username narrows it to logins on this name. It is kept as a digest. Logins are
	// known by the /64 of an IPv6 address, and that is blocked then.
	Username string `json:"username,omitempty"`
	Issuer   string `json:"issuer,omitempty"` // a name of the configuration
	Subject  string `json:"subject,omitempty"`
	Action   string `json:"action,omitempty"` // block or step_up. Default: block
	// For is how long it holds, as 2h. Default: until it is lifted.
	For    string `json:"for,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Order is what is asked for, but for the username, by the rules of every gateway.
// The one that takes it knows more of them, and the digest.
func (b *BlockRequest) Order(now time.Time) (orders.Order, error) {
	o := orders.Order{Kind: orders.Block, Issuer: b.Issuer, Subject: b.Subject, Action: b.Action, Reason: b.Reason}
	if b.Address != "" {
		var err error
		if o.Address, err = orders.Network(b.Address); err != nil {
			return o, err
		}
		if b.Username != "" && o.Address.Addr().Is6() && o.Address.Bits() > loginBits {
			o.Address, _ = o.Address.Addr().Prefix(loginBits)
		}
	} else if b.Username != "" {
		return o, errors.New("username narrows a block of an address")
	}
	if b.For != "" {
		d, err := time.ParseDuration(b.For)
		if err != nil || d <= 0 {
			return o, errors.New("for is a duration, written 90m or 2h")
		}
		o.Ends = now.Add(d)
	}
	return o, o.Check()
}

// giveBlock answers POST /admin/blocks.
func (a *Admin) giveBlock(w http.ResponseWriter, r *http.Request) {
	var b BlockRequest
	if err := read(w, r, []string{"address", "username", "issuer", "subject", "action", "for", "reason"}, &b); err != nil {
		fail(w, err)
		return
	}
	o, err := b.Order(time.Now())
	if err != nil {
		fail(w, &wrong{http.StatusUnprocessableEntity, err.Error()})
		return
	}
	if b.Username != "" {
		if o.User = a.g.User(b.Username); o.User == "" {
			fail(w, &wrong{http.StatusUnprocessableEntity, "username is nobody's: no login is counted by it"})
			return
		}
	}
	o.By = a.who(r)
	a.give(w, r, o)
}

// BlockList is what is blocked, and what never is. Ended are the blocks that hold no
// longer and are kept so that the next one of the same target is longer. Trouble is
// as in OrderList.
type BlockList struct {
	Blocks  []orders.Order `json:"blocks"`
	Ended   []orders.Order `json:"ended,omitempty"`
	Trusted []netip.Prefix `json:"trusted,omitempty"`
	Trouble string         `json:"trouble,omitempty"`
}

// listBlocks answers GET /admin/blocks; with ?address=… those alone that an address
// or a network has to do with, with ?ended=true those as well that are over.
func (a *Admin) listBlocks(w http.ResponseWriter, r *http.Request) {
	about := func(orders.Order) bool { return true }
	if r.URL.Query().Has("address") {
		p, err := orders.Network(r.URL.Query().Get("address"))
		if err != nil {
			fail(w, &wrong{http.StatusBadRequest, err.Error()})
			return
		}
		about = func(o orders.Order) bool { return o.Address.IsValid() && o.Address.Overlaps(p) }
	}
	list, err := a.g.Orders()
	out := BlockList{Blocks: []orders.Order{}, Trusted: a.g.Plan().Config().Guard.Trusted}
	if err != nil {
		out.Trouble = err.Error()
	}
	for _, o := range list {
		if o.Kind == orders.Block && about(o) {
			out.Blocks = append(out.Blocks, o)
		}
	}
	if r.URL.Query().Get("ended") == "true" {
		out.Ended = slices.DeleteFunc(a.g.EndedBlocks(), func(o orders.Order) bool { return !about(o) })
	}
	write(w, http.StatusOK, out)
}

// Lifted is what is answered to who lifts all blocks of a target. Still is a block
// of a larger network, which the address is in and which goes on. Shared and
// Trouble are as in OrderAnswer.
type Lifted struct {
	Lifted  []orders.Order `json:"lifted"`
	Still   *orders.Order  `json:"still,omitempty"`
	Shared  bool           `json:"shared"`
	Trouble string         `json:"trouble,omitempty"`
}

// liftBlocks answers DELETE /admin/blocks?address=…, or ?issuer=…&subject=…, with
// ?reason=…. It lifts what is known of the target, ended blocks included: whoever
// says that it was a mistake does not want the next one to be longer for it.
func (a *Admin) liftBlocks(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	t, err := targetOf(q.Get("address"), q.Get("issuer"), q.Get("subject"))
	if err != nil {
		fail(w, &wrong{http.StatusBadRequest, err.Error()})
		return
	}
	list, _ := a.g.Orders() // lifting tells of the same trouble
	out := Lifted{Lifted: []orders.Order{}, Shared: true}
	var failed error
	for _, o := range slices.Concat(list, a.g.EndedBlocks()) {
		if !t.is(&o) {
			continue
		}
		lifted, shared, err := a.g.LiftOrder(r.Context(), o.ID, a.who(r), q.Get("reason"))
		if lifted.ID == "" {
			if !errors.Is(err, orders.ErrUnknown) { // somebody else was faster
				failed = err
			}
			continue
		}
		out.Lifted, out.Shared = append(out.Lifted, lifted), out.Shared && shared
		if err != nil {
			out.Trouble = err.Error()
		}
	}
	out.Still = a.g.BlockOf(t.address)
	a.answerLifted(w, &out, failed)
}

func (a *Admin) answerLifted(w http.ResponseWriter, out *Lifted, failed error) {
	switch {
	case failed != nil:
		fail(w, &wrong{http.StatusUnprocessableEntity, failed.Error()})
	case len(out.Lifted) == 0 && out.Still != nil:
		fail(w, &wrong{http.StatusNotFound, "there is no block of this very address; order " + out.Still.ID + " blocks " + out.Still.Address.String() + ", which it is in"})
	case len(out.Lifted) == 0:
		fail(w, &wrong{http.StatusNotFound, "there is no block of this target"})
	case !out.Shared || out.Trouble != "":
		write(w, http.StatusAccepted, out)
	default:
		write(w, http.StatusOK, out)
	}
}

// target is whose blocks are lifted.
type target struct {
	networks        []netip.Prefix
	address         netip.Addr // the only one of the network; invalid where there are more
	issuer, subject string
}

// targetOf reads a target. An IPv6 address stands for its /64 as well, by which the
// guard blocks.
func targetOf(address, issuer, subject string) (t target, err error) {
	switch {
	case (address == "") == (subject == ""), (issuer == "") != (subject == ""):
		return t, errors.New("a target is an address, or an issuer and a subject")
	case address == "":
		return target{issuer: issuer, subject: subject}, nil
	}
	p, err := orders.Network(address)
	if err != nil {
		return t, err
	}
	t.networks = []netip.Prefix{p}
	if p.IsSingleIP() {
		if t.address = p.Addr(); t.address.Is6() {
			wide, _ := t.address.Prefix(loginBits)
			t.networks = append(t.networks, wide)
		}
	}
	return t, nil
}

// is reports whether a block is about the target; whatever its username.
func (t *target) is(o *orders.Order) bool {
	if o.Kind != orders.Block {
		return false
	}
	if t.subject != "" {
		return o.Issuer == t.issuer && o.Subject == t.subject
	}
	return slices.Contains(t.networks, o.Address)
}
