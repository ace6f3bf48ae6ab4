package config

import (
	"net/netip"
	"time"
)

// Guard holds the detectors. One that is absent is off. What a detector has found
// goes on record as guard_alert and is told to where `alerts` says; with mode
// enforce its action is taken as well. Blocks are listed and lifted by `gatehouse
// blocks`.
type Guard struct {
	// AuthFailures notices repeated failed logins.
	AuthFailures *AuthFailures `yaml:"auth_failures"`
	// TokenFailures notices tokens that somebody has made up.
	TokenFailures *TokenFailures `yaml:"token_failures"`
	// CredentialStuffing notices failed logins on many usernames.
	CredentialStuffing *CredentialStuffing `yaml:"credential_stuffing"`
	// APIAbuse notices many refused requests.
	APIAbuse *APIAbuse `yaml:"api_abuse"`
	// Enumeration notices that somebody tries one id after the other.
	Enumeration *Enumeration `yaml:"enumeration"`
	// DataVolume notices that somebody reads more than their work needs.
	DataVolume *DataVolume `yaml:"data_volume"`
	// PrivilegeEscalation notices that somebody tries for more than they may.
	PrivilegeEscalation *PrivilegeEscalation `yaml:"privilege_escalation"`
	// Trusted are networks whose addresses are never blocked, by detectors or
	// operators: what is found about them is told all the same. A subject is
	// blocked wherever it comes from. Default: none.
	Trusted []netip.Prefix `yaml:"trusted"`
	// Secret keys the digests that stand for usernames, at least 32 characters,
	// the same on every replica. Default: none, and there is a random key, which
	// replicas agree on through store.redis and store.folder keeps; without either
	// blocks on usernames do not outlive the process.
	Secret Secret `yaml:"secret"`
	// Logins says which logins on routes with `login: true` are told as events of
	// their own: off, failed or all. Default: off.
	Logins string `yaml:"logins" oneof:"off failed all"`
}

// AuthFailures counts the upstream's 401 answers on routes with `login: true`
// and blocks who causes too many of them: logins on one username from one address,
// or an address. A login that succeeds takes back the failures of its username.
type AuthFailures struct {
	// Threshold is the number of failures within the window that blocks.
	// Default: 5.
	Threshold int `yaml:"threshold" is:"positive"`
	// Window in which failures are counted. Default: 15m.
	Window Duration `yaml:"window" is:"positive"`
	// Distinct is how many usernames the failures of an address must name before
	// the address is blocked. Default: 3.
	Distinct int `yaml:"distinct" is:"positive"`
	// PerAddress blocks an address whatever the usernames. False counts by
	// address and username together, so that one person's mistakes do not
	// block an office. Default: false.
	PerAddress bool `yaml:"per_address"`
	// Mode is enforce, to take the action, or observe, to tell only. Default: enforce.
	Mode string `yaml:"mode" oneof:"observe enforce"`
	// Severity of its events. Default: medium.
	Severity string `yaml:"severity" oneof:"informational low medium high critical"`
	// Action: alert only tells. block_address refuses logins on the username from
	// the address; where the finding is about the address, everything from there.
	// Default: block_address.
	Action string `yaml:"action" oneof:"alert block_address"`
	// Block is how long the first block lasts. Default: as the first of
	// `escalation`.
	Block Duration `yaml:"block" is:"positive"`
	// Escalation is how long the first, second and further blocks in a row last;
	// the last of them is for all that follow. A block is in a row with one that
	// ended a day before at most. Default: 1h, 4h, 24h.
	Escalation []Duration `yaml:"escalation"`
}

// TokenFailures counts tokens by address that are made up: a bad signature, a key
// that the issuer does not have, a header that no issuer writes. Expired tokens,
// and those for somebody else, never count.
type TokenFailures struct {
	// Threshold is how many within the window. Default: 10.
	Threshold int `yaml:"threshold" is:"positive"`
	// Window in which they are counted. Default: 5m.
	Window Duration `yaml:"window" is:"positive"`
	// Mode is enforce, to take the action, or observe, to tell only. Default: observe.
	Mode string `yaml:"mode" oneof:"observe enforce"`
	// Severity of its events. Default: medium.
	Severity string `yaml:"severity" oneof:"informational low medium high critical"`
	// Action: alert only tells, block_address keeps the address out.
	// Default: block_address.
	Action string `yaml:"action" oneof:"alert block_address"`
	// Block is how long the first block lasts. Default: as the first of
	// `escalation`.
	Block Duration `yaml:"block" is:"positive"`
	// Escalation is how long the first, second and further blocks in a row last;
	// the last of them is for all that follow. A block is in a row with one that
	// ended a day before at most. Default: 1h, 4h, 24h.
	Escalation []Duration `yaml:"escalation"`
}

