package record

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/policies"
)

func TestMask(t *testing.T) {
	m, err := NewMask([]any{
		"/input/subject/claims/email",
		map[string]any{"op": "remove", "path": "/input/subject/branch"},
		map[string]any{"op": "upsert", "path": "/input/subject/id", "value": "somebody"},
		map[string]any{"op": "upsert", "path": "/input/subject/claims/checked", "value": true},
		"/input/resource/query/q/0",
		"/input/subject/claims/a~1b~0c",
		"/input/subject/claims/absent/deep",
		"/input/subject/claims/absent",
		"/result/rows/0/where/0/value",
	})
	if err != nil {
		t.Fatal(err)
	}
	in := question()
	in.Subject.Branch = "lagos"
	in.Subject.Claims["a/b~c"] = "x"
	in.Resource.Query["q"] = []string{"Ann", "b"}
	e := entry(in, allowed())
	e.Mask = m
	got := readBack(t, written(t, Options{}, e))
	want := question()
	want.Subject.ID = "somebody"
	want.Subject.Claims = map[string]any{"cost": want.Subject.Claims["cost"], "checked": true}
	want.Resource.Query["q"] = []string{"***", "b"}
	decision := allowed()
	decision.Rows[0].Where[0].Value = nil
	if diff := cmp.Diff([]any{*want, decision}, []any{got.Input, got.Result}); diff != "" {
		t.Error(diff)
	}
	erased := []string{"/input/subject/branch", "/input/subject/claims/a~1b~0c", "/input/subject/claims/email", "/result/rows/0/where/0/value"}
	masked := []string{"/input/resource/query/q/0", "/input/subject/claims/checked", "/input/subject/id"}
	if diff := cmp.Diff([][]string{erased, masked}, [][]string{got.Erased, got.Masked}); diff != "" {
		t.Error(diff)
	}
}

// TestMaskOfTheSubject: who is taken out of the subject is not left in the
// claims, under whatever name.
func TestMaskOfTheSubject(t *testing.T) {
	m, err := NewMask([]any{"/input/subject/id", map[string]any{"op": "upsert", "path": "/input/subject/roles", "value": []any{}}, "/input/subject/branch"})
	if err != nil {
		t.Fatal(err)
	}
	in := question()
	in.Subject.Claims = map[string]any{
		"sub": "u7", "employee": map[string]any{"number": "u7", "branch": ""}, "groups": []any{"hr"}, "amr": []any{}, "email": "u7@acme.example",
	}
	e := entry(in, nil)
	e.Mask = m
	got := readBack(t, written(t, Options{}, e))
	claims := map[string]any{"employee": map[string]any{"branch": ""}, "amr": []any{}, "email": "u7@acme.example"}
	if diff := cmp.Diff(claims, got.Input.Subject.Claims); diff != "" || got.Input.Subject.ID != "" || len(got.Input.Subject.Roles) > 0 {
		t.Errorf("%+v\n%s", got.Input.Subject, diff)
	}
	erased := []string{
		"/input/subject/branch", "/input/subject/claims/employee/number", "/input/subject/claims/groups", "/input/subject/claims/sub", "/input/subject/id",
	}
	if diff := cmp.Diff(erased, got.Erased); diff != "" {
		t.Error(diff)
	}
}

// TestMaskOfAParameter: what is taken out of the parameters of a path is not
// left in the path, whether the policies name it or its own name does.
func TestMaskOfAParameter(t *testing.T) {
	m, err := NewMask([]any{"/input/resource/params/id"})
	if err != nil {
		t.Fatal(err)
	}
	in := question()
	in.Resource.Path, in.Resource.Segments = "/api/7/reset/s3cr3t/77", []string{"api", "7", "reset", "s3cr3t", "77"}
	in.Resource.Params = map[string]string{"id": "7", "reset_token": "s3cr3t", "kind": "reset", "pin": ""}
	e := entry(in, nil)
	e.Mask = m
	got := readBack(t, written(t, Options{}, e))
	want := policies.Resource{
		Route: "employees", Host: "h", Path: "/api/***/reset/***/77", Segments: []string{"api", "***", "reset", "***", "77"},
		Params: map[string]string{"kind": "reset"}, Query: map[string][]string{"page": {"1"}},
	}
	if diff := cmp.Diff(want, got.Input.Resource); diff != "" {
		t.Error(diff)
	}
	masked := []string{"/input/resource/path", "/input/resource/segments/1", "/input/resource/segments/3"}
	if diff := cmp.Diff(masked, got.Masked); diff != "" {
		t.Error(diff)
	}
}

