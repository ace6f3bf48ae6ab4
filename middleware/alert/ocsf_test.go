package alert

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// ocsf is the schema that every event must fit.
func ocsf(t testing.TB) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile("testdata/ocsf.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("ocsf.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("ocsf.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fits(s *jsonschema.Schema, text []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// everyEvent gives events of all forms, from those that know nothing to those that
// know all.
func everyEvent() (out []record) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 123_456_789, time.UTC)
	for _, class := range []Class{Finding, Authentication} {
		for _, severity := range []Severity{"", Informational, Low, Medium, High, Critical} {
			for _, action := range []string{"", "alert", "block_address", "block_subject", "step_up"} {
				for bits := range 32 {
					r := record{Event: Event{Class: class, ID: "e1", Time: at, Severity: severity, Action: action}, Finding: "f1"}
					r.Enforced, r.Failed = bits&1 != 0, bits&1 != 0
					if bits&2 != 0 {
						r.Detector, r.Client, r.Address = "auth_failures", netip.MustParseAddr("2001:db8::1"), netip.MustParsePrefix("2001:db8::/64")
						r.Route, r.RequestID, r.Count, r.Threshold, r.Window = "login", "a1", 5, 5, time.Minute
					}
					if bits&4 != 0 {
						r.Issuer, r.Subject, r.Tenant, r.Role = "https://a.example", "u1", "t1", "hr"
					}
					if bits&8 != 0 {
						r.User, r.Block, r.Until = "00ff", "b1", at.Add(time.Hour)
						r.Evidence = [][2]string{{"paths", "1, 2"}, {"paths", "3"}, {"", ""}, {"odd", "\xff\u202e<script>"}}
					}
					if bits&16 != 0 {
						r.Update, r.Held, r.Since, r.Lost, r.Test = true, 7, at.Add(-time.Minute), 3, true
					}
					out = append(out, r)
				}
			}
		}
	}
	return out
}

func TestEveryEventFitsTheSchema(t *testing.T) {
	s := ocsf(t)
	for _, r := range append(everyEvent(), *testEvent()) {
		text, err := r.encode("1.2.3")
		if err == nil {
			err = fits(s, text)
		}
		if err != nil {
			t.Fatalf("%+v: %v\n%s", r, err, text)
		}
	}
}

// A schema that lets everything through would hold nothing.
func TestSchemaRefuses(t *testing.T) {
	s := ocsf(t)
	for _, class := range []Class{Finding, Authentication} {
		r := record{Event: found("203.0.113.9"), Finding: "f1"}
		r.Class, r.ID, r.Time = class, "e1", time.Now()
		text, err := r.encode("1")
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid", "metadata.version", "metadata.product", "metadata.product.name"} {
			if fits(s, changed(t, text, path, nil)) == nil {
				t.Errorf("%d: without %s", class, path)
			}
		}
		own := map[Class]string{Finding: "finding_info", Authentication: "user"}[class]
		if fits(s, changed(t, text, own, nil)) == nil {
			t.Errorf("%d: without %s", class, own)
		}
		for path, v := range map[string]any{
			"activity_id": 98, "severity_id": 7, "severity": "Fatal", "time": 1700000000, "type_uid": 1, "category_uid": 1, "class_uid": 1001,
			"message": "", "actor": map[string]any{}, "metadata.version": "1.0.0", "metadata.product.names": "x", "status_id": 50, "class_name": "Else", "action_id": 9,
		} {
			if fits(s, changed(t, text, path, v)) == nil {
				t.Errorf("%d: %s is %v", class, path, v)
			}
		}
	}
}

// changed gives JSON with another value somewhere, or without one.
func changed(t *testing.T, text []byte, path string, v any) []byte {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	at, parts := root, strings.Split(path, ".")
	for _, p := range parts[:len(parts)-1] {
		at = at[p].(map[string]any)
	}
	if at[parts[len(parts)-1]] = v; v == nil {
		delete(at, parts[len(parts)-1])
	}
	out, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEvent(t *testing.T) {
	r := record{Event: found("203.0.113.9"), Finding: "f1", Lost: 2}
	r.ID, r.Time = "e1", time.UnixMilli(1_800_000_000_123)
	r.Issuer, r.Subject, r.Tenant = "https://a.example", "u1", "t1"
	text, err := r.encode("1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	e := read(t, text)
	switch {
	case e.TypeUID != 200401, e.Time != 1_800_000_000_123, e.SeverityID != 4, !*e.IsAlert,
		e.Metadata.UID != "e1", e.Metadata.CorrelationUID != "a1b2", e.Metadata.Product.Version != "1.2.3",
		e.FindingInfo.UID != "f1", e.FindingInfo.Title != "Auth failures", e.FindingInfo.Types[0] != "auth_failures",
		e.ActionID != 2, e.DispositionID != 2,
		e.Evidences[0].SrcEndpoint.IP != "203.0.113.9", *e.Evidences[0].Actor.User != ocsfUser{"u1", "digest:0123456789abcdef0123456789abcdef", "https://a.example"},
		e.Unmapped.Lost != 2, e.Unmapped.Counted != 5, e.Unmapped.WindowMS != 900_000, e.Unmapped.Mode != "enforce", e.Unmapped.Address != "203.0.113.9/32":
		t.Errorf("%s", text)
	}
	r.Enforced = false
	if text, _ = r.encode(""); read(t, text).ActionID != 3 || read(t, text).DispositionID != 19 {
		t.Errorf("observed: %s", text)
	}
	r.Class, r.Failed, r.Subject = Authentication, true, ""
	if text, _ = r.encode(""); read(t, text).StatusID != 2 || read(t, text).User.UID != "digest:"+r.User || read(t, text).Service.Name != "login" {
		t.Errorf("a login: %s", text)
	}
}

// However much there is to say, a syslog server must take it (RFC 5425, section
// 4.3.1: 8192 bytes).
func TestEventsAreBounded(t *testing.T) {
	long := strings.Repeat("é", 5000)
	r := record{Event: found("203.0.113.9"), Finding: newID()}
	r.ID, r.Time, r.Subject, r.Issuer, r.Tenant, r.Role = newID(), time.Now(), long, long, long, long
	for range 100 {
		r.Evidence = append(r.Evidence, [2]string{"n" + newID(), long})
	}
	text, err := r.encode("1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(text); n > maxEvent {
		t.Errorf("%d bytes", n)
	}
	if err := fits(ocsf(t), text); err != nil {
		t.Error(err)
	}
}
