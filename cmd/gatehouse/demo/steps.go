package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"slices"
	"strings"
)

// A Step is one request of the demo and what its answer must show.
type Step struct {
	Title  string
	As     string // a person's name; "" sends no token, "!" sends one nobody signed
	Method string
	Path   string
	JSON   string // request body
	File   *File  // or an upload
	Times  int    // sent so often; 0 is once. The last answer is judged
	Status int
	Code   string // of the refusal
	// Shows judges the parsed body, a table as the list that it is of, and gives what it found in a few
	// words; the error says what is missing.
	Shows func(body any) (string, error)
}

// File is a file to upload.
type File struct {
	Name, Type string
	Content    []byte
}

// Steps are the demo's requests, in an order in which all of them work.
func Steps() []Step {
	pdf := []byte("%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n")
	exe := append([]byte("MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00\xb8"), make([]byte, 256)...)
	return []Step{
		{Title: "no token", Method: "GET", Path: "/api/employees/", Status: 401, Code: "token_missing"},
		{Title: "a forged token", As: "!", Method: "GET", Path: "/api/employees/", Status: 401, Code: "token_invalid"},
		{
			Title: "hr sees salary and ssn, of its tenant only", As: "hr", Method: "GET", Path: "/api/employees/", Status: 200,
			Shows: all(rows(5), column("tenant", "acme"), has("salary"), has("ssn")),
		},
		{
			Title: "staff sees neither, and its own branch only", As: "staff", Method: "GET", Path: "/api/employees/", Status: 200,
			Shows: all(column("branch", "lagos"), hides("salary", "5400000", "9800000"), hides("ssn", "123-45-6701", "123-45-6702"), hides("health", "asthma")),
		},
		{
			Title: "staff sees its own record", As: "staff", Method: "GET", Path: "/api/employees/e2", Status: 200,
			Shows: all(value("5400000"), value("123-45-6702")),
		},
		{
			Title: "a colleague's record is masked", As: "staff", Method: "GET", Path: "/api/employees/e1", Status: 200,
			Shows: all(value("Ada Obi"), hides("ssn", "123-45-6701"), hides("salary", "9800000")),
		},
		{
			Title: "an export is no way around that", As: "staff", Method: "GET", Path: "/api/employees/export", Status: 200,
			Shows: all(rows(3), column("branch", "lagos"), hides("salary", "5400000", "9800000"), hides("ssn", "123-45-6701", "123-45-6702")),
		},
		{
			Title: "nor is sorting by what is masked", As: "staff", Method: "GET", Path: "/api/employees/?ordering=-salary",
			Status: 403, Code: "query_not_permitted",
		},
		{
			Title: "hr exports its tenant", As: "hr", Method: "GET", Path: "/api/employees/export", Status: 200,
			Shows: all(rows(5), column("tenant", "acme"), has("salary"), has("ssn")),
		},
		{
			Title: "the manager sees rows of the own branch", As: "manager", Method: "GET", Path: "/api/employees/", Status: 200,
			Shows: all(rows(3), column("branch", "lagos")),
		},
		{Title: "another tenant's record does not exist", As: "hr", Method: "GET", Path: "/api/employees/e6", Status: 404, Code: "row_denied"},
		{Title: "nor can it be deleted", As: "hr", Method: "DELETE", Path: "/api/employees/e6", Status: 404, Code: "row_denied"},
		{
			Title: "the other tenant sees only its own", As: "hr-globex", Method: "GET", Path: "/api/employees/", Status: 200,
			Shows: all(rows(2), column("tenant", "globex")),
		},
		{Title: "a candidate may not list employees", As: "candidate", Method: "GET", Path: "/api/employees/", Status: 403},
		{
			Title: "but may read the own application", As: "candidate", Method: "GET", Path: "/api/candidates/c1", Status: 200,
			Shows: all(value("Ngozi Eze"), hides("interview", "quiet in groups")),
		},
		{
			Title: "an employer sees candidates without health", As: "employer", Method: "GET", Path: "/api/candidates/", Status: 200,
			Shows: all(column("tenant", "acme"), hides("disability", "hearing aid")),
		},
		{Title: "payroll needs a second factor", As: "hr", Method: "GET", Path: "/api/payroll/", Status: 401, Code: "step_up_required"},
		{Title: "and opens with one", As: "hr-mfa", Method: "GET", Path: "/api/payroll/", Status: 200, Shows: all(rows(5), has("gross"))},
		{
			Title: "health is masked until there is one, even for hr", As: "hr", Method: "GET", Path: "/api/employees/e2", Status: 200,
			Shows: all(value("5400000"), hides("health", "asthma", "HX-1002")),
		},
		{
			Title: "it was given a moment ago: health is shown", As: "hr-mfa", Method: "GET", Path: "/api/employees/e2", Status: 200,
			Shows: all(value("asthma"), value("HX-1002")),
		},
		{
			Title: "an export waits for it too", As: "hr", Method: "GET", Path: "/api/employees/export", Status: 200,
			Shows: all(rows(5), has("ssn"), hides("health", "HX-1001", "HX-1002")),
		},
		{
			Title: "to filter by health takes one", As: "hr", Method: "GET", Path: "/api/employees/?blood_group=A",
			Status: 401, Code: "step_up_required",
		},
		{
			Title: "markup is taken out, text stays", As: "staff", Method: "PATCH", Path: "/api/employees/e2",
			JSON: `{"bio":"AT&T, O'Brien, 5 < 6<script>alert(1)</script>"}`, Status: 200,
			Shows: all(value("AT&T, O'Brien, 5 < 6"), hides("markup", "<script", "alert(1)")),
		},
		{
			Title: "nobody raises the own salary", As: "staff", Method: "PATCH", Path: "/api/employees/e2",
			JSON: `{"pay":{"salary":99000000}}`, Status: 403,
		},
		{
			Title: "nobody takes a record over from another tenant", As: "hr", Method: "PATCH", Path: "/api/employees/e6",
			JSON: `{"tenant":"acme"}`, Status: 403, Code: "forbidden",
		},
		{
			Title: "or plants one there", As: "hr", Method: "POST", Path: "/api/employees/",
			JSON: `{"id":"e9","tenant":"globex"}`, Status: 403, Code: "tenant_mismatch",
		},
		{Title: "a document is taken in", As: "staff", Method: "POST", Path: "/api/documents/", File: &File{"leave.pdf", "application/pdf", pdf}, Status: 201},
		{
			Title: "a program named .pdf is not", As: "staff", Method: "POST", Path: "/api/documents/",
			File: &File{"leave.pdf", "application/pdf", exe}, Status: 422, Code: "upload_rejected",
		},
		{
			Title: "nor is a file too large", As: "staff", Method: "POST", Path: "/api/documents/",
			File: &File{"large.txt", "text/plain", bytes.Repeat([]byte("large "), 50_000)}, Status: 413, Code: "body_too_large",
		},
		{Title: "a path with two readings", As: "hr", Method: "GET", Path: "/api/employees/..%2fpayroll/", Status: 400, Code: "path_invalid"},
		{Title: "an unknown path", Method: "GET", Path: "/api/secrets/", Status: 404, Code: "route_unknown"},
		{Title: "too many requests", Method: "GET", Path: "/api/status", Times: 6, Status: 429, Code: "rate_limited"},
		{
			Title: "too many failed logins", Method: "POST", Path: "/api/login", JSON: `{"username":"ada","password":"guess"}`,
			Times: 6, Status: 403, Code: "address_blocked",
		},
	}
}

