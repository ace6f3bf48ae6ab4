# A rule gets a value of the wrong type.
# want: 7:10: audit: audit level is a string, not a boolean
package gatehouse

allow if input.subject.role == "hr"

audit := true
