package gateway

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

// A failure is one class: one way in which gateways have been walked around or brought down,
// named after the advisories that told of it. The letters are the parts: A body,
// B path and host, C headers and identity, E origins, F TLS, G floods, I control.
type failure struct {
	id   string
	name string  // what it is, and the advisories it is named after
	over []proto // empty: all three
	// run tries the class and gives the number of cases it tried.
	run func(t *testing.T, p proto) int
}

// classes lists them all.
func classes() []failure {
	return slices.Concat(
		bodyClasses(), pathClasses(), headerClasses(), originClasses(), tlsClasses(), floodClasses(), controlClasses(), framingClasses(),
	)
}

// TestClasses runs every class over every protocol it applies to, and with -v
// prints what was tried.
func TestClasses(t *testing.T) {
	var table strings.Builder
	rows := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(rows, "class\tcases\tresult\tover\twhat")
	for _, c := range classes() {
		over := c.over
		if len(over) == 0 {
			over = []proto{plainH1, tlsH1, tlsH2}
		}
		cases, ok, names := 0, true, []string(nil)
		for _, p := range over {
			names = append(names, string(p))
			ok = t.Run(c.id+"/"+string(p), func(t *testing.T) {
				n := c.run(t, p)
				if n == 0 {
					t.Error("nothing was tried")
				}
				cases += n
			}) && ok
		}
		result := "pass"
		if !ok {
			result = "FAIL"
		}
		fmt.Fprintf(rows, "%s\t%d\t%s\t%s\t%s\n", c.id, cases, result, strings.Join(names, ", "), c.name)
	}
	_ = rows.Flush()
	if testing.Verbose() {
		fmt.Fprint(os.Stdout, table.String())
	}
}
