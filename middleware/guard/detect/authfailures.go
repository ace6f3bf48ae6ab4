package detect

import (
	"encoding/binary"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// AuthFailuresSettings say how many failed logins are too many.
type AuthFailuresSettings struct {
	// Limit is by default 5 failures in 15 minutes.
	Limit
	// Distinct is from how many different usernames the failures of an address
	// have to be. Default: 3.
	Distinct int
	// Crowd is from how many different usernames they are too many, however many
	// people sign in there. Default: 10.
	Crowd int
	// PerAddress counts the failures of an address whatever the usernames.
	PerAddress bool
}

// AuthFailures counts failed logins: 401 answers of the upstream on login routes.
//
// They count by address and username together, so that one person's mistakes do
// not lock an office out. Which of several names in a body the upstream goes by
// is not known, so failures count for each; a name that is made up beside the
// real one hides nothing. Attempts that name nobody count together for their
// address, as if they were one name: a finding about it has [TargetUser] and the
// zero [Digest].
//
// They count for the address too, where they are from enough different usernames:
// Distinct, or else as many as signed in there within the window, but no more than
// Crowd. In an office where somebody tries for hours it takes two colleagues who
// mistype at the same time to be three, and that happens every day; but then there
// are many more who get in.
//
// A login that succeeds takes away the failures of its own user with its address,
// and no others: one who guesses the passwords of others gains nothing by logging
// in to an account of their own in between.
type AuthFailures struct {
	s         AuthFailuresSettings
	users     *counter
	active    [shards]map[key]attempts // under the lock of the shard of users
	addresses *table[attacked]
}

// attacked is what is remembered of one address.
type attacked struct {
	failures []failure // oldest first; of each user no more than the threshold
	signed   []failure // who signed in, each once, oldest first; no more than Crowd
	quiet    quiet
}

// failure is a failed login of a user. In other lists it is a login of any kind.
type failure struct {
	at   int64
	user Digest
}

func (f failure) when() int64 { return f.at }

// failureSize is the size of one in bytes.
const failureSize = 24

// NewAuthFailures makes a detector that has seen nothing.
func NewAuthFailures(s AuthFailuresSettings) *AuthFailures {
	s.Limit = s.or(5, 15*time.Minute)
	if s.Distinct <= 0 {
		s.Distinct = 3
	}
	if s.Crowd <= 0 {
		s.Crowd = 10
	}
	if s.PerAddress {
		s.Distinct, s.Crowd = 1, 1
	}
	d := &AuthFailures{s: s, users: newCounter(s.Limit)}
	for i := range d.active {
		d.active[i] = map[key]attempts{}
	}
	d.addresses = newTable(d.weigh, func(v *attacked) int64 {
		return int64(cap(v.failures)+cap(v.signed)) * failureSize
	})
	return d
}

// weigh goes by who signed in as well: it would be a pity to forget an office.
func (d *AuthFailures) weigh(v *attacked, now int64) int64 {
	window := int64(d.s.Window)
	v.failures, v.signed = fresh(v.failures, now, window), fresh(v.signed, now, window)
	newest := max(last(v.failures, math.MinInt64/2), last(v.signed, math.MinInt64/2))
	return max(v.quiet.weigh(now), weigh(len(v.failures)+len(v.signed), newest, now, window))
}

// See counts what failed and forgives who succeeded. Where an address is found,
// that says enough about the names it tried.
func (d *AuthFailures) See(s *Signal) []Finding {
	if !s.Login {
		return nil
	}
	if s.Status/100 == 2 {
		d.forgive(s)
		return nil
	}
	if s.Status != http.StatusUnauthorized {
		return nil
	}
	var found []Finding
	users := named(s)
	for i, user := range users {
		if !slices.Contains(users[:i], user) {
			found = append(found, d.failUser(s, user)...)
		}
	}
	if f := d.failAddress(s); f != nil {
		return f
	}
	return found
}

func (d *AuthFailures) failUser(s *Signal, user Digest) []Finding {
	t, now := d.users.table, d.users.table.now(s.Time)
	k := t.key(account(s, user))
	shard := t.lock(k)
	met := d.users.add(shard, k, now, 0)
	if met != nil {
		d.hold(k)
	}
	shard.Unlock()
	if met == nil {
		return nil
	}
	f := d.s.finding(len(met), [2]string{"route", s.Route})
	f.Target, f.Address, f.User = TargetUser, s.Address, user
	return []Finding{f}
}

func (d *AuthFailures) failAddress(s *Signal) []Finding {
	t, now := d.addresses, d.addresses.now(s.Time)
	k := t.key(at(s.Address))
	shard := t.lock(k)
	defer shard.Unlock()
	v := t.entry(shard, k, now)
	if v.quiet.holds(now) {
		return nil
	}
	user := signer(s)
	v.failures = add(v.failures, failure{now, user}, int64(d.s.Window))
	v.failures = newest(v.failures, user, d.s.Threshold)
	v.signed = fresh(v.signed, now, int64(d.s.Window))
	var found []Finding
	need := max(d.s.Distinct, len(v.signed))
	if len(v.failures) >= d.s.Threshold && distinct(v.failures, need) >= need {
		f := d.s.finding(len(v.failures),
			[2]string{"usernames", strconv.Itoa(distinct(v.failures, len(v.failures)))},
			[2]string{"signed_in", strconv.Itoa(len(v.signed))}, [2]string{"route", s.Route})
		f.Target, f.Address = TargetAddress, s.Address
		found = []Finding{f}
		v.failures, v.quiet = nil, silence(now, d.s.Quiet)
	}
	t.settle(shard, k, now)
	return found
}

// forgive forgets the failures of the user who signed in.
func (d *AuthFailures) forgive(s *Signal) {
	if !s.Clear || len(s.Users) != 1 {
		return
	}
	users := d.users.table
	k := users.key(account(s, s.Users[0]))
	shard := users.lock(k)
	if v := shard.find(k); v != nil && !v.quiet.holds(users.now(s.Time)) {
		users.drop(shard, k)
	}
	shard.Unlock()

	d.welcome(s)
}

// welcome takes a user who signed in from the failures of the address, and
// remembers that there is such a one.
func (d *AuthFailures) welcome(s *Signal) {
	t, now, user := d.addresses, d.addresses.now(s.Time), s.Users[0]
	k := t.key(at(s.Address))
	shard := t.lock(k)
	defer shard.Unlock()
	v := t.entry(shard, k, now)
	v.failures = slices.DeleteFunc(v.failures, func(f failure) bool { return f.user == user })
	v.signed = add(v.signed, failure{now, user}, int64(d.s.Window))
	v.signed = newest(v.signed, user, 1)
	if len(v.signed) > d.s.Crowd {
		v.signed = slices.Delete(v.signed, 0, 1)
	}
	t.settle(shard, k, now)
}

// account is a user as logged in to from an address.
func account(s *Signal, user Digest) identity {
	i := at(s.Address)
	i.user = user
	return i
}

// signer makes one of all the names of an attempt: whoever signs in with a
// username and an e-mail address is one person. The sum does not depend on the
// order.
func signer(s *Signal) (sum Digest) {
	var high, low uint64
	for _, u := range s.Users {
		high += binary.BigEndian.Uint64(u[:8])
		low += binary.BigEndian.Uint64(u[8:])
	}
	binary.BigEndian.PutUint64(sum[:8], high)
	binary.BigEndian.PutUint64(sum[8:], low)
	return sum
}

// newest takes out the oldest failures of a user beyond the newest n.
func newest(failures []failure, user Digest, n int) []failure {
	i := len(failures) - 1
	for ; i >= 0; i-- {
		if failures[i].user == user {
			if n--; n < 0 {
				break
			}
		}
	}
	if i < 0 {
		return failures
	}
	// One was added, so one is too much.
	return slices.Delete(failures, i, i+1)
}

// distinct counts the different users, up to a number that is enough.
func distinct(failures []failure, enough int) (n int) {
	for i, f := range failures {
		if n == enough {
			break
		}
		if !slices.ContainsFunc(failures[:i], func(g failure) bool { return g.user == f.user }) {
			n++
		}
	}
	return n
}
