// Package guard notices abuse in what passes, tells of it, and blocks who causes it.
//
// Detectors (package detect) are state machines that are shown every exchange when
// it is over. What one of them finds goes on record (guard_alert), is counted, and
// is told as an event; with mode enforce its action is taken as well. One that is
// absent from the configuration is off.
//
// # Where it stands
//
// In two places of the list of stages. Outermost of what judges, before any work is
// done, it keeps out addresses that are blocked and watches what becomes of the
// others, in requests that no route takes as well. Behind where the subject is known
// it keeps out subjects that are blocked, and asks those that are to sign in anew.
// Answers that are under way when a block begins go on; streams of a blocked subject
// are ended by package session.
//
// # Blocks
//
// A block is an order (package orders): it holds here with the next request, on
// every replica within a second, over restarts, and until it ends or is lifted. The
// request that was one too many is answered as it is, and waits until its block is
// on disk and in Redis. Blocks of one target in a row last longer and longer
// (escalation): the Book knows those that ended lately. A target that is blocked is
// blocked once, however many requests were under way.
//
// An address is an IPv4 address or the /64 of an IPv6 one. Where it is not known,
// because a trusted proxy does not tell it, nobody is blocked by it: everybody
// behind a proxy that is set up wrong would be one address. What is found is told,
// with not_blocked as evidence. The same goes for addresses that the configuration
// trusts, which no block keeps out, not even an operator's. Subjects are blocked
// wherever they come from: a token speaks for whoever has it, not for a network.
//
// A step-up holds until the subject has signed in since (auth_time), for as long as
// a session can be refreshed. A token that does not say when is refused until then.
//
// # Logins
//
// A failed login is a 401 answer of the upstream on a route that says `login: true`.
// Refusals of the gateway's own stages are errors, not answers, so a browser tab
// that polls with an expired token never blocks anybody. By default failures are
// counted by address and username together, and the block is for logins on that
// username from that address: one person's mistakes do not lock an office out.
// Attempts on one username from one address at the same time are let in only as many
// as could fail without exceeding the threshold; the others are refused with 429
// rate_limited. Where the address is not known all are let in. Who goes away before
// the answer has guessed all the same: the upstream is asked to the end.
//
// The username is what a JSON object or a form in the request body, or the query, calls
// username, email or login, or what the route says (login.go). Which of them the
// upstream goes by is not known, so failures count for each; a name that is made up
// beside the real one hides nothing. Attempts whose body names nobody, or cannot be
// read, count together for their address, as if they were one name; of those that
// cannot be read no more are let in at once than of one name.
//
// A success takes back the failures of the one name that a request has. One that may
// be of somebody else takes back none: of GET, which is for the page, or with a Basic
// header beside the body. So `login: true` is for the very path that people sign in
// at: an answer 200 of another one that takes a name, such as where passwords are
// reset, would let anybody guess on.
//
// # Usernames
//
// They are kept as digests by a key ([Key]) and appear in no record. Blocks on
// usernames hold where the key is the same: everywhere and always where the
// configuration has one (guard.secret). Without it there is a random one, which
// replicas agree on through Redis and keep in store.folder. Without Redis each
// replica has its own, and without the folder, where no replica is left that knows
// it, it is another after a restart: then blocks on usernames hold no more where they
// were not given, and whoever can read the key can try out names on what is kept.
// Blocks of addresses and subjects need no key.
//
// # What is not shared
//
// What detectors count is of this process, in memory, bounded whatever callers send.
// Somebody who spreads attempts over n replicas has n times as many before the first
// block, which then holds on all.
package guard
