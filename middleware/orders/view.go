package orders

import (
	"cmp"
	"hash/maphash"
	"maps"
	"slices"
	"time"
)

// What a key of the index names.
type by uint8

const (
	byJTI by = iota
	bySID
	bySubject
	byTenant // revocations
	byIssued
	byPlace   // lockdowns
	byBlocked // blocks of subjects
	byNetwork // blocks of addresses, which have an index of their own
	byUser    // and those of a username
	kinds
)

// key is what a lookup asks for. A lockdown has its route in the place of the
// issuer and its tenant in the place of the value: both empty is all.
type key struct {
	by            by
	issuer, value string
}

func keyOf(o *Order) key {
	switch {
	case o.Kind == Lockdown:
		return key{byPlace, o.Route, o.Tenant}
	case o.Kind == Block:
		return key{byBlocked, o.Issuer, o.Subject}
	case o.JTI != "":
		return key{byJTI, o.Issuer, o.JTI}
	case o.SID != "":
		return key{bySID, o.Issuer, o.SID}
	case o.Subject != "":
		return key{bySubject, o.Issuer, o.Subject}
	case o.Tenant != "":
		return key{byTenant, o.Issuer, o.Tenant}
	}
	return key{byIssued, o.Issuer, ""}
}

// buckets of an index. A change copies those it touches: a few hundred orders
// of a hundred thousand.
const buckets = 256

// index has the orders of each key, the strictest first.
type index[K comparable] [buckets]map[K][]*Order

// view is all orders that requests are judged by. It is immutable: readers take
// no lock, and a change makes another one.
type view struct {
	seed     maphash.Seed
	count    [kinds]int // orders by what they name; lookups skip what is not there
	orders   index[key]
	networks index[netKey]
	lengths  [families][]length // of the masks of networks
	changed  chan struct{}      // closed when another view has taken its place
}

func newView() *view { return &view{seed: maphash.MakeSeed(), changed: make(chan struct{})} }

func (v *view) bucket(k key) int { return int(maphash.String(v.seed, k.value) % buckets) }

// get gives the orders of a key, the strictest first.
func (v *view) get(k key) []*Order { return v.orders[v.bucket(k)][k] }

// strictness puts the orders of a key in their sequence: where one does not
// apply to a token, none behind it does. Of blocks what ends last comes first,
// and a step-up behind all that no signing in helps against.
func strictness(a, b *Order) int {
	return cmp.Or(
		cmp.Compare(rank(a), rank(b)), compareEnds(b.Ends, a.Ends),
		b.IssuedBefore.Compare(a.IssuedBefore), b.At.Compare(a.At), len(a.Roles)-len(b.Roles), cmp.Compare(a.ID, b.ID),
	)
}

// edit makes another view of one.
type edit struct {
	*view
	ownOrders, ownNetworks [buckets]bool // not shared with the view before
	touched                bool
}

func (v *view) edit() *edit {
	next := *v
	next.changed = make(chan struct{})
	return &edit{view: &next}
}

func (e *edit) add(o *Order) {
	if k, ok := netKeyOf(o); ok {
		if insert(e.networks.own(&e.ownNetworks, e.netBucket(&k)), k, o) {
			e.counted(k.by(), 1)
			e.measure(&k, 1)
		}
		return
	}
	k := keyOf(o)
	if insert(e.orders.own(&e.ownOrders, e.bucket(k)), k, o) {
		e.counted(k.by, 1)
	}
}

func (e *edit) remove(o *Order) {
	if k, ok := netKeyOf(o); ok {
		if drop(e.networks.own(&e.ownNetworks, e.netBucket(&k)), k, o) {
			e.counted(k.by(), -1)
			e.measure(&k, -1)
		}
		return
	}
	k := keyOf(o)
	if drop(e.orders.own(&e.ownOrders, e.bucket(k)), k, o) {
		e.counted(k.by, -1)
	}
}

func (e *edit) counted(b by, n int) {
	e.count[b] += n
	e.touched = true
}

