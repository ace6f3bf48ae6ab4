package gateway

import (
	"context"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/gatehouse-dev/gatehouse/middleware/orders"
)

// Orders lists the revocations and lockdowns in force, oldest first. The error
// tells why some may be missing that other replicas were given.
func (g *Gateway) Orders() ([]orders.Order, error) {
	b := g.Plan().orders
	return b.List(), b.Stale()
}

// GiveOrder gives an order, which holds here when it returns, and puts it on
// record. shared is false where the store of all replicas does not have it yet.
func (g *Gateway) GiveOrder(ctx context.Context, o orders.Order) (given orders.Order, shared bool, err error) {
	return g.Plan().give(ctx, g, o)
}

func (p *Plan) give(ctx context.Context, g *Gateway, o orders.Order) (orders.Order, bool, error) {
	given, shared, err := p.orders.Give(ctx, o)
	if err != nil {
		p.log.Error("an order was not taken", zap.String("kind", string(o.Kind)), zap.String("by", o.By), zap.Error(err))
		return orders.Order{}, false, err
	}
	g.deps.Metrics.OrderGiven(string(given.Kind), source(given.By))
	level := zap.WarnLevel
	if source(given.By) == "issuer" {
		level = zap.InfoLevel // people sign out all day
	}
	p.log.Log(level, "order given", append(orderFields(&given), zap.String("by", given.By), zap.String("reason", given.Reason), zap.Bool("shared", shared))...)
	return given, shared, nil
}

// LiftOrder lifts the order with this id, and puts that on record. The error is
// [orders.ErrUnknown] where there is none.
func (g *Gateway) LiftOrder(ctx context.Context, id, by, reason string) (lifted orders.Order, shared bool, err error) {
	p := g.Plan()
	for _, o := range p.orders.List() {
		if o.ID == id {
			lifted = o
		}
	}
	if shared, err = p.orders.Lift(ctx, id, by, reason); err != nil {
		return orders.Order{}, false, err
	}
	p.log.Warn("order lifted", append(orderFields(&lifted), zap.String("by", by), zap.String("reason", reason), zap.Bool("shared", shared))...)
	return lifted, shared, nil
}

// source is the first word of who gives an order: admin or issuer.
func source(by string) string {
	first, _, _ := strings.Cut(by, " ")
	return first
}

// orderFields tell what an order is about, in the words that it was given in: the
// record must say who was called back.
func orderFields(o *orders.Order) []zap.Field {
	f := []zap.Field{zap.String("order", o.ID), zap.String("kind", string(o.Kind))}
	for _, s := range []struct{ key, value string }{
		{"issuer", o.Issuer},
		{"jti", o.JTI},
		{"sid", o.SID},
		{"subject", o.Subject},
		{"tenant", o.Tenant},
		{"locked_route", o.Route},
	} {
		if s.value != "" {
			f = append(f, zap.String(s.key, s.value))
		}
	}
	for _, t := range []struct {
		key   string
		value time.Time
	}{{"issued_before", o.IssuedBefore}, {"until", o.Until}} {
		if !t.value.IsZero() {
			f = append(f, zap.Time(t.key, t.value))
		}
	}
	if o.All {
		f = append(f, zap.Bool("all", true))
	}
	if len(o.Roles) > 0 {
		f = append(f, zap.Strings("roles", o.Roles))
	}
	return f
}
