package detect_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/guard/detect"
)

// refused is a refusal of ids of a route.
func refused(status int, code middleware.Code, subject string, params ...string) *detect.Signal {
	s := answered(status, code, a1, subject)()
	s.Params = params
	return s
}

// after says how many of the ids it took, one a second, to be found; 0 where it
// was none of them.
func after(d detect.Detector, ids [][]string) int {
	for i, id := range ids {
		time.Sleep(time.Second)
		if len(d.See(refused(404, middleware.RowDenied, "ann", id...))) > 0 {
			return i + 1
		}
	}
	return 0
}

// ids makes one-parameter paths.
func ids(n int, id func(i int) string) (all [][]string) {
	for i := range n {
		all = append(all, []string{id(i)})
	}
	return all
}

func uuid(i int) string {
	h := sha256.Sum256([]byte(strconv.Itoa(i)))
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

func shuffled(all [][]string) [][]string {
	r := rand.New(rand.NewPCG(1, 2))
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

func TestEnumeration(t *testing.T) {
	number := func(from, step int) func(int) string {
		return func(i int) string { return strconv.Itoa(from + i*step) }
	}
	r := rand.New(rand.NewPCG(3, 4))
	for _, tt := range []struct {
		name string
		ids  [][]string
		want int
	}{
		{"ascending", ids(200, number(1, 1)), 20},
		{"descending", ids(200, number(4711, -1)), 20},
		{"steps of ten", ids(200, number(1000, 10)), 20},
		{"steps of ten, down", ids(200, number(9000, -10)), 20},
		{"in no order", shuffled(ids(40, number(1, 1))), 20},
		{"with gaps", ids(200, func(i int) string { return strconv.Itoa(100 + i + i/3*2) }), 20},
		{"leading zeros", ids(200, func(i int) string { return fmt.Sprintf("%06d", 95+i) }), 20},
		{"within a name", ids(200, func(i int) string { return fmt.Sprintf("INV-%d.pdf", 95+i) }), 20},
		{"large numbers", ids(200, func(i int) string { return "98765432109876" + fmt.Sprintf("%09d", i) }), 20},
		{"first of two", func() (all [][]string) {
			for i := range 200 {
				all = append(all, []string{strconv.Itoa(i), "2026"})
			}
			return all
		}(), 20},
		{"second of two", func() (all [][]string) {
			for i := range 200 {
				all = append(all, []string{"berlin", strconv.Itoa(i)})
			}
			return all
		}(), 20},
		{"half of them in sequence", slices.Concat(ids(10, func(i int) string { return uuid(i) }), ids(10, number(7, 1))), 20},
		{"behind pairs", slices.Concat(ids(12, func(i int) string { return strconv.Itoa(1000*(i/2+1) + i%2*5) }), ids(10, number(7, 1))), 22},
		{"less than half of them in sequence", slices.Concat(ids(11, func(i int) string { return uuid(i) }), ids(9, number(7, 1))), 0},
		{"nineteen", ids(19, number(1, 1)), 0},
		{"UUIDs", ids(200, uuid), 100},
		{"99 UUIDs", ids(99, uuid), 0},
		{"numbers from a large range", ids(99, func(int) string { return strconv.Itoa(r.IntN(1_000_000_000)) }), 0},
		{"names", ids(99, func(i int) string { return fmt.Sprintf("%c%c", 'a'+i/26, 'a'+i%26) }), 0},
		{"one id, again and again", ids(500, func(int) string { return "7" }), 0},
		{"a few dead links among many", ids(12, number(300, 1)), 0},
		{"a number each of many families", ids(99, func(i int) string { return fmt.Sprintf("%c%c-1", 'a'+i/26, 'a'+i%26) }), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got := after(detect.NewEnumeration(detect.EnumerationSettings{}), tt.ids); got != tt.want {
					t.Errorf("found after %d, want %d", got, tt.want)
				}
			})
		})
	}
}

