package session

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/gatehouse-dev/gatehouse/middleware/store"
)

func TestMain(m *testing.M) {
	store.Quiet()
	goleak.VerifyTestMain(m)
}
