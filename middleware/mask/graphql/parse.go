package graphql

import (
	"mime"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Settings are what a route allows. Zero fields mean the defaults.
type Settings struct {
	// Persisted are queries by the names that requests may call them, as
	// [LoadPersisted] gives them. Default: none, and requests that name a query
	// are refused.
	Persisted map[string]string
	// Batch is how many operations one request may hold. Default: 1, and
	// requests that are arrays are refused.
	Batch int
	// Depth is how deeply fields may be nested, fragments expanded. Default:
	// 20. At most 50, so that a place in the answer fits into a path.
	Depth int
	// Selections is how many fields and fragments all operations of a request
	// may select, with what a fragment selects counted wherever it is used.
	// Default: 2000.
	Selections int
}

// maxDepth is the largest [Settings].Depth.
const maxDepth = 50

func (s Settings) withDefaults() Settings {
	if s.Batch <= 0 {
		s.Batch = 1
	}
	if s.Depth <= 0 {
		s.Depth = 20
	}
	s.Depth = min(s.Depth, maxDepth)
	if s.Selections <= 0 {
		s.Selections = 2000
	}
	return s
}

// Request is what of an HTTP request says what is asked.
type Request struct {
	Method string
	// MediaType is the value of Content-Type.
	MediaType string
	// RawQuery is the query of the URL, without '?'.
	RawQuery string
	Body     []byte
}

// Parse reads a request as GraphQL over HTTP (draft of 2025) describes it:
// GET with parameters in the URL, POST with a JSON object, with an array of
// them where batches are allowed, or with a query as application/graphql.
// Everything else is an [*Error], and so is whatever two servers might read
// differently.
func Parse(s Settings, req Request) (*Query, error) {
	s = s.withDefaults()
	calls, batch, err := s.calls(req)
	if err != nil {
		return nil, err
	}
	q := &Query{batch: batch}
	bounds := bounds{depth: s.Depth, selections: s.Selections}
	asks := newAsker()
	for i := range calls {
		op, asked, err := s.operation(&calls[i], &bounds, asks, req.Method == "GET")
		if err != nil {
			return nil, err
		}
		q.operations = append(q.operations, op)
		q.questions = append(q.questions, asked)
	}
	q.build()
	return q, nil
}

// calls gives the operations that a request asks for, and whether it is an
// array of them.
func (s Settings) calls(req Request) (calls []call, batch bool, err error) {
	switch req.Method {
	case "GET":
		if len(req.Body) > 0 {
			return nil, false, malformed("a GET has no body")
		}
		c, err := readURL(req.RawQuery)
		return []call{c}, false, err
	case "POST":
		if req.RawQuery != "" {
			return nil, false, malformed("a POST has no parameters in the URL")
		}
		return s.bodyCalls(req)
	}
	return nil, false, malformed("only GET and POST are understood")
}

func (s Settings) bodyCalls(req Request) (calls []call, batch bool, err error) {
	kind, params, err := mime.ParseMediaType(req.MediaType)
	if err != nil {
		return nil, false, malformed("the content type is missing or not valid")
	}
	for name, value := range params {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return nil, false, malformed("the content type has parameters other than charset=utf-8")
		}
	}
	if !utf8.Valid(req.Body) {
		return nil, false, malformed("the body is not valid UTF-8")
	}
	switch kind {
	case "application/graphql":
		return []call{{text: string(req.Body), hasText: true}}, false, nil
	case "application/json":
		return s.jsonCalls(req.Body)
	}
	return nil, false, malformed("the content type is neither application/json nor application/graphql")
}

// readURL reads the parameters of a GET.
func readURL(query string) (call, error) {
	var c call
	values, err := url.ParseQuery(query)
	if err != nil {
		return c, malformed("the parameters are not valid")
	}
	for name, list := range values {
		if len(list) != 1 {
			return c, malformed("a parameter occurs twice")
		}
		value := list[0]
		if !utf8.ValidString(value) {
			return c, malformed("a parameter is not valid UTF-8")
		}
		switch name {
		case memberQuery, memberOperation, memberID, memberDocument:
			err = c.setText(name, value)
		case memberVariables, memberExtensions:
			err = c.setObject(name, []byte(value))
		default:
			err = malformed("a parameter is unknown")
		}
		if err != nil {
			return c, err
		}
	}
	return c, nil
}
