// Package record is the log of decisions: one line of JSON for each, with the
// question that was asked, so that it can be asked again of other policies.
//
// # What is not in it
//
// A record holds who asked for what, and that is personal data enough. Before
// anything is written,
//
//   - the request body is left out, unless [Options] say otherwise;
//   - members that are named like secrets (password, access_token, api_key,
//     cookie …) are left out, wherever they stand in the question;
//   - what looks like a token or a private key is replaced by *** in any text;
//   - what the policies name in data.system.log.mask is removed or replaced, by
//     the convention of OPA's decision logs ([Mask]).
//
// The record lists what was taken out (erased) and replaced (masked), as OPA's
// do, by JSON pointer.
//
// # Writing never waits
//
// [Writer.Write] puts a decision into a bounded queue, and one goroutine makes
// lines of them. What does not fit is counted and dropped: a disk that is slow
// must not slow a request down.
package record

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// Outcomes of a decision.
const (
	Allow = "allow"
	Deny  = "deny"
	Error = "error" // it could not be decided, and was refused
)

// Record is one decision as it is written.
type Record struct {
	ID      string    `json:"id"`   // of the request
	Time    time.Time `json:"time"` // when it was decided
	Outcome string    `json:"outcome"`
	// Code is the first objection of a refusal.
	Code     string `json:"code,omitempty"`
	Revision string `json:"revision"` // of the policies that decided
	// Input is the question; Result is the decision, absent where there is none.
	Input  policies.Input     `json:"input"`
	Result *policies.Decision `json:"result,omitempty"`
	// Labels are those of the rules that held, each with its values: {"id":
	// ["HR-12", "HR-7"]}. They are there only where they were asked for.
	Labels map[string][]string `json:"labels,omitempty"`
	// Micros is how long the decision took, in microseconds, and MemoHit whether
	// it was remembered instead of evaluated.
	Micros  int64 `json:"evaluation_us"`
	MemoHit bool  `json:"memo_hit"`
	// Erased and Masked are JSON pointers (RFC 6901) to what was taken out of
	// the record and what was replaced in it.
	Erased []string `json:"erased,omitempty"`
	Masked []string `json:"masked,omitempty"`
}

// Reduced reports whether the question is not wholly as it was asked.
func (r *Record) Reduced() bool { return len(r.Erased)+len(r.Masked) > 0 }

// Entry is a decision on its way to become a [Record]. The question and the
// decision are read later and must not be changed any more.
type Entry struct {
	Time     time.Time
	Revision string
	Input    *policies.Input
	Decision *policies.Decision // nil where it could not be decided
	Took     time.Duration
	MemoHit  bool
	// Mask is what the policies that decided keep out of records; nil for nothing.
	Mask *Mask
	// Labels, where it is set, tells the labels of the rules that held. It is
	// called off the request path.
	Labels func(*policies.Input) map[string][]string

	bodiless bool // there was a body, which is left out
}

// line writes the entry as JSON, without a line break. A panic must not end the
// process for the sake of a record.
func (e *Entry) line(forms *regexp.Regexp) (text []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	var cut reduction
	if e.bodiless {
		cut.erased = append(cut.erased, "/input/body")
	}
	r := Record{
		ID: e.Input.Context.RequestID, Time: e.Time.UTC(), Revision: e.Revision, Micros: e.Took.Microseconds(), MemoHit: e.MemoHit, Outcome: Error,
	}
	if d := e.Decision; d != nil {
		r.Outcome = Deny
		switch {
		case d.Allowed():
			r.Outcome = Allow
		case len(d.Deny) > 0:
			r.Code = d.Deny[0].Code
		}
	}
	if e.Labels != nil {
		r.Labels = e.Labels(e.Input)
	}
	event := object{"input": questionTree(e.Input)}
	if e.Decision != nil {
		if event["result"], err = e.result(); err != nil {
			return nil, err
		}
	}
	cut.secrets(event, forms)
	e.Mask.apply(event, &cut)
	r.Erased, r.Masked = sorted(cut.erased), sorted(cut.masked)
	return json.Marshal(struct { // the members of event stand where those of the Record would
		Record
		Input  any `json:"input"`
		Result any `json:"result,omitempty"`
	}{r, event["input"], event["result"]})
}

// result gives the decision as text or, where something in it may have to be
// taken out, as a tree.
func (e *Entry) result() (any, error) {
	text, done, err := decisionText(e.Decision, e.Mask)
	if done || err != nil {
		return text, err
	}
	return decisionTree(e.Decision)
}

func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// Collect brings labels of several rules together, the values of each sorted.
func Collect(labels []map[string]string) map[string][]string {
	var out map[string][]string
	for _, l := range labels {
		for k, v := range l {
			if out == nil {
				out = map[string][]string{}
			}
			out[k] = append(out[k], v)
		}
	}
	for _, k := range slices.Collect(maps.Keys(out)) {
		out[k] = sorted(out[k])
	}
	return out
}
