package authz

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
			_, _, err := mt.Run(t, New(tt.policy, &fixed{d: tt.d, err: tt.err}, nil, nil), x, u.Handle)
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
	if New(config.Policy{Off: true}, nil, nil, nil) != nil {
		t.Error("a stage although policy is off")
	}
}

func TestQuestion(t *testing.T) {
	f := &fixed{d: allow(nil)}
	u := mt.NewUpstream(t, 200, "application/json", "{}")
	x := mt.Exchange(t, "PUT", "https://h/api/a/7?page=1&page=2", strings.NewReader(`{"n":12345678901234567890}`),
		mt.Header("Content-Type", "application/json"), mt.Header("X-Purpose", "audit"), mt.Header("X-Other", "no"))
	x.Start = time.Unix(1_700_000_000, 0)
	_, _, err := mt.Run(t, New(config.Policy{Body: true}, f, []string{"x-purpose"}, nil), x, u.Handle)
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

func TestQuestionOfForms(t *testing.T) {
	sum := "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae" // of foo
	seen := func(media, body string) (any, error) {
		f := &fixed{d: allow(nil)}
		u := mt.NewUpstream(t, 200, jsonType, "{}")
		x := mt.Exchange(t, "POST", "https://h/", strings.NewReader(body), mt.Header("Content-Type", media),
			func(x *middleware.Exchange) { x.Route.Upload = &config.Upload{FileBytes: 10, Files: 2} })
		_, _, err := mt.Run(t, New(config.Policy{Body: true, Bodies: "any"}, f, nil, nil), x, u.Handle)
		if err != nil {
			return nil, err
		}
		return f.seen.Body, nil
	}
	for _, tt := range []struct{ media, body, want string }{
		{formType, "a=1&b=%41+b&a=2&&c&%61=3", `{"a":["1","2","3"],"b":["A b"],"c":[""]}`},
		{formType, "", `null`},
		{jsonType, "", `null`},
		{patchType, `[{"op":"add"}]`, `[{"op":"add"}]`},
		{multipartType, multipart(part("title", "", "text/plain", "x\ny"), part("cv", "cv.pdf", "Application/PDF", "foo"), part("a", "", "", "{}")), `{"parts":[
			{"field":"title","type":"text/plain","value":"x\ny"},
			{"field":"cv","name":"cv.pdf","type":"application/pdf","detected":"","size":3,"sha256":"` + sum + `"},
			{"field":"a","type":"","value":"{}"}]}`},
	} {
		got, err := seen(tt.media, tt.body)
		if err != nil {
			t.Errorf("%s: %v", tt.body, err)
			continue
		}
		want, err := decode([]byte(tt.want))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.body, diff)
		}
	}
	for name, tt := range map[string]struct{ media, body, code string }{
		"text":             {"text/plain", "a", "media_type_unsupported"},
		"not UTF-8":        {formType, "a=%ff", "body_malformed"},
		"part not UTF-8":   {multipartType, multipart(part("a", "", "", "\xff")), "body_malformed"},
		"a file too large": {multipartType, multipart(part("a", "a.txt", "", strings.Repeat("x", 11))), "body_too_large"},
		"many fields":      {formType, strings.Repeat("&", maxFields), "body_too_large"},
	} {
		if _, err := seen(tt.media, tt.body); mt.Code(err) != tt.code {
			t.Errorf("%s: %v, want %s", name, err, tt.code)
		}
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

// Without being told of other shapes, a policy is shown those that rules about
// members are written for: what is not among them would pass such a rule.
func TestPoliciesSeeJSONUnlessToldOfMore(t *testing.T) {
	for _, tt := range []struct {
		media, body string
		upload      bool
		want        string
	}{
		{jsonType, `{"role":"admin"}`, false, ""},
		{"application/merge-patch+json", `{"role":"admin"}`, false, ""},
		{"application/vnd.api+json", `{"data":{"role":"admin"}}`, false, "media_type_unsupported"},
		{patchType, `[{"op":"replace","path":"/role","value":"admin"}]`, false, "media_type_unsupported"},
		{formType, "role=admin", false, "media_type_unsupported"},
		{formType, "role=admin", true, "media_type_unsupported"},
		{multipartType, multipart(part("role", "", "", "admin")), false, "media_type_unsupported"},
		{multipartType, multipart(part("role", "", "", "admin")), true, ""},
	} {
		u := mt.NewUpstream(t, 200, jsonType, "{}")
		x := mt.Exchange(t, "POST", "https://h/", strings.NewReader(tt.body), mt.Header("Content-Type", tt.media), func(x *middleware.Exchange) {
			if tt.upload {
				x.Route.Upload = &config.Upload{FileBytes: 10, Files: 2}
			}
		})
		_, _, err := mt.Run(t, New(config.Policy{Body: true, Bodies: "json"}, &fixed{d: allow(nil)}, nil, nil), x, u.Handle)
		if mt.Code(err) != tt.want {
			t.Errorf("%s, upload %v: %v, want %q", tt.media, tt.upload, err, tt.want)
		}
	}
}
