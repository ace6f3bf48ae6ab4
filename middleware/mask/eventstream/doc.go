// Package eventstream masks streams of server-sent events (WHATWG HTML,
// section 9.2) as a [redact.Plan] demands, event by event, while they arrive.
//
// The data of an event has to be one JSON text, which is rewritten with
// [redact.Append]. It fails closed: an event of which that cannot be said is
// not sent, and nothing behind it is. The one text that passes without being
// JSON is [DONE], which some services send last and which says nothing about
// anybody. Other marks of that kind are errors.
//
// # What passes
//
// A stream is written anew, in one form whatever its own was: no byte order
// mark, lines that end with LF, one space behind the colon. So a client that
// reads the syntax in its own way still sees what was judged here.
//
//   - data: what the plan leaves of it, one line for each of its lines.
//   - id and event: up to 64 characters of [A-Za-z0-9._:-]. Anything else could
//     carry data and is left out; the event still passes. An empty id passes
//     too, it makes the client forget the last one.
//   - retry: up to 9 digits, which is what fits 32 bits.
//   - comments: as an empty comment, at once, so that a keep-alive stays one.
//
// Of several id, event or retry fields in an event the last counts, and where
// that does not pass, none does. Unknown fields are left out. An event without
// data passes with its id and retry, which change what the client does next,
// or not at all.
//
// # Rows
//
// An event that a row filter denies as a whole vanishes without a trace: its
// id and retry with it. One in which the path of no row filter exists is an
// error, as everywhere, unless the plan has [redact.Plan.OptionalRows].
//
// # Ends
//
// An event is there when its blank line is. One that the end of the stream cuts
// off is not sent, and that is no error: the standard has clients do the same.
package eventstream
