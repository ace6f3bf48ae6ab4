package authz

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	mt "github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// fixed is a decider that always answers alike. It stands for the policy, not
// for the engine: the engine's own tests are beside it.
type fixed struct {
	d    *policies.Decision
	err  error
	seen *policies.Input
}

func (f *fixed) Decide(_ context.Context, in *policies.Input) (*policies.Decision, error) {
	f.seen = in
	return f.d, f.err
}
func (f *fixed) HeaderNames() []string { return nil }
func (f *fixed) Revision() string      { return "r" }

func allow(change func(*policies.Decision)) *policies.Decision {
	d := &policies.Decision{Allow: true, AllFields: true, AllRows: true}
	if change != nil {
		change(d)
	}
	return d
}

func TestHandle(t *testing.T) {
	required := config.Policy{Masks: "required", Rows: "required"}
	start := int64(1_800_000_000)
	subject := func(s *policies.Subject) func(*middleware.Exchange) {
		return func(x *middleware.Exchange) { x.Subject = s }
	}
	tests := []struct {
		name     string
		policy   config.Policy
		d        *policies.Decision
		err      error
		subject  *policies.Subject
		status   int
		code     string
		upstream map[string]string // headers the upstream must have seen
		www      string
	}{
		{name: "allowed", d: allow(nil), status: 200},
		{name: "not allowed", d: &policies.Decision{}, status: 403, code: "forbidden"},
		{name: "denied although allowed", d: allow(func(d *policies.Decision) {
			d.Deny = []policies.Denial{{Code: "closed", Message: "not at night"}}
		}), status: 403, code: "closed"},
		{name: "an error denies", err: errors.New("timeout"), status: 500, code: "policy_error"},
		{name: "no word about fields", policy: required, d: allow(func(d *policies.Decision) { d.AllFields = false }), status: 500, code: "policy_error"},
		{name: "no word about rows", policy: required, d: allow(func(d *policies.Decision) { d.AllRows = false }), status: 500, code: "policy_error"},
		{name: "a mask is a word about fields", policy: required, d: allow(func(d *policies.Decision) {
			d.AllFields, d.Mask = false, []policies.Mask{{Path: "$..a", Action: "drop"}}
		}), status: 200},
		{name: "so is expose", policy: required, d: allow(func(d *policies.Decision) {
			d.AllFields, d.Expose = false, []string{"$.a"}
		}), status: 200},
		{name: "headers", subject: &policies.Subject{ID: "u7", Branches: []string{"a", "b"}}, d: allow(func(d *policies.Decision) {
			d.Headers = map[string]policies.Value{"X-User-Id": {Input: "subject.id"}, "X-Branches": {Input: "subject.branches"}, "X-Lit": {Text: "yes"}}
		}), status: 200, upstream: map[string]string{"X-User-Id": "u7", "X-Branches": "a,b", "X-Lit": "yes"}},
		{name: "a missing named value denies", d: allow(func(d *policies.Decision) {
			d.Headers = map[string]policies.Value{"X-User-Id": {Input: "subject.id"}}
		}), status: 403, code: "forbidden"},
		{name: "a comma in a list member denies", subject: &policies.Subject{Branches: []string{"a,b"}}, d: allow(func(d *policies.Decision) {
			d.Headers = map[string]policies.Value{"X-B": {Input: "subject.branches"}}
		}), status: 403, code: "forbidden"},
		{name: "an empty list is no value", subject: &policies.Subject{ID: "u7", Branches: []string{}}, d: allow(func(d *policies.Decision) {
			d.Headers = map[string]policies.Value{"X-B": {Input: "subject.branches"}}
		}), status: 403, code: "forbidden"},
		{name: "a header cannot be injected", subject: &policies.Subject{ID: "u7\r\nX-Role: admin"}, d: allow(func(d *policies.Decision) {
			d.Headers = map[string]policies.Value{"X-User-Id": {Input: "subject.id"}}
		}), status: 403, code: "forbidden"},
		{name: "a NUL cannot be passed on", subject: &policies.Subject{ID: "u7\x00"}, d: allow(func(d *policies.Decision) {
			d.Headers = map[string]policies.Value{"X-User-Id": {Input: "subject.id"}}
		}), status: 403, code: "forbidden"},
		{name: "nor a bare line feed", subject: &policies.Subject{ID: "u7\nX-Role: admin"}, d: allow(func(d *policies.Decision) {
			d.Headers = map[string]policies.Value{"X-User-Id": {Input: "subject.id"}}
		}), status: 403, code: "forbidden"},
		{name: "nor a bare carriage return", subject: &policies.Subject{ID: "u7\rX-Role: admin"}, d: allow(func(d *policies.Decision) {
			d.Headers = map[string]policies.Value{"X-User-Id": {Input: "subject.id"}}
		}), status: 403, code: "forbidden"},
		{name: "nor a tab", subject: &policies.Subject{ID: "u7\tadmin"}, d: allow(func(d *policies.Decision) {
			d.Headers = map[string]policies.Value{"X-User-Id": {Input: "subject.id"}}
		}), status: 403, code: "forbidden"},
		{name: "nor what is not ASCII, which one server takes for UTF-8 and another for Latin-1", subject: &policies.Subject{ID: "u\u00fc7"}, d: allow(func(d *policies.Decision) {
			d.Headers = map[string]policies.Value{"X-User-Id": {Input: "subject.id"}}
		}), status: 403, code: "forbidden"},
		{name: "nor line ends beyond ASCII", subject: &policies.Subject{ID: "u7\u2028x"}, d: allow(func(d *policies.Decision) {
			d.Headers = map[string]policies.Value{"X-User-Id": {Input: "subject.id"}}
		}), status: 403, code: "forbidden"},
		{name: "nor a blank that a server would take away", subject: &policies.Subject{ID: "u7 "}, d: allow(func(d *policies.Decision) {
			d.Headers = map[string]policies.Value{"X-User-Id": {Input: "subject.id"}}
		}), status: 403, code: "forbidden"},
		{name: "nor DEL", subject: &policies.Subject{ID: "u7\x7f"}, d: allow(func(d *policies.Decision) {
			d.Headers = map[string]policies.Value{"X-User-Id": {Input: "subject.id"}}
		}), status: 403, code: "forbidden"},
		{name: "a policy's own text cannot inject a header", subject: &policies.Subject{ID: "u7"}, d: allow(func(d *policies.Decision) {
			d.Headers = map[string]policies.Value{"X-User-Id": {Text: "a\r\nX-Role: admin"}}
		}), status: 403, code: "forbidden"},
		{name: "a member of a list cannot inject a header", subject: &policies.Subject{Branches: []string{"lagos", "abuja\r\nX-Role: admin"}}, d: allow(func(d *policies.Decision) {
			d.Headers = map[string]policies.Value{"X-Branches": {Input: "subject.branches"}}
		}), status: 403, code: "forbidden"},
		{name: "step-up by method", subject: &policies.Subject{AMR: []string{"pwd"}}, d: allow(func(d *policies.Decision) {
			d.Require = []policies.Require{{AMR: []string{"pwd", "otp"}}}
		}), status: 401, code: "step_up_required", www: "insufficient_user_authentication"},
		{name: "step-up by age", subject: &policies.Subject{AuthTime: start - 601}, d: allow(func(d *policies.Decision) {
			d.Require = []policies.Require{{MaxAge: 900}, {MaxAge: 600}}
		}), status: 401, code: "step_up_required", www: `max_age="600"`},
		{name: "step-up by class", subject: &policies.Subject{ACR: "low"}, d: allow(func(d *policies.Decision) {
			d.Require = []policies.Require{{ACR: "high"}}
		}), status: 401, code: "step_up_required", www: `acr_values="high"`},
		{name: "step-up without a subject", d: allow(func(d *policies.Decision) {
			d.Require = []policies.Require{{MaxAge: 600}}
		}), status: 401, code: "step_up_required", www: `max_age="600"`},
		{name: "step-up met", subject: &policies.Subject{ACR: "high", AMR: []string{"otp"}, AuthTime: start - 600}, d: allow(func(d *policies.Decision) {
			d.Require = []policies.Require{{ACR: "high", AMR: []string{"otp"}, MaxAge: 600}}
		}), status: 200},
		{name: "a denial goes before step-up", d: &policies.Decision{Require: []policies.Require{{ACR: "high"}}}, status: 403, code: "forbidden"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := mt.NewUpstream(t, 200, "application/json", "{}")
			x := mt.Exchange(t, "GET", "https://h/api/a/7?page=1&page=2", nil, subject(tt.subject))
			x.Start = time.Unix(start, 0)
			_, _, err := mt.Run(t, New(tt.policy, &fixed{d: tt.d, err: tt.err}, nil), x, u.Handle)
			if tt.status == 200 {
				if err != nil || u.Calls.Load() != 1 {
					t.Fatalf("%v, the upstream saw %d requests", err, u.Calls.Load())
				}
				for k, want := range tt.upstream {
					if got := x.Request.Header.Get(k); got != want {
						t.Errorf("%s: %q, want %q", k, got, want)
					}
				}
				return
			}
			var r *middleware.Refusal
			if !errors.As(err, &r) || r.Status != tt.status || r.Code != tt.code || u.Calls.Load() != 0 {
				t.Fatalf("got %v, want %d %s; the upstream saw %d requests", err, tt.status, tt.code, u.Calls.Load())
			}
			if !strings.Contains(r.Header.Get("WWW-Authenticate"), tt.www) {
				t.Errorf("challenge %q", r.Header.Get("WWW-Authenticate"))
			}
		})
	}
}

