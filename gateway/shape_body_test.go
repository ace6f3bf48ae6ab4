package gateway_test

import (
	"go/ast"
	"testing"
)

// TestOwnReadHasOwnTake keeps bodies from being passed by: one that embeds Watched
// has its Take, and where such a body reads in a way of its own, as a mask does,
// that Take would give what it was there to change.
func TestOwnReadHasOwnTake(t *testing.T) {
	embeds, reads, takes := map[string]bool{}, map[string]bool{}, map[string]bool{}
	walk(t, func(pkg string, f *ast.File) {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if s, ok := s.(*ast.TypeSpec); ok && embedsWatched(s.Type) {
						embeds[pkg+"."+s.Name.Name] = true
					}
				}
			case *ast.FuncDecl:
				switch d.Name.Name {
				case "Read", "WriteTo":
					reads[pkg+"."+receiver(d)] = true
				case "Take":
					takes[pkg+"."+receiver(d)] = true
				}
			}
		}
	})
	if len(embeds) < 2 {
		t.Fatalf("only %d bodies embed Watched: this test looks in the wrong place", len(embeds))
	}
	for name := range embeds {
		if reads[name] && !takes[name] {
			t.Errorf("%s has a Read of its own and the Take of Watched", name)
		}
	}
}

func embedsWatched(typ ast.Expr) bool {
	s, ok := typ.(*ast.StructType)
	if !ok {
		return false
	}
	for _, f := range s.Fields.List {
		if len(f.Names) > 0 {
			continue
		}
		e := f.Type
		if star, ok := e.(*ast.StarExpr); ok {
			e = star.X
		}
		if sel, ok := e.(*ast.SelectorExpr); ok {
			e = sel.Sel
		}
		if id, ok := e.(*ast.Ident); ok && id.Name == "Watched" {
			return true
		}
	}
	return false
}

// receiver is the name of the type that a method belongs to; "" for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	e := d.Recv.List[0].Type
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}