// Curl writes the step as a line for a shell.
func (s Step) Curl(base, dir string) string {
	var b strings.Builder
	if s.Times > 1 {
		fmt.Fprintf(&b, "for i in $(seq %d); do ", s.Times)
	}
	fmt.Fprintf(&b, "curl -s --cacert %s/certs/ca.pem", dir)
	if s.Method != "GET" && s.File == nil {
		fmt.Fprintf(&b, " -X %s", s.Method)
	}
	switch s.As {
	case "":
	case "!":
		b.WriteString(" -H 'Authorization: Bearer e30.e30.e30'")
	default:
		fmt.Fprintf(&b, ` -H "Authorization: Bearer $(cat %s/%s.jwt)"`, dir, s.As)
	}
	if s.JSON != "" {
		fmt.Fprintf(&b, " -H 'Content-Type: application/json' -d '%s'", strings.ReplaceAll(s.JSON, "'", `'\''`))
	}
	if s.File != nil {
		fmt.Fprintf(&b, " -F title=Leave -F branch=lagos -F 'file=@%s/files/%s;type=%s;filename=%s'", dir, s.File.stored(), s.File.Type, s.File.Name)
	}
	fmt.Fprintf(&b, " %s%s", base, s.Path)
	if s.Times > 1 {
		b.WriteString("; echo; done")
	}
	return b.String()
}

