package masking_test

import data.masking
import data.samples

masked(question) := {entry.path: entry.action | some entry in entries} if entries := masking.mask with input as question

exposed(question) := paths if paths := masking.expose with input as question

open_to(question) := classes if classes := masking.open with input as question

all_classes := {"contact", "pii", "phi", "financial", "education", "assessment"}

# Which class is open to whom.

test_classes_of_each_role if {
	expected := {
		"super-admin": all_classes,
		"admin": all_classes - {"phi"},
		"hr": all_classes,
		"manager": {"contact", "education", "assessment"},
		"staff": {"contact"},
		"candidate": {"contact"},
		"employer": {"financial", "assessment"},
	}
	every subject in samples.everybody {
		open_to(samples.ask(subject, "GET", "/api/employees/e4")) == expected[subject.role]
	}
}

test_own_record_opens_classes if {
	open_to(samples.ask(samples.staff, "GET", "/api/employees/e2")) == all_classes - {"assessment"}
	open_to(samples.ask(samples.staff, "GET", "/api/payroll/e2")) == all_classes - {"assessment"}
	open_to(samples.ask(samples.manager, "GET", "/api/employees/e3")) == all_classes
}

test_own_record_of_an_unknown_role_opens_nothing if {
	open_to(samples.ask(samples.stranger, "GET", "/api/employees/z1")) == set()
}

test_own_record_does_not_open_a_list if {
	open_to(samples.ask(samples.staff, "GET", "/api/employees/")) == {"contact"}
}

# What is done to the fields of closed classes.

test_staff_does_not_see_pay_of_a_colleague if {
	m := masked(samples.ask(samples.staff, "GET", "/api/employees/e4"))
	m["$..salary"] == "null"
	m["$..bank"] == "redact"
	m["$..ssn"] == "redact"
	m["$..health"] == "drop"
	m["$..education"] == "redact"
	not m["$..email"]
	not m["$..name"]
}

test_staff_sees_own_pay if {
	m := masked(samples.ask(samples.staff, "GET", "/api/employees/e2"))
	m == {"$..interview": "drop", "$..score": "drop", "$..notes": "drop"}
}

test_admin_does_not_see_health if {
	m := masked(samples.ask(samples.admin, "GET", "/api/employees/e2"))
	m == {
		"$..health": "drop",
		"$..conditions": "drop",
		"$..blood_group": "drop",
		"$..insurance_id": "drop",
		"$..disability": "drop",
	}
}

test_hr_sees_every_field_of_a_record if {
	question := samples.ask(samples.hr, "GET", "/api/employees/e2")
	masked(question) == {}
	masking.all_fields with input as question
}

test_hr_does_not_see_how_many_records_other_tenants_have if {
	question := samples.ask(samples.hr, "GET", "/api/employees/")
	masked(question) == {"$.count": "null"}
	not masking.all_fields with input as question
}

test_super_admin_sees_every_field_of_a_list if {
	question := samples.ask(samples.root, "GET", "/api/employees/")
	masked(question) == {}
	masking.all_fields with input as question
}

test_candidate_does_not_read_notes_about_the_own_application if {
	m := masked(samples.ask(samples.candidate, "GET", "/api/candidates/c1"))
	m["$..interview"] == "drop"
	m["$..notes"] == "drop"
	not m["$..expected_salary"]
	not m["$..health"]
}

# Outsiders.

test_employer_sees_listed_fields_of_candidates if {
	question := samples.ask(samples.employer, "GET", "/api/candidates/")
	paths := exposed(question)
	"$.items[*].name" in paths
	"$.items[*].education" in paths
	not "$.items[*].health" in paths
	not "$.count" in paths
}

test_employer_sees_listed_fields_of_one_candidate if {
	exposed(samples.ask(samples.employer, "GET", "/api/candidates/c1")) == {
		"$.id", "$.tenant", "$.branch", "$.name", "$.email", "$.phone", "$.position", "$.stage",
		"$.expected_salary", "$.interview", "$.education",
	}
}

