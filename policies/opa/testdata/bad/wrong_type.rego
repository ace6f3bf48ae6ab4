# A list is compared with a text: it would never be equal.
# want: 5:10: match error
package gatehouse

allow if input.subject.roles == "hr"
