package gateway_test

import (
	"net/http"
	"testing"

	"github.com/gatehouse-dev/gatehouse/gateway"
	"github.com/gatehouse-dev/gatehouse/gateway/admin"
)

// TestClasses tries every way in which gateways have failed on this one.
func TestClasses(t *testing.T) {
	gateway.RunClasses(t, func(g *gateway.Gateway, r *gateway.Reloader, metrics http.Handler) (gateway.Ops, error) {
		return admin.Listen(g, r, metrics)
	})
}
