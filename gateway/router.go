package gateway

import (
	"net/http"
	"slices"
	"sort"
	"strings"

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
		p.names = paramNames(p.route.Match.Path)
		if len(p.route.Match.Hosts) == 0 {
			r.any.add(p)
		}
		for _, h := range p.route.Match.Hosts {
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
	var room [16]string // as many as nearly all paths have
	segments := room[:0]
	for s := range strings.SplitSeq(path[1:], "/") {
		segments = append(segments, s)
	}
	found := r.find(host, segments)
	if found == nil {
		if r.hosts[host] == nil && len(r.hosts) > 0 && r.any.empty() {
			return matched{}, middleware.Refuse("router", middleware.HostUnknown, "no route serves this host")
		}
		return matched{}, middleware.Refuse("router", middleware.RouteUnknown, "no route serves this path")
	}
	if other, differs := shorter(segments); differs && !slices.Equal(found, r.find(host, other)) {
		return matched{}, middleware.Refuse("router", middleware.PathInvalid, "the end of a segment hides where the path leads")
	}
	p := byMethod(found, req, preflight)
	if p == nil {
		return matched{}, middleware.Refuse("router", middleware.MethodNotAllowed, "this path does not serve that method").
			Set("Allow", strings.Join(allowed(found), ", "))
	}
	return matched{p, params(p.names, segments)}, nil
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

// shorter gives the segments as servers see them that drop the end of a name,
// and whether that makes a difference. To many, what stands behind a semicolon
// is a parameter; to those that decode twice, a question mark or a number sign
// ends the path; to Windows, dots and blanks at the end are none. To them
// /pay;v=1/ is /pay/, which may be another route here, with a stricter list of
// stages.
func shorter(segments []string) (out []string, differs bool) {
	for i, s := range segments {
		short := s
		if end := strings.IndexAny(s, ";?#"); end >= 0 {
			short = s[:end]
		}
		short = strings.TrimRight(short, " .")
		if short == s {
			continue
		}
		if out == nil {
			out = slices.Clone(segments)
		}
		out[i] = short
	}
	return out, out != nil
}

// methods lists what the routes of a path serve, "" where there are none.
func (r *router) methods(host, path string) string {
	if path == "" {
		return ""
	}
	return strings.Join(allowed(r.find(host, strings.Split(path[1:], "/"))), ", ")
}

// names reports whether a route names the host.
func (r *router) names(host string) bool { return r.hosts[host] != nil }

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

// allowed lists the methods that routes serve. GET brings HEAD with it.
func allowed(found []*pipeline) []string {
	var out []string
	for _, p := range found {
		if len(p.route.Match.Methods) == 0 {
			return []string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}
		}
		out = append(out, p.route.Match.Methods...)
	}
	if slices.Contains(out, http.MethodGet) {
		out = append(out, http.MethodHead)
	}
	sort.Strings(out)
	return slices.Compact(out)
}

// paramNames gives the names of the {id} segments of a route's path, each at its
// place; nil where there are none.
func paramNames(path string) []string {
	segments, _ := split(path)
	var names []string
	for i, s := range segments {
		if name := paramName(s); name != "" {
			if names == nil {
				names = make([]string, len(segments))
			}
			names[i] = name
		}
	}
	return names
}

func params(names, segments []string) map[string]string {
	if names == nil {
		return nil
	}
	out := make(map[string]string, len(names))
	for i, name := range names {
		if name != "" {
			out[name] = segments[i]
		}
	}
	return out
}