func TestOffIsAbsent(t *testing.T) {
	if New(config.Policy{Off: true}, nil, nil) != nil {
		t.Error("a stage although policy is off")
	}
}

func TestProtect(t *testing.T) {
	entries := []policies.Protect{{Path: "$..salary", Action: "reject"}, {Path: "$.role", Action: "drop"}}
	tests := []struct {
		name, mediaType, body, code, forwarded string
	}{
		{"nothing protected", "application/json", `{"a": 1.0}`, "", `{"a": 1.0}`},
		{"rejected", "application/json", `{"pay":{"salary":1}}`, "forbidden", ""},
		{"rejected in an array", "application/json", `[{"salary":1}]`, "forbidden", ""},
		{"rejected in another spelling", "application/json", `{"Sal_Ary":1}`, "forbidden", ""},
		{"rejected behind an escape", "application/json", `{"\u0073alary":1}`, "forbidden", ""},
		{"dropped", "application/json", `{"a": 1.0, "role": "admin"}`, "", `{"a": 1.0}`},
		{"a name that stands twice", "application/json", `{"a":1,"a":2}`, "body_malformed", ""},
		{"broken JSON", "application/json", `{"a":`, "body_malformed", ""},
		{"a form", "application/x-www-form-urlencoded", `salary=1`, "media_type_unsupported", ""},
		{"no type", "", `{"salary":1}`, "media_type_unsupported", ""},
		{"a patch that names its targets in values", "application/json-patch+json", `[]`, "media_type_unsupported", ""},
		{"another charset", "application/json; charset=utf-16", `{}`, "media_type_unsupported", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := mt.NewUpstream(t, 200, "application/json", "{}")
			x := mt.Exchange(t, "POST", "https://h/", strings.NewReader(tt.body), mt.Header("Content-Type", tt.mediaType))
			d := allow(func(d *policies.Decision) { d.Protect = entries })
			_, _, err := mt.Run(t, New(config.Policy{}, &fixed{d: d}, nil), x, u.Handle)
			if mt.Code(err) != tt.code || (err == nil) != (tt.code == "") {
				t.Fatalf("got %v, want %q", err, tt.code)
			}
			if u.Got != tt.forwarded {
				t.Errorf("forwarded %q, want %q", u.Got, tt.forwarded)
			}
		})
	}
}

