package peers

import (
	_ "embed"
	"fmt"
	"path/filepath"
)

//go:embed gate.lua
var gateLua string

// NginxLua is nginx with LuaJIT and lua-cjson, which is how OpenResty and the
// gateways on top of it work. Decisions come from an OPA server, whose processor
// time counts.
func NginxLua() Peer {
	return Peer{
		Name: "nginx-lua", About: "nginx with LuaJIT and lua-cjson, and an OPA server",
		// It does not remember anything, so it takes part where others may not.
		Can: func(s Setup) bool { return s.JWT || s.Policy || s.Mask },
		Needs: func(w World) []string {
			return []string{"nginx", NginxModules + "ngx_http_lua_module.so", "/usr/share/lua/5.1/cjson/util.lua", filepath.Join(w.Bin, "opa")}
		},
		Start: startNginxLua,
	}
}

func startNginxLua(w World, s Setup, dir string, port int) ([]Command, error) {
	opa := fmt.Sprintf("127.0.0.1:%d", port+1)
	if _, err := write(dir, "gate.lua", gateLua); err != nil {
		return nil, err
	}
	settings := fmt.Sprintf("{issuer = %q, audience = %q, key = %q, jwt = %v, policy = %v, mask = %v, chain = %v}",
		w.Issuer, w.Audience, w.Public, s.JWT, s.Policy, s.Mask, s.Chain)
	out, err := startNginx(w, s, dir, port, nginxParts{
		modules: "load_module " + NginxModules + "ndk_http_module.so; load_module " + NginxModules + "ngx_http_lua_module.so;",
		http: fmt.Sprintf(`  lua_package_path "%s/?.lua;/usr/share/lua/5.1/?.lua;;";
  init_by_lua_block { require "resty.core" gate = require("gate").new(%s) }
policy|  upstream opa { server %s; keepalive 128; keepalive_requests 1000000000; }`, dir, settings, opa),
		guard: `      access_by_lua_block { gate:access() }
mask|      header_filter_by_lua_block { gate:header() }
mask|      body_filter_by_lua_block { gate:body() }
mask|      proxy_set_header Accept-Encoding "";`,
		extra: `policy|    location = /-/opa {
policy|      internal;
policy|      proxy_pass http://opa/v1/data/gatehouse;
policy|      proxy_pass_request_headers off;
policy|      proxy_set_header Content-Type application/json;
policy|      access_log off;
policy|    }`,
	})
	if err != nil || !s.Policy {
		return out, err
	}
	server := Command{
		Args: []string{filepath.Join(w.Bin, "opa"), "run", "--server", "--addr", opa, "--log-level", "error", "--disable-telemetry", "--skip-version-check", w.Policies},
		Wait: opa,
	}
	return append([]Command{server}, out...), nil
}
