# METADATA
# title: Which records the caller sees
# description: >-
#   The backend answers with every record it has; a record that does not meet all
#   conditions is removed. Whose value is compared is named ({"input": ...}), and
#   a caller without that value sees nothing.
package rows

import data.question

same_tenant := {"field": "tenant", "op": "eq", "input": "subject.tenant"}

same_branch := {"field": "branch", "op": "in", "input": "subject.branches"}

same_owner := {"field": question.route.owner, "op": "eq", "input": "subject.id"}

# METADATA
# title: One entry, there where the records stand in this answer
# labels: {id: ROWS-10}
entries contains {"path": path, "where": conditions} if not everything

# METADATA
# title: Only who is said to sees every record
# labels: {id: ROWS-11}
everything if question.profile.rows == "everything"

default path := "$"

path := question.route.entries[question.target]

# METADATA
# title: The scope of the caller on this route
# description: >-
#   The record about the caller and what the caller has just created are judged by
#   themselves. Everything else is as wide as the role.
default scope := "none"

scope := "own" if {
	question.role
	question.own
} else := "created" if {
	question.role
	question.target == "created"
} else := question.profile.rows

# METADATA
# title: What a record must be like to pass
# description: Without a scope it must be in an empty list, which no record is.
# labels: {id: ROWS-12}
default conditions := [{"field": "tenant", "op": "in", "value": []}]

conditions := [same_tenant] if scope in {"tenant", "created"}

conditions := [same_tenant, same_branch] if scope == "branch"

conditions := [same_tenant, same_owner] if scope == "own"
