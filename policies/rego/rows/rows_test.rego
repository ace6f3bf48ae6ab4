package rows_test

import data.rows
import data.samples

filters(question) := entries if entries := rows.entries with input as question

same_tenant := {"field": "tenant", "op": "eq", "input": "subject.tenant"}

same_branch := {"field": "branch", "op": "in", "input": "subject.branches"}

about_caller(field) := {"field": field, "op": "eq", "input": "subject.id"}

nothing := {"field": "tenant", "op": "in", "value": []}

test_super_admin_sees_every_row if {
	question := samples.ask(samples.root, "GET", "/api/employees/")
	rows.everything with input as question
	filters(question) == set()
}

test_tenant_of_admin_hr_and_employer if {
	every subject in [samples.admin, samples.hr, samples.hr_globex, samples.employer] {
		filters(samples.ask(subject, "GET", "/api/candidates/")) == {{"path": "$.items[*]", "where": [same_tenant]}}
	}
}

test_branch_of_manager_and_staff if {
	every subject in [samples.manager, samples.staff] {
		filters(samples.ask(subject, "GET", "/api/employees/")) == {{
			"path": "$.items[*]",
			"where": [same_tenant, same_branch],
		}}
	}
}

test_rows_of_an_export_are_those_of_the_list if {
	filters(samples.ask(samples.staff, "GET", "/api/employees/export")) == {{
		"path": "$[*]",
		"where": [same_tenant, same_branch],
	}}
}

test_record_is_judged_itself if {
	filters(samples.ask(samples.manager, "GET", "/api/employees/e2")) == {{
		"path": "$",
		"where": [same_tenant, same_branch],
	}}
}

test_payslips_of_one_employee_are_a_list if {
	filters(samples.ask(samples.hr, "GET", "/api/payroll/e2")) == {{"path": "$.items[*]", "where": [same_tenant]}}
}

test_own_record_must_say_that_it_is if {
	filters(samples.ask(samples.staff, "GET", "/api/employees/e2")) == {{
		"path": "$",
		"where": [same_tenant, about_caller("id")],
	}}
}

test_own_record_of_a_manager_is_not_bound_to_a_branch if {
	filters(samples.ask(samples.manager, "GET", "/api/employees/e3")) == {{
		"path": "$",
		"where": [same_tenant, about_caller("id")],
	}}
}

test_own_payslips_must_say_that_they_are if {
	filters(samples.ask(samples.staff, "GET", "/api/payroll/e2")) == {{
		"path": "$.items[*]",
		"where": [same_tenant, about_caller("employee_id")],
	}}
}

test_candidate_sees_only_rows_about_the_candidate if {
	filters(samples.ask(samples.candidate, "GET", "/api/candidates/c1")) == {{
		"path": "$",
		"where": [same_tenant, about_caller("id")],
	}}
	filters(samples.ask(samples.candidate, "GET", "/api/documents/")) == {{
		"path": "$.items[*]",
		"where": [same_tenant, about_caller("owner")],
	}}
}

test_what_was_created_is_judged_by_tenant if {
	every subject in [samples.hr, samples.staff, samples.candidate] {
		filters(samples.ask(subject, "POST", "/api/documents/")) == {{"path": "$", "where": [same_tenant]}}
	}
}

test_documents_of_the_branch if {
	filters(samples.ask(samples.staff, "GET", "/api/documents/")) == {{
		"path": "$.items[*]",
		"where": [same_tenant, same_branch],
	}}
}

test_unknown_role_sees_no_row if {
	filters(samples.ask(samples.stranger, "GET", "/api/employees/")) == {{"path": "$.items[*]", "where": [nothing]}}
	filters(samples.ask(samples.stranger, "POST", "/api/documents/")) == {{"path": "$", "where": [nothing]}}
	filters(samples.ask(samples.stranger, "GET", "/api/employees/z1")) == {{"path": "$", "where": [nothing]}}
}

test_nobody_sees_no_row if {
	filters(samples.nobody_asks("GET", "/api/employees/")) == {{"path": "$.items[*]", "where": [nothing]}}
}

test_path_without_a_shape_is_judged_whole if {
	filters(samples.ask(samples.hr, "GET", "/api/employees/e2/contract")) == {{"path": "$", "where": [same_tenant]}}
}

test_scope_that_nobody_defined_sees_no_row if {
	question := samples.ask(samples.hr, "GET", "/api/employees/")
	filters(question) == {{"path": "$.items[*]", "where": [nothing]}} with data.company.roles.hr.rows as "evrything"
}
