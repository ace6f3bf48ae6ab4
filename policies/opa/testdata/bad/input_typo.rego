# A typo in a path of input: the type checker knows every member.
# want: 5:10: input.subject has no member "rolle": did you mean "role"?
package gatehouse

allow if input.subject.rolle == "hr"
