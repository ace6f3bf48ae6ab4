package admin

import (
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-dev/gatehouse/middleware/orders"
)

// prefixes makes cmp compare them as Go does.
var prefixes = cmpopts.EquateComparable(netip.Prefix{})

// trusting is a world whose guard spares some networks.
func trusting(t *testing.T) *world {
	return start(t, withToken+"\nguard: {trusted: [192.0.2.0/24, 2001:db8:1::/48]}", fine, keys)
}

// block gives a block and the answer.
func (w *world) block(body string) orders.Order {
	w.t.Helper()
	res, text := w.order("POST", "/admin/blocks", body)
	a := decode[OrderAnswer](w.t, text)
	if res.StatusCode != http.StatusCreated || !a.Shared || a.Order.ID == "" {
		w.t.Fatalf("%s: %s %s", body, res.Status, text)
	}
	time.Sleep(2 * time.Millisecond) // lists are in the sequence of their times
	return a.Order
}

func (w *world) blocks(query string) BlockList {
	w.t.Helper()
	res, text := w.order("GET", "/admin/blocks"+query, "")
	if res.StatusCode != http.StatusOK {
		w.t.Fatalf("%s: %s %s", query, res.Status, text)
	}
	return decode[BlockList](w.t, text)
}

// A block is given, listed with all that operators need, lifted, counted and on
// record.
func TestBlocks(t *testing.T) {
	w := trusting(t)
	before := time.Now().Add(-time.Second)
	address := w.block(`{"address": "::ffff:203.0.113.7", "for": "2h", "reason": "scraping"}`)
	if o := address; o.Kind != orders.Block || o.Address.String() != "203.0.113.7/32" || o.By != "admin" || o.Reason != "scraping" || o.Detector != "" || o.Level != 0 ||
		o.At.Before(before) || o.Ends.Sub(o.At).Round(time.Minute) != 2*time.Hour || !o.Until.After(o.Ends) {
		t.Errorf("%+v", o)
	}
	subject := w.block(`{"issuer": "auth", "subject": "u1", "action": "step_up", "reason": "odd hours"}`)
	if o := subject; o.Action != orders.ActionStepUp || !o.Ends.IsZero() || !o.Until.IsZero() {
		t.Errorf("%+v", o)
	}
	network := w.block(`{"address": "203.0.113.9/24", "reason": "all of them"}`)
	trusted := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8:1::/48")}
	for query, want := range map[string][]orders.Order{
		"":                          {address, subject, network},
		"?address=203.0.113.7":      {address, network},
		"?address=203.0.113.8":      {network},
		"?address=203.0.0.0/16":     {address, network},
		"?address=2001:db8::1":      {},
		"?ended=true&address=::1":   {},
		"?address=203.0.113.7%2F32": {address, network},
	} {
		if diff := cmp.Diff(BlockList{Blocks: want, Trusted: trusted}, w.blocks(query), prefixes); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
	_, body := w.order("GET", "/admin/orders?kind=block", "")
	if diff := cmp.Diff(OrderList{Orders: []orders.Order{address, subject, network}}, decode[OrderList](t, body), prefixes); diff != "" {
		t.Error(diff)
	}
	_, metrics := w.ask("GET", "/metrics", "")
	for _, want := range []string{`gatehouse_orders_total{by="admin",kind="block"} 3`, `gatehouse_orders_in_force{kind="block"} 3`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}

	res, body := w.order("DELETE", "/admin/blocks/"+subject.ID+"?reason=called", "")
	if res.StatusCode != 200 || decode[OrderAnswer](t, body).Order.ID != subject.ID {
		t.Errorf("%s %s", res.Status, body)
	}
	given, lifted := w.records("order given"), w.records("order lifted")
	if diff := cmp.Diff([]map[string]any{{
		"level": "warn", "message": "order lifted", "order": subject.ID, "kind": "block", "issuer": "auth", "subject": "u1", "action": "step_up",
		"by": "admin", "reason": "called", "shared": true,
	}}, lifted); diff != "" {
		t.Error(diff)
	}
	if len(given) != 3 || given[0]["address"] != "203.0.113.7/32" || given[0]["ends"] != address.Ends.Format(time.RFC3339Nano) || given[0]["reason"] != "scraping" {
		t.Errorf("%v", given)
	}
}

// Blocks are lifted by their target as well, whoever gave them; what holds on is
// told.
func TestBlocksAreLiftedByTarget(t *testing.T) {
	w := trusting(t)
	lift := func(status int, query url.Values) (Lifted, string) {
		t.Helper()
		res, text := w.order("DELETE", "/admin/blocks?"+query.Encode(), "")
		if res.StatusCode != status {
			t.Fatalf("%v: %s %s", query, res.Status, text)
		}
		if status >= 300 {
			return Lifted{}, decode[map[string]string](t, text)["error"]
		}
		return decode[Lifted](t, text), ""
	}
	ids := func(list []orders.Order) (out []string) {
		for _, o := range list {
			out = append(out, o.ID)
		}
		return out
	}
	first, second := w.block(`{"address": "203.0.113.7", "reason": "a"}`), w.block(`{"address": "203.0.113.7", "for": "1h", "reason": "b"}`)
	other := w.block(`{"address": "203.0.113.8", "reason": "c"}`)
	got, _ := lift(200, url.Values{"address": {"203.0.113.7"}, "reason": {"a mistake"}})
	if diff := cmp.Diff([]string{first.ID, second.ID}, ids(got.Lifted)); diff != "" || !got.Shared || got.Still != nil {
		t.Errorf("%+v %s", got, diff)
	}
	if _, said := lift(404, url.Values{"address": {"203.0.113.7"}}); !strings.Contains(said, "no block of this target") {
		t.Error(said)
	}
	wide := w.block(`{"address": "203.0.113.0/24", "reason": "d"}`)
	if got, _ := lift(200, url.Values{"address": {"203.0.113.8"}}); len(got.Lifted) != 1 || got.Lifted[0].ID != other.ID || got.Still == nil || got.Still.ID != wide.ID {
		t.Errorf("%+v", got)
	}
	if _, said := lift(404, url.Values{"address": {"203.0.113.8"}}); !strings.Contains(said, wide.ID) || !strings.Contains(said, "203.0.113.0/24") {
		t.Error(said)
	}
	if got, _ := lift(200, url.Values{"address": {"203.0.113.0/24"}}); len(got.Lifted) != 1 || got.Lifted[0].ID != wide.ID {
		t.Errorf("%+v", got)
	}
	// The guard blocks the /64 of an IPv6 address; who is blocked knows the address.
	six := w.block(`{"address": "2001:db8::/64", "reason": "e"}`)
	if got, _ := lift(200, url.Values{"address": {"2001:db8::17"}}); len(got.Lifted) != 1 || got.Lifted[0].ID != six.ID {
		t.Errorf("%+v", got)
	}
	subject := w.block(`{"issuer": "auth", "subject": "u1", "reason": "f"}`)
	if got, _ := lift(200, url.Values{"issuer": {"auth"}, "subject": {"u1"}}); len(got.Lifted) != 1 || got.Lifted[0].ID != subject.ID {
		t.Errorf("%+v", got)
	}
	for _, query := range []url.Values{
		{},
		{"address": {"x"}},
		{"subject": {"u1"}},
		{"issuer": {"auth"}},
		{"address": {"203.0.113.7"}, "issuer": {"auth"}, "subject": {"u1"}},
		{"address": {"203.0.113.7"}, "issuer": {"auth"}},
	} {
		if _, said := lift(400, query); said == "" {
			t.Errorf("%v: nothing is said", query)
		}
	}
	if got := w.blocks("").Blocks; len(got) != 0 {
		t.Errorf("%+v", got)
	}
	if got := w.records("order lifted"); len(got) != 6 || got[0]["reason"] != "a mistake" || got[0]["by"] != "admin" {
		t.Errorf("%v", got)
	}
}

// An ended block is shown to who asks for it, and lifted with its target.
func TestEndedBlocks(t *testing.T) {
	w := trusting(t)
	o := w.block(`{"address": "203.0.113.7", "for": "1100ms", "reason": "brief"}`)
	deadline := time.Now().Add(20 * time.Second)
	for len(w.blocks("").Blocks) > 0 && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	if got := w.blocks("?ended=true"); len(got.Blocks) != 0 || len(got.Ended) != 1 || got.Ended[0].ID != o.ID {
		t.Errorf("%+v", got)
	}
	if got := w.blocks("?ended=true&address=203.0.113.8"); len(got.Ended) != 0 {
		t.Errorf("of another address: %+v", got)
	}
	if res, text := w.order("DELETE", "/admin/blocks?address=203.0.113.7", ""); res.StatusCode != 200 || !strings.Contains(text, o.ID) {
		t.Errorf("%s %s", res.Status, text)
	}
	if got := w.blocks("?ended=true"); len(got.Ended) != 0 {
		t.Errorf("%+v", got)
	}
}

// A username is told apart however it is written, and nobody keeps it.
func TestBlocksOfUsernames(t *testing.T) {
	w := trusting(t)
	const name = "grace.hopper@example.com"
	one := w.block(`{"address": "203.0.113.7", "username": "` + name + `", "reason": "a"}`)
	same := w.block(`{"address": "2001:db8::17", "username": " Grace.Hopper@EXAMPLE.com", "reason": "b"}`)
	other := w.block(`{"address": "203.0.113.7", "username": "ada", "reason": "c"}`)
	if len(one.User) != 32 || same.User != one.User || other.User == one.User || same.Address.String() != "2001:db8::/64" {
		t.Errorf("%+v\n%+v\n%+v", one, same, other)
	}
	for body, want := range map[string]string{
		`{"username": "ada", "reason": "x"}`:                                      "narrows a block of an address",
		`{"issuer": "auth", "subject": "u", "username": "ada", "reason": "x"}`:    "narrows a block of an address",
		`{"address": "203.0.113.7", "username": "  ", "reason": "x"}`:             "nobody's",
		`{"address": "203.0.113.7", "username": "a\u0000b", "reason": "x"}`:       "nobody's",
		`{"address": "203.0.113.7", "user": "` + one.User + `", "reason": "x"}`:   "unknown member",
		`{"address": "192.0.2.7", "username": "grace.hopper", "reason": "x"}`:     "guard.trusted",
		`{"address": "2001:db8::/16", "username": "grace.hopper", "reason": "x"}`: "too many",
	} {
		res, text := w.order("POST", "/admin/blocks", body)
		if res.StatusCode < 400 || !strings.Contains(decode[map[string]string](t, text)["error"], want) || strings.Contains(text, "grace") {
			t.Errorf("%s: %s %s", body, res.Status, text)
		}
	}
	_, text := w.order("GET", "/admin/blocks", "")
	log, err := os.ReadFile(filepath.Join(w.dir, "log"))
	if err != nil || !strings.Contains(string(log), one.User) {
		t.Errorf("the digest is not on record: %v", err)
	}
	if said := strings.ToLower(text + string(log)); strings.Contains(said, "grace") {
		t.Errorf("the name is kept: %s", said)
	}
	// An address is lifted with those who are blocked from it.
	if res, text := w.order("DELETE", "/admin/blocks?address=203.0.113.7", ""); res.StatusCode != 200 || len(decode[Lifted](t, text).Lifted) != 2 {
		t.Errorf("%s %s", res.Status, text)
	}
}

// What would block nobody, everybody, or whom the configuration spares holds
// nothing and is told what is wrong with it.
func TestWrongBlocks(t *testing.T) {
	w := trusting(t)
	for _, tt := range []struct {
		body   string
		status int
		want   string
	}{
		{`{"address": "203.0.113.7"}`, 422, "a block needs a reason"},
		{`{"reason": "x"}`, 422, "an address or a subject"},
		{`{"address": "203.0.113.7", "issuer": "auth", "subject": "u", "reason": "x"}`, 422, "an address or a subject"},
		{`{"subject": "u", "reason": "x"}`, 422, "go together"},
		{`{"issuer": "auht", "subject": "u", "reason": "x"}`, 422, `unknown issuer "auht"; did you mean "auth"?`},
		{`{"address": "0.0.0.0/0", "reason": "x"}`, 422, "shuts out too many"},
		{`{"address": "::/0", "reason": "x"}`, 422, "shuts out too many"},
		{`{"address": "::ffff:0:0/96", "reason": "x"}`, 422, "shuts out too many"},
		{`{"address": "::ffff:0:0/80", "reason": "x"}`, 422, "neither a network of IPv4 nor of IPv6"},
		{`{"address": "fe80::1%eth0", "reason": "x"}`, 422, "neither has a zone"},
		{`{"address": "example.com", "reason": "x"}`, 422, "an address is written"},
		{`{"address": "192.0.2.7", "reason": "x"}`, 422, "guard.trusted"},
		{`{"address": "::ffff:192.0.2.7", "reason": "x"}`, 422, "guard.trusted"},
		{`{"address": "192.0.2.0/25", "reason": "x"}`, 422, "guard.trusted"},
		{`{"address": "2001:db8:1:2::/64", "reason": "x"}`, 422, "guard.trusted"},
		{`{"address": "203.0.113.7", "for": "2 hours", "reason": "x"}`, 422, "written 90m or 2h"},
		{`{"address": "203.0.113.7", "for": "-2h", "reason": "x"}`, 422, "written 90m or 2h"},
		{`{"address": "203.0.113.7", "for": "1ms", "reason": "x"}`, 422, "less than 1s"},
		{`{"address": "203.0.113.7", "for": "9999999h", "reason": "x"}`, 422, "written 90m or 2h"},
		{`{"address": "203.0.113.7", "action": "step_up", "reason": "x"}`, 422, "cannot sign in"},
		{`{"address": "203.0.113.7", "action": "tarpit", "reason": "x"}`, 422, "block or step_up"},
		{`{"address": "203.0.113.7", "reason": "\u001b[2J"}`, 422, "control character"},
		{`{"address": "203.0.113.7", "reason": "x", "by": "nobody"}`, 400, `unknown member "by"`},
		{`{"address": "203.0.113.7", "reason": "x", "detector": "auth_failures"}`, 400, `unknown member "detector"`},
		{`{"address": ["203.0.113.7"], "reason": "x"}`, 400, "address must not be a JSON array"},
	} {
		res, body := w.order("POST", "/admin/blocks", tt.body)
		said := decode[map[string]string](t, body)["error"]
		if res.StatusCode != tt.status || !strings.Contains(said, tt.want) {
			t.Errorf("%s: %s %s, want %d %s", tt.body, res.Status, said, tt.status, tt.want)
		}
	}
	if res, body := w.order("GET", "/admin/blocks?address=x", ""); res.StatusCode != 400 {
		t.Errorf("%s %s", res.Status, body)
	}
	if got := w.blocks(""); len(got.Blocks) != 0 || len(w.records("order given")) != 0 {
		t.Errorf("held all the same: %+v", got)
	}
	// What is larger than a trusted network blocks what is around it.
	w.block(`{"address": "192.0.0.0/16", "reason": "x"}`)
}
