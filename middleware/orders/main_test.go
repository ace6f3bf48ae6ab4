package orders

import (
	"fmt"
	"os"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// childFile makes the test binary one that gives orders until it is killed.
const childFile = "GATEHOUSE_TEST_ORDERS_FILE"

func TestMain(m *testing.M) {
	if path := os.Getenv(childFile); path != "" {
		fmt.Fprintln(os.Stderr, child(path))
		os.Exit(1)
	}
	middlewaretest.Main(m)
}
