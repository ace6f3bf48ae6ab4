// Package cases judges policies by questions with expected answers. A case is
// YAML that an auditor can read and write without knowing Rego:
//
//	# employees.yaml
//	- note: staff see colleagues of their branch, but not what they earn
//	  as: bayo
//	  does: GET /api/employees/e3
//	  on: employees
//	  want:
//	    allow: true
//	    masked: {pay.salary: "null", personal.ssn: redact}
//	    not_masked: [name, email]
//	    rows: ["$ where tenant eq subject.tenant and branch in subject.branches"]
//
// A case says as much of the answer as matters to it; what it does not mention
// it does not judge. It is judged by the decision alone: no server runs and no
// record is read. The format is described at [Case], [Person] and [Want].
package cases

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// peopleFile holds the people that cases may name, by name.
const peopleFile = "people.yaml"

// Result is what became of one case.
type Result struct {
	// File and Number say which case it was; the first of a file is 1.
	File   string `json:"file"`
	Number int    `json:"number"`
	Note   string `json:"note"`
	// Problems are the differences from what was expected, one a line. None
	// means that the decision is as the case wants it.
	Problems []string `json:"problems,omitempty"`
	// Decision is what was judged; nil where the policies gave none.
	Decision *policies.Decision `json:"-"`
}

// Passed reports whether the decision was as expected.
func (r Result) Passed() bool { return len(r.Problems) == 0 }

// String is the line to show: the verdict, where the case stands, its note, and
// the problems below.
func (r Result) String() string {
	verdict := "PASS"
	if !r.Passed() {
		verdict = "FAIL"
	}
	line := fmt.Sprintf("%s  %s#%d  %s", verdict, r.File, r.Number, r.Note)
	return strings.Join(append([]string{line}, r.Problems...), "\n      ")
}

// Run puts every case of the .yaml and .yml files in the root of fsys to d, in
// the order of the file names, and judges the answers. A file that is not
// readable as cases is an error, and so is a folder without a case: an empty
// check would pass for ever. All such mistakes are reported at once, and then
// nothing is judged.
//
// A question that d cannot answer is a problem of that case. A canceled context
// is an error.
func Run(ctx context.Context, d policies.Decider, fsys fs.FS) ([]Result, error) {
	files, err := read(fsys)
	if err != nil {
		return nil, err
	}
	var out []Result
	for _, f := range files {
		for i, c := range f.cases {
			if err := ctx.Err(); err != nil {
				return out, fmt.Errorf("cases not finished: %w", err)
			}
			r := Result{File: f.name, Number: i + 1, Note: c.Note}
			r.Decision, err = d.Decide(ctx, c.input)
			if err != nil {
				r.Problems = []string{"the policies gave no decision: " + err.Error()}
			} else {
				r.Problems = c.judge(r.Decision)
			}
			out = append(out, r)
		}
	}
	return out, nil
}

// Questions are what the cases of fsys ask, in their order. They are read as
// [Run] reads them.
func Questions(fsys fs.FS) ([]*policies.Input, error) {
	files, err := read(fsys)
	if err != nil {
		return nil, err
	}
	var out []*policies.Input
	for _, f := range files {
		for _, c := range f.cases {
			out = append(out, c.input)
		}
	}
	return out, nil
}

// file is one file of cases, ready to be asked.
type file struct {
	name  string
	cases []*Case
}

// read reads all files, and reports all mistakes at once.
func read(fsys fs.FS) ([]file, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("read the cases: %w", err)
	}
	people, err := readPeople(fsys)
	if err != nil {
		return nil, err
	}
	var (
		files []file
		wrong []error
		count int
	)
	for _, e := range entries {
		ext := path.Ext(e.Name())
		if e.IsDir() || e.Name() == peopleFile || ext != ".yaml" && ext != ".yml" {
			continue
		}
		f := file{name: e.Name()}
		if err := readFile(fsys, e.Name(), &f.cases); err != nil {
			wrong = append(wrong, err)
			continue
		}
		for i, c := range f.cases {
			if err := c.prepare(people); err != nil {
				wrong = append(wrong, fmt.Errorf("%s#%d: %w", f.name, i+1, err))
			}
		}
		count += len(f.cases)
		files = append(files, f)
	}
	if count == 0 && len(wrong) == 0 {
		wrong = append(wrong, errors.New("there is no case in this folder"))
	}
	return files, errors.Join(wrong...)
}
