package authn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// Issuer is a party whose tokens are accepted, with its keys. It may be used
// by any number of routes and goroutines, and outlives the plans that use it.
type Issuer struct {
	name   string
	config *config.Issuer
	keys   source
	cache  cache // of verified tokens
	former *former
	// introspects asks the issuer about opaque tokens; nil where they are refused.
	introspects *introspector
}

// source is where an issuer's keys come from.
type source interface {
	// find gives the key for a token. It may wait for the issuer, as long as
	// ctx lasts.
	find(ctx context.Context, kid, alg string) (*key, error)
	// keys gives the keys that may be used now, or nil. What was verified with
	// one of them is believed for as long as it gives the same set.
	keys() *keySet
	// confirmed is when the issuer last said that these are its keys; zero where
	// it is not asked, or has not answered yet.
	confirmed() time.Time
	ready() error
	// detail says what is amiss with keys that can be used, "" for nothing.
	detail() string
	close()
}

// Open makes the issuer called name in the configuration. Keys of a file or a
// secret are there when it returns; keys from the network are fetched in the
// background, and an issuer that cannot be reached is no error: its tokens are
// answered with 503 until its keys arrive. Those that came last are kept in the
// folder, "" for none, and used until then, for as long as keys may be used
// without the issuer's word. ctx gives values only; the issuer lives until
// [Issuer.Close].
//
// The error names the setting that is wrong.
func Open(ctx context.Context, name string, c *config.Issuer, folder string) (*Issuer, error) {
	return open(ctx, name, c, folder, (&net.Dialer{}).DialContext, fetchTimeout)
}

// dialer opens connections; tests put a network of their own in its place.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

func open(ctx context.Context, name string, c *config.Issuer, folder string, dial dialer, within time.Duration) (*Issuer, error) {
	if err := check(c); err != nil {
		return nil, err
	}
	i := &Issuer{name: name, config: c, former: &former{}}
	if c.Introspection != nil {
		var err error
		if i.introspects, err = newIntrospector(ctx, c, dial, i.judge); err != nil {
			return nil, err
		}
	}
	switch {
	case sources(c) == 0:
		i.keys = none{}
	case c.Secret != "":
		i.keys = secret{&keySet{keys: []key{{algs: c.Algorithms, raw: []byte(c.Secret)}}}}
	case c.JWKSFile != "":
		set, err := readKeySet(c.JWKSFile, c.Algorithms)
		if err != nil {
			return nil, fmt.Errorf("jwks_file: %w", err)
		}
		i.keys = fixed{set}
	default:
		f, err := newFetcher(c, dial)
		if err != nil {
			return nil, err
		}
		i.keys = startRemote(ctx, f.fetch, within, openDisk(folder, name, f), i.former.add)
	}
	return i, nil
}

// check refuses settings under which a token could pass that should not, even
// if whoever made them should have refused them already.
func check(c *config.Issuer) error {
	keyless := sources(c) == 0 && c.Introspection != nil
	switch {
	case c.Issuer == "":
		return errors.New("issuer: required")
	case len(c.Audiences) == 0 || slices.Contains(c.Audiences, ""):
		return errors.New("audiences: at least one is required, none may be empty")
	case len(c.Algorithms) == 0 && !keyless:
		return errors.New("algorithms: at least one is required")
	case len(c.Algorithms) > 0 && keyless:
		return errors.New("algorithms: the issuer has no keys")
	case c.Introspection != nil && (c.Introspection.ClientID == "" || c.Introspection.ClientSecret == ""):
		return errors.New("introspection: client_id and client_secret are required")
	case c.Introspection != nil && c.Introspection.Timeout.D() <= 0:
		return errors.New("introspection.timeout: must be more than 0")
	case sources(c) != 1 && !keyless:
		return errors.New("exactly one of jwks_url, jwks_file, discovery and secret is required")
	case c.Secret != "" && len(c.Secret) < 32:
		return errors.New("secret: at least 32 bytes are required")
	case c.Leeway.D() < 0 || c.Leeway.D() > time.Minute:
		return errors.New("leeway: at most 60s")
	case c.Claims.Subject == "":
		return errors.New("claims.subject: required")
	}
	if err := checkSettings(c); err != nil {
		return err
	}
	for _, a := range c.Algorithms {
		kind, known := algorithms()[a]
		switch {
		case !known:
			return fmt.Errorf("algorithms: %q is not known", a)
		case (kind == "secret") != (c.Secret != ""):
			return fmt.Errorf("algorithms: %s and %s do not go together", a, sourceName(c))
		}
	}
	return nil
}

// sources counts where the issuer's keys are said to be.
func sources(c *config.Issuer) (n int) {
	for _, there := range []bool{c.Secret != "", c.JWKSFile != "", c.JWKSURL != "", c.Discovery} {
		if there {
			n++
		}
	}
	return n
}

func sourceName(c *config.Issuer) string {
	switch {
	case c.Secret != "":
		return "secret"
	case c.JWKSFile != "":
		return "jwks_file"
	case c.JWKSURL != "":
		return "jwks_url"
	}
	return "discovery"
}

