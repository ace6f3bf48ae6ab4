package eventstream

import "github.com/gatehouse-dev/gatehouse/middleware/mask/redact"

// maxFound is how many findings a report lists one by one. A stream that never
// ends can have any number of places, so what is found at others is counted
// without its place.
const maxFound = 32

// sum adds what was done to an event.
func (r *Reader) sum(event redact.Report) {
	all := &r.report
	all.Masked += event.Masked
	all.Dropped += event.Dropped
	all.Hidden += event.Hidden
	all.Pointers = append(all.Pointers, event.Pointers...)
	if all.Rules == nil {
		all.Rules = event.Rules
	} else {
		for i, n := range event.Rules {
			all.Rules[i] += n
		}
	}
	for _, f := range event.Found {
		r.found(f)
	}
}

// found adds a finding to those of its place and class.
func (r *Reader) found(f redact.Finding) {
	for {
		for i := range r.report.Found {
			if have := &r.report.Found[i]; have.Path == f.Path && have.Class == f.Class {
				have.Count += f.Count
				return
			}
		}
		if len(r.report.Found) < maxFound || f.Path == "" {
			r.report.Found = append(r.report.Found, f)
			return
		}
		f.Path = ""
	}
}
