package protect_test

import data.protect
import data.samples

rejected(question) := {entry.path | some entry in entries} if {
	entries := protect.entries with input as question
	every entry in entries {
		entry.action == "reject"
	}
}

test_staff_does_not_write_own_pay_place_and_role if {
	paths := rejected(samples.ask(samples.staff, "PATCH", "/api/employees/e2"))
	paths == {
		"$.id", "$..tenant", "$..tenant_id", "$..branch", "$..role", "$..roles", "$..pay", "$..salary", "$..bank", "$..ssn",
		"$..job_title", "$..hired", "$..health", "$..education",
		# masked even in the own record
		"$..interview", "$..score", "$..notes",
	}
}

test_second_fence_of_candidates if {
	paths := rejected(samples.ask(samples.candidate, "PATCH", "/api/candidates/c1"))
	every path in ["$.id", "$..tenant", "$..branch", "$..role", "$..roles"] {
		path in paths
	}
}

test_staff_writes_own_phone if {
	paths := rejected(samples.ask(samples.staff, "PATCH", "/api/employees/e2"))
	every path in ["$..phone", "$..email", "$..address", "$..emergency_contacts"] {
		not path in paths
	}
}

test_hr_writes_every_member_but_the_tenant if {
	every method in ["PUT", "PATCH"] {
		rejected(samples.ask(samples.hr, method, "/api/employees/e2")) == {"$..tenant", "$..tenant_id"}
	}
	rejected(samples.ask(samples.hr, "POST", "/api/employees/")) == set()
}

test_super_admin_writes_every_member if {
	rejected(samples.ask(samples.root, "PUT", "/api/candidates/c1")) == set()
}

test_admin_does_not_write_health_that_is_masked if {
	paths := rejected(samples.ask(samples.admin, "PUT", "/api/employees/e2"))
	paths == {"$..tenant", "$..tenant_id", "$..health", "$..conditions", "$..blood_group", "$..insurance_id", "$..disability"}
}

test_hr_does_not_write_health_before_a_second_factor if {
	paths := rejected(samples.ask(samples.by_password(samples.hr), "PATCH", "/api/employees/e2"))
	paths == {"$..tenant", "$..tenant_id", "$..health", "$..conditions", "$..blood_group", "$..insurance_id", "$..disability"}
}

test_unknown_role_writes_nothing_listed if {
	paths := rejected(samples.ask(samples.stranger, "PUT", "/api/employees/e2"))
	every path in ["$..pay", "$..ssn", "$..tenant", "$..*"] {
		path in paths
	}
}

test_nobody_writes_nothing_listed if {
	"$..pay" in rejected(samples.nobody_asks("PUT", "/api/employees/e2"))
}

test_reading_protects_nothing if {
	rejected(samples.ask(samples.staff, "GET", "/api/employees/e2")) == set()
}

test_upload_is_not_judged_member_by_member if {
	rejected(samples.ask(samples.staff, "POST", "/api/documents/")) == set()
}
