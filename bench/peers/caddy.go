package peers

import (
	"fmt"
	"path/filepath"
)

// Caddy is Caddy as it comes: its modules for tokens and limits are not part of
// it.
func Caddy() Peer {
	return Peer{
		Name: "caddy", About: "Caddy",
		Can:   func(s Setup) bool { return s == Setup{TLS: s.TLS} },
		Needs: func(w World) []string { return []string{filepath.Join(w.Bin, "caddy")} },
		Start: func(w World, s Setup, dir string, port int) ([]Command, error) {
			text := fmt.Sprintf(caddyText, port, w.Cert, w.Key, w.Upstream)
			file, err := write(dir, "Caddyfile", only(text, s.conditions()))
			if err != nil {
				return nil, err
			}
			return []Command{{
				Args: []string{filepath.Join(w.Bin, "caddy"), "run", "--config", file, "--adapter", "caddyfile"},
				Env:  []string{"HOME=" + dir, "XDG_CONFIG_HOME=" + dir, "XDG_DATA_HOME=" + dir},
			}}, nil
		},
	}
}

const caddyText = `{
	admin off
	persist_config off
	auto_https off
	default_sni localhost
	log {
		level ERROR
	}
	servers {
		protocols h1 h2
	}
}
tls|https://:%[1]d {
tls|	tls %[2]s %[3]s {
tls|		protocols tls1.3
tls|	}
!tls|http://:%[1]d {
	bind 127.0.0.1
	reverse_proxy %[4]s {
		transport http {
			keepalive_idle_conns 20000
			keepalive_idle_conns_per_host 20000
			compression off
		}
	}
}
`
