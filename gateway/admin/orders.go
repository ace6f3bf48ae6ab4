package admin

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
)

// orderRoutes are the paths by which operators call tokens and sessions back, lock
// routes and tenants down, and keep addresses and subjects out.
func (a *Admin) orderRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /admin/orders", a.listOrders)
	mux.HandleFunc("DELETE /admin/orders/{id}", a.liftOrder)
	mux.HandleFunc("POST /admin/revocations", func(w http.ResponseWriter, r *http.Request) { a.giveOrder(w, r, orders.Revocation) })
	mux.HandleFunc("POST /admin/lockdowns", func(w http.ResponseWriter, r *http.Request) { a.giveOrder(w, r, orders.Lockdown) })
	mux.HandleFunc("GET /admin/blocks", a.listBlocks)
	mux.HandleFunc("POST /admin/blocks", a.giveBlock)
	mux.HandleFunc("DELETE /admin/blocks", a.liftBlocks)
	mux.HandleFunc("DELETE /admin/blocks/{id}", a.liftOrder)
}

// OrderAnswer is what is answered to who gives or lifts an order, which is done
// here in any case. Shared says that every replica knows; where it does not, the
// gateway goes on trying. Trouble says why a restart may forget it. In both cases
// the status is 202.
type OrderAnswer struct {
	Order   orders.Order `json:"order"`
	Shared  bool         `json:"shared"`
	Trouble string       `json:"trouble,omitempty"`
}

// settle answers with an order that was given or lifted.
func settle(w http.ResponseWriter, status int, o orders.Order, shared bool, err error) {
	a := OrderAnswer{Order: o, Shared: shared}
	if err != nil {
		a.Trouble = err.Error()
	}
	if !shared || err != nil {
		status = http.StatusAccepted
	}
	write(w, status, a)
}

// OrderList is what is in force. Trouble says why orders may be missing that other
// replicas were given, or why a restart may forget some.
type OrderList struct {
	Orders  []orders.Order `json:"orders"`
	Trouble string         `json:"trouble,omitempty"`
}

// listOrders answers GET /admin/orders, or ?kind= with one of the kinds.
func (a *Admin) listOrders(w http.ResponseWriter, r *http.Request) {
	kinds := []orders.Kind{orders.Revocation, orders.Lockdown, orders.Block}
	if r.URL.Query().Has("kind") {
		kind := orders.Kind(r.URL.Query().Get("kind"))
		if !slices.Contains(kinds, kind) {
			fail(w, &wrong{http.StatusBadRequest, "kind is revocation, lockdown or block"})
			return
		}
		kinds = []orders.Kind{kind}
	}
	list, err := a.g.Orders()
	out := OrderList{Orders: []orders.Order{}}
	if err != nil {
		out.Trouble = err.Error()
	}
	for i := range list {
		if slices.Contains(kinds, list[i].Kind) {
			out.Orders = append(out.Orders, list[i])
		}
	}
	write(w, http.StatusOK, out)
}

// giveOrder answers POST /admin/revocations and /admin/lockdowns.
func (a *Admin) giveOrder(w http.ResponseWriter, r *http.Request, kind orders.Kind) {
	o := orders.Order{}
	if err := read(w, r, asked(kind), &o); err != nil {
		fail(w, err)
		return
	}
	o.Kind, o.By = kind, a.who(r)
	a.give(w, r, o)
}

// give gives an order that means something here.
func (a *Admin) give(w http.ResponseWriter, r *http.Request, o orders.Order) {
	if err := known(a.g.Plan().Config(), &o); err != nil {
		fail(w, err)
		return
	}
	given, shared, err := a.g.GiveOrder(r.Context(), o)
	if given.ID == "" {
		fail(w, &wrong{http.StatusServiceUnavailable, err.Error()})
		return
	}
	settle(w, http.StatusCreated, given, shared, err)
}

// asked lists what may be said of an order. The rest of it is the gateway's.
func asked(kind orders.Kind) []string {
	if kind == orders.Lockdown {
		return []string{"tenant", "route", "all", "roles", "reason", "until"}
	}
	return []string{"issuer", "jti", "sid", "subject", "tenant", "issued_before", "reason"}
}

// known refuses an order that would hold nothing, for it is about a name that the
// configuration does not have or an address that it trusts, and one that nobody
// could explain later.
func known(c *config.Config, o *orders.Order) error {
	if err := o.Check(); err != nil {
		return &wrong{http.StatusUnprocessableEntity, err.Error()}
	}
	var routes []string
	for _, r := range c.Routes {
		routes = append(routes, r.Name)
	}
	for _, n := range []struct {
		what, name string
		known      []string
	}{{"issuer", o.Issuer, slices.Sorted(maps.Keys(c.Issuers))}, {"route", o.Route, routes}} {
		if n.name != "" && !slices.Contains(n.known, n.name) {
			return &wrong{http.StatusUnprocessableEntity, "unknown " + n.what + " " + strconv.Quote(n.name) + config.Instead(n.name, n.known)}
		}
	}
	if o.Kind != orders.Revocation && o.Reason == "" {
		return &wrong{http.StatusUnprocessableEntity, "a " + string(o.Kind) + " needs a reason: somebody will ask"}
	}
	for _, t := range c.Guard.Trusted {
		if o.Address.IsValid() && t.Bits() <= o.Address.Bits() && t.Contains(o.Address.Addr()) {
			return &wrong{http.StatusUnprocessableEntity, fmt.Sprintf("%s is in %s, which guard.trusted spares: it would not be blocked", o.Address, t)}
		}
	}
	return nil
}

// liftOrder answers DELETE /admin/orders/{id} and /admin/blocks/{id}, or ?reason=….
func (a *Admin) liftOrder(w http.ResponseWriter, r *http.Request) {
	lifted, shared, err := a.g.LiftOrder(r.Context(), r.PathValue("id"), a.who(r), r.URL.Query().Get("reason"))
	switch {
	case lifted.ID != "":
		settle(w, http.StatusOK, lifted, shared, err)
	case errors.Is(err, orders.ErrUnknown):
		fail(w, &wrong{http.StatusNotFound, "no order with this id is in force"})
	default:
		fail(w, &wrong{http.StatusUnprocessableEntity, err.Error()})
	}
}
