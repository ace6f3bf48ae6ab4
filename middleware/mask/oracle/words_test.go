package oracle

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// Names of one plain word are judged by a shorter way, which must come to what the
// long one does.
func TestPlainWords(t *testing.T) {
	g, hidden := New(defaults()), masks("$.salary", "$.pay.bank_account", "$.a")
	long := func(name string) (oracle, refused bool) {
		var all strings.Builder
		for word := range words(name) {
			for part := range parts(word) {
				oracle = oracle || g.oracles[redact.Fold(part)]
			}
			all.WriteString(redact.Fold(word))
			refused = refused || g.masked(word, &hidden)
		}
		return oracle || g.oracles[all.String()], refused || g.names(all.String(), &hidden)
	}
	pieces := []string{"sort", "Order", "by", "salary", "SAL", "ary", "_", "-", "__", "--", "_-", "-_", "gt", "min", "a", "7", "[", ".", "bank", "account", "page"}
	r := rand.New(rand.NewPCG(1, 2))
	plain := 0
	for range 50_000 {
		name := ""
		for range 1 + r.IntN(5) {
			name += pieces[r.IntN(len(pieces))]
		}
		if isWord(name) {
			plain++
		}
		oracle, refused := long(name)
		if got := g.isOracle(name); got != oracle {
			t.Fatalf("%q: an oracle: %t, want %t", name, got, oracle)
		}
		if got := g.name(name, oracle, &hidden); got != refused {
			t.Fatalf("%q: refused: %t, want %t", name, got, refused)
		}
	}
	if plain < 10_000 {
		t.Errorf("only %d were plain", plain)
	}
}
