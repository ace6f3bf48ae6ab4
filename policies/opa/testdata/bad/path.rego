# A path that nothing can read.
# want: 7:24: mask: path "$.items[0].salary"
package gatehouse

allow if input.subject.role == "hr"

mask contains {"path": "$.items[0].salary", "action": "drop"}
