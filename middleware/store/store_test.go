package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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

// What every request waits for is given up after 50 ms, and what others wait for
// later. The deadline is what is looked at, so that a busy machine may take longer.
func TestBounds(t *testing.T) {
	r, err := Open(&config.Redis{Addresses: []string{"127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	left := func(most time.Duration) func(context.Context, Client) error {
		begun := time.Now()
		return func(ctx context.Context, _ Client) error {
			if deadline, ok := ctx.Deadline(); !ok || deadline.After(time.Now().Add(most)) || deadline.Before(begun.Add(most)) {
				t.Errorf("the deadline is in %s, want %s", time.Until(deadline), most)
			}
			return nil
		}
	}
	if err := errors.Join(r.Do(t.Context(), left(Timeout)), r.Briefly(t.Context(), true, left(Brief))); err != nil {
		t.Error(err)
	}
}

// Who may not probe never asks a Redis that failed, however long ago that was,
// until somebody has asked it aside and as they would: in their time, and with success.
func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, asked := With(nil, time.Second), 0
		dead := errors.New("dead")
		ask := func(err error) error {
			return r.Briefly(t.Context(), false, func(context.Context, Client) error { asked++; return err })
		}
		if err := ask(dead); !errors.Is(err, dead) {
			t.Errorf("the first: %v", err)
		}
		for range 100 {
			time.Sleep(time.Second)
			if err := ask(nil); !errors.Is(err, errPaused) {
				t.Fatalf("asked: %v", err)
			}
		}
		if err := r.Probe(t.Context(), func(ctx context.Context, _ Client) error {
			<-ctx.Done()
			return ctx.Err()
		}); !errors.Is(err, context.DeadlineExceeded) || ask(nil) == nil {
			t.Errorf("what takes too long is no answer: %v", err)
		}
		if err := r.Probe(t.Context(), func(context.Context, Client) error { return nil }); err != nil {
			t.Error(err)
		}
		if err := r.Probe(t.Context(), func(context.Context, Client) error { return dead }); err != nil {
			t.Errorf("what is well is probed: %v", err)
		}
		if err := ask(nil); err != nil || asked != 2 {
			t.Errorf("after it is back: %v, asked %d times", err, asked)
		}
	})
}
