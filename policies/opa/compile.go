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

// compile compiles the modules over the data.
func (s *sources) compile(ctx context.Context, modules map[string]*ast.Module) (*ast.Compiler, storage.Store, storage.Transaction, error) {
	store, txn, err := s.store(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	c := newCompiler().WithPathConflictsCheck(storage.NonEmpty(ctx, store, txn))
	if c.Compile(modules); c.Failed() {
		s.mistakes.addErrors(c.Errors)
		return nil, nil, nil, s.err()
	}
	return c, store, txn, nil
}
