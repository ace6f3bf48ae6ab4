package gateway

import (
	"net/http"
	"slices"
	"sort"
	"strings"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// router finds the route of a request. An exact host goes before any host;
// then, segment by segment, a literal before {id} before a prefix end; then a
// route that names the method before one for every method. A path that is
// found never falls back to a wider one because of its method: the answer is
// 405, so that a narrow route cannot be walked around.
type router struct {
	hosts map[string]*node
	any   *node
}

// node is one place in the tree of path segments.
type node struct {
	literal map[string]*node
	param   *node
	prefix  []*pipeline // routes whose path ends in / here
	exact   []*pipeline // routes whose path ends here
}

// matched is what the router found.
type matched struct {
	pipeline *pipeline
	params   map[string]string
}

func newRouter(pipelines []*pipeline) *router {
	r := &router{hosts: map[string]*node{}, any: &node{}}
	for _, p := range pipelines {
		if len(p.route.Match.Hosts) == 0 {
			r.any.add(p)
		}
		for _, h := range p.route.Match.Hosts {
			h = canonicalHost(h)
			if r.hosts[h] == nil {
				r.hosts[h] = &node{}
			}
			r.hosts[h].add(p)
		}
	}
	return r
}

func (n *node) add(p *pipeline) {
	segments, prefix := split(p.route.Match.Path)
	for _, s := range segments {
		n = n.child(s)
	}
	if prefix {
		n.prefix = append(n.prefix, p)
		return
	}
	n.exact = append(n.exact, p)
}

func (n *node) child(segment string) *node {
	if paramName(segment) != "" {
		if n.param == nil {
			n.param = &node{}
		}
		return n.param
	}
	if n.literal == nil {
		n.literal = map[string]*node{}
	}
	if n.literal[segment] == nil {
		n.literal[segment] = &node{}
	}
	return n.literal[segment]
}

// split gives the segments of a route's path and whether it is a prefix.
func split(path string) ([]string, bool) {
	prefix := strings.HasSuffix(path, "/")
	path = strings.Trim(path, "/")
	if path == "" {
		return nil, prefix
	}
	return strings.Split(path, "/"), prefix
}

// paramName gives id for {id}, and "" for a literal segment.
func paramName(segment string) string {
	if len(segment) > 2 && segment[0] == '{' && segment[len(segment)-1] == '}' {
		return segment[1 : len(segment)-1]
	}
	return ""
}

// match finds the pipeline for a request, or says why there is none.
func (r *router) match(host, path string, req *http.Request, preflight bool) (matched, *middleware.Refusal) {
	if req.Method == http.MethodConnect || req.Method == http.MethodTrace {
		return matched{}, middleware.Refuse("router", middleware.MethodNotAllowed, "this method is not served")
	}
	segments := strings.Split(path[1:], "/")
	found := r.find(host, segments)
	if found == nil {
		if r.hosts[host] == nil && len(r.hosts) > 0 && r.any.empty() {
			return matched{}, middleware.Refuse("router", middleware.HostUnknown, "no route serves this host")
		}
		return matched{}, middleware.Refuse("router", middleware.RouteUnknown, "no route serves this path")
	}
	if strings.Contains(path, ";") && !slices.Equal(found, r.find(host, withoutParameters(segments))) {
		return matched{}, middleware.Refuse("router", middleware.PathInvalid, "what stands behind a semicolon hides where the path leads")
	}
	p := byMethod(found, req, preflight)
	if p == nil {
		return matched{}, middleware.Refuse("router", middleware.MethodNotAllowed, "this path does not serve that method").
			Set("Allow", strings.Join(allowed(found), ", "))
	}
	return matched{p, params(p.route, segments)}, nil
}

// find gives the routes of a path on a host.
func (r *router) find(host string, segments []string) []*pipeline {
	if tree := r.hosts[host]; tree != nil {
		if found := tree.find(segments); found != nil {
			return found
		}
	}
	return r.any.find(segments)
}

// withoutParameters gives the segments as servers see them that take what
// stands behind a semicolon for a parameter: to them /pay;v=1/ is /pay/, which
// may be another route here, with a stricter list of stages.
func withoutParameters(segments []string) []string {
	out := make([]string, len(segments))
	for i, s := range segments {
		out[i], _, _ = strings.Cut(s, ";")
	}
	return out
}

func (n *node) empty() bool {
	return n.literal == nil && n.param == nil && n.prefix == nil && n.exact == nil
}

// find gives the routes at the most specific path that matches, all of which
// differ in their methods only. The tree is walked back where a literal leads
// nowhere.
func (n *node) find(segments []string) []*pipeline {
	if len(segments) == 0 {
		return n.exact
	}
	if next := n.literal[segments[0]]; next != nil {
		if found := next.find(segments[1:]); found != nil {
			return found
		}
	}
	if n.param != nil && segments[0] != "" {
		if found := n.param.find(segments[1:]); found != nil {
			return found
		}
	}
	return n.prefix
}

// byMethod chooses among routes of one path. A preflight asks on behalf of the
// method it names, and is answered by any route of the path.
func byMethod(found []*pipeline, r *http.Request, preflight bool) *pipeline {
	method := r.Method
	if preflight {
		method = r.Header.Get("Access-Control-Request-Method")
	}
	if p := naming(found, method); p != nil {
		return p
	}
	if method == http.MethodHead { // GET answers it too (RFC 9110, section 9.3.2)
		if p := naming(found, http.MethodGet); p != nil {
			return p
		}
	}
	for _, p := range found {
		if len(p.route.Match.Methods) == 0 {
			return p
		}
	}
	if preflight {
		return found[0]
	}
	return nil
}

// naming gives the route that names the method; there is one at most.
func naming(found []*pipeline, method string) *pipeline {
	for _, p := range found {
		if slices.Contains(p.route.Match.Methods, method) {
			return p
		}
	}
	return nil
}

func allowed(found []*pipeline) []string {
	var out []string
	for _, p := range found {
		out = append(out, p.route.Match.Methods...)
	}
	sort.Strings(out)
	return slices.Compact(out)
}

func params(r *config.Route, segments []string) map[string]string {
	names, _ := split(r.Match.Path)
	var out map[string]string
	for i, n := range names {
		if name := paramName(n); name != "" {
			if out == nil {
				out = map[string]string{}
			}
			out[name] = segments[i]
		}
	}
	return out
}
