package peers

import (
	_ "embed"
	"fmt"
)

//go:embed gate.js
var gateJS string

// NginxJS is nginx with njs, its own JavaScript. Tokens are verified by its Web
// Crypto in a subrequest, and a filter masks answers. It asks no policies here.
func NginxJS() Peer {
	return Peer{
		Name: "nginx-njs", About: "nginx with njs",
		Can: func(s Setup) bool { return s == Setup{JWT: true} || s == Setup{Mask: true} },
		Needs: func(World) []string {
			return []string{"nginx", NginxModules + "ngx_http_js_module.so"}
		},
		Start: func(w World, s Setup, dir string, port int) ([]Command, error) {
			if _, err := write(dir, "gate.js", gateJS); err != nil {
				return nil, err
			}
			settings := fmt.Sprintf("export default {key: %q, issuer: %q, audience: %q};\n", w.Public, w.Issuer, w.Audience)
			if _, err := write(dir, "settings.js", settings); err != nil {
				return nil, err
			}
			return startNginx(w, s, dir, port, nginxParts{
				modules: "load_module " + NginxModules + "ngx_http_js_module.so;",
				http:    fmt.Sprintf("  js_path %s;\n  js_import gate from gate.js;\n", dir),
				guard: `jwt|      auth_request /-/token;
mask|      js_header_filter gate.header;
mask|      js_body_filter gate.body;
mask|      proxy_set_header Accept-Encoding "";`,
				extra: `jwt|    location = /-/token { internal; js_content gate.token; }`,
			})
		},
	}
}
