package detect

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// CredentialStuffing notices the trying of many people's passwords: failed logins
// with many different usernames from one address. How often each was tried does
// not matter, and who signs in after all is not counted any more. Attempts that
// name nobody do not count: they may be of one name.
type CredentialStuffing struct {
	Limit
	addresses *table[tried]
}

// tried are the names that failed from one address, each with the time of its
// newest failure, oldest first, and fewer than the threshold.
type tried struct {
	names []failure
	quiet quiet
}

// NewCredentialStuffing makes a detector that has seen nothing. The default is 10
// usernames in 15 minutes.
func NewCredentialStuffing(l Limit) *CredentialStuffing {
	l = l.or(10, 15*time.Minute)
	window := int64(l.Window)
	return &CredentialStuffing{Limit: l, addresses: newTable(
		func(v *tried, now int64) int64 {
			if v.quiet.holds(now) {
				return v.quiet.weigh(now)
			}
			v.names = fresh(v.names, now, window)
			return weigh(len(v.names), last(v.names, now), now, window)
		},
		func(v *tried) int64 { return int64(cap(v.names)) * failureSize },
	)}
}

// See counts who failed and takes out who succeeded.
func (d *CredentialStuffing) See(s *Signal) []Finding {
	if !s.Login || len(s.Users) == 0 {
		return nil
	}
	switch {
	case s.Status == http.StatusUnauthorized:
		return d.fail(s)
	case s.Status/100 == 2 && s.Clear && len(s.Users) == 1:
		d.forgive(s)
	}
	return nil
}

func (d *CredentialStuffing) fail(s *Signal) []Finding {
	t, now := d.addresses, d.addresses.now(s.Time)
	k := t.key(at(s.Address))
	shard := t.lock(k)
	defer shard.Unlock()
	v := t.entry(shard, k, now)
	if v.quiet.holds(now) {
		return nil
	}
	user := signer(s)
	v.names = add(v.names, failure{now, user}, int64(d.Window))
	v.names = newest(v.names, user, 1)
	var found []Finding
	if n := len(v.names); n >= d.Threshold {
		f := d.finding(n, [2]string{"usernames", strconv.Itoa(n)}, [2]string{"route", s.Route})
		f.Target, f.Address = TargetAddress, s.Address
		found = []Finding{f}
		*v = tried{quiet: silence(now, d.Quiet)}
	}
	t.settle(shard, k, now)
	return found
}

func (d *CredentialStuffing) forgive(s *Signal) {
	t := d.addresses
	k := t.key(at(s.Address))
	shard := t.lock(k)
	defer shard.Unlock()
	if v := shard.find(k); v != nil {
		v.names = slices.DeleteFunc(v.names, func(f failure) bool { return f.user == s.Users[0] })
	}
}
