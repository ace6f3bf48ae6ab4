package store

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gatehouse-dev/gatehouse/config"
)

func TestOpenMistakes(t *testing.T) {
	noPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(noPEM, []byte("not PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := []string{"127.0.0.1:1"}
	for want, c := range map[string]config.Redis{
		"needs an address":        {},
		"of no use without tls":   {Addresses: at, CA: noPEM},
		"no certificate in":       {Addresses: at, TLS: true, CA: noPEM},
		"store.redis.ca: open /n": {Addresses: at, TLS: true, CA: "/nowhere"},
	} {
		if _, err := Open(&c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", c, err, want)
		}
	}
	var memory *Redis
	if err := memory.Ready(t.Context()); err != nil {
		t.Errorf("memory is not ready: %v", err)
	}
}

// Several addresses are a cluster.
func TestOpenCluster(t *testing.T) {
	for _, addresses := range [][]string{{"127.0.0.1:1"}, {"127.0.0.1:1", "127.0.0.1:2"}} {
		r, err := Open(&config.Redis{Addresses: addresses})
		if err != nil {
			t.Fatal(err)
		}
		if _, cluster := r.client.(*goredis.ClusterClient); cluster != (len(addresses) > 1) {
			t.Errorf("%q: the client is a %T", addresses, r.client)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}
