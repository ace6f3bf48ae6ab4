package obligations_test

import data.obligations
import data.samples

otp_within_an_hour := {{"amr": ["otp"], "max_age": 3600}}

test_payroll_needs_a_second_factor_of_everybody if {
	every subject in samples.everybody {
		every path in ["/api/payroll/", "/api/payroll/e2"] {
			obligations.require == otp_within_an_hour with input as samples.ask(subject, "GET", path)
		}
	}
}

# Whether the factor was given, and how long ago, is for the gateway to judge: a
# policy has no clock. The policy asks for it whatever the token says.
test_second_factor_is_asked_for_even_when_it_was_given if {
	every given in [["otp"], ["pwd", "otp"], [], ["hwk"]] {
		subject := object.union(samples.hr, {"amr": given})
		obligations.require == otp_within_an_hour with input as samples.ask(subject, "GET", "/api/payroll/e2")
	}
}

test_second_factor_is_asked_for_however_old_the_session if {
	every moment in [0, 1700000000] {
		subject := object.union(samples.hr, {"amr": ["otp"], "auth_time": moment})
		obligations.require == otp_within_an_hour with input as samples.ask(subject, "GET", "/api/payroll/e2")
	}
}

test_programs_are_not_exempt if {
	every subject in samples.everybody {
		question := samples.ask(samples.program(subject), "GET", "/api/payroll/")
		obligations.require == otp_within_an_hour with input as question
	}
}

# A filter over fields that are masked until then would tell what the mask hides.

test_filter_over_health_asks_for_a_fresh_factor if {
	every subject in [samples.by_password(samples.hr), samples.signed_in(samples.hr, 301), samples.program(samples.hr)] {
		question := samples.ask_with_query(subject, "/api/employees/", {"blood_group": ["0"]})
		obligations.require == {{"amr": ["otp"], "max_age": 300}} with input as question
	}
}

test_filter_after_a_fresh_factor_asks_for_nothing if {
	question := samples.ask_with_query(samples.hr, "/api/employees/", {"blood_group": ["0"]})
	obligations.require == set() with input as question
}

test_paging_asks_for_nothing if {
	question := samples.ask_with_query(samples.by_password(samples.hr), "/api/employees/", {"page": ["2"]})
	obligations.require == set() with input as question
}

test_who_never_sees_health_is_not_asked if {
	question := samples.ask_with_query(samples.by_password(samples.admin), "/api/employees/", {"blood_group": ["0"]})
	obligations.require == set() with input as question
}

test_other_routes_need_none if {
	every path in ["/api/employees/", "/api/candidates/", "/api/documents/", "/api/unknown/"] {
		obligations.require == set() with input as samples.ask(samples.hr, "GET", path)
	}
}

test_payroll_is_on_record_in_detail if {
	obligations.audit == "detail" with input as samples.ask(samples.hr, "GET", "/api/payroll/e2")
}

test_super_admin_is_on_record_in_detail if {
	obligations.audit == "detail" with input as samples.ask(samples.root, "GET", "/api/employees/")
}

test_super_admin_on_payroll_is_one_answer if {
	obligations.audit == "detail" with input as samples.ask(samples.root, "GET", "/api/payroll/")
}

test_other_routes_keep_their_level if {
	not obligations.audit with input as samples.ask(samples.hr, "GET", "/api/employees/")
}
