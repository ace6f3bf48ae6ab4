# A typo in the name of a rule: it would stand there and deny nobody.
# want: 7:1: package gatehouse has no rule "denny": did you mean "deny"?
package gatehouse

allow if input.subject.role == "hr"

denny contains {"code": "closed", "message": "not on Sundays"} if input.context.time.weekday == "sunday"
