package question_test

import data.question
import data.samples

shape_of(segments) := shape if shape := question.shape with input.resource.segments as segments

test_path_of_two_segments_is_a_list if shape_of(["api", "employees"]) == "list"

test_trailing_slash_is_still_a_list if shape_of(["api", "employees", ""]) == "list"

test_path_of_three_segments_is_a_record if shape_of(["api", "employees", "e2"]) == "record"

test_export_of_the_route_has_a_shape_of_its_own if {
	question.shape == "export" with input as samples.ask(samples.hr, "GET", "/api/employees/export")
	question.shape == "record" with input as samples.ask(samples.hr, "GET", "/api/documents/export")
}

test_deeper_path_has_no_shape if not shape_of(["api", "employees", "e2", "contract"])

test_gap_in_the_path_has_no_shape if not shape_of(["api", "employees", "", "contract"])

test_path_of_one_segment_has_no_shape if not shape_of(["api"])

test_empty_path_has_no_shape if not shape_of([])

test_creation_answers_with_the_record if {
	question.target == "created" with input as samples.ask(samples.hr, "POST", "/api/employees/")
}

test_record_is_not_created_over if {
	not question.target with input as samples.ask(samples.hr, "POST", "/api/employees/e2")
}

test_export_is_read_and_nothing_else if {
	question.target == "export" with input as samples.ask(samples.hr, "GET", "/api/employees/export")
	every method in ["POST", "PUT", "PATCH", "DELETE"] {
		not question.target with input as samples.ask(samples.hr, method, "/api/employees/export")
	}
}

test_below_an_export_there_is_nothing if {
	not question.shape with input as samples.ask(samples.hr, "GET", "/api/employees/export/e2")
}

# Somebody may be called that.
test_export_is_nobodys_own_record if {
	export := object.union(samples.staff, {"id": "export"})
	not question.own with input as samples.ask(export, "GET", "/api/employees/export")
}

test_list_is_not_deleted if {
	not question.target with input as samples.ask(samples.hr, "DELETE", "/api/employees/")
}

test_own_record if {
	question.own with input as samples.ask(samples.staff, "GET", "/api/employees/e2")
}

test_record_of_another_is_not_own if {
	not question.own with input as samples.ask(samples.staff, "GET", "/api/employees/e4")
}

test_list_is_not_own if {
	not question.own with input as samples.ask(samples.staff, "GET", "/api/employees/")
}

test_document_with_the_id_of_the_caller_is_not_own if {
	not question.own with input as samples.ask(samples.staff, "GET", "/api/documents/e2")
}

# Employee 7 and applicant 7 are two people.
test_applicant_with_the_id_of_a_manager_is_not_the_manager if {
	manager := object.union(samples.manager, {"id": "7"})
	question.own with input as samples.ask(manager, "GET", "/api/employees/7")
	not question.own with input as samples.ask(manager, "GET", "/api/candidates/7")
}

test_spelling_of_the_id_matters if {
	not question.own with input as samples.ask(samples.staff, "GET", "/api/employees/E2")
}

test_caller_without_an_id_owns_nothing if {
	nobody := object.union(samples.staff, {"id": ""})
	not question.own with input as samples.ask(nobody, "GET", "/api/employees/")
	not question.own with input as samples.ask(nobody, "GET", "/api/employees/e2")
}

test_unknown_role_is_no_role if {
	not question.role with input as samples.ask(samples.stranger, "GET", "/api/employees/")
}

test_list_of_roles_adds_no_role if {
	several := object.union(samples.stranger, {"roles": ["contractor", "hr"]})
	not question.role with input as samples.ask(several, "GET", "/api/employees/")
}
