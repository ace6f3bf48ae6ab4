# Rego v0: the message is the line to write.
# want: 9:1: this is Rego v0; today one writes: allow if {
# want: 13:1: this is Rego v0; today one writes: deny contains {"code": "late", "message": "come tomorrow"} if {
# want: 17:1: this is Rego v0; today one writes: region := "eu"
package gatehouse

default allow = false

allow {
	input.subject.role == "hr"
}

deny[{"code": "late", "message": "come tomorrow"}] {
	input.context.time.hour > 20
}

region = "eu" { true }
