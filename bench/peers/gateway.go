package peers

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Gateway is Gatehouse, built from the tree that this folder stands in. Its
// access line goes to a file, its metrics are counted, and nothing that it does
// for every request is turned off.
func Gateway() Peer {
	return Peer{
		Name: "gateway", About: "Gatehouse",
		Can:   func(Setup) bool { return true },
		Needs: func(w World) []string { return []string{filepath.Join(w.Bin, "gatehouse")} },
		Start: func(w World, s Setup, dir string, port int) ([]Command, error) {
			return StartGateway(w, s, dir, port, 1)
		},
	}
}

// StartGateway is the gateway with so many routes.
func StartGateway(w World, s Setup, dir string, port, routes int) ([]Command, error) {
	file, err := write(dir, "gatehouse.yaml", GatewayConfig(w, s, dir, port, port+1, routes))
	if err != nil {
		return nil, err
	}
	return []Command{{Args: []string{filepath.Join(w.Bin, "gatehouse"), "serve", "-c", file}}}, nil
}

// gatewayText is the configuration. Only a decision of a policy can mask, so the
// rows that measure masking alone have a decision too, on a route that needs no
// token. The budget is that of a machine whose processors are all busy: a
// decision that waits for its turn is not a slow one.
const gatewayText = `version: 1
listeners:
  public:
    address: 127.0.0.1:%[1]d
tls|    tls: {min_version: "1.3", certificates: [{cert: %[3]s, key: %[4]s}]}
!profile|admin: {address: "127.0.0.1:%[2]d"}
profile|admin: {address: "127.0.0.1:%[2]d", pprof: true, token: %[11]q}
log: {output: %[5]s/access.log}
jwt|issuers:
jwt|  bench: {issuer: "%[6]s", audiences: ["%[7]s"], algorithms: [RS256], jwks_file: %[8]s}
upstreams: {backend: {endpoints: ["http://%[9]s"]}}
rate|rate_limits:
rate|  wide: {key: [client.address], rate: 100000000/1m}
rate|  narrow: {key: [client.address], rate: 5/1m}
decide|policies:
decide|  path: %[10]s
decide|  budget: 5s
forget|  memo: {entries: -1}
routes:
`

const gatewayRoute = `  - name: %[1]s
    match: {path: %[2]s}
    upstream: backend
jwt|    authn: {issuers: [bench], forward_token: false}
!jwt|    public: true
rate|    rate_limits: [%[3]s]
chain|    sanitize: {html: strip, sql_injection: report, query: report}
chain|    audit: metadata
!decide|    policy: off
policy|    policy: %[4]s
!policy|mask|    policy: %[4]s
`

// GatewayConfig is a configuration for a setup, with so many routes more that no
// request takes.
func GatewayConfig(w World, s Setup, dir string, port, admin, routes int) string {
	employees, masks := "employees", "on"
	if !s.JWT {
		employees = "open"
	}
	if s.Mask {
		masks = "{masks: required}"
	}
	var b strings.Builder
	fmt.Fprintf(&b, gatewayText, port, admin, w.Cert, w.Key, dir, w.Issuer, w.Audience, w.Public, w.Upstream, w.Policies, w.Token)
	fmt.Fprintf(&b, gatewayRoute, employees, "/employees/", "wide", masks)
	if !s.Mask || s.JWT {
		fmt.Fprintf(&b, gatewayRoute, "files", "/", "wide", "on")
	}
	if s.Rate {
		fmt.Fprintf(&b, gatewayRoute, "documents", "/limited/", "narrow", "on")
	}
	for i := 1; i < routes; i++ {
		fmt.Fprintf(&b, gatewayRoute, fmt.Sprintf("other-%d", i), fmt.Sprintf("/other/%d/", i), "wide", "on")
	}
	conditions := s.conditions()
	conditions["profile"] = w.Token != ""
	return only(b.String(), conditions)
}
