package gateway

import "github.com/gatehouse-dev/gatehouse/middleware"

// Memory is the budget for bodies of the current plan.
func (g *Gateway) Memory() *middleware.Budget { return g.Plan().memory }

func newID() string {
	id, _ := new(ids).make()
	return id
}
