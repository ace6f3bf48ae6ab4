# METADATA
# title: People and questions for the tests
# description: ask(who, "GET", "/api/employees/e2") is the question as the gateway would put it.
package samples

person(id, role, tenant, branches) := {
	"id": id,
	"issuer": "auth-service",
	"role": role,
	"roles": [role],
	"tenant": tenant,
	"branch": concat("", array.slice(branches, 0, 1)),
	"branches": branches,
	"acr": "",
	"amr": ["pwd", "otp"],
	"auth_time": 1700000000,
	"auth_age": 60,
	"claims": {"sub": id, "role": role},
}

root := person("root", "super-admin", "acme", [])

admin := person("a1", "admin", "acme", [])

hr := person("e1", "hr", "acme", ["lagos"])

hr_globex := person("e6", "hr", "globex", ["nairobi"])

manager := person("e3", "manager", "acme", ["lagos"])

staff := person("e2", "staff", "acme", ["lagos"])

candidate := person("c1", "candidate", "acme", ["lagos"])

employer := person("x1", "employer", "acme", [])

stranger := person("z1", "contractor", "acme", ["lagos"])

homeless := person("e2", "staff", "", [])

everybody := [root, admin, hr, manager, staff, candidate, employer]

# Everybody above has given a second factor a minute ago. These are the same people
# after a password alone, and a while later.
by_password(subject) := object.union(subject, {"amr": ["pwd"]})

signed_in(subject, seconds_ago) := object.union(subject, {"auth_age": seconds_ago})

# Who does not say when and how: a program with a token of its own (client
# credentials).
program(subject) := object.union(
	object.remove(subject, ["auth_age"]),
	{"id": "payroll-export", "amr": [], "auth_time": 0},
)

ask(subject, method, path) := object.union(nobody_asks(method, path), {"subject": subject})

nobody_asks(method, path) := {
	"action": {"method": method, "name": actions[method]},
	"resource": {
		"route": segments[1],
		"host": "api.example.com",
		"path": path,
		"segments": segments,
		"params": {},
		"query": {},
	},
	"context": {
		"time": {"hour": 14, "weekday": "monday", "date": "2026-11-23"},
		"client_address": "192.0.2.1",
		"listener": "public",
		"tls": "1.3",
		"headers": {},
		"request_id": "r1",
	},
} if {
	segments := split(trim(path, "/"), "/")
}

ask_with_body(subject, method, path, body) := object.union(ask(subject, method, path), {"body": body})

ask_with_query(subject, path, query) := object.union(
	ask(subject, "GET", path),
	{"resource": {"query": query}},
)

actions := {
	"GET": "read",
	"HEAD": "read",
	"POST": "create",
	"PUT": "update",
	"PATCH": "update",
	"DELETE": "delete",
	"OPTIONS": "other",
}

# METADATA
# title: The codes of the objections
codes(objections) := {objection.code | some objection in objections}
