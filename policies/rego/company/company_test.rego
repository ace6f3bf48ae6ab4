# METADATA
# title: The data is well formed
# description: A slip in a table is found here, not by the first caller who meets it.
package company_test

import data.company

scopes := {"everything", "tenant", "branch", "own"}

actions := {"read", "create", "update", "delete"}

masks := {"drop", "null", "redact", "hash", "tokenize", "partial", "generalize"}

classes := {class | some class, _ in company.fields}

test_every_role_has_a_title_a_scope_and_known_classes if {
	every _, profile in company.roles {
		profile.title != ""
		profile.rows in scopes
		every class in profile.sees {
			class in classes
		}
	}
}

test_own_record_opens_known_classes if {
	every class in company.own_record {
		class in classes
	}
}

test_every_role_has_permissions if {
	{role | some role, _ in company.permissions} == {role | some role, _ in company.roles}
}

test_permissions_name_known_routes_and_actions if {
	every _, routes in company.permissions {
		every route, grants in routes {
			company.routes[route]
			every action, grant in grants {
				action in actions
				grant in {"any", "own"}
			}
		}
	}
}

test_own_is_granted_only_to_roles_whose_ids_the_route_names if {
	every role, routes in company.permissions {
		every route, grants in routes {
			every _, grant in grants {
				reachable(grant, role, route)
			}
		}
	}
}

reachable("any", _, _)

reachable("own", role, route) if role in company.routes[route].own_of

test_every_field_has_a_known_action_and_one_class if {
	named := [name | some actions_of in company.fields; some action, names in actions_of; action in masks; some name in names]
	listed := [name | some actions_of in company.fields; some names in actions_of; some name in names]
	named == listed
	count(listed) == count({name | some name in listed})
}

test_every_route_says_where_its_records_stand if {
	every _, route in company.routes {
		startswith(route.entries.list, "$")
		startswith(route.entries.record, "$")
		startswith(route.entries.created, "$")
		route.owner != ""
		every role in route.own_of {
			company.roles[role]
		}
	}
}

test_routes_with_exports_say_where_the_records_are if {
	every _, route in company.routes {
		has_entries_of_exports(route)
	}
}

has_entries_of_exports(route) if not route.exports

has_entries_of_exports(route) if {
	count(route.exports) > 0
	startswith(route.entries.export, "$")
}

test_views_are_of_known_roles_and_routes if {
	every role, routes in company.views {
		company.roles[role]
		every route, names in routes {
			company.routes[route]
			count(names) > 0
		}
	}
}

test_protected_members_are_paths_and_name_known_roles if {
	every route, members in company.protected {
		company.routes[route]
		every path, roles in members {
			startswith(path, "$.")
			every role in roles {
				company.roles[role]
			}
		}
	}
}

test_step_up_names_known_classes_a_method_and_a_time if {
	count(company.step_up.classes) > 0
	every class in company.step_up.classes {
		class in classes
	}
	company.step_up.amr != ""
	company.step_up.max_age > 0
}

# A name is put into a path as it stands.
test_names_of_fields_are_plain_words if {
	every name in array.concat(
		[name | some actions_of in company.fields; some names in actions_of; some name in names],
		[name | some routes in company.views; some names in routes; some name in names],
	) {
		regex.match(`^[A-Za-z_][A-Za-z0-9_]*$`, name)
	}
}
