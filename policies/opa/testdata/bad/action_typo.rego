# A typo in what is to be done with a field.
# want: 7:47: mask: there is no action "redcat": did you mean "redact"?
package gatehouse

allow if input.subject.role == "hr"

mask contains {"path": "$..salary", "action": "redcat"}
