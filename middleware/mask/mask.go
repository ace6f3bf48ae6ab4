// Package mask is the innermost stage: it makes of every answer what the
// decision lets the caller see, so that nothing outside of it ever holds an
// unmasked body.
//
// It fails closed. An answer that is not of a type it can mask, that is not all
// there or that is compressed in a way it does not read is withheld with 502
// response_unmaskable. Answers are masked while they are read. The first 64 KiB
// are held until they are known to be fine, and as much again where it is there
// already; a fault behind that cuts the answer, so that the client can tell that it
// is not all. A route may have every answer held whole instead.
//
// The work on the texts is done by packages that know nothing of HTTP: redact
// (JSON), table (CSV), eventstream, coding, graphql, and detect and oracle for
// what a policy has not thought of.
package mask

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/detect"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/graphql"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/oracle"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

const stageName = "mask"

// defaultMax is the largest answer that is held whole where the route does not
// say.
const defaultMax = 8 << 20

// maxPlans is how many plans a route keeps. Plans hold the caller's values in
// their row filters, so there are about as many as branches.
const maxPlans = 256

// Where queries decide about paths, callers decide how many plans there are and
// how large: fewer are kept, and none of those with a key of more than so many
// bytes.
const (
	maxQueryPlans = 64
	maxQueryKey   = 4 << 10
)

// Stage masks answers.
type Stage struct {
	keys        *redact.Keyring
	ids         []string
	full        bool
	limit       int64
	passthrough []string
	guard       *oracle.Guard
	graphql     *graphql.Settings // nil where the route is not GraphQL
	detector    *detect.Detector  // nil where nothing is looked for
	redactFound bool
	plans       *lru.Cache[string, *compiled]
	demands     *lru.Cache[readyKey, *demand]
	counting    *counting // nil where nobody asks how much answers hold
}

// New makes the stage of a route. It is nil where the route does not ask a
// policy. Keys, patterns and persisted queries that cannot be used are errors.
func New(m config.Masking, route *config.Route) (middleware.Stage, error) {
	if route.Policy.Off {
		return nil, nil
	}
	secrets := make(map[string]string, len(m.Keys))
	for id, s := range m.Keys {
		secrets[id] = s.Reveal()
	}
	keys, err := redact.NewKeyring(m.Primary, secrets)
	if err != nil {
		return nil, fmt.Errorf("masking: %w", err)
	}
	s := &Stage{
		keys: keys, ids: slices.Sorted(maps.Keys(m.Keys)), full: route.Mask.Buffer == "full",
		limit: int64(route.Mask.Max), passthrough: route.Mask.PassthroughTypes,
		guard: oracle.New(route.Mask.OracleParameters), redactFound: route.Mask.Unclassified == "redact",
	}
	if s.limit <= 0 {
		s.limit = defaultMax
	}
	if u := route.Mask.Unclassified; u == "report" || u == "redact" {
		if s.detector, err = detect.New(m.NationalIDs); err != nil {
			return nil, fmt.Errorf("masking: %w", err)
		}
	}
	if s.graphql, err = settings(route.Mask.GraphQL); err != nil {
		return nil, err
	}
	plans := maxPlans
	if s.graphql != nil {
		plans = maxQueryPlans
	}
	if s.plans, err = lru.New[string, *compiled](plans); err != nil {
		return nil, err
	}
	if s.demands, err = lru.New[readyKey, *demand](plans); err != nil {
		return nil, err
	}
	return s, nil
}

// settings reads how the queries of a route are to be read.
func settings(g *config.GraphQL) (*graphql.Settings, error) {
	if g == nil {
		return nil, nil
	}
	s := &graphql.Settings{Batch: g.Batch, Depth: g.Depth, Selections: g.Selections}
	if g.Persisted == "" {
		return s, nil
	}
	f, err := os.Open(g.Persisted)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if s.Persisted, err = graphql.LoadPersisted(f); err != nil {
		return nil, fmt.Errorf("%s: %w", g.Persisted, err)
	}
	return s, nil
}

// Name gives the name of the stage.
func (*Stage) Name() string { return stageName }

// Describe gives the settings in a line.
func (s *Stage) Describe() string {
	out := "answers as a stream"
	if s.full {
		out = fmt.Sprintf("answers whole, up to %v", config.Size(s.limit))
	}
	if len(s.passthrough) > 0 {
		out += ", unmasked " + strings.Join(s.passthrough, " ")
	}
	if s.graphql != nil {
		out += ", GraphQL"
	}
	if s.detector != nil {
		out += ", looks for personal data"
	}
	if s.counting != nil {
		out += ", counts what is served"
	}
	if len(s.ids) > 0 {
		out += ", keys " + strings.Join(s.ids, " ")
	}
	return out
}

// Handle compiles what the decision demands before the upstream is asked, so
// that a demand that cannot be met costs nothing, and masks the answer.
func (s *Stage) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	d := x.Decision
	if d == nil {
		return nil, middleware.Refuse(stageName, middleware.PolicyError, "the policy has not decided").
			With(errors.New("mask stands on a route without authz"))
	}
	if len(d.Mask) == 0 && len(d.Rows) == 0 && len(d.Expose) == 0 {
		if s.counting == nil {
			return next(x)
		}
		res, err := askWhole(x, next)
		if err == nil {
			s.count(x, res)
		}
		return res, err
	}
	want, err := s.demand(x)
	if err != nil {
		return nil, err
	}
	s.prepare(x.Request)
	res, err := ask(x, next)
	if err != nil {
		return nil, err
	}
	a := &answer{demand: want, x: x, res: res, room: new(room)}
	var out *http.Response
	defer func() {
		if out == nil { // refused, or in a panic
			_ = res.Body.Close()
			a.rest.release()
		}
	}()
	masked, err := a.mask()
	if err != nil {
		return nil, refusal(err)
	}
	out = masked
	return out, nil
}

// ask asks the upstream. Where rows are filtered HEAD is asked as GET: whether
// the caller may know of a record is in its body, and an answer to HEAD would
// tell that it exists (RFC 9110, section 9.3.2, has both answer alike).
func ask(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	if x.Request.Method != http.MethodHead || len(x.Decision.Rows) == 0 {
		return next(x)
	}
	head := x.Request
	get := *head
	get.Method = http.MethodGet
	x.Request = &get
	defer func() { x.Request = head }()
	return next(x)
}
