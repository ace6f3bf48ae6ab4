package opa_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/gatehouse-dev/gatehouse/policies/opa"
)

// badCase is one file of testdata/bad: what an author does wrong, and what is
// said about it. Its head is made of lines
//
//	want: MISTAKE       a mistake of the load, from its line on, or from its file
//	                    on where there are several; all of them, in order
//	decides: ERROR      it loads, and to ask it is this error
//	bundle: WHAT        they come as a signed bundle to which this was done
//	probe: ROUTE PATH masks rows
//	                    a route on which strangers must find nothing
//	tests: PERCENT      its own tests are run, and must cover as much
//	limit: BYTES, budget: DURATION, test_timeout: DURATION, more: FOLDER
//	                    options that are not the default
//
// in comments of a .rego file, or before the first file of a .txtar archive.
type badCase struct {
	options opa.Options
	want    []string
	decides string
	bundle  string
}

func readBad(t *testing.T, name string) *badCase {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "bad", name))
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{}
	c := &badCase{options: opa.Options{Path: ".", FS: fsys, Budget: 10 * time.Second}}
	head, single := string(text), true
	if filepath.Ext(name) == ".txtar" {
		a := txtar.Parse(text)
		for _, f := range a.Files {
			fsys[f.Name] = &fstest.MapFile{Data: f.Data}
		}
		head, single = string(a.Comment), false
	} else {
		fsys[name] = &fstest.MapFile{Data: text}
	}
	for line := range strings.Lines(head) {
		key, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "# "), ": ")
		if ok {
			c.set(t, key, value, name, single)
		}
	}
	return c
}

func (c *badCase) set(t *testing.T, key, value, name string, single bool) {
	t.Helper()
	var err error
	switch key {
	case "want":
		switch {
		case single && value[0] <= '9':
			value = name + ":" + value
		case single:
			value = name + ": " + value
		}
		c.want = append(c.want, value)
	case "decides":
		c.decides = value
	case "bundle":
		c.bundle = value
	case "limit":
		c.options.Size, err = strconv.ParseInt(value, 10, 64)
	case "budget":
		c.options.Budget, err = time.ParseDuration(value)
	case "tests":
		c.options.Tests = true
		c.options.MinCoverage, err = strconv.ParseFloat(value, 64)
	case "test_timeout":
		c.options.TestTimeout, err = time.ParseDuration(value)
	case "probe":
		words := strings.Fields(value)
		c.options.Probes = append(c.options.Probes, opa.Probe{
			Route: words[0], Path: words[1], Masks: slices.Contains(words, "masks"), Rows: slices.Contains(words, "rows"),
		})
	case "more":
		c.options.Path, c.options.More = "a", []string{value}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Every class of mistake that an author of policies makes is told in a way
// that says what to do.
func TestBadPolicies(t *testing.T) {
	entries, err := os.ReadDir(filepath.Join("testdata", "bad"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Run(e.Name(), func(t *testing.T) {
			c := readBad(t, e.Name())
			engine, err := opa.Load(t.Context(), c.options)
			if err == nil && len(engine.Warnings()) > 0 {
				err = engine.Warnings()
			}
			if c.bundle != "" {
				err = c.fetch(t)
			}
			if c.decides != "" {
				if err != nil {
					t.Fatal(err)
				}
				if d, err := engine.Decide(t.Context(), question()); err == nil || !strings.Contains(err.Error(), c.decides) {
					t.Errorf("decision %+v, error %v, want %s", d, err, c.decides)
				}
				return
			}
			got := strings.Split(fmt.Sprint(err), "\n")
			if err == nil || len(got) != len(c.want) {
				t.Fatalf("mistakes:\n%v\nwant:\n%s", err, strings.Join(c.want, "\n"))
			}
			for i, want := range c.want {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("mistake:\n%s\nwant:\n%s", got[i], want)
				}
			}
		})
	}
}

// What is not there on purpose is no typo: optional data, a rule of the
// contract that these policies do not need, and what a test puts in place.
func TestReferencesThatMayBeMissing(t *testing.T) {
	o := tree(map[string]string{
		"p.rego": `package gatehouse

import data.limits

allow if {
	not data.nothing.here
	not limits.weekends
	input.context.time.hour < limits.hour
}

headers["X-Hour"] := "early"
`,
		"limits.json": `{"limits": {"hour": 18}}`,
		"p_test.rego": `package gatehouse_test

import data.gatehouse

question := {"context": {"time": {"hour": 9}}}

test_weekday if {
	gatehouse.allow with input as question
	not gatehouse.deny with input as question
	not gatehouse.headers["X-Hours"] with input as question
	gatehouse.headers["X-Hour"] with input as question
}

test_weekend if not gatehouse.allow with input as question with data.limits.hours_off as [1] with data.limits.weekends as true
`,
	})
	o.Tests, o.MinCoverage = true, 100
	e, err := opa.Load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Tests(); got != (opa.TestReport{Passed: 2, Coverage: 100}) {
		t.Errorf("tests %+v, want two passed that cover everything", got)
	}
}
