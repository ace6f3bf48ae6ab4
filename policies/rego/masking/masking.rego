# METADATA
# title: Which fields the caller sees
# description: >-
#   A class of fields is open to a caller or closed. Every field of a closed class
#   is masked, at any depth of any answer. Without a role every class is closed.
package masking

import data.question
import data.stepup

# METADATA
# title: Classes that are open
# description: Some of those that the caller sees open only after a second factor.
# labels: {id: STEP-11}
open contains class if {
	some class in sees
	stepup.shown(class)
}

# METADATA
# title: Classes that the role sees
sees contains class if some class in question.profile.sees

# METADATA
# title: Classes that people see in the record about themselves
# description: >-
#   The path says whose record it is; the row filter (data.rows) makes sure that
#   the answer says so too.
sees contains class if {
	question.role
	question.own
	some class in data.company.own_record
}

# METADATA
# title: Classes that the caller does not see
closed contains class if {
	some class, _ in data.company.fields
	not class in open
}

# METADATA
# title: A field of a closed class is masked wherever it stands
# labels: {id: MASK-10}
mask contains {"path": path, "action": action, "class": class} if {
	some class in closed
	some action, names in data.company.fields[class]
	some name in names
	path := concat("", ["$..", name])
}

# METADATA
# title: The number of records is that of all tenants, so it is hidden
# labels: {id: MASK-11}
mask contains {"path": "$.count", "action": "null"} if counts_others

# METADATA
# title: Who has no known role sees nothing at all
# description: Such a question is refused anyway. The mask is the second fence.
# labels: {id: MASK-12}
mask contains {"path": "$..*", "action": "drop"} if not question.role

# METADATA
# title: The fields of all classes are known, open or closed
# description: >-
#   What looks like personal data anywhere else is reported, on routes that ask for
#   it.
# labels: {id: MASK-15}
classified contains path if {
	some actions in data.company.fields
	some names in actions
	some name in names
	path := concat("", ["$..", name])
}

# METADATA
# title: What passes to outsiders, seen from the record
# labels: {id: MASK-13}
expose contains path if {
	some name in view
	path := concat(".", [question.route.entries[question.target], name])
}

# METADATA
# title: The allow list of the role on this route, if it has one
view := data.company.views[input.subject.role][input.resource.route] if question.role

counts_others if {
	question.target == "list"
	not data.rows.everything
}

# METADATA
# title: Every class is open to the caller
# description: Said of the classes one by one. That nothing is masked is not enough.
sees_everything if {
	count(open) > 0
	count(data.company.fields) > 0
	every class, _ in data.company.fields {
		class in open
	}
	not view
}

# METADATA
# title: Every class is the caller's to see, if need be after a second factor
may_see_everything if {
	count(sees) > 0
	count(data.company.fields) > 0
	every class, _ in data.company.fields {
		class in sees
	}
	not view
}

# METADATA
# title: The answer passes untouched
# labels: {id: MASK-14}
all_fields if {
	sees_everything
	not counts_others
}
