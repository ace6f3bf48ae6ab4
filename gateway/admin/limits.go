package admin

import (
	"net/http"

	"github.com/gatehouse-dev/gatehouse/gateway"
)

// LimitList is every rate limit with who was refused lately, or would have been,
// by this replica.
type LimitList struct {
	Limits []gateway.LimitState `json:"limits"`
}

// limits answers GET /admin/limits.
func (a *Admin) limits(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, LimitList{a.g.Plan().Limits()})
}
