package detect

// attempts are the logins under way on one name from one address.
type attempts struct {
	n     int
	found bool // there was a finding since the first of them began
}

// Enter lets a login attempt in, unless it and those under way could exceed the
// threshold by failing all at once: guesses sent in parallel gain nothing. Of the
// signal it reads Time, Address and Users. Whoever was let in must [AuthFailures.Leave],
// after what follows from See is in force: while attempts are under way that led
// to a finding, nobody else gets in. Whether there is a block is to be asked once
// let in, not before.
//
// It holds for names, and for attempts that name nobody as if they were one name, as
// their failures are counted. Nobody logs in to one account several times at once, but
// an office does to many: those of many names are let in.
func (d *AuthFailures) Enter(s *Signal) bool {
	users := named(s)
	for i, user := range users {
		if !d.enter(s, user) {
			d.leave(s, users[:i])
			return false
		}
	}
	return true
}

// named are the users that an attempt counts for: who is named, or else the zero
// Digest for nobody.
func named(s *Signal) []Digest {
	if len(s.Users) == 0 {
		return []Digest{{}}
	}
	return s.Users
}

func (d *AuthFailures) enter(s *Signal, user Digest) bool {
	t, now := d.users.table, d.users.table.now(s.Time)
	k := t.key(account(s, user))
	shard := t.lock(k)
	defer shard.Unlock()
	failed := 0
	if v := shard.find(k); v != nil {
		v.marks = fresh(v.marks, now, int64(d.s.Window))
		failed = len(v.marks)
	}
	active := d.active[k[0]%shards]
	a := active[k]
	if a.found || failed+a.n >= d.s.Threshold {
		return false
	}
	a.n++
	active[k] = a
	return true
}

// Leave ends an attempt that entered, with the Address and Users of its signal.
func (d *AuthFailures) Leave(s *Signal) { d.leave(s, named(s)) }

func (d *AuthFailures) leave(s *Signal, users []Digest) {
	t := d.users.table
	for _, user := range users {
		k := t.key(account(s, user))
		shard := t.lock(k)
		active := d.active[k[0]%shards]
		if a := active[k]; a.n > 1 {
			a.n--
			active[k] = a
		} else {
			delete(active, k)
		}
		shard.Unlock()
	}
}

// hold keeps further attempts out until those under way have left. The shard of
// the key is locked.
func (d *AuthFailures) hold(k key) {
	active := d.active[k[0]%shards]
	if a, ok := active[k]; ok {
		a.found = true
		active[k] = a
	}
}
