package memo

import (
	"github.com/gatehouse-dev/gatehouse/policies"
)

// member is one member of the question. Everything below it is reached by
// steps.
type member uint8

const (
	nothing member = iota
	subjectID
	subjectIssuer
	subjectRole
	subjectRoles
	subjectTenant
	subjectBranch
	subjectBranches
	subjectACR
	subjectAMR
	subjectAuthTime
	subjectClaims
	actionMethod
	actionName
	resourceRoute
	resourceHost
	resourcePath
	resourceSegments
	resourceParams
	resourceQuery
	contextHour
	contextWeekday
	contextDate
	contextAddress
	contextListener
	contextTLS
	contextHeaders
	contextRequestID
	body
)

// leaf says where in input a member stands.
type leaf struct {
	path Path
	member
}

// leaves are all members of a question. The engine builds terms of the same
// members (policies/opa/input.go); a test holds the two against each other.
func leaves() []leaf {
	paths := map[member]string{
		subjectID: "subject.id", subjectIssuer: "subject.issuer", subjectRole: "subject.role", subjectRoles: "subject.roles",
		subjectTenant: "subject.tenant", subjectBranch: "subject.branch", subjectBranches: "subject.branches",
		subjectACR: "subject.acr", subjectAMR: "subject.amr", subjectAuthTime: "subject.auth_time", subjectClaims: "subject.claims",
		actionMethod: "action.method", actionName: "action.name",
		resourceRoute: routePath, resourceHost: "resource.host", resourcePath: "resource.path", resourceSegments: "resource.segments",
		resourceParams: "resource.params", resourceQuery: "resource.query",
		contextHour: "context.time.hour", contextWeekday: "context.time.weekday", contextDate: "context.time.date",
		contextAddress: "context.client_address", contextListener: "context.listener", contextTLS: "context.tls",
		contextHeaders: "context.headers", contextRequestID: "context.request_id", body: "body",
	}
	all := make([]leaf, 0, len(paths))
	for m := nothing + 1; m <= body; m++ {
		all = append(all, leaf{ParsePath(paths[m]), m})
	}
	return all
}

// of shows the member of a question. It is on the path of every request, hence
// no table of functions.
func (m member) of(in *policies.Input) view {
	if m <= subjectClaims {
		if in.Subject == nil || m == nothing {
			return view{}
		}
		return m.ofSubject(in.Subject)
	}
	switch m {
	case actionMethod:
		return textView(in.Action.Method)
	case actionName:
		return textView(in.Action.Name)
	case resourceRoute:
		return textView(in.Resource.Route)
	case resourceHost:
		return textView(in.Resource.Host)
	case resourcePath:
		return textView(in.Resource.Path)
	case resourceSegments:
		return view{shape: list, list: in.Resource.Segments}
	case resourceParams:
		return view{shape: textMap, any: in.Resource.Params}
	case resourceQuery:
		return view{shape: listMap, any: in.Resource.Query}
	case body:
		if in.Body == nil {
			return view{}
		}
		return look(in.Body)
	}
	return m.ofContext(&in.Context)
}

func (m member) ofSubject(s *policies.Subject) view {
	switch m {
	case subjectID:
		return textView(s.ID)
	case subjectIssuer:
		return textView(s.Issuer)
	case subjectRole:
		return textView(s.Role)
	case subjectRoles:
		return view{shape: list, list: s.Roles}
	case subjectTenant:
		return textView(s.Tenant)
	case subjectBranch:
		return textView(s.Branch)
	case subjectBranches:
		return view{shape: list, list: s.Branches}
	case subjectACR:
		return textView(s.ACR)
	case subjectAMR:
		return view{shape: list, list: s.AMR}
	case subjectAuthTime:
		return view{shape: integer, whole: s.AuthTime}
	case subjectClaims:
		return view{shape: object, any: s.Claims}
	}
	return view{shape: unknown}
}

func (m member) ofContext(c *policies.Context) view {
	switch m {
	case contextHour:
		return view{shape: integer, whole: int64(c.Time.Hour)}
	case contextWeekday:
		return textView(c.Time.Weekday)
	case contextDate:
		return textView(c.Time.Date)
	case contextAddress:
		return textView(c.ClientAddress)
	case contextListener:
		return textView(c.Listener)
	case contextTLS:
		return textView(c.TLS)
	case contextHeaders:
		return view{shape: listMap, any: c.Headers}
	case contextRequestID:
		return textView(c.RequestID)
	}
	return view{shape: unknown}
}
