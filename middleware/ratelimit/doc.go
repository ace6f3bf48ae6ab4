// Package ratelimit admits so many requests per time.
//
// A [Rule] is one limit of the configuration. It has a key (whom it counts: an
// address, a subject, a tenant, a header), a rate and an algorithm. A [Stage]
// asks the rules of a route and refuses with 429 rate_limited where one of them
// says no. A [Store] holds what was counted. It outlives the rules: a reload
// opens new rules on the same store, and a rule whose definition did not change
// goes on counting where it was.
//
// # Algorithms
//
// No cheap algorithm promises "at most 100 in every 60 seconds". This is what a
// caller who floods is given at most, for a rate of 100/1m:
//
//	algorithm               in any 60 s   in any 2 s
//	gcra, burst 100 (default)       199          103
//	gcra, burst 20                  119           23
//	gcra, burst 20, strict           99           22
//	fixed_window                    199          199
//	sliding_log                     100          100
//
// gcra (the generic cell rate algorithm) is a bucket of `burst` requests that
// leaks at the rate: it keeps one number per key, admits at most `burst` at once
// after idle, the first included, and then one every period/count; strict, one
// every period/(count-burst), so that no period sees more than count.
// fixed_window counts from a key's first request until the period is over, and
// two windows may meet. sliding_log remembers every admitted request and is
// exact; it costs eight bytes for each.
//
// # Keys
//
// A key is a list of parts, joined so that no two lists are one key. In place of
// a part that has no value (a subject on a public route, a claim or header that
// is absent) stands the client's address, so nobody escapes a rule by lacking
// what it counts by. A header says what the caller likes; a rule by header alone
// shares out, it does not protect. Values of headers are kept as digests, since
// they may be secrets; a key names other values as they are, in Redis too.
//
// # Rates
//
// Besides its own rate a rule may have a table of them, by role, tenant or a
// claim, and with `policy: true` take the rate from the decision on the request.
// Each rate is a quota with counters of its own. A policy may compute rates, so
// there are at most 64 of its rates in use at once for a rule. One more, or one
// that admits less than the request counts (`rate_cost`), is refused with
// policy_error like every decision that cannot be carried out: to serve by the
// rule's own rate instead would be to guess.
//
// # Places
//
// The stage is in the list three times. Rules that need not know who asks are
// asked before authentication, the others behind it, and those whose rate a
// policy may say directly behind the policies: what is denied is not counted.
//
// # What is told
//
// Clients are told of the tightest rule in each place, by the fields that the
// configuration names. What the upstream says under these names is replaced,
// since nobody could tell which of the two limits was met. Operators are told
// whom a rule refused or, in the shadow, would have: see [State]. The list is
// written where a rule refuses, so who is admitted pays nothing for it.
//
// # All or none
//
// A request counts for all rules of a place or for none (decide.go). Who is refused
// by one weighs on no other there, not even for a moment.
//
// # Interface
//
// Everything that counts is a limiter.Store of github.com/ulule/limiter/v3 and
// every quota has its limiter.Limiter. The library's own are the counts of
// fixed_window in memory, in a table of ours that bounds them. The rest is ours:
// the library says when to come back in whole seconds, asks one rule at a time,
// and its script for Redis refuses for ever once a key has lost its time to live.
//
// # The shared store
//
// With Redis, one script per request decides for all rules by the server's clock,
// so all replicas share one count and their clocks do not matter. That clock has
// microseconds: gcra admits one in each of them at most there, whatever the rate. A script may
// only touch what a cluster keeps in one slot. Which rules a request meets is not
// known before, nor which keys, so all keys of limits are in one slot, by the
// {limits} in their names: one node of a cluster decides for all.
//
// Redis is not needed at start. One that is dead, frozen or too slow costs the requests under
// way 50 ms and others nothing (package store); meanwhile each rule does what its
// on_store_error says, with as many replicas as there were last (replicas.go).
package ratelimit
