package session

import (
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/middleware/store"
)

func TestMain(m *testing.M) {
	store.Quiet()
	middlewaretest.Main(m)
}
