package gatehouse_test

import data.gatehouse
import data.samples

decision(question) := answer if answer := gatehouse with input as question

test_hr_reads_a_record if {
	answer := decision(samples.ask(samples.hr, "GET", "/api/employees/e2"))
	answer.allow == true
	answer.deny == set()
	answer.mask == set()
	answer.all_fields == true
	not answer.all_rows
	answer.rows == {{"path": "$", "where": [{"field": "tenant", "op": "eq", "input": "subject.tenant"}]}}
	not answer.audit
}

test_super_admin_reads_a_list if {
	answer := decision(samples.ask(samples.root, "GET", "/api/employees/"))
	answer.allow == true
	answer.all_fields == true
	answer.all_rows == true
	answer.rows == set()
	answer.audit == "detail"
}

test_identity_is_named_and_not_copied if {
	answer := decision(samples.ask(samples.staff, "GET", "/api/employees/e2"))
	answer.headers == {"X-User-ID": {"input": "subject.id"}, "X-Tenant-ID": {"input": "subject.tenant"}}
}

test_decision_is_the_same_for_equal_people if {
	colleague := object.union(samples.staff, {"id": "e9", "tenant": "globex", "branches": ["nairobi"]})
	decision(samples.ask(samples.staff, "GET", "/api/employees/")) == decision(samples.ask(colleague, "GET", "/api/employees/"))
}

test_no_header_without_a_subject if {
	answer := decision(samples.nobody_asks("GET", "/api/employees/"))
	answer.headers == {}
}

test_staff_writes_under_protection if {
	answer := decision(samples.ask(samples.staff, "PATCH", "/api/employees/e2"))
	answer.allow == true
	{"path": "$..pay", "action": "reject"} in answer.protect
}

test_payroll_asks_for_a_second_factor if {
	answer := decision(samples.ask(samples.staff, "GET", "/api/payroll/e2"))
	answer.allow == true
	answer.require == {{"amr": ["otp"], "max_age": 3600}}
}

test_employer_has_an_allow_list if {
	answer := decision(samples.ask(samples.employer, "GET", "/api/candidates/"))
	"$.items[*].name" in answer.expose
}

test_nobody_is_refused_and_sees_nothing if {
	answer := decision(samples.nobody_asks("GET", "/api/employees/"))
	answer.allow == false
	{"path": "$..*", "action": "drop"} in answer.mask
	not answer.all_fields
	not answer.all_rows
}

test_unknown_role_is_refused_on_every_route if {
	every path in ["/api/employees/", "/api/payroll/e2", "/api/candidates/c1", "/api/documents/"] {
		answer := decision(samples.ask(samples.stranger, "GET", path))
		answer.allow == false
		count(answer.deny) == 1
		{"path": "$..*", "action": "drop"} in answer.mask
		not answer.all_rows
	}
}

# A route that requires masks and rows never lacks them: every grant says what is
# masked or that nothing is, and which rows are seen or that all are.
test_every_grant_to_super_admin_says_masks_and_rows if grants(samples.root) == 15

test_every_grant_to_admin_says_masks_and_rows if grants(samples.admin) == 15

test_every_grant_to_hr_says_masks_and_rows if grants(samples.hr) == 15

test_every_grant_to_manager_says_masks_and_rows if grants(samples.manager) == 9

test_every_grant_to_staff_says_masks_and_rows if grants(samples.staff) == 7

test_every_grant_to_candidate_says_masks_and_rows if grants(samples.candidate) == 2

test_every_grant_to_employer_says_masks_and_rows if grants(samples.employer) == 3

# How many questions of the subject are granted. Undefined if one of the grants
# does not say masks and rows.
grants(subject) := count(granted) if {
	granted := [answer |
		some method, paths in {
			"GET": [
				"/api/employees/", "/api/employees/e4", "/api/payroll/", "/api/payroll/e4",
				"/api/candidates/", "/api/candidates/c2", "/api/documents/",
			],
			"POST": ["/api/employees/", "/api/candidates/", "/api/documents/"],
			"PATCH": ["/api/employees/e4"],
		}
		some path in array.concat(paths, own_paths[method])
		answer := decision(samples.ask(subject, method, replace(path, "SELF", subject.id)))
		answer.allow
	]
	every answer in granted {
		says_masks(answer)
		says_rows(answer)
	}
}

own_paths := {
	"GET": ["/api/employees/SELF", "/api/payroll/SELF", "/api/candidates/SELF"],
	"POST": [],
	"PATCH": ["/api/employees/SELF"],
}

says_masks(answer) if count(answer.mask) > 0

says_masks(answer) if count(answer.expose) > 0

says_masks(answer) if answer.all_fields

says_rows(answer) if count(answer.rows) > 0

says_rows(answer) if answer.all_rows

test_fields_that_are_known_are_said if {
	answer := decision(samples.ask(samples.staff, "GET", "/api/employees/e4"))
	"$..ssn" in answer.classified
}
