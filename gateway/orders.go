package gateway

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
)

// Orders lists the revocations, lockdowns and blocks in force, oldest first. The error
// tells why some may be missing, or not be kept as they should.
func (g *Gateway) Orders() ([]orders.Order, error) {
	b := g.Plan().orders
	return b.List(), b.Trouble()
}

// EndedBlocks lists the blocks that hold no longer and are kept for their level,
// oldest first.
func (g *Gateway) EndedBlocks() []orders.Order { return g.Plan().orders.Ended() }

// BlockOf gives the block that keeps an address out, nil where none does.
func (g *Gateway) BlockOf(a netip.Addr) *orders.Order { return g.Plan().orders.BlockedAddress(a) }

// User gives what a block has in place of a username, which nobody keeps; "" where
// no login is counted by such a name.
func (g *Gateway) User(name string) string { return g.Plan().guardKey.User(name) }

// GiveOrder gives an order and puts it on record. It holds here where what is
// given has an id; shared is false where the store of all replicas does not have
// it yet, and an error then says that a restart may forget it.
func (g *Gateway) GiveOrder(ctx context.Context, o orders.Order) (given orders.Order, shared bool, err error) {
	return g.Plan().give(ctx, g.deps.Metrics, o)
}

func (p *Plan) give(ctx context.Context, m *telemetry.Metrics, o orders.Order) (given orders.Order, shared bool, err error) {
	given, shared, err = p.orders.Give(ctx, o)
	if given.ID == "" {
		p.log.Error("order not taken", zap.String("kind", string(o.Kind)), zap.String("by", o.By), zap.Error(err))
		return given, false, err
	}
	m.OrderGiven(string(given.Kind), source(given.By))
	level := zap.WarnLevel
	if source(given.By) == "issuer" {
		level = zap.InfoLevel // people sign out all day
	}
	p.log.Log(level, "order given", orderFields(&given, given.By, given.Reason, shared, err)...)
	return given, shared, err
}

// LiftOrder lifts the order with this id, and puts that on record. The order is
// lifted where it is returned with an id; an error then says that a restart may
// bring it back. Otherwise it is [orders.ErrUnknown] where there is none.
func (g *Gateway) LiftOrder(ctx context.Context, id, by, reason string) (lifted orders.Order, shared bool, err error) {
	p := g.Plan()
	o, known := p.orders.Find(id)
	if !known {
		return orders.Order{}, false, orders.ErrUnknown
	}
	shared, err = p.orders.Lift(ctx, id, by, reason)
	if err != nil {
		if _, held := p.orders.Find(id); held || errors.Is(err, orders.ErrUnknown) {
			return orders.Order{}, false, err
		}
	}
	p.log.Warn("order lifted", orderFields(&o, by, reason, shared, err)...)
	return o, shared, err
}

// text is a network as it is written, "" for none.
func text(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	return p.String()
}

// source is the first word of who gives an order: admin, issuer or guard.
func source(by string) string {
	first, _, _ := strings.Cut(by, " ")
	return first
}

// orderFields tell what an order is about, in the words that it was given in: the
// record must say who was called back. They tell as well who gives or lifts it,
// and whether that is kept as it should be.
func orderFields(o *orders.Order, by, reason string, shared bool, err error) []zap.Field {
	f := []zap.Field{zap.String("order", o.ID), zap.String("kind", string(o.Kind))}
	for _, s := range []struct{ key, value string }{
		{"issuer", o.Issuer},
		{"jti", o.JTI},
		{"sid", o.SID},
		{"subject", o.Subject},
		{"tenant", o.Tenant},
		{"locked_route", o.Route},
		{"address", text(o.Address)},
		{"user", o.User},
		{"action", o.Action},
		{"detector", o.Detector},
		{"by", by},
		{"reason", reason},
	} {
		if s.value != "" {
			f = append(f, zap.String(s.key, s.value))
		}
	}
	for _, t := range []struct {
		key   string
		value time.Time
	}{{"issued_before", o.IssuedBefore}, {"ends", o.Ends}, {"until", o.Until}} {
		if !t.value.IsZero() {
			f = append(f, zap.Time(t.key, t.value))
		}
	}
	if o.Level > 0 {
		f = append(f, zap.Int("level", o.Level))
	}
	if o.All {
		f = append(f, zap.Bool("all", true))
	}
	if len(o.Roles) > 0 {
		f = append(f, zap.Strings("roles", o.Roles))
	}
	if f = append(f, zap.Bool("shared", shared)); err != nil {
		f = append(f, zap.Error(err))
	}
	return f
}
