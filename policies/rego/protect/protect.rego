# METADATA
# title: What the caller may not write
# description: Judged on the body of a request that creates or updates.
package protect

import data.masking
import data.question

# METADATA
# title: Members that only some roles write
# labels: {id: WRITE-10}
entries contains {"path": path, "action": "reject"} if {
	writes
	some path, roles in members
	not trusted(roles)
}

# A helper and not "not role in roles": where there is no role at all, that
# would be undefined instead of true, and the member would be open.
trusted(roles) if input.subject.role in roles

# METADATA
# title: Nobody writes what they may not see
# description: >-
#   A client that reads a record, changes one field and sends it back would
#   otherwise store the masks in place of the values.
# labels: {id: WRITE-11}
entries contains {"path": entry.path, "action": "reject"} if {
	writes
	members
	some entry in masking.mask
}

# METADATA
# title: Nobody moves a record to another tenant
# description: >-
#   Row filters judge the answer. A record of another tenant that is made one of
#   the caller's own by the very request would pass them: the tenant of a record
#   is stated when it is created and changed by nobody who does not see all.
# labels: {id: WRITE-12}
entries contains {"path": path, "action": "reject"} if {
	input.action.name == "update"
	members
	not sees_every_record
	some path in ["$..tenant", "$..tenant_id"]
}

sees_every_record if question.profile.rows == "everything"

members := data.company.protected[input.resource.route]

writes if input.action.name in {"create", "update"}
