package detect

import (
	"encoding/binary"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// memory is what tests look at in any table.
type memory interface {
	usage() int64
	limit(keys int)
}

func (t *table[V]) usage() int64 { return t.used.Load() }

func (t *table[V]) limit(keys int) { t.keys = keys / shards }

// tested is a detector, and what its i-th event of an offender is like.
type tested struct {
	d      Detector
	offend func(s *Signal, i int)
	tables []memory
}

func (tt tested) usage() (sum int64) {
	for _, m := range tt.tables {
		sum += m.usage()
	}
	return sum
}

func all() map[string]tested {
	auth, tokens, abuse, stuffing := NewAuthFailures(AuthFailuresSettings{}), NewTokenFailures(Limit{}), NewAPIAbuse(Limit{}), NewCredentialStuffing(Limit{})
	enumeration, volume, privilege := NewEnumeration(EnumerationSettings{}), NewDataVolume(DataVolumeSettings{}), NewPrivilegeEscalation(PrivilegeEscalationSettings{Limit: Limit{Threshold: 3}})
	return map[string]tested{
		"auth_failures": {auth, func(s *Signal, _ int) {
			s.Status, s.Login, s.Users = 401, true, []Digest{{1}}
		}, []memory{auth.users.table, auth.addresses}},
		"token_failures": {tokens, func(s *Signal, _ int) {
			s.Suspicions = []middleware.Suspicion{middleware.BadSignature}
		}, []memory{tokens.counter.table}},
		"credential_stuffing": {stuffing, func(s *Signal, i int) {
			s.Status, s.Login, s.Users = 401, true, []Digest{{byte(i), 1}}
		}, []memory{stuffing.addresses}},
		"api_abuse": {abuse, func(s *Signal, _ int) { s.Status = 404 }, []memory{abuse.counter.table}},
		"enumeration": {enumeration, func(s *Signal, i int) {
			s.Status, s.Params = 404, []string{strconv.Itoa(i)}
		}, []memory{enumeration.table}},
		"data_volume": {volume, func(s *Signal, _ int) {
			s.Records, s.Subject = 1000, Subject{"auth", s.Address.String()}
		}, []memory{volume.table}},
		"privilege_escalation": {privilege, func(s *Signal, _ int) {
			s.Suspicions = []middleware.Suspicion{middleware.SelfPromotion}
		}, []memory{privilege.reaches.table, privilege.identity.table}},
	}
}

// address is the i-th that somebody makes up.
func address(i int) netip.Prefix {
	b := [16]byte{0x20, 0x01, 0x0d, 0xb8}
	binary.BigEndian.PutUint32(b[4:], uint32(i))
	return netip.PrefixFrom(netip.AddrFrom16(b), 64)
}

// A flood of made-up targets takes no more memory than is stated, and does not set
// free who is close to a threshold. With GATEHOUSE_SOAK there are a million of them,
// and else three times what there is room for.
func TestFlood(t *testing.T) {
	for name, tt := range all() {
		t.Run(name, func(t *testing.T) {
			n := 1_000_000
			if os.Getenv("GATEHOUSE_SOAK") == "" {
				n = 20_000
				for _, m := range tt.tables {
					m.limit(6_400)
				}
			}
			before := heap()
			floodOf(t, tt, n)
			used, most := tt.usage(), int64(len(tt.tables)*maxBytes)
			if used > most {
				t.Errorf("%d bytes are accounted for, at most %d are to be", used, most)
			}
			grown := heap() - before
			if grown > most+most/4 {
				t.Errorf("the heap has grown by %d bytes", grown)
			}
			t.Logf("%d KiB accounted for, %d KiB more on the heap", used>>10, grown>>10)
			runtime.KeepAlive(tt.d)
		})
	}
}

// floodOf has some offenders go close to the threshold, then n others come, then
// one more event of each offender.
func floodOf(t *testing.T, tt tested, n int) {
	const offenders = 50
	start := time.Now()
	signal := func(i, event int) *Signal {
		s := &Signal{Time: start.Add(time.Duration(event) * time.Second), Address: address(i), Route: "r"}
		tt.offend(s, event)
		return s
	}
	need := 1
	for len(tt.d.See(signal(0, need))) == 0 {
		need++
	}
	for i := range offenders {
		for event := range need - 1 {
			tt.d.See(signal(1+i, event))
		}
	}
	s := signal(0, 0)
	for i := range n {
		s.Address = address(1_000_000 + i)
		if s.Subject != (Subject{}) {
			s.Subject.ID = s.Address.String()
		}
		tt.d.See(s)
	}
	for i := range offenders {
		if len(tt.d.See(signal(1+i, need))) == 0 {
			t.Errorf("offender %d is forgotten", i)
		}
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Long lists make room as well: what a target may hold counts, not only how many
// there are.
func TestLongLists(t *testing.T) {
	d := NewAPIAbuse(Limit{Threshold: MaxThreshold, Window: time.Hour})
	d.counter.table.bytes = 1 << 20
	start := time.Now()
	for i := range 40 {
		s := &Signal{Time: start, Address: address(i), Status: 404}
		for range 9_000 {
			d.See(s)
		}
	}
	if used := d.counter.table.usage(); used > 1<<20 || used < 1<<19 {
		t.Errorf("%d bytes", used)
	}
}

// What the table says that it uses is the sum of what is there.
func TestAccounts(t *testing.T) {
	d := NewAuthFailures(AuthFailuresSettings{})
	table := d.users.table
	table.limit(640)
	start := time.Now()
	for i := range 50_000 {
		s := &Signal{Time: start.Add(time.Duration(i) * time.Second / 10), Address: address(i % 701), Login: true, Users: []Digest{{byte(i)}}, Clear: true, Status: 401}
		if i%11 == 0 {
			s.Status = 200
		}
		d.See(s)
	}
	var sum int64
	for i := range table.shards {
		for _, n := range table.shards[i].m {
			sum += table.fixed + table.size(&n.value)
		}
	}
	if used := table.usage(); used != sum || sum == 0 {
		t.Errorf("%d bytes accounted for, %d are there", used, sum)
	}
}

// What concerns no detector costs nothing.
func TestNoAllocations(t *testing.T) {
	detectors := all()
	s := ordinary()
	if n := testing.AllocsPerRun(1000, func() {
		for _, tt := range detectors {
			tt.d.See(s)
		}
	}); n != 0 {
		t.Errorf("%v allocations for an answer that concerns nobody", n)
	}
	volume := detectors["data_volume"].d
	s.Records, s.Sensitive = 1, 0
	if n := testing.AllocsPerRun(1000, func() { volume.See(s) }); n != 0 {
		t.Errorf("%v allocations for a record", n)
	}
}

func ordinary() *Signal {
	return &Signal{
		Time: time.Now(), Address: address(1), Subject: Subject{"https://auth.example.com", "u7"}, Tenant: "t", Role: "hr",
		Route: "employees", Method: "GET", Status: 200, Params: []string{"7"},
	}
}

func BenchmarkSee(b *testing.B) {
	run := func(name string, s *Signal, detectors ...Detector) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					for _, d := range detectors {
						d.See(s)
					}
				}
			})
		})
	}
	var every []Detector
	for _, tt := range all() {
		every = append(every, tt.d)
	}
	run("all seven, an ordinary answer", ordinary(), every...)
	login := ordinary()
	login.Login, login.Clear, login.Users = true, true, []Digest{{1}}
	run("all seven, a login", login, every...)
	records := ordinary()
	records.Records = 1
	run("data volume, one subject", records, NewDataVolume(DataVolumeSettings{Records: 1 << 60}))
	missing := ordinary()
	missing.Status = 404
	run("abuse, one subject", missing, NewAPIAbuse(Limit{Threshold: 50, Quiet: 1}))
	run("enumeration, one id", missing, NewEnumeration(EnumerationSettings{}))
}

func BenchmarkManySubjects(b *testing.B) {
	d := NewDataVolume(DataVolumeSettings{Records: 1 << 60})
	subjects := make([]Subject, 100_000)
	for i := range subjects {
		subjects[i] = Subject{"https://auth.example.com", "u" + strconv.Itoa(i)}
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		s := ordinary()
		s.Records = 1
		for i := 0; pb.Next(); i++ {
			s.Subject = subjects[i%len(subjects)]
			d.See(s)
		}
	})
}