// TestMaskOfAllParameters: who takes out all of them means each.
func TestMaskOfAllParameters(t *testing.T) {
	for _, op := range []any{"/input/resource/params", map[string]any{"op": "upsert", "path": "/input/resource/params", "value": map[string]any{}}} {
		m, err := NewMask([]any{op})
		if err != nil {
			t.Fatal(err)
		}
		in := question()
		in.Resource.Path, in.Resource.Segments = "/api/7/Ann", []string{"api", "7", "Ann"}
		in.Resource.Params = map[string]string{"id": "7", "name": "Ann"}
		e := entry(in, nil)
		e.Mask = m
		got := readBack(t, written(t, Options{}, e)).Input.Resource
		if diff := cmp.Diff([]string{"api", "***", "***"}, got.Segments); diff != "" || got.Path != "/api/***/***" || len(got.Params) > 0 {
			t.Errorf("%v: %+v", op, got)
		}
	}
}

// TestMaskOfTheTimeOfAuthentication: a number is one in the claims, too.
func TestMaskOfTheTimeOfAuthentication(t *testing.T) {
	m, err := NewMask([]any{"/input/subject/auth_time"})
	if err != nil {
		t.Fatal(err)
	}
	in := question()
	in.Subject.Claims = map[string]any{"auth_time": json.Number("17"), "level": json.Number("1")}
	e := entry(in, nil)
	e.Mask = m
	got := readBack(t, written(t, Options{}, e)).Input.Subject
	if diff := cmp.Diff(map[string]any{"level": json.Number("1")}, got.Claims); diff != "" || got.AuthTime != 0 || got.AuthAge != nil {
		t.Errorf("%+v\n%s", got, diff)
	}
}

// TestMaskOfTheAgeOfAuthentication: no claim holds it, and it is not worked out
// from what is left.
func TestMaskOfTheAgeOfAuthentication(t *testing.T) {
	m, err := NewMask([]any{"/input/subject/auth_age"})
	if err != nil {
		t.Fatal(err)
	}
	in := question()
	in.Subject.Claims = map[string]any{"level": json.Number("60")}
	e := entry(in, nil)
	e.Mask = m
	got := readBack(t, written(t, Options{}, e)).Input.Subject
	if diff := cmp.Diff(in.Subject.Claims, got.Claims); diff != "" || got.AuthTime != 17 || got.AuthAge != nil {
		t.Errorf("%+v\n%s", got, diff)
	}
}

// TestSecretsInNames: callers choose the names of members, and a token may stand
// in the place of one.
func TestSecretsInNames(t *testing.T) {
	in := question()
	in.Resource.Query = map[string][]string{jwt: {""}, "page": {"1"}}
	in.Body = map[string]any{"list": []any{map[string]any{"Bearer 0123456789": 1}}}
	line := written(t, Options{Bodies: true}, entry(in, nil))
	if strings.Contains(line, jwt) || strings.Contains(line, "0123456789") {
		t.Error(line)
	}
	want := []string{"/input/body/list/0/***", "/input/resource/query/***"}
	if diff := cmp.Diff(want, readBack(t, line).Erased); diff != "" {
		t.Error(diff)
	}
}

// TestMaskOfNobody: pointers below a subject that is not there change nothing,
// and what is left of a question can still be read.
func TestMaskOfNobody(t *testing.T) {
	m, err := NewMask([]any{
		map[string]any{"op": "upsert", "path": "/input/subject/id", "value": "x"},
		"/input/subject/roles", "/input/resource/segments", "/input/resource/query", "/input/resource/params", "/input/context/headers",
	})
	if err != nil {
		t.Fatal(err)
	}
	in := question()
	in.Subject, in.Resource.Params = nil, nil
	e := entry(in, nil)
	e.Mask = m
	got := readBack(t, written(t, Options{}, e))
	if got.Input.Subject != nil || got.Masked != nil || got.Input.Resource.Segments == nil || got.Input.Context.Headers == nil {
		t.Errorf("%+v, masked %v", got.Input, got.Masked)
	}
	e = entry(question(), nil)
	e.Mask = m
	if got := readBack(t, written(t, Options{}, e)); got.Input.Subject.Roles == nil {
		t.Error("roles are nil, which they never are in a question")
	}
}

