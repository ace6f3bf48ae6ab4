# METADATA
# title: What is being asked
# description: >-
#   Words about the question that the other packages share. Values of the caller
#   are compared or looked up here and nowhere copied: a decision is then the same
#   for all callers it is equal for, and the gateway can remember it.
package question

# METADATA
# title: The caller is somebody
identified if input.subject.id != ""

# METADATA
# title: The caller belongs to a tenant
has_tenant if input.subject.tenant != ""

# METADATA
# title: The role of the caller, if it is one that the company knows
# description: >-
#   One role at a time, the one the token names as its role. A list of roles adds
#   nothing: two roles could then be combined into one that nobody wrote down.
role := input.subject.role if data.company.roles[input.subject.role]

# METADATA
# title: The description of that role
profile := data.company.roles[input.subject.role]

# METADATA
# title: The description of the route
route := data.company.routes[input.resource.route]

# METADATA
# title: Whether the path names all records of a route, one, or an export
# description: >-
#   /api/employees/ is a list, /api/employees/e2 is a record, and
#   /api/employees/export is a table of the list if the route says so. Any other
#   path has no shape, and what has no shape is refused. Segments are compared one
#   by one; counting them would make the decision depend on every id.
shape := "list" if {
	input.resource.segments[1] != ""
	not names_record
	not goes_deeper
}

shape := "record" if {
	names_record
	not names_export
	not goes_deeper
}

shape := "export" if {
	names_export
	not goes_deeper
}

names_export if data.company.routes[input.resource.route].exports[input.resource.segments[2]]

names_record if input.resource.segments[2] != ""

goes_deeper if input.resource.segments[3] != ""

# METADATA
# title: What is done to which shape
# description: A creation is answered with the record, though its path is that of the list.
target := "list" if {
	shape == "list"
	input.action.name == "read"
}

target := "export" if {
	shape == "export"
	input.action.name == "read"
}

target := "created" if {
	shape == "list"
	input.action.name == "create"
}

target := "record" if {
	shape == "record"
	input.action.name in {"read", "update", "delete"}
}

# METADATA
# title: The path names the record that is about the caller
own if {
	target == "record"
	input.subject.role in route.own_of
	identified
	input.resource.segments[2] == input.subject.id
}

# METADATA
# title: The caller asks for more than a page, a filter or an order
selects if {
	some name, _ in input.resource.query
	not pages(name)
}

pages(name) if name in data.company.paging
