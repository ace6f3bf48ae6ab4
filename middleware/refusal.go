package middleware

import (
	"fmt"
	"net/http"
)

// Refusal is an answer made by the gateway instead of the upstream, as an
// error. Code and Detail are shown to the client; Err is for the record only.
type Refusal struct {
	Stage  string      // the stage that refused
	Status int         // HTTP status
	Code   string      // stable, from the table of codes or the policy's own
	Detail string      // one sentence for the client; no value of anybody's data
	Header http.Header // further headers, such as WWW-Authenticate or Retry-After
	Err    error       // the cause, never shown
	Close  bool        // close the connection after the answer
}

// Refuse makes a refusal with one of the stable codes, which brings its
// status.
func Refuse(stage string, code Code, detail string) *Refusal {
	return &Refusal{Stage: stage, Status: code.Status(), Code: string(code), Detail: detail}
}

// With adds the cause, for the record.
func (r *Refusal) With(err error) *Refusal {
	r.Err = err
	return r
}

// Set adds a header to the answer.
func (r *Refusal) Set(name, value string) *Refusal {
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set(name, value)
	return r
}

func (r *Refusal) Error() string {
	if r.Err != nil {
		return fmt.Sprintf("%s: %s: %v", r.Stage, r.Code, r.Err)
	}
	return fmt.Sprintf("%s: %s: %s", r.Stage, r.Code, r.Detail)
}

func (r *Refusal) Unwrap() error { return r.Err }
