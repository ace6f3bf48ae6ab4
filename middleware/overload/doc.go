// Package overload is the stage that keeps the gateway quick and backends alive
// when there is more to do than they can: it bounds how many exchanges are under
// way at once, and refuses the others early, with 503 overloaded and a
// Retry-After.
//
// A bound is a [Gate]. The gateway may have one (`overload.in_flight`), each
// route (`limits.in_flight`) and each upstream (`concurrency`). That of the
// gateway stands in front, before anything is done for a stranger; the others
// stand behind authentication, because they are fair between tenants.
//
// # A place
//
// An exchange takes a place and gives it back, once, when the body of its answer
// is closed, or where there is no answer. A stream of server-sent events would
// keep its place for hours: it moves to a seat among the streams when its head
// is there, as long as fewer streams have one than the gate has places. Beyond
// that it keeps its place.
//
// # Who gets one
//
// Places belong to tenants; a caller without a tenant counts for itself, and one
// that nobody knows for its network (an IPv4 address, or the /64 of an IPv6
// one). A tenant gets a further place while it holds less than seven times what
// is free. So one tenant alone can hold seven eighths, two hold seven fifteenths
// each, and there is always room for one that holds none: its requests find a
// place at once, whatever the others send. (The rule is that of the dynamic
// thresholds by which switches share memory between ports: Choudhury and Hahne,
// 1998.) A gate with fewer than eight places keeps none free, unless its bound is
// found, which may well come down to a few: then it keeps one. Where none is free,
// and where many tenants fill all, the queue is what is fair.
//
// Where there is no place, a request may wait a short time for one. A place that
// comes free goes to the waiting tenant that holds the fewest, and those that hold
// as few take turns. The queue is bounded and shared by a like rule: a tenant may wait with another request
// while fewer of its own wait than there is room. Whoever is over its share is
// refused at once. All that is kept is kept of who holds a place or waits, so
// memory is bounded by the gate's own numbers, whoever comes.
//
// # Priority
//
// Where a route has `priority: high`, or `overload.roles` names roles, a tenth
// of the places is a reserve for these, once others have taken what is theirs.
// It is a further place to sit and not a better seat in the queue, so that a
// flood of the privileged, or of logins, cannot starve everybody else. The
// reserve is shared by the same rules as the rest. Roles are those of the
// verified token.
//
// # The adaptive bound
//
// See [limit]. No library serves here: those at hand count an exchange's whole
// time in its place as the time that the backend took, so that a client that
// reads slowly looks like a backend that is slow; their queues are first come,
// first served; and their bounds cannot be changed without forgetting what is
// under way, which a reload must do.
//
// What a gate knows outlives plans: a reload changes its bounds ([Gate.Set]) and
// forgets nothing that is under way.
package overload
