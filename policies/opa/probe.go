package opa

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Probe is a route.
type Probe struct{}

func (s *sources) probe(ctx context.Context, e *Engine, g *gated, routes []Probe, asked []ast.Value) error {
	return nil
}
