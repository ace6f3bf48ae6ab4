package middleware

import "net/http"

// Code is the stable name of a reason to refuse. Clients may rely on it.
type Code string

// The codes. A policy may refuse with codes of its own, with status 403.
const (
	TokenMissing              Code = "token_missing"
	TokenInvalid              Code = "token_invalid"
	TokenExpired              Code = "token_expired"
	SessionIdle               Code = "session_idle"
	SessionExpired            Code = "session_expired"
	SessionRevoked            Code = "session_revoked"
	LockedDown                Code = "locked_down"
	StepUpRequired            Code = "step_up_required"
	Forbidden                 Code = "forbidden"
	RateLimited               Code = "rate_limited"
	AddressBlocked            Code = "address_blocked"
	SubjectBlocked            Code = "subject_blocked"
	BodyTooLarge              Code = "body_too_large"
	BodyMalformed             Code = "body_malformed"
	BodyTimeout               Code = "body_timeout"
	MediaTypeUnsupported      Code = "media_type_unsupported"
	InputRejected             Code = "input_rejected"
	UploadRejected            Code = "upload_rejected"
	CSRFFailed                Code = "csrf_failed"
	RowDenied                 Code = "row_denied"
	PathInvalid               Code = "path_invalid"
	HostUnknown               Code = "host_unknown"
	RouteUnknown              Code = "route_unknown"
	MethodNotAllowed          Code = "method_not_allowed"
	MethodUnknown             Code = "method_unknown"
	RequestMalformed          Code = "request_malformed"
	ExpectationFailed         Code = "expectation_failed"
	CodingUnknown             Code = "coding_unknown"
	VersionUnknown            Code = "version_unknown"
	HeaderInvalid             Code = "header_invalid"
	HeaderTooLarge            Code = "header_too_large"
	LoopDetected              Code = "loop_detected"
	UpstreamUnavailable       Code = "upstream_unavailable"
	UpstreamTimeout           Code = "upstream_timeout"
	ResponseUnmaskable        Code = "response_unmaskable"
	PolicyError               Code = "policy_error"
	Overloaded                Code = "overloaded"
	ScannerUnavailable        Code = "scanner_unavailable"
	AuthenticationUnavailable Code = "authentication_unavailable"
	InternalError             Code = "internal_error"
)

// CodeInfo describes a code for the table in the README.
type CodeInfo struct {
	Code    Code
	Status  int
	Meaning string
}

// Codes lists every code with its status and meaning.
func Codes() []CodeInfo {
	return []CodeInfo{
		{TokenMissing, http.StatusUnauthorized, "the route needs a bearer token and there is none"},
		{TokenInvalid, http.StatusUnauthorized, "the token is malformed, not signed by a known key, or not meant for this gateway"},
		{TokenExpired, http.StatusUnauthorized, "the token was good and has expired"},
		{SessionIdle, http.StatusUnauthorized, "the session was unused for longer than the route allows"},
		{SessionExpired, http.StatusUnauthorized, "the session has lasted for longer than the route allows"},
		{SessionRevoked, http.StatusUnauthorized, "the token or its session was called back"},
		{LockedDown, http.StatusForbidden, "an operator has closed the route or the tenant to all but some roles"},
		{StepUpRequired, http.StatusUnauthorized, "the route or the policy wants a stronger or fresher authentication (RFC 9470)"},
		{Forbidden, http.StatusForbidden, "the policy does not allow it; a policy may use a code of its own"},
		{RateLimited, http.StatusTooManyRequests, "too many requests; Retry-After says when to try again"},
		{AddressBlocked, http.StatusForbidden, "the address is not served here, or is blocked after repeated failures"},
		{SubjectBlocked, http.StatusForbidden, "the user is blocked, wherever from; Retry-After says until when"},
		{BodyTooLarge, http.StatusRequestEntityTooLarge, "the request body is larger than the route allows"},
		{BodyMalformed, http.StatusBadRequest, "the request body is not what its media type says"},
		{BodyTimeout, http.StatusRequestTimeout, "the request body did not arrive in time"},
		{MediaTypeUnsupported, http.StatusUnsupportedMediaType, "the route does not accept this media type, charset or encoding"},
		{InputRejected, http.StatusUnprocessableEntity, "a field holds markup or another forbidden pattern; the answer names the field"},
		{UploadRejected, http.StatusUnprocessableEntity, "a file's extension, declared type and content do not agree, or it is not allowed"},
		{CSRFFailed, http.StatusForbidden, "a cross-site request tried to change something, or one with its token in a cookie does not repeat the value of the session"},
		{RowDenied, http.StatusNotFound, "the record is outside of what the caller may see"},
		{PathInvalid, http.StatusBadRequest, "the path, query or host can be read in more than one way"},
		{HostUnknown, http.StatusMisdirectedRequest, "no route serves this host, or the connection is not for it; over another it may be served"},
		{RouteUnknown, http.StatusNotFound, "no route serves this path"},
		{MethodNotAllowed, http.StatusMethodNotAllowed, "the path is served, but not for this method; Allow lists the others"},
		{MethodUnknown, http.StatusNotImplemented, "the method is none that the gateway knows"},
		{RequestMalformed, http.StatusBadRequest, "what came is no request of HTTP/1.1, or can be read as more than one"},
		{ExpectationFailed, http.StatusExpectationFailed, "the request expects something other than `100-continue`"},
		{CodingUnknown, http.StatusNotImplemented, "the request body has a transfer coding other than `chunked`"},
		{VersionUnknown, http.StatusHTTPVersionNotSupported, "the version of HTTP is none that the gateway speaks"},
		{HeaderInvalid, http.StatusBadRequest, "a header can be read in more than one way: twice where it may stand once, or not what its name promises"},
		{HeaderTooLarge, http.StatusRequestHeaderFieldsTooLarge, "the head of the request is longer, or has more fields or cookies, than the gateway reads"},
		{LoopDetected, http.StatusLoopDetected, "the request has been at this gateway before: a backend leads back to it"},
		{UpstreamUnavailable, http.StatusBadGateway, "the backend cannot be reached or broke off; 503 where the policy names a region and none of its endpoints there can serve, or, with `Retry-After`, while its circuit breaker is open"},
		{UpstreamTimeout, http.StatusGatewayTimeout, "the backend did not answer in time"},
		{ResponseUnmaskable, http.StatusBadGateway, "the backend's answer cannot be masked as the policy demands, so it is withheld"},
		{PolicyError, http.StatusInternalServerError, "the policy could not decide; nothing was sent to the backend"},
		{Overloaded, http.StatusServiceUnavailable, "the gateway has no room for this request now"},
		{ScannerUnavailable, http.StatusServiceUnavailable, "the virus scanner gave no answer, so the file may not pass"},
		{AuthenticationUnavailable, http.StatusServiceUnavailable, "the issuer's keys, or what is revoked, are not known now, so no token can be checked"},
		{InternalError, http.StatusInternalServerError, "a fault in the gateway itself"},
	}
}

// Status gives the HTTP status of a stable code, 403 for a policy's own.
func (c Code) Status() int {
	for _, i := range Codes() {
		if i.Code == c {
			return i.Status
		}
	}
	return http.StatusForbidden
}
