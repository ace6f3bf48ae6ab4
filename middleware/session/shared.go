package session

import (
	"context"
	_ "embed" // the script
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gatehouse-dev/gatehouse/middleware/store"
)

//go:embed swap.lua
var swapScript string

// shared is what all replicas know of sessions: a state for each, in Redis.
//
// It is judged here, by the one judge there is, and put in place of the one that
// was read if nobody has changed that in between. All times in it but auth_time,
// which is the issuer's, are by the clock of the server. Each replica compares
// that with its own whenever it asks, so that their clocks may differ; they are
// taken to run at the same speed, and to agree with the issuer's within its leeway.
type shared struct {
	redis *store.Redis
	swap  *goredis.Script
}

func newShared(r *store.Redis) *shared {
	if r == nil {
		return nil
	}
	return &shared{r, goredis.NewScript(swapScript)}
}

// tries is how often a state is put in place of one that others keep changing.
// They all write the same then: that the session is used now.
const tries = 4

// A question is what a request wants to know of a session.
type question struct {
	*token
	limits
	touch bool
	now   time.Time
	keep  time.Duration // for how long the state is kept
}

// finding is what there is to know.
type finding struct {
	state
	known   bool  // anybody knows the session
	refused error // why the request is refused
}

// ask answers the question by what we know and what the others do, and tells
// them. Written is false where it did not get that far. The error says that
// Redis does not answer, or not with a state, which is no fault of the server.
func (s *shared) ask(ctx context.Context, q *question, ours state, known bool) (f finding, written bool, err error) {
	key := "gatehouse:session:" + hex.EncodeToString(q.key[:])
	var foreign error
	err = s.redis.Do(ctx, func(ctx context.Context, client store.Client) error {
		is, err := s.run(ctx, client, key)
		for range tries {
			if err != nil {
				return err
			}
			if f, foreign = q.settle(ours, known, is); foreign != nil || !f.known {
				return nil
			}
			is, err = s.run(ctx, client, key, is.text, encode(&f.state, is.clock), q.keep.Milliseconds())
			if written = is.written; written {
				return nil
			}
		}
		return err
	})
	if err == nil {
		err = foreign
	}
	return f, written, err
}

// settle judges by what both sides know. A session that neither knows and that
// is refused stays unknown.
func (q *question) settle(ours state, known bool, is reply) (f finding, err error) {
	f.state, f.known = ours, known
	if is.text != "" {
		theirs, err := decode(is.text, is.clock)
		if err != nil {
			return f, err
		}
		if known {
			theirs = merge(ours, theirs)
		}
		f.state, f.known = theirs, true
	}
	next, refused := f.judge(f.known, q.token, q.limits, q.touch, q.now)
	if f.refused = refused; refused == nil {
		f.state, f.known = next, true
	}
	return f, nil
}

// merge makes one state of what two replicas know. Where they know of different
// authentications, the later one is when the session began.
func merge(a, b state) state {
	if b.auth.After(a.auth) {
		a, b = b, a
	}
	if a.auth.Equal(b.auth) {
		a.start = earlier(a.start, b.start)
		a.pause = max(a.pause, b.pause)
	}
	a.last = later(a.last, b.last)
	return a
}

// reply is an answer of the script.
type reply struct {
	written bool
	clock   time.Duration // what the server's clock is ahead of ours
	text    string        // the state that is there, "" where there is none
}

func (s *shared) run(ctx context.Context, client store.Client, key string, args ...any) (reply, error) {
	out, err := s.swap.Run(ctx, client, []string{key}, args...).Slice()
	if err != nil {
		return reply{}, err
	}
	if len(out) == 3 {
		written, ok1 := out[0].(int64)
		now, ok2 := out[1].(int64)
		text, ok3 := out[2].(string)
		if ok1 && ok2 && ok3 {
			return reply{written == 1, time.Until(time.UnixMicro(now)), text}, nil
		}
	}
	return reply{}, fmt.Errorf("a script answered with %d values of other types", len(out))
}

// A state in Redis is a version, auth_time in seconds, and in microseconds when
// the session began, its last use and the longest pause; 0 is a time that is
// not known.
const version = "1"

func encode(s *state, clock time.Duration) string {
	b := make([]byte, 0, 96)
	b = append(b, version...)
	auth := int64(0)
	if !s.auth.IsZero() {
		auth = s.auth.Unix()
	}
	for _, n := range []int64{auth, micros(s.start, clock), micros(s.last, clock), s.pause.Microseconds()} {
		b = append(b, ' ')
		b = strconv.AppendInt(b, n, 10)
	}
	return string(b)
}

func micros(t time.Time, clock time.Duration) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Add(clock).UnixMicro()
}

var errState = errors.New("what the store has of a session is nothing of ours")

func decode(text string, clock time.Duration) (s state, err error) {
	fields := strings.Split(text, " ")
	if len(fields) != 5 || fields[0] != version {
		return state{}, errState
	}
	var n [4]int64
	for i, f := range fields[1:] {
		if n[i], err = strconv.ParseInt(f, 10, 64); err != nil {
			return state{}, errState
		}
	}
	at := func(n int64) time.Time {
		if n == 0 {
			return time.Time{}
		}
		return time.UnixMicro(n).Add(-clock)
	}
	s = state{start: at(n[1]), last: at(n[2]), pause: time.Duration(n[3]) * time.Microsecond}
	if n[0] != 0 {
		s.auth = time.Unix(n[0], 0)
	}
	return s, nil
}
