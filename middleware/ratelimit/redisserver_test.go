package ratelimit

import (
	"strconv"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/store/storetest"
)

// otherPort is a free port that is not this one.
func otherPort(t testing.TB, port int) int {
	t.Helper()
	for {
		addr := storetest.FreeAddress(t)
		if n, _ := strconv.Atoi(addr[strings.LastIndex(addr, ":")+1:]); n != port {
			return n
		}
	}
}
