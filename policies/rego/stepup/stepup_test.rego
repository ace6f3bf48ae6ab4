package stepup_test

import data.company
import data.samples
import data.stepup

question(subject) := samples.ask(subject, "GET", "/api/employees/e2")

test_second_factor_within_five_minutes if {
	every seconds in [0, 60, 300] {
		stepup.fresh with input as question(samples.signed_in(samples.hr, seconds))
	}
}

test_five_minutes_and_a_second if {
	every seconds in [301, 3600, 100000000] {
		not stepup.fresh with input as question(samples.signed_in(samples.hr, seconds))
	}
}

test_password_alone_however_fresh if {
	not stepup.fresh with input as question(samples.signed_in(samples.by_password(samples.hr), 0))
}

test_other_factors_do_not_count if {
	every amr in [[], ["hwk"], ["OTP"], ["otp2"], ["pwd otp"], [""]] {
		not stepup.fresh with input as question(object.union(samples.hr, {"amr": amr}))
	}
}

test_token_that_does_not_say_when if {
	silent := object.remove(samples.hr, ["auth_age"])
	not stepup.fresh with input as question(silent)
	not stepup.fresh with input as question(object.union(silent, {"auth_time": 1700000000}))
}

test_program if not stepup.fresh with input as question(samples.program(samples.hr))

test_nobody if not stepup.fresh with input as samples.nobody_asks("GET", "/api/employees/e2")

test_listed_classes_wait_and_others_do_not if {
	stale := question(samples.signed_in(samples.hr, 301))
	every class in company.step_up.classes {
		not stepup.shown(class) with input as stale
		stepup.shown(class) with input as question(samples.hr)
	}
	stepup.shown("pii") with input as stale
}

test_without_a_list_every_class_waits if {
	stale := question(samples.signed_in(samples.hr, 301))
	every classes in [null, {}, "phi", false] {
		not stepup.shown("contact") with input as stale with data.company.step_up.classes as classes
		stepup.shown("contact") with input as question(samples.hr) with data.company.step_up.classes as classes
	}
}

test_without_a_limit_nothing_is_fresh if {
	not stepup.fresh with input as question(samples.hr) with data.company.step_up as {"amr": "otp"}
	not stepup.fresh with input as question(samples.hr) with data.company.step_up as {"max_age": 300}
}

test_demand_is_what_is_fresh if {
	stepup.demand == {"amr": ["otp"], "max_age": 300}
}
