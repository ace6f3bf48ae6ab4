# METADATA
# title: The policy of the measurements
# description: >-
#   Role by route by method, a second factor for what changes something, and five
#   masked fields of a record. The gateway, the OPA server that nginx asks and the
#   naive proxy all read this folder.
package gatehouse

import data.question

default allow := false

allow if input.action.method in data.permissions[input.subject.role][input.resource.route]

# METADATA
# title: Nobody needs to be known on the route that measures masking alone
allow if input.resource.route == "open"

deny contains {"code": "mfa_required", "message": "a change needs a second factor"} if question.missing_factor

all_fields if input.subject.role == "hr"

mask contains {"path": concat("", [question.prefix, field]), "action": "drop"} if {
	some field in data.masked[input.resource.route]
	not input.subject.role == "hr"
}
