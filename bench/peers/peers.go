// Package peers has a file for each system that is measured: it writes the
// system's configuration for a setup and says what to start.
package peers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A Setup is what a system is asked to do with each request, besides forwarding
// it. What a peer cannot do it does not take part in.
type Setup struct {
	TLS    bool // TLS 1.3 with AES-128-GCM, and HTTP/2 beside HTTP/1.1
	JWT    bool // a token signed with RS256: signature, issuer, audience, expiry
	Rate   bool // a limit by client address, too wide to refuse but under /limited/
	Policy bool // the Rego of bench/policies decides
	Mask   bool // five fields of every record are taken out
	Chain  bool // markup is looked for, and who asked is on record
	Forget bool // decisions are not remembered
}

// World is what all peers find around them.
type World struct {
	Upstream string // host:port of the backend
	Cert     string // files in PEM: the server's certificate, its key, the key that tokens are signed with
	Key      string
	Public   string
	Issuer   string
	Audience string
	Policies string // the folder of the Rego
	Bin      string // the folder of what was built for the measurements
	Token    string // with which the gateway gives profiles; empty: it gives none
}

// A Command is a process of a peer. A peer may have several, of which the first
// gets the requests.
type Command struct {
	Args []string
	Env  []string
	Wait string // an address that must accept connections before the next is started
}

// A Peer is a system that can be measured.
type Peer struct {
	Name  string
	About string
	Can   func(Setup) bool
	Needs func(World) []string // files and commands without which it cannot be started
	Start func(w World, s Setup, dir string, port int) ([]Command, error)
}

// All are the systems, in the order of the table.
func All() []Peer {
	return []Peer{Gateway(), Nginx(), HAProxy(), Caddy(), Std(), Naive(), NginxLua(), NginxJS()}
}

// Missing are those of a peer's needs that are not there.
func (p Peer) Missing(w World) []string {
	var out []string
	for _, need := range p.Needs(w) {
		if strings.Contains(need, "/") {
			if _, err := os.Stat(need); err != nil {
				out = append(out, need)
			}
		} else if _, err := Find(need); err != nil {
			out = append(out, need)
		}
	}
	return out
}

// Find is the path of a command, which may be one for administrators.
func Find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed", name)
}

// write puts a file into the peer's folder and gives its path.
func write(dir, name, text string) (string, error) {
	path := filepath.Join(dir, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// only leaves out the lines that begin with a mark whose condition is false, and
// the marks of the others. A mark stands before a bar: `tls|`, `!tls|`.
func only(text string, conditions map[string]bool) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		keep := true
		for {
			mark, rest, found := strings.Cut(line, "|")
			name, negated := strings.CutPrefix(strings.TrimSpace(mark), "!")
			is, known := conditions[name]
			if !found || !known {
				break
			}
			keep = keep && is != negated
			line = rest
		}
		if keep {
			out.WriteString(line)
		}
	}
	return out.String()
}

func (s Setup) conditions() map[string]bool {
	return map[string]bool{
		"tls": s.TLS, "jwt": s.JWT, "rate": s.Rate, "policy": s.Policy, "mask": s.Mask, "chain": s.Chain, "forget": s.Forget,
		"decide": s.Policy || s.Mask,
	}
}
