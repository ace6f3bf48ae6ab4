package opa

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strconv"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa/memo"
)

// traffic is a company at work: people of ten tenants and seven roles, the busy
// ones asking most, for records at random on 48 routes.
type traffic struct {
	*rand.Rand
	users  []policies.Subject
	busy   *rand.Zipf
	routes []string
}

func newTraffic(seed uint64, users int) *traffic {
	t := &traffic{Rand: rand.New(rand.NewPCG(seed, 1)), routes: routeNames()}
	t.busy = rand.NewZipf(t.Rand, 1.1, 10, uint64(users-1))
	for i := range users {
		role := t.role()
		id := fmt.Sprintf("e%d", i)
		tenant := fmt.Sprintf("tenant-%d", t.IntN(10))
		branch := fmt.Sprintf("branch-%d", t.IntN(120))
		amr := [][]string{{"pwd"}, {"pwd"}, {"pwd", "otp"}, {"hwk"}}[i%4]
		t.users = append(t.users, policies.Subject{
			ID: id, Issuer: "auth-service", Role: role, Roles: []string{role}, Tenant: tenant,
			Branch: branch, Branches: []string{branch}, ACR: "1", AMR: amr, AuthTime: 1700000000 + int64(t.IntN(86400)),
			Claims: map[string]any{
				"sub": id, "iss": "https://auth.example.com", "aud": "erp", "role": role, "tenant": tenant, "branch": branch,
				"iat": json.Number("1700000000"), "exp": json.Number("1700003600"), "email": id + "@example.com",
			},
		})
	}
	return t
}

func routeNames() []string {
	names := []string{"employees", "payroll", "candidates", "documents"}
	for i := len(names); i < 48; i++ {
		names = append(names, "module-"+strconv.Itoa(i))
	}
	return names
}

func roleNames() []string {
	return []string{"staff", "manager", "hr", "candidate", "employer", "admin", "super-admin"}
}

func (t *traffic) role() string {
	n := t.IntN(1000)
	for i, share := range []int{700, 820, 880, 960, 985, 998} {
		if n < share {
			return roleNames()[i]
		}
	}
	return "super-admin"
}

// request asks for a list, for a record, or to write one.
func (t *traffic) request() *policies.Input {
	who := &t.users[t.busy.Uint64()]
	route := t.routes[t.IntN(len(t.routes))]
	record := fmt.Sprintf("e%d", t.IntN(1_000_000))
	if t.IntN(10) == 0 {
		record = who.ID
	}
	method, path := "GET", "/api/"+route+"/"+record
	query := map[string][]string{}
	switch n := t.IntN(100); {
	case n < 25:
		path, query = "/api/"+route+"/", map[string][]string{"page": {strconv.Itoa(t.IntN(50))}}
	case n < 32:
		method = "PATCH"
	case n < 35:
		method, path = "POST", "/api/"+route+"/"
	case n < 36:
		method = "DELETE"
	}
	in := policies.NewInput(who, time.Unix(who.AuthTime+int64(t.IntN(8*3600)), 0))
	in.Action = policies.Action{Method: method, Name: policies.ActionName(method)}
	in.Resource = policies.Resource{
		Route: route, Host: "api.example.com", Path: path, Segments: policies.Segments(path),
		Params: map[string]string{}, Query: query,
	}
	in.Context.ClientAddress, in.Context.Listener, in.Context.TLS = "192.0.2."+strconv.Itoa(t.IntN(255)), "public", "1.3"
	in.Context.RequestID = strconv.FormatUint(t.Uint64(), 16)
	return in
}

// company is the sample policies with data for all routes of the traffic.
func company(t testing.TB) fs.FS {
	t.Helper()
	fsys := fstest.MapFS{}
	err := fs.WalkDir(policies.Samples, "rego", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(policies.Samples, path)
		fsys[path] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	routes, permissions := map[string]any{}, map[string]map[string]any{}
	for _, role := range roleNames() {
		permissions[role] = map[string]any{}
	}
	for i, name := range routeNames()[4:] {
		routes[name] = map[string]any{
			"entries": map[string]string{"list": "$.items[*]", "record": "$", "created": "$"}, "owner": "owner", "own_of": []string{"hr", "manager", "staff"},
		}
		for j, role := range roleNames() {
			if (i+j)%3 > 0 {
				permissions[role][name] = map[string]string{"read": "any", "update": []string{"any", "own"}[i%2]}
			}
		}
	}
	text, err := json.Marshal(map[string]any{"routes": routes, "permissions": permissions})
	if err != nil {
		t.Fatal(err)
	}
	fsys["rego/company/modules.json"] = &fstest.MapFile{Data: text}
	return fsys
}

// companyEngine knows the routes; none of them gives a policy the body.
func companyEngine(t testing.TB, o memo.Options) *Engine {
	t.Helper()
	for _, name := range routeNames() {
		o.Routes = append(o.Routes, memo.Constants{"resource.route": name, "body": nil})
	}
	e, err := Load(context.Background(), Options{Path: "rego", FS: company(t), Budget: 10 * time.Second, Memo: o})
	if err != nil {
		t.Fatal(err)
	}
	if !e.Memo().Enabled {
		t.Fatalf("the memo is off: %v", e.Memo().Refused)
	}
	return e
}