func TestQuestion(t *testing.T) {
	f := &fixed{d: allow(nil)}
	u := mt.NewUpstream(t, 200, "application/json", "{}")
	x := mt.Exchange(t, "PUT", "https://h/api/a/7?page=1&page=2", strings.NewReader(`{"n":12345678901234567890}`),
		mt.Header("Content-Type", "application/json"), mt.Header("X-Purpose", "audit"), mt.Header("X-Other", "no"))
	x.Start = time.Unix(1_700_000_000, 0)
	_, _, err := mt.Run(t, New(config.Policy{Body: true}, f, []string{"x-purpose"}), x, u.Handle)
	if err != nil {
		t.Fatal(err)
	}
	in := f.seen
	if in.Action.Name != "update" || strings.Join(in.Resource.Segments, "|") != "api|a|7" || len(in.Resource.Query["page"]) != 2 ||
		in.Context.Time != (policies.Time{Hour: 22, Weekday: "tuesday", Date: "2023-11-14"}) || in.Context.TLS != "1.3" ||
		len(in.Context.Headers) != 1 || in.Context.Headers["x-purpose"][0] != "audit" {
		t.Errorf("%+v", in)
	}
	body, _ := in.Body.(map[string]any)
	if n, _ := body["n"].(interface{ String() string }); n == nil || n.String() != "12345678901234567890" {
		t.Errorf("body %v", in.Body)
	}
	if u.Got != `{"n":12345678901234567890}` {
		t.Errorf("forwarded %q", u.Got)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1,"a":2}`, `[1,2,{"b":null}]`, `"\ud800"`, `{"a":1}x`, "\xff", strings.Repeat("[", 200)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = decode(b) })
}

// A client whose address is not known has none to policies: what names it then
// denies, and nothing can be compared with a text that looks like one.
func TestUnknownClientHasNoAddress(t *testing.T) {
	if got := address(netip.Addr{}); got != "" {
		t.Errorf("%q", got)
	}
	if got := address(netip.MustParseAddr("2001:db8::1")); got != "2001:db8::1" {
		t.Errorf("%q", got)
	}
}
