package authn

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/policies"
)

const (
	// keepVerified is how long a verified token is believed without looking at
	// it again. What may end earlier is judged on every request: the token by
	// its exp and by whose hands it is in, the session by the stages behind.
	keepVerified = time.Minute
	// shards bounds how much requests wait for one another.
	shards = 64
	// maxVerified bounds the memory of one issuer's verified tokens, in bytes of
	// tokens. With tokens of 700 bytes these are 35,000, which is as many people
	// asking within one minute. What is kept of such a token takes 1.6 KB.
	maxVerified = 32 << 20
	// overhead is what an entry costs beside its token, in bytes.
	overhead = 256
)

// digest is the SHA-256 of a token. The token itself is not kept: who reads the
// memory learns nothing that opens a door.
type digest = [sha256.Size]byte

// verified is what a verified token says. It never changes, and is shared by
// all requests with the token.
type verified struct {
	subject *policies.Subject
	times   times
	bound   binding
}

// cache remembers an issuer's verified tokens. It belongs to one issuer with
// one configuration and holds nothing that was verified with other keys than
// the current ones, so neither another issuer nor another configuration nor a
// key that was taken back is ever answered from it.
type cache struct {
	shards [shards]shard
}

// shard is a part of a cache: its entries by token, and in the order they came, but
// for those that were spared. That is about the order they grow old in: what is
// older than it may be is never given, and goes when it comes to the front.
type shard struct {
	mu     sync.Mutex
	keys   *keySet // what all entries were verified with
	tokens map[digest]*entry
	oldest *entry
	newest *entry
	size   int // of all tokens with overhead, in bytes
}

type entry struct {
	verified
	token digest
	until time.Time // when it is to be verified again
	size  int
	used  bool   // since it came to its place among the others
	next  *entry // the next younger
}

func (c *cache) shard(token *digest) *shard { return &c.shards[token[0]%shards] }

// get gives what is known of a token that was verified with one of these keys;
// nil where nothing is, or no longer.
func (c *cache) get(token *digest, keys *keySet, now time.Time) *verified {
	s := c.shard(token)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys != keys || keys == nil {
		s.flush()
		return nil
	}
	e := s.tokens[*token]
	if e == nil || !now.Before(e.until) || !now.Before(e.times.expires) {
		return nil
	}
	e.used = true
	return &e.verified
}

// put remembers a token of so many bytes that was verified with one of these
// keys.
func (c *cache) put(token *digest, size int, v verified, keys *keySet, now time.Time) {
	if keys == nil || !now.Before(v.times.expires) {
		return
	}
	s := c.shard(token)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys != keys {
		s.flush()
		s.keys, s.tokens = keys, map[digest]*entry{}
	}
	for s.oldest != nil {
		old, crowded := !now.Before(s.oldest.until), s.size+size+overhead > maxVerified/shards
		if !old && !crowded {
			break
		}
		if !old && s.oldest.used {
			s.spare()
			continue
		}
		s.drop()
	}
	if s.tokens[*token] != nil {
		return // another request with the token was quicker
	}
	e := &entry{verified: v, token: *token, until: now.Add(keepVerified), size: size + overhead}
	s.append(e)
	s.tokens[*token] = e
	s.size += e.size
}

// append makes an entry the newest.
func (s *shard) append(e *entry) {
	if s.newest == nil {
		s.oldest = e
	} else {
		s.newest.next = e
	}
	s.newest, e.next = e, nil
}

// spare lets the oldest entry stay once more, because somebody has used it since it
// came to its place: who gets a flood of tokens from an issuer and shows each once
// throws out those, and not what others come with again and again. It is not
// believed for longer by that.
func (s *shard) spare() {
	e := s.oldest
	if s.oldest = e.next; s.oldest == nil {
		s.newest = nil
	}
	e.used = false
	s.append(e)
}

// drop forgets the oldest entry.
func (s *shard) drop() {
	e := s.oldest
	delete(s.tokens, e.token)
	s.size -= e.size
	if s.oldest = e.next; s.oldest == nil {
		s.newest = nil
	}
}

// flush forgets all.
func (s *shard) flush() {
	s.keys, s.tokens, s.oldest, s.newest, s.size = nil, nil, nil, nil, 0
}
