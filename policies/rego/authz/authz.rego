# METADATA
# title: Who may do what
# description: >-
#   A question is granted by company/permissions.yaml or not at all. The objections
#   say why it is not, one each time, in words that the caller may read.
package authz

import data.question

# METADATA
# title: The table grants the action to the role
default allow := false

allow if {
	question.target
	grant == "any"
}

allow if {
	grant == "own"
	question.own
}

# METADATA
# title: What the table says, any or own
grant := data.company.permissions[input.subject.role][input.resource.route][input.action.name] if question.role

# METADATA
# title: Without a subject nobody asks
# labels: {id: AUTHZ-10}
deny contains {
	"code": "subject_missing",
	"message": "nobody is signed in",
} if {
	not question.identified
}

# METADATA
# title: A role that the company does not know has no permissions
# labels: {id: AUTHZ-11}
deny contains {
	"code": "role_unknown",
	"message": "the role of this account is not known",
} if {
	question.identified
	not question.role
}

# METADATA
# title: Without a tenant no record can be told to be one's own tenant's
# labels: {id: AUTHZ-12}
deny contains {
	"code": "tenant_missing",
	"message": "this account belongs to no tenant",
} if {
	question.identified
	question.role
	not question.has_tenant
}

# METADATA
# title: The role may not do this
# labels: {id: AUTHZ-13}
deny contains {
	"code": "role_not_permitted",
	"message": "this role may not do this",
} if {
	question.identified
	question.role
	not grant
}

# METADATA
# title: The role may do this to the record about its owner only
# labels: {id: AUTHZ-14}
deny contains {
	"code": "role_not_permitted",
	"message": "this role may do this to its own record only",
} if {
	question.identified
	grant == "own"
	not question.own
}

# METADATA
# title: Paths other than a list and a record are not covered
# description: A new path below a route stays shut until somebody has thought about it.
# labels: {id: AUTHZ-15}
deny contains {
	"code": "path_not_covered",
	"message": "no policy covers this path",
} if {
	question.identified
	grant == "any"
	not question.target
}

# METADATA
# title: A record is not written into another tenant
# description: >-
#   Row filters judge answers, and an answer comes after the write. Where the route
#   gives the policy the body, a tenant in it, at any depth and however spelled,
#   must be the caller's own.
# labels: {id: AUTHZ-16}
deny contains {
	"code": "tenant_mismatch",
	"message": "the record belongs to another tenant",
} if {
	question.role
	question.profile.rows != "everything"
	walk(input.body, [path, value])
	is_tenant(path[count(path) - 1])
	value != input.subject.tenant
}

is_tenant(name) if {
	is_string(name)
	lower(replace(replace(name, "_", ""), "-", "")) in {"tenant", "tenantid"}
}

# METADATA
# title: A masked field cannot be asked for by filter or order
# description: >-
#   ?salary__gt=100000 tells what a mask hides. Who does not see every field may
#   only page through a list. Who would see them after a second factor is asked for
#   it instead (obligations).
# labels: {id: AUTHZ-17}
deny contains {
	"code": "query_not_permitted",
	"message": "this role may page through a list, but not filter or order it",
} if {
	question.role
	question.selects
	not data.masking.may_see_everything
}
