package admin

import (
	"net/http"

	"github.com/gatehouse-dev/gatehouse/gateway"
)

// UpstreamList is every upstream with its endpoints, as this replica knows them.
type UpstreamList struct {
	Upstreams []gateway.UpstreamState `json:"upstreams"`
}

// upstreams answers GET /admin/upstreams.
func (a *Admin) upstreams(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, UpstreamList{a.g.Plan().Upstreams()})
}