// stored is the name under which the file lies in the demo's folder, where two
// steps send different content under one name.
func (f *File) stored() string {
	return fmt.Sprintf("%d-%s", len(f.Content), f.Name)
}

// Body makes the request body and its media type.
func (s Step) Body() ([]byte, string) {
	if s.File == nil {
		if s.JSON == "" {
			return nil, ""
		}
		return []byte(s.JSON), "application/json"
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	// Writing to a buffer cannot fail.
	_ = w.WriteField("title", "Leave")
	_ = w.WriteField("branch", "lagos")
	h := textproto.MIMEHeader{}
	h.Set("Content-Disposition", fmt.Sprintf("form-data; name=\"file\"; filename=%q", s.File.Name))
	h.Set("Content-Type", s.File.Type)
	if p, err := w.CreatePart(h); err == nil {
		_, _ = p.Write(s.File.Content)
	}
	_ = w.Close()
	return b.Bytes(), w.FormDataContentType()
}

type judge = func(body any) (string, error)

// all joins judges; what they found is told together.
func all(judges ...judge) judge {
	return func(body any) (string, error) {
		var found []string
		for _, j := range judges {
			f, err := j(body)
			if err != nil {
				return "", err
			}
			found = append(found, f)
		}
		return strings.Join(found, ", "), nil
	}
}

func items(body any) []any {
	object, _ := body.(map[string]any)
	list, _ := object["items"].([]any)
	return list
}

func rows(n int) judge {
	return func(body any) (string, error) {
		if got := len(items(body)); got != n {
			return "", fmt.Errorf("%d rows, want %d", got, n)
		}
		return fmt.Sprintf("%d rows", n), nil
	}
}

// column wants at least one row and every row's member to be the value.
func column(name, want string) judge {
	return func(body any) (string, error) {
		list := items(body)
		if len(list) == 0 {
			return "", fmt.Errorf("no rows")
		}
		for _, r := range list {
			object, _ := r.(map[string]any)
			if object[name] != want {
				return "", fmt.Errorf("a row of %s %v", name, object[name])
			}
		}
		return "only " + name + " " + want, nil
	}
}

// has wants the member somewhere, with a value that is not masked.
func has(name string) judge {
	return func(body any) (string, error) {
		var values []any
		collect(body, name, &values)
		plain := slices.ContainsFunc(values, func(v any) bool { return v != nil && v != "" && v != "***" })
		if !plain {
			return "", fmt.Errorf("no %s in clear", name)
		}
		return name + " in clear", nil
	}
}

func collect(v any, name string, out *[]any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			collect(e, name, out)
		}
	case map[string]any:
		for k, e := range v {
			if k == name {
				*out = append(*out, e)
			}
			collect(e, name, out)
		}
	}
}

// value wants a text anywhere in the answer.
func value(want string) judge {
	return func(body any) (string, error) {
		if !strings.Contains(flat(body), want) {
			return "", fmt.Errorf("%s is missing", want)
		}
		return want, nil
	}
}

// hides wants none of the values anywhere in the answer, under any name.
func hides(what string, values ...string) judge {
	return func(body any) (string, error) {
		for _, v := range values {
			if strings.Contains(flat(body), v) {
				return "", fmt.Errorf("%s is visible", what)
			}
		}
		return "no " + what, nil
	}
}

// flat writes an answer as text in which numbers look as they were sent.
func flat(body any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(body) // came from JSON
	return b.String()
}