// readKeySet reads a file of keys: a JWK set or PEM.
func readKeySet(file string, algs []string) (*keySet, error) {
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	parse := parsePEM
	if text := bytes.TrimLeft(data, " \t\r\n"); bytes.HasPrefix(text, []byte("{")) {
		parse = parseKeySet
	}
	set, err := parse(data, algs)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return set, nil
}

// Close ends the refreshing of keys, and the questions about tokens, and waits for
// both. Requests that wait for a key or an answer go on without.
func (i *Issuer) Close() error {
	i.keys.close()
	if i.introspects != nil {
		i.introspects.close()
	}
	return nil
}

// Ready gives nil if tokens can be checked, or else why not.
func (i *Issuer) Ready() error {
	if err := i.keys.ready(); err != nil {
		return fmt.Errorf("issuer %s: %w", i.name, err)
	}
	return nil
}

// Detail says what is amiss though tokens can be checked, "" for nothing: keys
// that are not used, keys that cannot be refreshed or kept, questions about
// tokens that are not answered.
func (i *Issuer) Detail() string {
	told := i.keys.detail()
	if i.introspects == nil {
		return told
	}
	if asked := i.introspects.detail(); told != "" && asked != "" {
		return told + "; " + asked
	} else if asked != "" {
		return asked
	}
	return told
}

// Keys tells how many keys can be used now, and when the issuer last confirmed
// them: zero where they do not come over the network, or never came. An issuer
// that reads its tokens itself has no keys to count.
func (i *Issuer) Keys() (n int, confirmed time.Time, counted bool) {
	if _, keyless := i.keys.(none); keyless {
		return 0, time.Time{}, false
	}
	if set := i.keys.keys(); set != nil {
		n = len(set.keys)
	}
	return n, i.keys.confirmed(), true
}

// verify believes a token or says why not. Whose hands it must be in is for the
// caller to check.
func (i *Issuer) verify(ctx context.Context, t *token, now time.Time) (v verified, err error) {
	if err := checkTyp(i.config.Profile, t.typ); err != nil {
		return v, err
	}
	claims, err := i.signed(ctx, t)
	if err != nil {
		return v, err
	}
	if err := checkProfile(i.config.Profile, claims); err != nil {
		return v, err
	}
	return i.judge(claims, now)
}

// judge says what claims mean that are the issuer's own. Whose hands they must be
// in is for the caller to check.
func (i *Issuer) judge(claims map[string]any, now time.Time) (v verified, err error) {
	if v.times, err = checkClaims(i.config, claims, now); err != nil {
		return v, err
	}
	if v.bound, err = bindingOf(claims, i.config.SenderConstrained); err != nil {
		return v, err
	}
	v.subject, err = Subject(i.name, i.config, claims)
	return v, err
}

func (i *Issuer) describe() string {
	ways := slices.Clone(i.config.Algorithms)
	if i.introspects != nil {
		ways = append(ways, "introspection")
	}
	if i.config.Profile == "at+jwt" {
		ways = append(ways, "at+jwt only")
	}
	if i.config.SenderConstrained {
		ways = append(ways, "sender-constrained only")
	}
	return fmt.Sprintf("%s (%s) for %s", i.name, strings.Join(ways, ", "), strings.Join(i.config.Audiences, ", "))
}

var (
	errUnknownKey = errors.New("the token was signed with a key that is not known")
	// errUnsure is an unknown key of which the issuer has not said that it is none
	// of its own.
	errUnsure = fmt.Errorf("%w, and the issuer was asked for its keys before", errUnknownKey)
)

// secret is the one key of an issuer that shares it. A token's kid is a hint
// which of several keys to take (RFC 7515, section 4.1.4): with one there is
// nothing to choose, whatever the token calls it.
type secret struct{ set *keySet }

func (s secret) find(_ context.Context, _, alg string) (*key, error) {
	if k := s.set.find("", alg); k != nil {
		return k, nil
	}
	return nil, errUnknownKey
}

func (s secret) keys() *keySet      { return s.set }
func (secret) confirmed() time.Time { return time.Time{} }
func (secret) ready() error         { return nil }
func (secret) detail() string       { return "" }
func (secret) close()               {}

// fixed are keys that were there from the start and stay.
type fixed struct{ set *keySet }

func (f fixed) find(_ context.Context, kid, alg string) (*key, error) {
	if k := f.set.find(kid, alg); k != nil {
		return k, nil
	}
	return nil, errUnknownKey
}

func (f fixed) keys() *keySet      { return f.set }
func (fixed) confirmed() time.Time { return time.Time{} }
func (fixed) ready() error         { return nil }
func (f fixed) detail() string     { return f.set.told() }
func (fixed) close()               {}

// none are the keys of an issuer whose tokens it reads itself.
type none struct{}

func (none) find(context.Context, string, string) (*key, error) { return nil, errUnknownKey }
func (none) keys() *keySet                                      { return nil }
func (none) confirmed() time.Time                               { return time.Time{} }
func (none) ready() error                                       { return nil }
func (none) detail() string                                     { return "" }
func (none) close()                                             {}
