package overload

import (
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

func TestMain(m *testing.M) { middlewaretest.Main(m) }
