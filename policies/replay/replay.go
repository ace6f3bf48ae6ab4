// Package replay asks policies what was asked before: it reads a log of
// decisions, puts each question to a candidate and tells what would have been
// different, for whom and on which route, the dangerous things first.
//
// A question holds its own moment, so the hour it was asked at is the hour it is
// judged by. What was left out of a record (a body, a secret, what
// data.system.log.mask names) is missing for the candidate too; how many records
// that concerns is told.
package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/compare"
	"github.com/gatehouse-dev/gatehouse/policies/record"
)

// Report is what a candidate would have done otherwise.
type Report struct {
	Records int `json:"records"` // that were judged
	// Different is for how many of them anything would differ, Opened for how
	// many somebody would get more.
	Different int `json:"different"`
	Opened    int `json:"opened"`
	// Reduced is how many records do not hold the whole question.
	Reduced int `json:"reduced"`
	// Before are the revisions that the candidate was held against, After is its own.
	Before []string `json:"before"`
	After  string   `json:"after"`
	// Differences by role and route, the dangerous ones first.
	Differences []compare.Group `json:"differences"`
}

// Run judges a log. The candidate's answers are held against those on record
// or, where against is not nil, against what that decides.
func Run(ctx context.Context, log io.Reader, candidate, against policies.Decider) (*Report, error) {
	out := &Report{After: candidate.Revision()}
	var found compare.Tally
	before := map[string]bool{}
	for r := record.NewReader(log); ; {
		rec, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			out.Before, out.Differences = slices.Sorted(maps.Keys(before)), found.Groups()
			return out, nil
		case err != nil:
			return nil, err
		}
		was := compare.Answer{Decision: rec.Result}
		before[rec.Revision] = true
		if against != nil {
			was = ask(ctx, against, &rec.Input)
			before = map[string]bool{against.Revision(): true}
		}
		is := ask(ctx, candidate, &rec.Input)
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("replay interrupted: %w", context.Cause(ctx))
		}
		out.add(rec, compare.Answers(was, is), &found)
	}
}

func ask(ctx context.Context, d policies.Decider, in *policies.Input) compare.Answer {
	decision, err := d.Decide(ctx, in)
	if err != nil {
		return compare.Answer{}
	}
	return compare.Answer{Decision: decision}
}

func (r *Report) add(rec *record.Record, differences []compare.Difference, found *compare.Tally) {
	r.Records++
	if rec.Reduced() {
		r.Reduced++
	}
	if len(differences) > 0 {
		r.Different++
	}
	if compare.Opens(differences) {
		r.Opened++
	}
	role := ""
	if s := rec.Input.Subject; s != nil {
		role = s.Role
	}
	found.Add(rec.Input.Resource.Route, role, rec.ID, 1, differences)
}
