// Package redact rewrites JSON texts as a policy demands: it masks values by
// path, removes rows that a filter does not let through, and lets only exposed
// paths pass. It knows nothing of HTTP.
//
// A [Spec] is compiled once into an immutable [Plan]; [Append], [AppendLines]
// and [Reader] apply a plan to a text in one pass. What a plan does not touch
// stays byte for byte as it was: spelling of numbers, order of members,
// spacing. The grammar is RFC 8259 to the letter, in valid UTF-8; a text that
// is anything else is an error and nothing of it is to be sent.
//
// # Paths
//
// Paths are the part of RFC 9535 that can be followed forwards: $, .name,
// ['name'], .*, [*], and each of these behind "..". Every path is a valid
// RFC 9535 path, and for masks everything that RFC 9535 selects is selected.
//
// Masks, show and expose read names through arrays: $.data.ssn and
// $.data[*].ssn mean the same, so that a policy written for a list also covers
// the answer with a single record. At the end of a path, [*] selects the
// elements of an array, or the value itself where it is not an array. In masks
// [*] selects the members of an object too, as in RFC 9535; in show and expose,
// which grant, it does not.
//
// Row filters are literal: names do not look through arrays, [*] selects
// elements of arrays and nothing else, and a path that ends otherwise selects
// the value, or each element where the value is an array.
//
// Names of masks and row paths match loosely (ASCII case, '_' and '-' do not
// count, U+017F is s and U+212A is k), because a backend that answers with
// "SSN" must not escape a mask on "ssn". Names of show, expose and of row
// fields match exactly.
//
// # Masks
//
// A mask holds for the value it matches and everything inside. Where several
// meet, the strictest wins (see [Action]). A container is replaced whole by
// drop, null and redact; hash, tokenize, partial and generalize go through
// arrays element by element and redact objects.
//
// A show holds for the values it matches. It lifts masks that matched there or
// at a container of it, and none that match further inside. A masked container
// with a shown value inside is kept, and everything else inside has the mask of
// the container, so nothing beside the shown value becomes visible. Whether a
// value is shown is judged on what remains: a show inside of a row that is
// removed, or on a value that is not exposed, does not count.
//
// A document whose root is dropped by a mask is null.
//
// # Expose
//
// With a list of exposed paths, only the values they match pass, with
// everything inside, and the containers on the way. A scalar where such a path
// names a container becomes null, or what a mask on it makes of it (drop or
// "***"). What is only reached by ".." or ".*" is removed unless something
// exposed is inside. Masks still hold inside.
//
// # Rows
//
// Conditions are judged on the text as it came in, before any mask. Logic is
// three-valued: a field that is missing, that is a container, that occurs twice
// or under a name that differs only loosely, or that is of another type than
// the value it is compared with is undefined, and so is the negation of that
// (see [Cond]). A row stays if every condition of every filter that selects it
// is true.
//
// # Drift
//
// With [Options].Detect the engine looks at values that nothing in the spec
// speaks of: those that a backend has begun to send since the policy was
// written. What looks like personal data there is counted by place and class in
// [Report].Found, and redacted if that is asked for. What is spoken of is what a
// mask or a show holds for, what [Spec].Known covers, with everything inside,
// and what an exposed path names: $.a.email speaks of the value of email, and of
// its elements where that is an array, $.a does not. Booleans, long texts and
// the names of members are not looked at. Without Detect none of this costs
// anything.
package redact
