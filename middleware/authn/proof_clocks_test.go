package authn

import (
	"context"
	"encoding/base64"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware/store/storetest"
)

// A proof that was made ahead of time is good for twice its age, by the clock of
// each replica. Clocks differ, so that it must be remembered for longer: or the
// replica whose clock is behind takes it again.
func TestProofsAreRememberedLongerThanTheyAreGood(t *testing.T) {
	server := storetest.Start(t)
	here, there := NewProofs(server.Patient(false)), NewProofs(nil)
	id := [32]byte{7}
	now := time.Now()
	for _, p := range []*Proofs{here, there} {
		if err := p.once(t.Context(), "key", id, now); err != nil {
			t.Fatal(err)
		}
	}
	left, err := server.Client().PTTL(context.Background(), "gatehouse:proof:"+base64.RawURLEncoding.EncodeToString(id[:])).Result()
	if err != nil || left < 2*proofAge+clocks-10*time.Second {
		t.Errorf("forgotten in %v, %v", left, err)
	}
	if err := there.here("key", id, now.Add(2*proofAge+clocks-time.Second)); err == nil {
		t.Error("forgotten too early")
	}
}
