package peers

import (
	"fmt"
	"path/filepath"
)

// Std is the ReverseProxy of Go's standard library as one would tune it: a pool
// of buffers, and as many idle connections as there are clients.
func Std() Peer {
	return Peer{
		Name: "std", About: "Go's httputil.ReverseProxy, tuned",
		Can:   func(s Setup) bool { return s == Setup{TLS: s.TLS} },
		Needs: func(w World) []string { return []string{filepath.Join(w.Bin, "std")} },
		Start: func(w World, s Setup, _ string, port int) ([]Command, error) {
			return []Command{goCommand(w, s, "std", port)}, nil
		},
	}
}

// Naive is the same ReverseProxy with libraries used as their documentation
// shows it. It stands for gateways written in Go that cannot be installed here.
func Naive() Peer {
	return Peer{
		Name: "naive", About: "ReverseProxy with jwt.Parse, limiter, rego.EvalInput and encoding/json as they come",
		Can:   func(s Setup) bool { return s != Setup{TLS: s.TLS} },
		Needs: func(w World) []string { return []string{filepath.Join(w.Bin, "naive")} },
		Start: func(w World, s Setup, dir string, port int) ([]Command, error) {
			c := goCommand(w, s, "naive", port)
			c.Args = append(c.Args, "-issuer", w.Issuer, "-audience", w.Audience, "-public", w.Public, "-policies", w.Policies)
			for name, on := range map[string]bool{"jwt": s.JWT, "rate": s.Rate, "policy": s.Policy, "mask": s.Mask} {
				c.Args = append(c.Args, fmt.Sprintf("-%s=%v", name, on))
			}
			if s.Chain {
				c.Args = append(c.Args, "-audit", filepath.Join(dir, "access.log"))
			}
			return []Command{c}, nil
		},
	}
}

func goCommand(w World, s Setup, name string, port int) Command {
	args := []string{filepath.Join(w.Bin, name), "-listen", fmt.Sprintf("127.0.0.1:%d", port), "-upstream", w.Upstream}
	if s.TLS {
		args = append(args, "-cert", w.Cert, "-key", w.Key)
	}
	return Command{Args: args}
}
