package opa

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

// capabilities are the builtins that policies may call, and no host at all.
func capabilities() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	c.Builtins = slices.DeleteFunc(c.Builtins, forbidden)
	c.AllowNet = []string{} // nil would mean any host
	return c
}

// forbidden reports builtins whose result depends on more than their
// arguments, and those whose single call can run for minutes without noticing
// that the budget is over (bits.lsh of a large count).
func forbidden(b *ast.Builtin) bool {
	switch b.Name {
	case "rego.parse_module",
		// A template may ask for any width and count.
		"strings.render_template",
		// These compare with the present time where the caller gives none.
		"crypto.x509.parse_and_verify_certificates",
		"crypto.x509.parse_and_verify_certificates_with_options":
		return true
	}
	if strings.HasPrefix(b.Name, "net.") {
		return b.Nondeterministic || !strings.HasPrefix(b.Name, "net.cidr_")
	}
	for _, family := range []string{"bits.", "numbers.range", "providers."} {
		if strings.HasPrefix(b.Name, family) {
			return true
		}
	}
	return b.Nondeterministic
}

// withheld reports whether name is a builtin that exists but is forbidden.
func withheld(name string) bool {
	all := ast.CapabilitiesForThisVersion().Builtins
	i := slices.IndexFunc(all, func(b *ast.Builtin) bool { return b.Name == name })
	return i >= 0 && forbidden(all[i])
}

func newCompiler() *ast.Compiler {
	schemas := ast.NewSchemaSet()
	// The root of the schema document, not of input: a schema put there is
	// accepted and checks nothing.
	schemas.Put(ast.SchemaRootRef, inputSchema())
	return ast.NewCompiler().
		WithCapabilities(capabilities()).
		WithStrict(true).
		WithSchemas(schemas).
		WithUseTypeCheckAnnotations(true).
		WithDefaultRegoVersion(ast.RegoV1).
		SetErrorLimit(0)
}

// store holds the data as terms, so that reading them converts nothing. The
// transaction is for good: nothing ever writes.
func (s *sources) store(ctx context.Context) (storage.Store, storage.Transaction, error) {
	store := inmem.NewFromObjectWithOpts(s.tree,
		inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true))
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("policy data: %w", err)
	}
	return store, txn, nil
}

// gated are policies that passed the gate.
type gated struct {
	facts
	modules  map[string]*ast.Module // without tests
	compiler *ast.Compiler
	store    storage.Store
	txn      storage.Transaction
}

// gate parses, checks and compiles everything but tests. It goes as far as it
// can to find all mistakes at once; only where a file could not be read it
// does not compile the others, which would miss what that file defines.
func (s *sources) gate(ctx context.Context) (*gated, error) {
	g := &gated{modules: s.parse(false)}
	complete := len(s.mistakes) == 0
	g.facts = checkContract(g.modules, &s.mistakes)
	g.checkLimits(s.limits, &s.mistakes)
	s.checkData()
	if !complete {
		return nil, s.err()
	}
	var err error
	if g.store, g.txn, err = s.store(ctx); err != nil {
		return nil, err
	}
	g.compiler = newCompiler().WithPathConflictsCheck(storage.NonEmpty(ctx, g.store, g.txn))
	if g.compiler.Compile(g.modules); g.compiler.Failed() {
		s.mistakes.addErrors(g.compiler.Errors)
	} else {
		checkReferences(g.compiler, s.tree, &s.mistakes)
	}
	if err := s.err(); err != nil {
		return nil, err
	}
	return g, nil
}
