package config

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// mostCounted is the highest threshold: a detector remembers each event until it is
// met, and looks through them.
const mostCounted = 10_000

// shortestBlock is one that has begun on every replica before it ends.
const shortestBlock = Duration(2 * time.Second)

// guard checks the detectors and what follows from them.
func (k *checker) guard() {
	g := &k.c.Guard
	k.networks("guard.trusted", g.Trusted)
	if n := len(g.Secret); n > 0 && n < 32 {
		k.mistake("guard.secret", "the secret has %d characters; it needs at least 32", n)
	}
	responses := g.Responses()
	for _, name := range slices.Sorted(maps.Keys(responses)) {
		k.response(join("guard", name), responses[name])
	}
	k.thresholds(g)
	if d := g.DataVolume; d != nil {
		k.notNegative("guard.data_volume.records", d.Records)
		k.notNegative("guard.data_volume.sensitive", d.Sensitive)
		if d.Records == 0 && d.Sensitive == 0 && !k.unreadIn("guard.data_volume", "records", "sensitive") {
			k.mistake("guard.data_volume", "with records: 0 and sensitive: 0 nothing is too much")
		}
	}
	if d := g.PrivilegeEscalation; d != nil {
		k.escalation(d)
	}
}

// thresholds checks how much is remembered of each caller.
func (k *checker) thresholds(g *Guard) {
	bound := func(path string, n int) {
		if n > mostCounted {
			k.mistake(path, "%s must be at most %d", path[strings.LastIndexByte(path, '.')+1:], mostCounted)
		}
	}
	if d := g.AuthFailures; d != nil {
		bound("guard.auth_failures.threshold", d.Threshold)
		bound("guard.auth_failures.distinct", d.Distinct)
	}
	if d := g.TokenFailures; d != nil {
		bound("guard.token_failures.threshold", d.Threshold)
	}
	if d := g.CredentialStuffing; d != nil {
		bound("guard.credential_stuffing.distinct", d.Distinct)
	}
	if d := g.APIAbuse; d != nil {
		bound("guard.api_abuse.threshold", d.Threshold)
	}
	if d := g.Enumeration; d != nil {
		bound("guard.enumeration.threshold", d.Threshold)
	}
	if d := g.PrivilegeEscalation; d != nil {
		bound("guard.privilege_escalation.threshold", d.Threshold)
		bound("guard.privilege_escalation.identity_headers", d.IdentityHeaders)
	}
}

func (k *checker) notNegative(path string, n int) {
	if n < 0 {
		k.mistake(path, "%s must not be less than 0", path[strings.LastIndexByte(path, '.')+1:])
	}
}

// response checks how long blocks last.
func (k *checker) response(path string, r Response) {
	block, list := join(path, "block"), join(path, "escalation")
	if !k.unread(join(path, "action")) && r.Action != "block_address" && r.Action != "block_subject" {
		for _, at := range []string{block, list} {
			if k.written(at) {
				k.mistake(at, "%s says how long blocks last; action: %s makes none", at[len(path)+1:], r.Action)
			}
		}
		return
	}
	if k.written(block) && r.Block < shortestBlock {
		k.mistake(block, "a block lasts for at least %s", shortestBlock)
	}
	if k.written(list) && len(r.Escalation) == 0 {
		k.mistake(list, "escalation must not be empty")
	}
	for i, d := range r.Escalation {
		switch at := index(list, i); {
		case d < shortestBlock:
			k.mistake(at, "a block lasts for at least %s", shortestBlock)
		case i > 0 && d < r.Escalation[i-1]:
			k.mistake(at, "%s is shorter than the block before it, of %s", d, r.Escalation[i-1])
		}
	}
	if k.written(block) && k.written(list) && len(r.Escalation) > 0 && r.Block != r.Escalation[0] && !k.unreadIn(path, "block", "escalation") {
		k.mistake(block, "block is %s and the first of escalation %s; write one of them", r.Block, r.Escalation[0])
	}
}

// escalation checks what privilege_escalation refers to.
func (k *checker) escalation(d *PrivilegeEscalation) {
	const path = "guard.privilege_escalation"
	k.notNegative(join(path, "identity_headers"), d.IdentityHeaders)
	routes := map[string]bool{}
	for _, r := range k.c.Routes {
		routes[r.Name] = true
	}
	references(k, join(path, "routes"), "routes", "route", d.Routes, routes)
	k.unique(join(path, "codes"), d.Codes)
	for i, c := range d.Codes {
		if !isToken(c) {
			k.mistake(index(join(path, "codes"), i), "%q is not a code; write it like forbidden", c)
		}
	}
}

// loginUsername checks where a login names its user.
func (k *checker) loginUsername(r *Route, path string) {
	at := join(path, "login_username")
	switch name := r.LoginUsername; {
	case !k.written(at):
	case name == "":
		k.mistake(at, "login_username must not be empty")
	case !r.Login:
		k.mistake(at, "login_username needs login: true")
	case strings.HasPrefix(name, "/"):
		if why := wrongPointer(name); why != "" {
			k.mistake(at, "%q %s", name, why)
		}
	}
}