// Where it is counted, and what counts.
func TestEnumerationCounts(t *testing.T) {
	// nineteen refusals, then what is to be the twentieth
	ask := func(i int, change func(s *detect.Signal)) func() *detect.Signal {
		return func() *detect.Signal {
			s := refused(403, middleware.Forbidden, "ann", strconv.Itoa(i))
			if change != nil {
				change(s)
			}
			return s
		}
	}
	nineteen := func(change func(*detect.Signal)) (steps []step) {
		for i := range 19 {
			steps = append(steps, step{0, ask(i, change), ""})
		}
		return steps
	}
	stranger := func(s *detect.Signal) { s.Subject = detect.Subject{} }
	code := func(c middleware.Code) func(*detect.Signal) { return func(s *detect.Signal) { s.Code = c } }
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"in 599 s", then(nineteen(nil), step{599 * time.Second, ask(19, nil), "subject ann;"})},
		{"in 601 s", then(nineteen(nil), step{601 * time.Second, ask(19, nil), ""})},
		{"each subject has their own", then(nineteen(nil), step{0, ask(19, func(s *detect.Signal) { s.Subject.ID = "bob" }), ""}, step{0, ask(19, nil), "subject ann;"})},
		{"each route has its own", then(nineteen(nil), step{0, ask(19, func(s *detect.Signal) { s.Route = "other" }), ""}, step{0, ask(19, nil), "subject ann;"})},
		{"a stranger is their address", then(nineteen(stranger), step{0, ask(19, nil), ""}, step{0, ask(19, stranger), "address " + a1 + ";"})},
		{"404 and 403", then(nineteen(nil), step{0, ask(19, func(s *detect.Signal) { s.Status, s.Code = 404, "" }), "subject ann;"})},
		{"orders are no answers to ids", then(nineteen(code(middleware.LockedDown)), nineteen(code(middleware.AddressBlocked)), nineteen(code(middleware.CSRFFailed)), nineteen(nil))},
		{"what is served is no refusal", then(nineteen(nil), step{0, ask(19, func(s *detect.Signal) { s.Status = 200 }), ""}, step{0, ask(19, nil), "subject ann;"})},
		{"no route, no ids", then(nineteen(nil), step{0, ask(19, func(s *detect.Signal) { s.Route = "" }), ""}, step{0, ask(19, func(s *detect.Signal) { s.Params = nil }), ""})},
		{"an id asked for anew is as new as that", then(nineteen(nil), times(1, 5*time.Minute, ask(0, nil)), nineteen(nil)[1:], step{6 * time.Minute, ask(19, nil), "subject ann;"})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run(t, detect.NewEnumeration(detect.EnumerationSettings{}), tt.steps)
		})
	}
}

// The finding tells how many there were and how, and shows none of them.
func TestEnumerationEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := detect.NewEnumeration(detect.EnumerationSettings{Limit: detect.Limit{Threshold: 4}, Scattered: 6})
		var found []detect.Finding
		for _, id := range []string{"a", "b", "c", "d", "e", "f", "7", "8", "x", "y"} {
			found = append(found, d.See(refused(404, "", "ann", id))...)
			if len(found) == 1 && id == "f" {
				time.Sleep(10 * time.Minute)
			}
		}
		want := []detect.Finding{
			{
				Target: detect.TargetSubject, Address: ip(a1), Subject: detect.Subject{Issuer: "auth", ID: "ann"}, Count: 6, Threshold: 6, Window: 10 * time.Minute,
				Evidence: [][2]string{{"ids", "6"}, {"in_sequence", "0"}, {"route", "api"}, {"status", "404"}},
			},
			{
				Target: detect.TargetSubject, Address: ip(a1), Subject: detect.Subject{Issuer: "auth", ID: "ann"}, Count: 4, Threshold: 4, Window: 10 * time.Minute,
				Evidence: [][2]string{{"ids", "4"}, {"in_sequence", "2"}, {"route", "api"}, {"status", "404"}},
			},
		}
		if diff := cmp.Diff(want, found, prefixes()); diff != "" {
			t.Error(diff)
		}
	})
}
