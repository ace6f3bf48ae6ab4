package gateway

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

// A failure is one class: one way in which gateways have been walked around or brought down,
// named after the advisories that told of it. The letters are the parts: A body,
// B path and host, C headers and identity, D cookies, E origins, F TLS, G floods,
// I control.
type failure struct {
	id   string
	name string  // what it is, and the advisories it is named after
	over []proto // empty: all three
	// run tries the class and gives the number of cases it tried.
	run func(t *testing.T, p proto) int
}

// classes lists them all. Those that need no gateway of their own share the
// arenas.
func classes(s *arenas) []failure {
	return slices.Concat(
		bodyClasses(s), pathClasses(s), headerClasses(s), framingClasses(), originClasses(), tlsClasses(), floodClasses(), controlClasses(s),
	)
}

// duplicate gives an id that two classes have.
func duplicate(list []failure) string {
	seen := map[string]bool{}
	for _, c := range list {
		if seen[c.id] {
			return c.id
		}
		seen[c.id] = true
	}
	return ""
}

// Ops is the listener for operators, whose package imports this one.
type Ops interface {
	Address() net.Addr
	Serve(context.Context) error
}

// OpenOps opens it for a gateway.
type OpenOps func(g *Gateway, r *Reloader, metrics http.Handler) (Ops, error)

// RunClasses runs every class over every protocol it applies to, and with -v
// prints what was tried.
func RunClasses(t *testing.T, ops OpenOps) {
	var table strings.Builder
	rows := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(rows, "class\tcases\tresult\tover\twhat must not happen")
	list := classes(&arenas{t: t, open: map[string]*arena{}, ops: ops})
	if twice := duplicate(list); twice != "" {
		t.Fatalf("class %s stands twice", twice)
	}
	slices.SortStableFunc(list, func(a, b failure) int { return byNumber(a.id, b.id) })
	total := 0
	for _, c := range list {
		n, ok, over := runClass(t, c)
		result := "pass"
		if !ok {
			result = "FAIL"
		}
		if n > 0 || !ok { // else -run left it out
			fmt.Fprintf(rows, "%s\t%d\t%s\t%s\t%s\n", c.id, n, result, over, c.name)
		}
		total += n
	}
	_ = rows.Flush()
	if testing.Verbose() {
		fmt.Fprintf(os.Stdout, "%s%d cases\n", table.String(), total)
	}
}

// runClass gives the number of cases of a class, whether all went well, and the
// protocols.
func runClass(t *testing.T, c failure) (cases int, ok bool, over string) {
	protos := c.over
	if len(protos) == 0 {
		protos = []proto{plainH1, tlsH1, tlsH2}
	}
	ok = true
	var names []string
	for _, p := range protos {
		names = append(names, string(p))
		ok = t.Run(c.id+"/"+string(p), func(t *testing.T) {
			n := c.run(t, p)
			if n == 0 {
				t.Error("nothing was tried")
			}
			cases += n
		}) && ok
	}
	return cases, ok, strings.Join(names, ", ")
}

// byNumber orders by the letter and then by the number behind it.
func byNumber(a, b string) int {
	if a[0] != b[0] || len(a) == len(b) {
		return strings.Compare(a, b)
	}
	return len(a) - len(b)
}
