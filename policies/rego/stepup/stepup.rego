# METADATA
# title: Whether the caller has proved lately who they are
# description: >-
#   A second factor, given within minutes (company/step_up.yaml). The token says how
#   its owner signed in and when; the gateway counts the seconds. What is not said
#   was not given, or too long ago: nobody is exempt, no service account either.
package stepup

# METADATA
# title: The second factor is there and fresh
fresh if {
	data.company.step_up.amr in input.subject.amr
	input.subject.auth_age <= data.company.step_up.max_age
}

# METADATA
# title: The class of fields may be shown now, to those who see it
# description: Without a list of the classes that need a fresh factor, every class needs one.
shown(_) if fresh

shown(class) if {
	is_array(data.company.step_up.classes)
	not class in data.company.step_up.classes
}

# METADATA
# title: The same as a demand on the caller
# description: The client is then told what is missing, instead of getting less (RFC 9470).
demand := {"amr": [data.company.step_up.amr], "max_age": data.company.step_up.max_age}
