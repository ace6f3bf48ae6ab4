package detect_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware/guard/detect"
)

// every is all detectors with their defaults.
func every() []detect.Detector {
	return []detect.Detector{
		detect.NewAuthFailures(detect.AuthFailuresSettings{}), detect.NewTokenFailures(detect.Limit{}),
		detect.NewCredentialStuffing(detect.Limit{}), detect.NewAPIAbuse(detect.Limit{}),
		detect.NewEnumeration(detect.EnumerationSettings{}), detect.NewDataVolume(detect.DataVolumeSettings{}),
		detect.NewPrivilegeEscalation(detect.PrivilegeEscalationSettings{Routes: []string{"admin"}}),
	}
}

// office is a day behind one address. Nothing is blocked, so whoever fails goes on
// failing.
type office struct {
	t         *testing.T
	r         *rand.Rand
	detectors []detect.Detector
	known     map[detect.Digest]string
	found     map[string]int
}

func (o *office) see(s *detect.Signal) {
	for _, d := range o.detectors {
		for target := range strings.SplitSeq(show(d.See(s), o.known), ";") {
			if target != "" {
				o.found[target]++
			}
		}
	}
}

// second of a user: now and then they sign in, one time in 20 only after one or two
// mistakes. The tries of a mistaken user are 10 s apart.
func (o *office) second(mistakes *int, user string) {
	switch {
	case *mistakes < 0 && o.r.IntN(2*3600) == 0: // every two hours
		*mistakes = max(0, o.r.IntN(40)-37)
	case *mistakes > 0 && o.r.IntN(10) == 0:
		*mistakes--
		o.see(login(401, a1, user))
	case *mistakes == 0 && o.r.IntN(10) == 0:
		*mistakes--
		o.see(login(200, a1, user))
		read := serves(user, 50, 20)()
		o.see(read)
	}
}

// day runs eight hours of 200 users. meanwhile is what else happens each second.
func day(t *testing.T, seed uint64, meanwhile func(o *office, second int)) map[string]int {
	var found map[string]int
	synctest.Test(t, func(t *testing.T) {
		o := &office{t, rand.New(rand.NewPCG(seed, 7)), every(), map[detect.Digest]string{name("stubborn"): "stubborn"}, map[string]int{}}
		users, mistakes := make([]string, 200), make([]int, 200)
		for i := range users {
			users[i], mistakes[i] = "user"+strconv.Itoa(i), -1
			o.known[name(users[i])] = users[i]
		}
		for second := range 8 * 3600 {
			time.Sleep(time.Second)
			for i, u := range users {
				o.second(&mistakes[i], u)
			}
			meanwhile(o, second)
		}
		found = o.found
	})
	return found
}

// Two hundred people behind one address, one of whom fails to log in for hours,
// while others mistype now and then and get in after all: nobody but the one is
// found, and not the address.
func TestOffice(t *testing.T) {
	for seed := range uint64(5) {
		found := day(t, seed, func(o *office, second int) {
			if second%20 == 0 {
				o.see(login(401, a1, "stubborn"))
			}
		})
		const want = "user stubborn at " + a1
		if found[want] < 20 || len(found) != 1 {
			t.Errorf("seed %d: found %v, want the one", seed, found)
		}
	}
}

// Somebody there who tries the passwords of others is found, and that is the
// address: who it is nobody knows.
func TestOfficeWithAttacker(t *testing.T) {
	found := day(t, 1, func(o *office, second int) {
		if second >= 3600 && second%30 == 0 {
			o.see(login(401, a1, "victim"+strconv.Itoa(second)))
		}
	})
	if found["address "+a1] == 0 || len(found) != 1 {
		t.Errorf("found %v, want the address", found)
	}
}
