package authz_test

import data.authz
import data.samples

# What each role may do, written down a second time and by hand: the table in
# company/permissions.yaml must not change without somebody meaning it.
record_paths := {
	"employees": "/api/employees/e4",
	"payroll": "/api/payroll/e4",
	"candidates": "/api/candidates/c2",
	"documents": "/api/documents/d1",
}

list_paths := {
	"employees": "/api/employees/",
	"payroll": "/api/payroll/",
	"candidates": "/api/candidates/",
	"documents": "/api/documents/",
}

everything_but_payroll := {
	"GET employees", "GET employee", "POST employee", "PUT employee", "PATCH employee", "DELETE employee",
	"GET payroll", "GET payslips",
	"GET candidates", "GET candidate", "POST candidate", "PUT candidate", "PATCH candidate", "DELETE candidate",
	"GET documents", "GET document", "POST document", "DELETE document",
}

singular := {"employees": "employee", "payroll": "payslips", "candidates": "candidate", "documents": "document"}

may(subject) := listed | single if {
	listed := {name |
		some route, path in list_paths
		authz.allow with input as samples.ask(subject, "GET", path)
		name := concat(" ", ["GET", route])
	}
	single := {name |
		some method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
		some route, _ in list_paths
		authz.allow with input as samples.ask(subject, method, path_for(method, route))
		name := concat(" ", [method, singular[route]])
	}
}

path_for(method, route) := record_paths[route] if method != "POST"

path_for("POST", route) := list_paths[route]

test_super_admin_may if may(samples.root) == everything_but_payroll

test_admin_may if may(samples.admin) == everything_but_payroll

test_hr_may if may(samples.hr) == everything_but_payroll

test_manager_may if {
	may(samples.manager) == {
		"GET employees", "GET employee",
		"GET candidates", "GET candidate",
		"GET documents", "GET document",
	}
}

test_staff_may if {
	may(samples.staff) == {
		"GET employees", "GET employee",
		"GET documents", "GET document", "POST document",
	}
}

test_candidate_may if may(samples.candidate) == {"POST document"}

test_employer_may if may(samples.employer) == {"GET candidates", "GET candidate"}

test_unknown_role_may_nothing if may(samples.stranger) == set()

test_head_is_a_read if {
	authz.allow with input as samples.ask(samples.hr, "HEAD", "/api/employees/e2")
}

# One's own record.

test_staff_reads_and_updates_own_record if {
	authz.allow with input as samples.ask(samples.staff, "GET", "/api/employees/e2")
	authz.allow with input as samples.ask(samples.staff, "PATCH", "/api/employees/e2")
}

test_staff_does_not_delete_own_record if {
	not authz.allow with input as samples.ask(samples.staff, "DELETE", "/api/employees/e2")
}

test_staff_does_not_update_a_colleague if {
	question := samples.ask(samples.staff, "PATCH", "/api/employees/e4")
	not authz.allow with input as question
	samples.codes(authz.deny) == {"role_not_permitted"} with input as question
}

test_staff_reads_own_payslips if {
	authz.allow with input as samples.ask(samples.staff, "GET", "/api/payroll/e2")
}

test_manager_reads_own_payslips_only if {
	authz.allow with input as samples.ask(samples.manager, "GET", "/api/payroll/e3")
	not authz.allow with input as samples.ask(samples.manager, "GET", "/api/payroll/e2")
}

test_list_is_nobodys_own if {
	question := samples.ask(samples.staff, "GET", "/api/payroll/")
	not authz.allow with input as question
	samples.codes(authz.deny) == {"role_not_permitted"} with input as question
}

test_candidate_reads_own_application_only if {
	authz.allow with input as samples.ask(samples.candidate, "GET", "/api/candidates/c1")
	not authz.allow with input as samples.ask(samples.candidate, "GET", "/api/candidates/c2")
	not authz.allow with input as samples.ask(samples.candidate, "GET", "/api/candidates/")
}

# Objections.

test_grant_comes_without_objection if {
	authz.deny == set() with input as samples.ask(samples.hr, "GET", "/api/employees/e2")
	authz.deny == set() with input as samples.ask(samples.staff, "GET", "/api/employees/e2")
}

test_no_subject if {
	question := samples.nobody_asks("GET", "/api/employees/")
	not authz.allow with input as question
	samples.codes(authz.deny) == {"subject_missing"} with input as question
}

test_subject_without_an_id if {
	nobody := object.union(samples.hr, {"id": ""})
	samples.codes(authz.deny) == {"subject_missing"} with input as samples.ask(nobody, "GET", "/api/employees/")
}

