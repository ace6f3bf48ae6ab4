# Everybody who is somebody is let in, and what is masked depends on a role that
# a stranger does not have. (Closed is: everything masked but what a role sees.)
# probe: employees /api/employees/ masks
# want: 8:1: route "employees": a subject without a role may GET /api/employees/ and sees fields
# want: 8:1: route "employees": a subject with an unknown role may GET /api/employees/ and sees fields
package gatehouse

allow if input.subject.id

all_fields if input.subject.role == "hr"

mask contains {"path": "$..salary", "action": "drop"} if input.subject.role != "hr"

mask contains {"path": "$.name", "action": "partial"} if input.subject.id
