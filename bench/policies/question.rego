# METADATA
# title: What a question says about itself
package question

missing_factor if {
	input.action.method in {"POST", "PUT", "PATCH", "DELETE"}
	not "otp" in input.subject.amr
}

# METADATA
# title: A path that ends in / is that of a list
default prefix := "$"

prefix := "$.items[*]" if endswith(input.resource.path, "/")