// TestMaskMistakes: a mask that would miss, or leave records that nobody can
// read, is refused as a whole.
func TestMaskMistakes(t *testing.T) {
	for want, entry := range map[string]any{
		`"input/subject" is not a JSON pointer`:                               "input/subject",
		`"/input" is not a JSON pointer into the question or the decision`:    "/input",
		`"/context/time" is not a JSON pointer into`:                          "/context/time",
		`"/input/a~b": in a JSON pointer ~ is written ~0`:                     "/input/a~b",
		`"/input/subject/clams/email" leads nowhere: there is no "clams"`:     "/input/subject/clams/email",
		`"/result/masks/0" leads nowhere: there is no "masks"`:                "/result/masks/0",
		`"/input/subject/auth_time": the value is not of the type`:            map[string]any{"op": "upsert", "path": "/input/subject/auth_time", "value": "x"},
		`"/input/resource/segments": the value is not of the type`:            map[string]any{"op": "upsert", "path": "/input/resource/segments", "value": "x"},
		`op is remove or upsert, not "erase"`:                                 map[string]any{"op": "erase", "path": "/input/body"},
		`op is remove or upsert, not ""`:                                      map[string]any{"path": "/input/body"},
		`value belongs to upsert, and to nothing else`:                        map[string]any{"op": "remove", "path": "/input/body", "value": 1},
		`an entry for "/input/body": value belongs to upsert`:                 map[string]any{"op": "upsert", "path": "/input/body"},
		`an entry has a member "pth"; there are op, path and value`:           map[string]any{"op": "remove", "pth": "/input/body"},
		"an entry is neither a JSON pointer nor an object with op and path":   7,
		`"" is not a JSON pointer into the question or the decision: /input/`: map[string]any{"op": "remove"},
	} {
		if _, err := NewMask([]any{"/input/body", entry}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", entry, err, want)
		}
	}
}

func TestReaderIsStrict(t *testing.T) {
	good := written(t, Options{}, entry(question(), allowed()))
	for name, tt := range map[string]struct{ text, want string }{
		"another log":    {good + "\n" + `{"level":"info","message":"exchange"}`, `line 2: is not a record of a decision: json: unknown field "level"`},
		"half a line":    {good[:40], "line 1: is not a record of a decision"},
		"two in a line":  {good + good, "line 1: is not a record of a decision: something follows"},
		"no id":          {strings.Replace(good, `"q1"`, `""`, 1), "id, time and revision are required"},
		"other outcome":  {strings.Replace(good, `"outcome":"allow"`, `"outcome":"perhaps"`, 1), `not "perhaps"`},
		"no result":      {strings.Replace(good, `"outcome":"allow"`, `"outcome":"error"`, 1), "a result exactly where"},
		"unknown member": {strings.Replace(good, `"tenant"`, `"tennant"`, 1), `unknown field "tennant"`},
		"an empty line":  {"\n \n" + good + "\nx", "line 4"},
		"only brackets":  {"{}", "id, time and revision are required"},
		"not an object":  {"[]", "line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewReader(strings.NewReader(tt.text))
			var err error
			for err == nil {
				_, err = r.Next()
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

// FuzzReader: no line breaks the reader, and what it takes is complete.
func FuzzReader(f *testing.F) {
	f.Add(`{"id":"q","time":"2026-11-23T09:00:00Z","outcome":"deny","revision":"r","input":{"subject":{}},"result":{}}`)
	f.Fuzz(func(t *testing.T, text string) {
		rec, err := NewReader(strings.NewReader(text)).Next()
		if err != nil {
			return
		}
		if s := rec.Input.Subject; s != nil && (s.Roles == nil || s.Branches == nil || s.AMR == nil || s.Claims == nil) {
			t.Errorf("%+v", s)
		}
	})
}

// FuzzSecrets: a token is found wherever it stands in a text.
func FuzzSecrets(f *testing.F) {
	f.Add("before ", " after")
	f.Fuzz(func(t *testing.T, before, after string) {
		in := question()
		in.Subject.Claims = map[string]any{"x": before + " " + jwt + " " + after}
		e := Entry{Input: in, Decision: &policies.Decision{}}
		line, err := e.line(secretForms())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(line), jwt) {
			t.Errorf("%s", line)
		}
	})
}
