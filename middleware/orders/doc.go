// Package orders keeps what operators, issuers and the guard want to hold from now
// on, the same on every replica: revocations, which call tokens back, lockdowns,
// which close routes and tenants, and blocks, which keep an address, a username or
// a subject out. Who judges requests by them asks a [Book].
//
// # Here
//
// An order holds on the replica that is told with the next request. Lookups read
// an immutable view behind an atomic pointer: no lock, no allocation, no waiting
// for anything, and nothing at all where nothing is in force. A change copies the
// part of the view that it touches.
//
// # Blocks
//
// An address is looked up in each length of mask that there is a block of: its
// network is the key of a map, so a hundred thousand blocks cost what one does.
// Of several the one that ends last is told.
//
// A block has two ends. From Ends on it keeps nobody out; until Until it is known
// that there was one, so that the next block of the same target is longer
// ([Book.LastBlock]), on every replica and over a restart. Who lifts a block, before
// or after it has ended, lifts its level as well.
//
// No block is wider than a /8, or a /32 of IPv6. Apart from that nothing is spared
// here, loopback and proxies included: who asks the Book knows whom it trusts. The
// admin listener does not ask, so what an operator has blocked by mistake can be
// lifted from there.
//
// # On every replica
//
// Orders never change and lifts are for good, so what is known is a set that only
// grows until its members expire, and any two replicas that know the same records
// agree, in whatever sequence those came. A lift is a record too. It is kept until
// its order would have expired, or for a year where that has no end, so that no
// replica that was away brings an order back.
//
// Redis has the records in one stream. Every 250ms a replica asks for what follows
// the newest entry it knows, off the request path: one exchange, whose answer
// begins with that entry. Where it does not, Redis has lost its memory, or a
// part: it was restarted, flushed, restored, or a failover took one that had not
// heard the last. Then everything is read anew, and what Redis lacks is put back,
// by the first replica to notice: others find that the stream has moved on and
// read again. Orders are therefore never lost with Redis as long as one replica
// or its file is left. With all of them gone, so are they. A lift that only a lost
// replica knew is lost as well, and the order holds again: it can be lifted once
// more.
//
// A hash with a number of its version was the other choice. Every change would
// have had every replica read all of it, and a hundred thousand orders do not fit
// into the 100ms that an exchange may take. A stream that is trimmed by age would
// lose lockdowns that have no end. So entries are deleted one by one, an hour after
// they expired, and the newest is left, for it is what shows that nothing is lost.
//
// While Redis is away orders are given and lifted as ever, and shared when it is
// back. [Book.Stale] tells when others may have been told what is not known here.
// Who can write to Redis can give and lift orders; what is no order is left out
// and told ([Book.Trouble]). To a replica of a version that knows no blocks a block
// is no order: it goes on with the others. Its file it would refuse at start, so
// take the blocks out of the file before you go back to such a version.
//
// # Over a restart
//
// The file has the same records, one a line ([Settings].File). [Book.Give] returns
// when its line is synced. A file that cannot be read is an error at start: to go on
// without it would let in whom it shuts out.
//
// # Clocks
//
// What an order says about a token is compared with what the token says: iat with
// issued_before, auth_time with at. Where the clock of the issuer is ahead of who
// gave the order, tokens from the difference escape it; give a later issued_before
// then, at most five minutes ahead. When an order ends each replica judges by its
// own clock, and it stays in Redis an hour longer. No clock decides which of two
// records counts.
package orders