test_unknown_role if {
	question := samples.ask(samples.stranger, "GET", "/api/employees/")
	not authz.allow with input as question
	samples.codes(authz.deny) == {"role_unknown"} with input as question
}

test_empty_role if {
	nobody := object.union(samples.hr, {"role": ""})
	samples.codes(authz.deny) == {"role_unknown"} with input as samples.ask(nobody, "GET", "/api/employees/")
}

test_subject_without_a_tenant if {
	samples.codes(authz.deny) == {"tenant_missing"} with input as samples.ask(samples.homeless, "GET", "/api/employees/")
}

test_role_without_a_permission if {
	question := samples.ask(samples.candidate, "GET", "/api/employees/")
	samples.codes(authz.deny) == {"role_not_permitted"} with input as question
}

test_unknown_route if {
	question := samples.ask(samples.root, "GET", "/api/secrets/")
	not authz.allow with input as question
	samples.codes(authz.deny) == {"role_not_permitted"} with input as question
}

test_path_below_a_record if {
	question := samples.ask(samples.root, "GET", "/api/employees/e2/contract")
	not authz.allow with input as question
	samples.codes(authz.deny) == {"path_not_covered"} with input as question
}

test_grant_and_objection_exclude_each_other if {
	every subject in array.concat(samples.everybody, [samples.stranger]) {
		every method in ["GET", "PATCH", "OPTIONS"] {
			every path in ["/api/employees/", "/api/employees/e4", "/api/employees/e4/x", "/api/payroll/e4", "/api/other/"] {
				decided(samples.ask(subject, method, path))
			}
		}
	}
}

decided(question) if {
	answer := authz with input as question
	outcome(answer.allow, count(answer.deny))
}

outcome(true, 0)

outcome(false, 1)

# Writing into another tenant.

test_record_created_in_another_tenant if {
	question := samples.ask_with_body(samples.hr, "POST", "/api/employees/", {"name": "Zed", "tenant": "globex"})
	samples.codes(authz.deny) == {"tenant_mismatch"} with input as question
}

test_record_created_in_own_tenant if {
	question := samples.ask_with_body(samples.hr, "POST", "/api/employees/", {"name": "Zed", "tenant": "acme"})
	authz.deny == set() with input as question
}

test_tenant_is_found_however_it_is_spelled_and_wherever_it_stands if {
	every body in [
		{"Tenant": "globex"},
		{"tenant_id": "globex"},
		{"employee": {"TENANT-ID": "globex"}},
		[{"name": "Zed"}, {"tenant": "globex"}],
		{"tenant": null},
		{"tenant": ["acme"]},
	] {
		question := samples.ask_with_body(samples.hr, "POST", "/api/employees/", body)
		samples.codes(authz.deny) == {"tenant_mismatch"} with input as question
	}
}

test_body_that_is_no_object_has_no_tenant if {
	authz.deny == set() with input as samples.ask_with_body(samples.hr, "POST", "/api/employees/", "tenant")
}

test_super_admin_writes_into_any_tenant if {
	question := samples.ask_with_body(samples.root, "POST", "/api/employees/", {"tenant": "globex"})
	authz.deny == set() with input as question
}

# Asking for a masked field by filter or order.

test_order_by_a_masked_field if {
	question := samples.ask_with_query(samples.staff, "/api/employees/", {"ordering": ["salary"]})
	samples.codes(authz.deny) == {"query_not_permitted"} with input as question
}

test_one_bad_parameter_among_good_ones if {
	question := samples.ask_with_query(samples.manager, "/api/employees/", {"page": ["1"], "salary__gt": ["1"]})
	samples.codes(authz.deny) == {"query_not_permitted"} with input as question
}

test_paging if {
	question := samples.ask_with_query(samples.staff, "/api/employees/", {"page": ["2"], "page_size": ["50"]})
	authz.deny == set() with input as question
}

test_who_sees_every_field_may_filter if {
	authz.deny == set() with input as samples.ask_with_query(samples.hr, "/api/employees/", {"ordering": ["salary"]})
}

# Who would see them after a second factor is asked for it (obligations_test).
test_who_sees_every_field_after_a_second_factor_may_filter if {
	question := samples.ask_with_query(samples.by_password(samples.hr), "/api/employees/", {"ordering": ["salary"]})
	authz.deny == set() with input as question
}

test_without_a_list_of_parameters_none_is_good if {
	question := samples.ask_with_query(samples.staff, "/api/employees/", {"page": ["2"]})
	samples.codes(authz.deny) == {"query_not_permitted"} with input as question with data.company.paging as null
}
