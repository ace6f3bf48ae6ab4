# Two rules give one thing two values, for some. Only a question finds out, and
# a conflict refuses the request: write `else`.
# decides: eval_conflict_error
package gatehouse

allow if input.subject.role == "manager"

region := "eu" if input.subject.tenant == "acme"

region := "us" if input.subject.role == "manager"
