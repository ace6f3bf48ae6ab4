package cases

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/open-policy-agent/opa/v1/util"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// Case is a question and what the answer must be like.
type Case struct {
	// Note says in one sentence what the case holds the policies to. Required.
	Note string `json:"note"`
	// As is who asks: the name of a person in people.yaml, a [Person] written
	// out, or "nobody" for a request without a token. Required.
	As who `json:"as"`
	// Does is what is done, a method and a path: "GET /api/employees/?page=2".
	// A full URL also says the host. Required.
	Does string `json:"does"`
	// On is the name of the route. Required.
	On string `json:"on"`
	// Params are the values of the {names} in the route's path. Default: none.
	Params map[string]string `json:"params"`
	// At is the moment, as "2026-11-23T14:00:00Z". Default: that Monday.
	At string `json:"at"`
	// Headers are the request headers that the policies may read.
	Headers map[string]string `json:"headers"`
	// Body is the body of the request, where the route gives it to the policies.
	Body any `json:"body"`
	// Want is the expected answer. Required.
	Want Want `json:"want"`

	input  *policies.Input
	moment time.Time
}

// Person is who asks, as the token describes it. A role that stands alone is
// also the list of roles, and a branch the list of branches.
type Person struct {
	// Like names a person of people.yaml whose values hold wherever this one
	// gives none; an empty list is a value.
	Like     string         `json:"like"`
	ID       *string        `json:"id"`
	Issuer   *string        `json:"issuer"`
	Role     *string        `json:"role"`
	Roles    []string       `json:"roles"`
	Tenant   *string        `json:"tenant"`
	Branch   *string        `json:"branch"`
	Branches []string       `json:"branches"`
	ACR      *string        `json:"acr"`
	AMR      []string       `json:"amr"`
	Claims   map[string]any `json:"claims"`
	// AuthAge is how long ago the person signed in, as "10m". Default: unknown.
	AuthAge *string `json:"auth_age"`
}

// who is the name of a person, or a person written out.
type who struct {
	name   string
	person *Person
}

// UnmarshalJSON reads either form.
func (w *who) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &w.name)
	}
	return strict(b, &w.person)
}

// Want is what the answer must be like. What is left out is not judged.
type Want struct {
	// Allow says whether the request passes, apart from StepUp. Required.
	Allow *bool `json:"allow"`
	// Code is among the codes of the refusal. A refusal for which the policies
	// name no code has the code "forbidden".
	Code string `json:"code"`
	// StepUp says whether the person has to authenticate again first.
	StepUp *bool `json:"step_up"`
	// Require is exactly what the answer asks of the authentication.
	Require *[]policies.Require `json:"require"`
	// Masked are places of the answer that are masked, and how; the form of a
	// list leaves the how open. NotMasked are places that pass as they are. A
	// place is written from the top of the answer, arrays by their name alone:
	// items.pay.salary. A field that is not on an allow list counts as dropped.
	Masked    places   `json:"masked"`
	NotMasked []string `json:"not_masked"`
	// Rows are exactly the row filters, as text: "$.items[*] where tenant eq
	// subject.tenant and branch in subject.branches". Conditions are joined by
	// "and" in the order the policies give them; a literal value is JSON.
	// ["all"] says that every row is seen.
	Rows *[]string `json:"rows"`
	// Protected are places of the request body that must not be written,
	// Writable places that may.
	Protected []string `json:"protected"`
	Writable  []string `json:"writable"`
	// Headers are exactly the headers for the upstream: a name of a value of
	// the caller, or a text in double quotes.
	Headers *map[string]string `json:"headers"`
	// RateLimits are exactly the rates that the caller is given, by rate limit.
	RateLimits *map[string]policies.Rate `json:"rate_limits"`
	// Region is the region that must serve.
	Region *string `json:"region"`
	// Audit is the level of the audit record.
	Audit *string `json:"audit"`
}

// places are places of an answer and the action expected there, "" for any.
type places map[string]string

// UnmarshalJSON reads a list of places or an object. The action null may be
// written without quotes, though YAML then reads nothing.
func (p *places) UnmarshalJSON(b []byte) error {
	*p = places{}
	if len(b) > 0 && b[0] == '[' {
		var list []string
		if err := json.Unmarshal(b, &list); err != nil {
			return err
		}
		for _, place := range list {
			(*p)[place] = ""
		}
		return nil
	}
	var object map[string]*string
	if err := json.Unmarshal(b, &object); err != nil {
		return err
	}
	for place, action := range object {
		if action == nil {
			(*p)[place] = policies.ActionNull
			continue
		}
		(*p)[place] = *action
	}
	return nil
}

// readPeople reads the people, if there are any.
func readPeople(fsys fs.FS) (map[string]*Person, error) {
	people := map[string]*Person{}
	err := readFile(fsys, peopleFile, &people)
	if errors.Is(err, fs.ErrNotExist) {
		return people, nil
	}
	for name, p := range people {
		switch {
		case p == nil:
			err = errors.Join(err, fmt.Errorf("%s: %q is empty", peopleFile, name))
		case p.Like != "":
			err = errors.Join(err, fmt.Errorf("%s: %q is like %q; only a person in a case may be", peopleFile, name, p.Like))
		}
	}
	return people, err
}

// readFile reads YAML into v. A key that v does not know is an error.
func readFile(fsys fs.FS, name string, v any) error {
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	if bytes.Contains(text, []byte("\n---")) {
		return fmt.Errorf("%s: a second YAML document would be ignored: give it its own file", name)
	}
	var tree any
	if err := util.Unmarshal(text, &tree); err != nil {
		return fmt.Errorf("%s: is not YAML: %w", name, err)
	}
	b, err := json.Marshal(tree)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := strict(b, v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// strict reads JSON; an unknown member is an error, a number keeps its spelling.
func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	d.UseNumber()
	return d.Decode(v)
}
