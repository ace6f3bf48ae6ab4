package admin

import (
	"net/http"
	"net/http/pprof"
)

// profiles answers with profiles of the Go runtime, where the current plan wants
// them: they slow everybody down while they are taken, and what is on the stack
// of a gateway is more than operators are to see every day.
func (a *Admin) profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.g.Plan().Config().Admin.Pprof {
			write(w, http.StatusNotFound, map[string]string{"error": "profiles are off: admin.pprof is not true"})
			return
		}
		mux.ServeHTTP(w, r)
	})
}
