package demo

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
)

//go:embed data.json
var data []byte

// record is one thing the backend keeps; its members are the backend's
// business.
type record = map[string]any

// Backend is the sample HR suite. It filters nothing and hides nothing: every
// caller gets every record of every tenant whole, and whatever is written is
// kept. That is what the gateway is for. The one thing that only a backend can
// do is to know whose record a write is about: it takes the tenant from the
// header that the policy sets.
type Backend struct {
	mux *http.ServeMux

	mu     sync.Mutex
	tables map[string][]record
}

// NewBackend makes the backend with its sample data.
func NewBackend() *Backend {
	b := &Backend{mux: http.NewServeMux(), tables: map[string][]record{}}
	if err := json.Unmarshal(data, &b.tables); err != nil {
		panic("demo: data.json: " + err.Error()) // embedded and tested
	}
	b.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, record{"status": "ok"}) })
	b.mux.HandleFunc("GET /api/status", func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, record{"status": "ok"}) })
	b.mux.HandleFunc("POST /api/login", b.login)
	for _, table := range []string{"employees", "candidates"} {
		b.mux.HandleFunc("GET /api/"+table+"/{$}", b.list(table))
		b.mux.HandleFunc("POST /api/"+table+"/{$}", b.create(table))
		b.mux.HandleFunc("GET /api/"+table+"/{id}", b.one(table))
		b.mux.HandleFunc("PUT /api/"+table+"/{id}", b.update(table))
		b.mux.HandleFunc("PATCH /api/"+table+"/{id}", b.update(table))
		b.mux.HandleFunc("DELETE /api/"+table+"/{id}", b.remove(table))
	}
	b.mux.HandleFunc("GET /api/employees/export", b.export)
	b.mux.HandleFunc("GET /api/payroll/{$}", b.list("payroll"))
	b.mux.HandleFunc("GET /api/payroll/{employee}", b.payslips)
	b.mux.HandleFunc("GET /api/documents/{$}", b.list("documents"))
	b.mux.HandleFunc("POST /api/documents/{$}", b.upload)
	return b
}

// ServeHTTP answers.
func (b *Backend) ServeHTTP(w http.ResponseWriter, r *http.Request) { b.mux.ServeHTTP(w, r) }

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Server", "hr-suite/1.0")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // a client that went away
}

func (b *Backend) list(table string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		reply(w, 200, record{"count": len(b.tables[table]), "items": b.tables[table]})
	}
}

func (b *Backend) find(table, id string) int {
	for i, r := range b.tables[table] {
		if r["id"] == id {
			return i
		}
	}
	return -1
}

// foreign reports whether a record is of another tenant than the request.
func (b *Backend) foreign(r *http.Request, table string, i int) bool {
	return b.tables[table][i]["tenant"] != r.Header.Get("X-Tenant-Id")
}

func (b *Backend) one(table string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if i := b.find(table, r.PathValue("id")); i >= 0 {
			reply(w, 200, b.tables[table][i])
			return
		}
		reply(w, 404, record{"error": "not found"})
	}
}

func (b *Backend) create(table string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var rec record
		if err := json.NewDecoder(r.Body).Decode(&rec); err != nil || rec["id"] == nil {
			reply(w, 400, record{"error": "a JSON object with an id is needed"})
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.tables[table] = append(b.tables[table], rec)
		reply(w, 201, rec)
	}
}

// update takes over every member it is sent: mass assignment, as many backends
// have it.
func (b *Backend) update(table string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var change record
		if err := json.NewDecoder(r.Body).Decode(&change); err != nil {
			reply(w, 400, record{"error": "a JSON object is needed"})
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		i := b.find(table, r.PathValue("id"))
		if i < 0 || b.foreign(r, table, i) {
			reply(w, 404, record{"error": "not found"})
			return
		}
		for k, v := range change {
			b.tables[table][i][k] = v
		}
		reply(w, 200, b.tables[table][i])
	}
}

func (b *Backend) remove(table string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		i := b.find(table, r.PathValue("id"))
		if i < 0 || b.foreign(r, table, i) {
			reply(w, 404, record{"error": "not found"})
			return
		}
		b.tables[table] = append(b.tables[table][:i:i], b.tables[table][i+1:]...)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (b *Backend) payslips(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	items := []record{}
	for _, p := range b.tables["payroll"] {
		if p["employee_id"] == r.PathValue("employee") {
			items = append(items, p)
		}
	}
	reply(w, 200, record{"items": items})
}

// upload keeps what it is sent under the name it is sent with.
func (b *Backend) upload(w http.ResponseWriter, r *http.Request) {
	file, head, err := r.FormFile("file")
	if err != nil {
		reply(w, 400, record{"error": "a file is needed"})
		return
	}
	defer file.Close()
	n, err := io.Copy(io.Discard, file)
	if err != nil {
		reply(w, 400, record{"error": "the file broke off"})
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	owner, tenant := r.Header.Get("X-User-Id"), r.Header.Get("X-Tenant-Id")
	doc := record{
		"id": fmt.Sprintf("d%d", len(b.tables["documents"])+1), "tenant": tenant, "branch": r.FormValue("branch"),
		"owner": owner, "title": r.FormValue("title"), "name": head.Filename, "bytes": n,
	}
	b.tables["documents"] = append(b.tables["documents"], doc)
	reply(w, 201, doc)
}

// login knows one password for everybody.
func (b *Backend) login(w http.ResponseWriter, r *http.Request) {
	var in struct{ Username, Password string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Password != "correct horse battery staple" {
		reply(w, 401, record{"error": "wrong username or password"})
		return
	}
	reply(w, 200, record{"username": in.Username})
}
