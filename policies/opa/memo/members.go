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
	subjectAuthAge
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
		subjectACR: "subject.acr", subjectAMR: "subject.amr", subjectAuthTime: "subject.auth_time",
		subjectAuthAge: "subject.auth_age", subjectClaims: "subject.claims",
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

// show makes v the view of the member of a question. It is on the path of every
// request, hence no table of functions, and nothing is written but what the
// shape uses.
func (m member) show(in *policies.Input, v *view) {
	if m <= subjectClaims {
		if in.Subject == nil || m == nothing {
			v.shape = absent
			return
		}
		m.showSubject(in.Subject, v)
		return
	}
	switch m {
	case actionMethod:
		v.shape, v.text = text, in.Action.Method
	case actionName:
		v.shape, v.text = text, in.Action.Name
	case resourceRoute:
		v.shape, v.text = text, in.Resource.Route
	case resourceHost:
		v.shape, v.text = text, in.Resource.Host
	case resourcePath:
		v.shape, v.text = text, in.Resource.Path
	case resourceSegments:
		v.shape, v.list = list, in.Resource.Segments
	case resourceParams:
		v.shape, v.any = textMap, in.Resource.Params
	case resourceQuery:
		v.shape, v.any = listMap, in.Resource.Query
	case body:
		if v.shape = absent; in.Body != nil {
			*v = look(in.Body)
		}
	default:
		m.showContext(&in.Context, v)
	}
}

func (m member) showSubject(s *policies.Subject, v *view) {
	switch m {
	case subjectID:
		v.shape, v.text = text, s.ID
	case subjectIssuer:
		v.shape, v.text = text, s.Issuer
	case subjectRole:
		v.shape, v.text = text, s.Role
	case subjectRoles:
		v.shape, v.list = list, s.Roles
	case subjectTenant:
		v.shape, v.text = text, s.Tenant
	case subjectBranch:
		v.shape, v.text = text, s.Branch
	case subjectBranches:
		v.shape, v.list = list, s.Branches
	case subjectACR:
		v.shape, v.text = text, s.ACR
	case subjectAMR:
		v.shape, v.list = list, s.AMR
	case subjectAuthTime:
		v.shape, v.whole = integer, s.AuthTime
	case subjectAuthAge:
		if v.shape = absent; s.AuthAge != nil {
			v.shape, v.whole = integer, *s.AuthAge
		}
	case subjectClaims:
		v.shape, v.any = object, s.Claims
	default:
		v.shape = unknown
	}
}

func (m member) showContext(c *policies.Context, v *view) {
	switch m {
	case contextHour:
		v.shape, v.whole = integer, int64(c.Time.Hour)
	case contextWeekday:
		v.shape, v.text = text, c.Time.Weekday
	case contextDate:
		v.shape, v.text = text, c.Time.Date
	case contextAddress:
		v.shape, v.text = text, c.ClientAddress
	case contextListener:
		v.shape, v.text = text, c.Listener
	case contextTLS:
		v.shape, v.text = text, c.TLS
	case contextHeaders:
		v.shape, v.any = listMap, c.Headers
	case contextRequestID:
		v.shape, v.text = text, c.RequestID
	default:
		v.shape = unknown
	}
}
