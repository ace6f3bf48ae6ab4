package admin

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/middleware/orders"
)

// order sends an order's request, as JSON unless a header says otherwise.
func (w *world) order(method, target, body string, header ...string) (*http.Response, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.admin+target, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if body == "" {
		r.Body = http.NoBody
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return w.send(r)
}

func decode[V any](t *testing.T, text string) (v V) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// records gives the lines of the log with this message.
func (w *world) records(message string) (out []map[string]any) {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, "log"))
	if err != nil {
		w.t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		var r map[string]any
		if err := json.Unmarshal(line, &r); err != nil {
			w.t.Fatal(err)
		}
		if r["message"] == message {
			delete(r, "time")
			out = append(out, r)
		}
	}
	return out
}

const withToken = `{address: "127.0.0.1:0", token: ` + token + `}`

// An order is given, listed, lifted, counted and on record, in the words that it
// was given in.
func TestOrders(t *testing.T) {
	w := start(t, withToken, fine, keys)
	before := time.Now().Add(-time.Second)
	res, body := w.order("POST", "/admin/revocations", `{"issuer": "auth", "sid": "desk-4", "reason": "lost laptop"}`)
	session := decode[OrderAnswer](t, body)
	o := session.Order
	if res.StatusCode != 201 || !session.Shared || o.ID == "" || o.Kind != orders.Revocation || o.Issuer != "auth" || o.SID != "desk-4" ||
		o.Reason != "lost laptop" || o.By != "admin" || o.At.Before(before) || !o.Until.After(o.At) {
		t.Errorf("%s %s", res.Status, body)
	}
	time.Sleep(2 * time.Millisecond) // the list is in the sequence of their times
	res, body = w.order("POST", "/admin/lockdowns", `{"route": "all", "roles": ["super-admin"], "reason": "drill", "until": "2999-01-01T00:00:00Z"}`, "Content-Type", "application/json; charset=utf-8")
	locked := decode[OrderAnswer](t, body)
	if o := locked.Order; res.StatusCode != 201 || o.Kind != orders.Lockdown || o.Route != "all" || len(o.Roles) != 1 || o.Until.Year() != 2999 {
		t.Errorf("%s %s", res.Status, body)
	}
	for target, want := range map[string][]orders.Order{
		"/admin/orders":                 {session.Order, locked.Order},
		"/admin/orders?kind=revocation": {session.Order},
		"/admin/orders?kind=lockdown":   {locked.Order},
	} {
		res, body := w.order("GET", target, "")
		if diff := cmp.Diff(OrderList{Orders: want}, decode[OrderList](t, body), prefixes); diff != "" || res.StatusCode != 200 {
			t.Errorf("%s: %s %s", target, res.Status, diff)
		}
	}
	res, body = w.order("DELETE", "/admin/orders/"+o.ID+"?reason=found", "")
	if diff := cmp.Diff(session, decode[OrderAnswer](t, body), prefixes); diff != "" || res.StatusCode != 200 {
		t.Errorf("%s %s", res.Status, diff)
	}
	if res, _ := w.order("DELETE", "/admin/orders/"+o.ID, ""); res.StatusCode != 404 {
		t.Errorf("lifted twice: %s", res.Status)
	}
	if _, body := w.order("GET", "/admin/orders?kind=revocation", ""); !cmp.Equal(decode[OrderList](t, body), OrderList{Orders: []orders.Order{}}, prefixes) {
		t.Errorf("after it was lifted: %s", body)
	}

	given, lifted := w.records("order given"), w.records("order lifted")
	if diff := cmp.Diff([]map[string]any{{
		"level": "warn", "message": "order lifted", "order": o.ID, "kind": "revocation", "issuer": "auth", "sid": "desk-4",
		"until": o.Until.Format(time.RFC3339Nano), "by": "admin", "reason": "found", "shared": true,
	}}, lifted); diff != "" {
		t.Error(diff)
	}
	if len(given) != 2 || given[0]["sid"] != "desk-4" || given[1]["locked_route"] != "all" || given[1]["reason"] != "drill" || given[1]["level"] != "warn" {
		t.Errorf("%v", given)
	}
	_, metrics := w.ask("GET", "/metrics", "")
	for _, want := range []string{`gatehouse_orders_total{by="admin",kind="revocation"} 1`, `gatehouse_orders_total{by="admin",kind="lockdown"} 1`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// What is not an order, or none that could mean anything here, holds nothing and
// is told what is wrong with it.
func TestWrongOrders(t *testing.T) {
	w := start(t, withToken, fine, keys)
	const revocations, lockdowns = "/admin/revocations", "/admin/lockdowns"
	for _, tt := range []struct {
		path, body, media string // media "" is JSON
		status            int
		want              string
	}{
		{revocations, `{"issuer": "auth", "sid": "s1", "sidd": "s2"}`, "", 400, `unknown member "sidd"; did you mean "sid"?`},
		{revocations, `{"issuer": "auth", "Sid": "s1"}`, "", 400, `unknown member "Sid"`},
		{revocations, `{"issuer": "auth", "sid": "s1", "sid": "s2"}`, "", 400, "occurs twice"},
		{revocations, `{"issuer": "auth", "sid": "s1", "by": "nobody"}`, "", 400, `unknown member "by"`},
		{revocations, `{"issuer": "auth", "sid": "s1", "until": "2999-01-01T00:00:00Z"}`, "", 400, `unknown member "until"`},
		{revocations, `{"issuer": "auth", "sid": "s1"}{}`, "", 400, "not one JSON object"},
		{revocations, `{"issuer": "auth", "sid": 7}`, "", 400, "sid must not be a JSON number"},
		{revocations, `{"issuer": "auth", "subject": "u1", "issued_before": "yesterday"}`, "", 400, "2026-01-31T08:00:00Z"},
		{revocations, `["auth"]`, "", 400, "not one JSON object"},
		{revocations, ``, "", 400, "not one JSON object"},
		{revocations, `{"issuer": "auth", "sid": "s1"}`, "text/plain", 415, "application/json"},
		{revocations, `{"issuer": "auth", "sid": "s1"}`, "application/x-www-form-urlencoded", 415, "application/json"},
		{revocations, `{"issuer": "auth", "sid": "` + strings.Repeat("x", maxBody) + `"}`, "", 413, "larger than"},
		{revocations, `{}`, "", 422, "names one of"},
		{revocations, `{"sid": "s1"}`, "", 422, "issuer is missing"},
		{revocations, `{"issuer": "auht", "sid": "s1"}`, "", 422, `unknown issuer "auht"; did you mean "auth"?`},
		{revocations, `{"issuer": "auth", "subject": "u1", "issued_before": "2999-01-01T00:00:00Z"}`, "", 422, "ahead"},
		{lockdowns, `{"route": "playn", "reason": "drill"}`, "", 422, `unknown route "playn"; did you mean "plain"?`},
		{lockdowns, `{"all": true}`, "", 422, "needs a reason"},
		{lockdowns, `{"all": true, "reason": "drill", "until": "2001-01-01T00:00:00Z"}`, "", 422, "passed"},
		{lockdowns, `{"all": true, "tenant": "t1", "reason": "drill"}`, "", 422, "all"},
		{lockdowns, `{"all": "yes", "reason": "drill"}`, "", 400, "all must not be a JSON string"},
		{lockdowns, `{"reason": "drill"}`, "", 422, "names a route, a tenant, or all"},
		{lockdowns, `{"sid": "s1", "reason": "drill"}`, "", 400, `unknown member "sid"`},
	} {
		var header []string
		if tt.media != "" {
			header = []string{"Content-Type", tt.media}
		}
		res, body := w.order("POST", tt.path, tt.body, header...)
		said := decode[map[string]string](t, body)["error"]
		if res.StatusCode != tt.status || !strings.Contains(said, tt.want) {
			t.Errorf("%s %.60s: %s %s, want %d %s", tt.path, tt.body, res.Status, said, tt.status, tt.want)
		}
	}
	if res, _ := w.order("POST", revocations, `{"issuer": "auth", "sid": "s1"}`, "Content-Encoding", "gzip"); res.StatusCode != 415 {
		t.Errorf("packed: %s", res.Status)
	}
	if res, body := w.order("GET", "/admin/orders?kind=party", ""); res.StatusCode != 400 {
		t.Errorf("an unknown kind: %s %s", res.Status, body)
	}
	if _, body := w.order("GET", "/admin/orders", ""); len(decode[OrderList](t, body).Orders) > 0 {
		t.Errorf("held all the same: %s", body)
	}
	if len(w.records("order given")) > 0 {
		t.Error("on record all the same")
	}
}

// Orders are for operators, and for no page of another site that an operator
// looks at.
func TestOrdersAreForOperators(t *testing.T) {
	w := start(t, withToken, fine, keys)
	for _, tt := range []struct{ method, path string }{
		{"GET", "/admin/orders"},
		{"POST", "/admin/revocations"},
		{"POST", "/admin/lockdowns"},
		{"DELETE", "/admin/orders/x"},
		{"GET", "/admin/blocks"},
		{"POST", "/admin/blocks"},
		{"DELETE", "/admin/blocks?address=::1"},
		{"DELETE", "/admin/blocks/x"},
	} {
		if res, _ := w.order(tt.method, tt.path, `{"all": true, "reason": "x"}`, "Authorization", "Bearer wrong"); res.StatusCode != 401 {
			t.Errorf("%s %s without the token: %s", tt.method, tt.path, res.Status)
		}
		if res, _ := w.order(tt.method, tt.path, `{"all": true, "reason": "x"}`, "Origin", "https://evil.example"); res.StatusCode != 403 {
			t.Errorf("%s %s from another site: %s", tt.method, tt.path, res.Status)
		}
	}
	for _, path := range []string{"/admin/revocations", "/admin/lockdowns", "/admin/orders/x", "/admin/blocks/x"} {
		if res, _ := w.order("GET", path, ""); res.StatusCode != 405 {
			t.Errorf("GET %s: %s", path, res.Status)
		}
	}
	if _, body := w.order("GET", "/admin/orders", ""); len(decode[OrderList](t, body).Orders) > 0 {
		t.Errorf("held all the same: %s", body)
	}
}

// The record tells operators apart who show a certificate.
func TestOrdersSayWhoGaveThem(t *testing.T) {
	w := start(t, `{address: "127.0.0.1:0", token: `+token+`, client_ca: certs/ca.pem, certificates: [{cert: certs/gateway.pem, key: certs/gateway-key.pem}]}`, fine, keys)
	own, err := tls.LoadX509KeyPair(filepath.Join(w.dir, "certs", "operator.pem"), filepath.Join(w.dir, "certs", "operator-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		own  *tls.Certificate
		want string
	}{{nil, "admin"}, {&own, "admin operator"}} {
		w.http(tt.own)
		_, body := w.order("POST", "/admin/revocations", `{"tenant": "t1"}`)
		if by := decode[OrderAnswer](t, body).Order.By; by != tt.want {
			t.Errorf("by %q, want %q", by, tt.want)
		}
		given := w.records("order given")
		if by := given[len(given)-1]["by"]; by != tt.want {
			t.Errorf("the record says %q, want %q", by, tt.want)
		}
	}
	if _, metrics := w.ask("GET", "/metrics", ""); !strings.Contains(metrics, `gatehouse_orders_total{by="admin",kind="revocation"} 2`) {
		t.Error("the metric has the operator's name")
	}
}