test_employer_sees_contact_data_masked if {
	m := masked(samples.ask(samples.employer, "GET", "/api/candidates/c1"))
	m["$..email"] == "partial"
	m["$..phone"] == "partial"
	m["$..education"] == "redact"
	m["$..health"] == "drop"
	not m["$..expected_salary"]
}

test_nobody_else_has_an_allow_list if {
	every subject in samples.everybody {
		listed := exposed(samples.ask(subject, "GET", "/api/candidates/"))
		{subject.role | count(listed) > 0} == {subject.role | subject.role == "employer"}
	}
}

test_allow_list_is_not_every_field if {
	not masking.sees_everything with input as samples.ask(samples.employer, "GET", "/api/candidates/c1")
		with data.company.roles.employer.sees as [class | some class in all_classes]
}

# Whoever is not known.

test_unknown_role_sees_nothing if {
	question := samples.ask(samples.stranger, "GET", "/api/employees/e2")
	m := masked(question)
	m["$..*"] == "drop"
	m["$..ssn"] == "redact"
	not masking.all_fields with input as question
}

test_nobody_sees_nothing if {
	question := samples.nobody_asks("GET", "/api/employees/e2")
	m := masked(question)
	m["$..*"] == "drop"
	m["$..email"] == "partial"
	not masking.all_fields with input as question
}

# Data that went missing closes, it does not open.

test_without_classes_nobody_sees_every_field if {
	question := samples.ask(samples.hr, "GET", "/api/employees/e2")
	not masking.all_fields with input as question with data.company.fields as {}
}

test_new_class_is_closed_to_everybody if {
	m := masked(samples.ask(samples.hr, "GET", "/api/employees/e2")) with data.company.fields as {"religion": {"drop": ["faith"]}}
	m == {"$..faith": "drop"}
}

test_every_answer_is_masked_or_said_to_be_open if {
	every subject in samples.everybody {
		every path in ["/api/employees/", "/api/employees/e2", "/api/payroll/e2", "/api/candidates/c1", "/api/documents/"] {
			question := samples.ask(subject, "GET", path)
			said := {true | masking.all_fields with input as question}
			count(said) + count({true | count(masked(question)) > 0}) == 1
		}
	}
}

# What is known, open or closed.

test_every_field_is_classified_whoever_asks if {
	known := masking.classified with input as samples.nobody_asks("GET", "/api/employees/e2")
	"$..email" in known
	"$..salary" in known
	known == masking.classified with input as samples.ask(samples.hr, "GET", "/api/employees/e2")
}

test_new_field_is_classified if {
	known := masking.classified with data.company.fields as {"religion": {"drop": ["faith"]}}
	known == {"$..faith"}
}

test_masks_say_their_class if {
	entries := masking.mask with input as samples.ask(samples.staff, "GET", "/api/employees/e4")
	classes := {entry.path: entry.class | some entry in entries}
	classes["$..salary"] == "financial"
	classes["$..health"] == "phi"
}

# What waits for a second factor.

phi := {
	"$..health": "drop", "$..conditions": "drop", "$..blood_group": "drop",
	"$..insurance_id": "drop", "$..disability": "drop",
}

unproved := [
	samples.by_password(samples.hr),
	samples.signed_in(samples.hr, 301),
	samples.program(samples.hr),
]

test_health_waits_for_a_fresh_second_factor if {
	every subject in unproved {
		question := samples.ask(subject, "GET", "/api/employees/e4")
		masked(question) == phi
		not masking.all_fields with input as question
	}
}

test_health_waits_for_the_super_admin_too if {
	masked(samples.ask(samples.by_password(samples.root), "GET", "/api/employees/")) == phi
}

test_health_waits_in_the_own_record_and_in_exports if {
	own := masked(samples.ask(samples.by_password(samples.staff), "GET", "/api/employees/e2"))
	own["$..health"] == "drop"
	not own["$..salary"]
	masked(samples.ask(samples.by_password(samples.hr), "GET", "/api/employees/export")) == phi
}

test_second_factor_opens_nothing_to_who_may_not_see_it if {
	m := masked(samples.ask(samples.admin, "GET", "/api/employees/e4"))
	m["$..health"] == "drop"
}
