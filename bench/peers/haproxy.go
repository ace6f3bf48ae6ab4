package peers

import "fmt"

// HAProxy verifies tokens with jwt_verify and counts in stick tables.
func HAProxy() Peer {
	return Peer{
		Name: "haproxy", About: "HAProxy, with jwt_verify and stick tables",
		Can:   func(s Setup) bool { return s == Setup{TLS: s.TLS, JWT: s.JWT, Rate: s.Rate} },
		Needs: func(World) []string { return []string{"haproxy"} },
		Start: func(w World, s Setup, dir string, port int) ([]Command, error) {
			text := fmt.Sprintf(haproxyText, port, w.Cert, w.Upstream, w.Public, w.Issuer, w.Audience)
			file, err := write(dir, "haproxy.cfg", only(text, s.conditions()))
			if err != nil {
				return nil, err
			}
			haproxy, err := Find("haproxy")
			if err != nil {
				return nil, err
			}
			return []Command{{Args: []string{haproxy, "-db", "-f", file}}}, nil
		},
	}
}

// haproxyText follows HAProxy's own description of how tokens are checked. One
// thread, connections to the backend shared by all clients, nothing logged.
const haproxyText = `global
  nbthread 1
  maxconn 8000
  ssl-default-bind-options ssl-min-ver TLSv1.3
  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 30s
  timeout http-request 10s
  option forwardfor
  http-reuse always
rate|backend wide
rate|  stick-table type ip size 100k expire 2m store http_req_rate(60s)
rate|backend narrow
rate|  stick-table type ip size 100k expire 2m store http_req_rate(60s)
frontend public
!tls|  bind 127.0.0.1:%[1]d
tls|  bind 127.0.0.1:%[1]d ssl crt %[2]s.both alpn h2,http/1.1
rate|  acl limited path_beg /limited/
rate|  http-request track-sc0 src table wide
rate|  http-request track-sc1 src table narrow if limited
rate|  http-request deny deny_status 429 if { sc_http_req_rate(0,wide) gt 100000000 }
rate|  http-request deny deny_status 429 if limited { sc_http_req_rate(1,narrow) gt 5 }
jwt|  http-request deny deny_status 401 unless { req.hdr(authorization) -m found }
jwt|  http-request set-var(txn.bearer) http_auth_bearer
jwt|  http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
jwt|  http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int')
jwt|  http-request set-var(txn.now) date()
jwt|  http-request deny deny_status 401 unless { var(txn.alg) -m str RS256 }
jwt|  http-request deny deny_status 401 unless { var(txn.bearer),jwt_payload_query('$.iss') -m str %[5]s }
jwt|  http-request deny deny_status 401 unless { var(txn.bearer),jwt_payload_query('$.aud') -m str %[6]s }
jwt|  http-request deny deny_status 401 unless { var(txn.bearer),jwt_verify(txn.alg,"%[4]s") -m int 1 }
jwt|  http-request deny deny_status 401 if { var(txn.exp),sub(txn.now) -m int lt 0 }
  default_backend app
backend app
  server upstream %[3]s
`
