package record

import (
	"bytes"
	"encoding/json"

	"github.com/gatehouse-dev/gatehouse/policies"
)

type object = map[string]any

// questionTree gives the question as a JSON decoder would, with nothing shared:
// what is taken out of it stays in the question. Built by hand it costs a
// fraction of encoding and decoding; a test holds it against those.
func questionTree(in *policies.Input) object {
	t := object{
		"action": object{"method": in.Action.Method, "name": in.Action.Name},
		"resource": object{
			"route": in.Resource.Route, "host": in.Resource.Host, "path": in.Resource.Path,
			"segments": texts(in.Resource.Segments), "params": words(in.Resource.Params), "query": lists(in.Resource.Query),
		},
		"context": object{
			"time":           object{"hour": in.Context.Time.Hour, "weekday": in.Context.Time.Weekday, "date": in.Context.Time.Date},
			"client_address": in.Context.ClientAddress, "listener": in.Context.Listener, "tls": in.Context.TLS,
			"headers": lists(in.Context.Headers), "request_id": in.Context.RequestID,
		},
	}
	if s := in.Subject; s != nil {
		subject := object{
			"id": s.ID, "issuer": s.Issuer, "role": s.Role, "roles": texts(s.Roles), "tenant": s.Tenant, "branch": s.Branch,
			"branches": texts(s.Branches), "acr": s.ACR, "amr": texts(s.AMR), "auth_time": s.AuthTime, "claims": copied(s.Claims),
		}
		if s.AuthAge != nil {
			subject["auth_age"] = *s.AuthAge
		}
		t["subject"] = subject
	}
	if in.Body != nil {
		t["body"] = copied(in.Body)
	}
	return t
}

func texts(list []string) any {
	if list == nil {
		return nil
	}
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

func lists(m map[string][]string) any {
	if m == nil {
		return nil
	}
	out := make(object, len(m))
	for k, v := range m {
		out[k] = texts(v)
	}
	return out
}

func words(m map[string]string) any {
	if m == nil {
		return nil
	}
	out := make(object, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// copied gives what holds other values anew.
func copied(v any) any {
	switch v := v.(type) {
	case object:
		if v == nil {
			return nil
		}
		out := make(object, len(v))
		for k, e := range v {
			out[k] = copied(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = copied(e)
		}
		return out
	case []string:
		return texts(v)
	}
	return v
}

// decisionTree gives the decision as a JSON decoder would.
func decisionTree(d *policies.Decision) (any, error) {
	text, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	var out any
	return out, decode(text, &out)
}

// decisionText gives the decision as JSON where nothing in it is to be taken
// out, which is nearly always: decisions hold words of policies.
func decisionText(d *policies.Decision, m *Mask) (any, bool, error) {
	if m.inDecision() {
		return nil, false, nil
	}
	for name := range d.Headers {
		if secretName(name) {
			return nil, false, nil
		}
	}
	text, err := json.Marshal(d)
	low := bytes.ToLower(text)
	for _, sign := range []string{"eyj", "-----begin", "bearer ", "basic "} {
		if bytes.Contains(low, []byte(sign)) {
			return nil, false, nil
		}
	}
	return json.RawMessage(text), true, err
}
