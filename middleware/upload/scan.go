package upload

import (
	"context"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/internal/clamd"
)

// Clamd gives the scanner of the configuration, or nil where there is none.
func Clamd(c config.Scanner) Scanner {
	if c.Clamd == "" {
		return nil
	}
	client := clamd.New(c.Clamd, time.Duration(c.Timeout), int64(c.Max))
	return func(ctx context.Context, b *middleware.Blob) (string, error) {
		return client.Scan(ctx, b.Reader(), b.Size())
	}
}