// CredentialStuffing counts the usernames on which logins from one address have
// failed: somebody tries a list.
type CredentialStuffing struct {
	// Distinct is how many usernames within the window. Default: 10.
	Distinct int `yaml:"distinct" is:"positive"`
	// Window in which they are counted. Default: 15m.
	Window Duration `yaml:"window" is:"positive"`
	// Mode is enforce, to take the action, or observe, to tell only. Default: observe.
	Mode string `yaml:"mode" oneof:"observe enforce"`
	// Severity of its events. Default: high.
	Severity string `yaml:"severity" oneof:"informational low medium high critical"`
	// Action: alert only tells, block_address keeps the address out.
	// Default: block_address.
	Action string `yaml:"action" oneof:"alert block_address"`
	// Block is how long the first block lasts. Default: as the first of
	// `escalation`.
	Block Duration `yaml:"block" is:"positive"`
	// Escalation is how long the first, second and further blocks in a row last;
	// the last of them is for all that follow. A block is in a row with one that
	// ended a day before at most. Default: 1h, 4h, 24h.
	Escalation []Duration `yaml:"escalation"`
}

// APIAbuse counts answers 400 to 499 by subject, or by address where there is none,
// but for those that end when the user signs in: a browser tab that polls with an
// expired token never counts.
type APIAbuse struct {
	// Threshold is how many within the window. Default: 50.
	Threshold int `yaml:"threshold" is:"positive"`
	// Window in which they are counted. Default: 5m.
	Window Duration `yaml:"window" is:"positive"`
	// Mode is enforce, to take the action, or observe, to tell only. Default: observe.
	Mode string `yaml:"mode" oneof:"observe enforce"`
	// Severity of its events. Default: low.
	Severity string `yaml:"severity" oneof:"informational low medium high critical"`
	// Action: alert only tells; block_address keeps the address out; block_subject
	// keeps the subject out, wherever from; step_up has it sign in anew. What is
	// found about somebody without a token is only told by the last two.
	// Default: block_subject.
	Action string `yaml:"action" oneof:"alert block_address block_subject step_up"`
	// Block is how long the first block lasts. Default: as the first of
	// `escalation`.
	Block Duration `yaml:"block" is:"positive"`
	// Escalation is how long the first, second and further blocks in a row last;
	// the last of them is for all that follow. A block is in a row with one that
	// ended a day before at most. Default: 1h, 4h, 24h.
	Escalation []Duration `yaml:"escalation"`
}

// Enumeration counts the ids of a route's path that are answered with 403 or 404,
// by subject, or by address where there is none. Half of them must follow one
// another; of others, such as UUIDs, it takes five times as many. A route's ids are
// what its path calls {name}, or else the last segment.
type Enumeration struct {
	// Threshold is how many ids within the window. Default: 20.
	Threshold int `yaml:"threshold" is:"positive"`
	// Window in which they are counted. Default: 10m.
	Window Duration `yaml:"window" is:"positive"`
	// Mode is enforce, to take the action, or observe, to tell only. Default: observe.
	Mode string `yaml:"mode" oneof:"observe enforce"`
	// Severity of its events. Default: medium.
	Severity string `yaml:"severity" oneof:"informational low medium high critical"`
	// Action: alert only tells; block_address keeps the address out; block_subject
	// keeps the subject out, wherever from; step_up has it sign in anew. What is
	// found about somebody without a token is only told by the last two.
	// Default: block_subject.
	Action string `yaml:"action" oneof:"alert block_address block_subject step_up"`
	// Block is how long the first block lasts. Default: as the first of
	// `escalation`.
	Block Duration `yaml:"block" is:"positive"`
	// Escalation is how long the first, second and further blocks in a row last;
	// the last of them is for all that follow. A block is in a row with one that
	// ended a day before at most. Default: 1h, 4h, 24h.
	Escalation []Duration `yaml:"escalation"`
}

// DataVolume counts what a subject is shown: records, and the values in them that
// the policy masks for others. Answers of routes without a policy do not count.
type DataVolume struct {
	// Records within the window; 0 is any number. Default: 10000.
	Records int `yaml:"records"`
	// Sensitive values within the window that a policy masks for somebody and this
	// subject was shown; 0 is any number. Default: 5000.
	Sensitive int `yaml:"sensitive"`
	// Window in which they are counted. Default: 1h.
	Window Duration `yaml:"window" is:"positive"`
	// Mode is enforce, to take the action, or observe, to tell only. Default: observe.
	Mode string `yaml:"mode" oneof:"observe enforce"`
	// Severity of its events. Default: high.
	Severity string `yaml:"severity" oneof:"informational low medium high critical"`
	// Action: alert only tells; block_subject keeps the subject out, wherever from;
	// step_up has it sign in anew.
	// Default: step_up.
	Action string `yaml:"action" oneof:"alert block_subject step_up"`
	// Block is how long the first block lasts. Default: as the first of
	// `escalation`.
	Block Duration `yaml:"block" is:"positive"`
	// Escalation is how long the first, second and further blocks in a row last;
	// the last of them is for all that follow. A block is in a row with one that
	// ended a day before at most. Default: 1h, 4h, 24h.
	Escalation []Duration `yaml:"escalation"`
}