// own gives a bucket that may be changed.
func (x *index[K]) own(own *[buckets]bool, i int) map[K][]*Order {
	if !own[i] {
		own[i], x[i] = true, maps.Clone(x[i])
	}
	if x[i] == nil {
		x[i] = map[K][]*Order{}
	}
	return x[i]
}

// insert reports whether the order was not there.
func insert[K comparable](m map[K][]*Order, k K, o *Order) bool {
	list := m[k]
	i, found := slices.BinarySearchFunc(list, o, strictness)
	if !found {
		m[k] = slices.Insert(slices.Clip(slices.Clone(list)), i, o)
	}
	return !found
}

// drop reports whether the order was there.
func drop[K comparable](m map[K][]*Order, k K, o *Order) bool {
	i, found := slices.BinarySearchFunc(m[k], o, strictness)
	switch {
	case !found:
	case len(m[k]) == 1:
		delete(m, k)
	default:
		m[k] = slices.Delete(slices.Clone(m[k]), i, i+1)
	}
	return found
}

// Token is what a lookup needs to know of a token.
type Token struct {
	Issuer  string // name in the configuration
	JTI     string
	SID     string
	Subject string
	Tenant  string
	// Issued is iat. A token without one is as old as can be.
	Issued time.Time
	// Authenticated is auth_time; zero where the issuer does not tell. It must
	// not be iat instead, for a refreshed token would then bring a session back.
	Authenticated time.Time
}

// revoked gives an order that calls a token back.
func (v *view) revoked(t *Token) *Order {
	var o *Order
	if v.count[byJTI] > 0 && t.JTI != "" {
		o = first(v.get(key{byJTI, t.Issuer, t.JTI}), t)
	}
	if o == nil && v.count[bySID] > 0 && t.SID != "" {
		o = first(v.get(key{bySID, t.Issuer, t.SID}), t)
	}
	if o == nil && v.count[bySubject] > 0 {
		o = first(v.get(key{bySubject, t.Issuer, t.Subject}), t)
	}
	if o == nil && v.count[byTenant] > 0 && t.Tenant != "" {
		if o = first(v.get(key{byTenant, t.Issuer, t.Tenant}), t); o == nil {
			o = first(v.get(key{byTenant, "", t.Tenant}), t)
		}
	}
	if o == nil && v.count[byIssued] > 0 {
		if o = first(v.get(key{byIssued, t.Issuer, ""}), t); o == nil {
			o = first(v.get(key{byIssued, "", ""}), t)
		}
	}
	return o
}

// first gives the strictest order in force that applies. The clock is read only
// where there is one.
func first(list []*Order, t *Token) *Order {
	for _, o := range list {
		if !o.callsBack(t) {
			return nil
		}
		if !o.expired(time.Now()) {
			return o
		}
	}
	return nil
}

// callsBack reports whether a token that the order names is meant. Times in
// tokens are whole seconds, rounded down.
func (o *Order) callsBack(t *Token) bool {
	switch {
	case o.JTI != "":
		return true
	case o.SID != "":
		return !t.Authenticated.After(o.At)
	}
	return t.Issued.Unix() <= o.IssuedBefore.Unix()
}

// locked gives a lockdown that keeps somebody out, what names the route first.
func (v *view) locked(route, tenant string, roles []string) *Order {
	if v.count[byPlace] == 0 {
		return nil
	}
	var o *Order
	if tenant != "" {
		o = closes(v.get(key{byPlace, route, tenant}), roles)
	}
	if o == nil {
		o = closes(v.get(key{byPlace, route, ""}), roles)
	}
	if o == nil && tenant != "" {
		o = closes(v.get(key{byPlace, "", tenant}), roles)
	}
	if o == nil {
		o = closes(v.get(key{byPlace, "", ""}), roles)
	}
	return o
}

func closes(list []*Order, roles []string) *Order {
	for _, o := range list {
		if !o.serves(roles) && !o.expired(time.Now()) {
			return o
		}
	}
	return nil
}

// serves reports whether a lockdown lets one of the roles pass.
func (o *Order) serves(roles []string) bool {
	for _, r := range roles {
		if slices.Contains(o.Roles, r) {
			return true
		}
	}
	return false
}
