package acme

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

const (
	http01       = acme.ChallengeTypeHTTP01
	tlsALPN01    = acme.ChallengeTypeTLSALPN01
	alpnProtocol = acmez.ACMETLS1Protocol
)

// readers bounds how many look into the storage for a challenge at once. That
// anybody can make the gateway do, and a slow file system must not collect them.
const readers = 16

// challenges are what an authority may ask about: for each name and type one
// that is open, here or, by the storage, at another gateway.
type challenges struct {
	storage certmagic.Storage
	prefix  string
	readers chan struct{}

	mu    sync.RWMutex
	names map[string]int // that are looked after; a reload may do so twice for a while
	open  map[string]answer
}

// answer is an open challenge as the storage has it.
type answer struct {
	Domain           string `json:"domain"`
	Type             string `json:"type"`
	Token            string `json:"token"`
	KeyAuthorization string `json:"key_authorization"`

	made *tls.Certificate // of one that was opened here, where it needs one
}

func newChallenges(storage certmagic.Storage, issuer string) *challenges {
	return &challenges{
		storage: storage, prefix: path.Join("acme", certmagic.StorageKeys.Safe(issuer), "challenges"),
		readers: make(chan struct{}, readers), names: map[string]int{}, open: map[string]answer{},
	}
}

// canonical gives a name as the configuration has it.
func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

func (c *challenges) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names[name]++
}

func (c *challenges) remove(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.names[name]--; c.names[name] == 0 {
		delete(c.names, name)
	}
}

func (c *challenges) key(kind, name string) string {
	return path.Join(c.prefix, kind+"-"+certmagic.StorageKeys.Safe(name)+".json")
}

// find gives the challenge that is open for a name. For names that are not
// looked after nothing is read.
func (c *challenges) find(kind, name string) (answer, bool) {
	c.mu.RLock()
	known := c.names[name] > 0
	a, ok := c.open[kind+" "+name]
	c.mu.RUnlock()
	if !known || ok {
		return a, known
	}
	select {
	case c.readers <- struct{}{}:
		defer func() { <-c.readers }()
	default:
		return answer{}, false
	}
	data, err := c.storage.Load(context.Background(), c.key(kind, name))
	if err != nil || json.Unmarshal(data, &a) != nil || a.Domain != name || a.Type != kind || a.Token == "" {
		return answer{}, false
	}
	return a, true
}

// certificate is what proves a tls-alpn-01 challenge.
func (a answer) certificate() (*tls.Certificate, error) {
	if a.made != nil {
		return a.made, nil
	}
	return acmez.TLSALPN01ChallengeCert(acme.Challenge{
		Type: a.Type, Token: a.Token, KeyAuthorization: a.KeyAuthorization,
		Identifier: acme.Identifier{Type: "dns", Value: a.Domain},
	})
}

// Present opens a challenge, for every gateway that shares the storage.
func (c *challenges) Present(ctx context.Context, chal acme.Challenge) error {
	name := canonical(chal.Identifier.Value)
	a := answer{Domain: name, Type: chal.Type, Token: chal.Token, KeyAuthorization: chal.KeyAuthorization}
	if a.Type == tlsALPN01 {
		var err error
		if a.made, err = a.certificate(); err != nil {
			return err
		}
	}
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := c.storage.Store(ctx, c.key(a.Type, name), data); err != nil {
		return fmt.Errorf("the challenge cannot be stored: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[a.Type+" "+name] = a
	return nil
}

// CleanUp closes a challenge.
func (c *challenges) CleanUp(ctx context.Context, chal acme.Challenge) error {
	name := canonical(chal.Identifier.Value)
	c.mu.Lock()
	delete(c.open, chal.Type+" "+name)
	c.mu.Unlock()
	return c.storage.Delete(context.WithoutCancel(ctx), c.key(chal.Type, name))
}