// PrivilegeEscalation notices attempts to be more than one is: denials on routes
// of administrators, identity headers that a client sends, updates of oneself with
// another role or tenant, games with the algorithm of a token.
type PrivilegeEscalation struct {
	// Threshold is how many within the window. Default: 1.
	Threshold int `yaml:"threshold" is:"positive"`
	// Window in which they are counted. Default: 15m.
	Window Duration `yaml:"window" is:"positive"`
	// Routes of administrators, by name: a denial there counts. Where the token
	// comes in a cookie, a link on another site makes a browser earn one: leave
	// such routes to be observed, or set a threshold. Default: none.
	Routes []string `yaml:"routes"`
	// Codes of the denials that count on them, which policies give. Default:
	// forbidden.
	Codes []string `yaml:"codes"`
	// IdentityHeaders is how many requests with an identity header within the
	// window are too many; 0 is any number. A proxy in front may add them in good
	// faith. Default: 1.
	IdentityHeaders int `yaml:"identity_headers"`
	// ProtectedMembers counts bodies with members that the policy lets nobody like
	// the caller write. Programs that send back all that they got do so too.
	// Default: false.
	ProtectedMembers bool `yaml:"protected_members"`
	// Mode is enforce, to take the action, or observe, to tell only. Default: observe.
	Mode string `yaml:"mode" oneof:"observe enforce"`
	// Severity of its events. Default: critical.
	Severity string `yaml:"severity" oneof:"informational low medium high critical"`
	// Action: alert only tells; block_address keeps the address out; block_subject
	// keeps the subject out, wherever from; step_up has it sign in anew. What is
	// found about somebody without a token is only told by the last two.
	// Default: block_subject.
	Action string `yaml:"action" oneof:"alert block_address block_subject step_up"`
	// Block is how long the first block lasts. Default: as the first of
	// `escalation`.
	Block Duration `yaml:"block" is:"positive"`
	// Escalation is how long the first, second and further blocks in a row last;
	// the last of them is for all that follow. A block is in a row with one that
	// ended a day before at most. Default: 1h, 4h, 24h.
	Escalation []Duration `yaml:"escalation"`
}

// Response is what follows a finding of a detector.
type Response struct {
	Mode, Severity, Action string
	Block                  Duration
	Escalation             []Duration
}

// Response of the detector.
func (d *AuthFailures) Response() Response {
	return Response{d.Mode, d.Severity, d.Action, d.Block, d.Escalation}
}

// Response of the detector.
func (d *TokenFailures) Response() Response {
	return Response{d.Mode, d.Severity, d.Action, d.Block, d.Escalation}
}

// Response of the detector.
func (d *CredentialStuffing) Response() Response {
	return Response{d.Mode, d.Severity, d.Action, d.Block, d.Escalation}
}

// Response of the detector.
func (d *APIAbuse) Response() Response {
	return Response{d.Mode, d.Severity, d.Action, d.Block, d.Escalation}
}

// Response of the detector.
func (d *Enumeration) Response() Response {
	return Response{d.Mode, d.Severity, d.Action, d.Block, d.Escalation}
}

// Response of the detector.
func (d *DataVolume) Response() Response {
	return Response{d.Mode, d.Severity, d.Action, d.Block, d.Escalation}
}

// Response of the detector.
func (d *PrivilegeEscalation) Response() Response {
	return Response{d.Mode, d.Severity, d.Action, d.Block, d.Escalation}
}

// Responses gives those of the detectors that are on, by name.
func (g *Guard) Responses() map[string]Response {
	out := map[string]Response{}
	if d := g.AuthFailures; d != nil {
		out["auth_failures"] = d.Response()
	}
	if d := g.TokenFailures; d != nil {
		out["token_failures"] = d.Response()
	}
	if d := g.CredentialStuffing; d != nil {
		out["credential_stuffing"] = d.Response()
	}
	if d := g.APIAbuse; d != nil {
		out["api_abuse"] = d.Response()
	}
	if d := g.Enumeration; d != nil {
		out["enumeration"] = d.Response()
	}
	if d := g.DataVolume; d != nil {
		out["data_volume"] = d.Response()
	}
	if d := g.PrivilegeEscalation; d != nil {
		out["privilege_escalation"] = d.Response()
	}
	return out
}

// Length is how long the nth block in a row lasts, from 1: never less than the
// one before.
func (r *Response) Length(n int) time.Duration {
	var d time.Duration
	for i, step := range r.Escalation[:min(max(n, 1), len(r.Escalation))] {
		if i == 0 && r.Block > 0 {
			step = r.Block
		}
		d = max(d, step.D())
	}
	return d
}
