package opa

import (
	"context"
	"encoding/json"
	"syscall"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa/memo"
)

// BenchmarkRemembered sets one decision side by side: the engine's default calls,
// evaluation as Load prepares it (lean), and hits by value keys (T0) and by
// outcome keys (T1). "x-lean" is how many times faster than lean it is.
func BenchmarkRemembered(b *testing.B) {
	ctx := context.Background()
	off := forgetful(b)
	requests := stream(64)
	lean := time.Duration(0)
	run := func(name string, ask func(in *policies.Input)) {
		b.Run(name, func(b *testing.B) {
			for _, in := range requests {
				ask(in)
			}
			b.ReportAllocs()
			b.ResetTimer()
			began := processorTime(b)
			for i := range b.N {
				ask(requests[i%len(requests)])
			}
			each := (processorTime(b) - began) / time.Duration(b.N)
			if name == "lean" {
				lean = each
			}
			b.ReportMetric(float64(each.Nanoseconds()), "cpu-ns/op")
			b.ReportMetric(float64(lean)/float64(max(each, 1)), "x-lean")
		})
	}
	decide := func(e *Engine) func(*policies.Input) {
		return func(in *policies.Input) {
			if _, err := e.Decide(ctx, in); err != nil {
				b.Fatal(err)
			}
		}
	}
	run("lean", decide(off))
	run("default", defaultCalls(b, off))
	run("T0-hit", decide(companyEngine(b, memo.Options{ValuesOnly: true, AuditEvery: -1})))
	run("T1-hit", decide(companyEngine(b, memo.Options{AuditEvery: -1})))
}

// forgetful makes an engine that remembers nothing.
func forgetful(b *testing.B) *Engine {
	b.Helper()
	e, err := Load(context.Background(), Options{Path: "rego", FS: company(b), Budget: 10 * time.Second, Memo: memo.Options{Entries: -1}})
	if err != nil {
		b.Fatal(err)
	}
	return e
}

func stream(n int) []*policies.Input {
	t := newTraffic(1, 10_000)
	out := make([]*policies.Input, n)
	for i := range out {
		out[i] = t.request()
	}
	return out
}

// processorTime is what the process has used so far. Beside other programs it
// says more than the time of day.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// defaultCalls asks as the engine's documentation shows it: an input of maps,
// an answer of maps.
func defaultCalls(b *testing.B, e *Engine) func(*policies.Input) {
	b.Helper()
	q, err := rego.New(rego.Compiler(e.compiler), rego.Store(e.store), rego.Query("data.gatehouse")).PrepareForEval(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	return func(in *policies.Input) {
		text, err := json.Marshal(in)
		if err != nil {
			b.Fatal(err)
		}
		var m any
		if err := json.Unmarshal(text, &m); err != nil {
			b.Fatal(err)
		}
		if rs, err := q.Eval(context.Background(), rego.EvalInput(m)); err != nil || len(rs) != 1 {
			b.Fatal(rs, err)
		}
	}
}

// BenchmarkTraffic is a day of requests from an empty memo, audits included:
// 300,000 by 10,000 people.
func BenchmarkTraffic(b *testing.B) {
	ctx := context.Background()
	off := forgetful(b)
	requests := stream(300_000)
	began := processorTime(b)
	const sample = 2000
	for _, in := range requests[:sample] {
		if _, err := off.Decide(ctx, in); err != nil {
			b.Fatal(err)
		}
	}
	lean := (processorTime(b) - began) / sample
	for b.Loop() {
		b.StopTimer()
		e := companyEngine(b, memo.Options{})
		b.StartTimer()
		began := processorTime(b)
		for _, in := range requests {
			if _, err := e.Decide(ctx, in); err != nil {
				b.Fatal(err)
			}
		}
		each := (processorTime(b) - began) / time.Duration(len(requests))
		s := e.MemoStats()
		b.ReportMetric(float64(lean.Nanoseconds()), "lean-cpu-ns/req")
		b.ReportMetric(float64(each.Nanoseconds()), "cpu-ns/req")
		b.ReportMetric(float64(lean)/float64(each), "x-lean")
		b.ReportMetric(100*float64(s.Hits)/float64(len(requests)), "%hits")
		b.ReportMetric(float64(s.Evictions), "evicted")
	}
}
