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
