package upload

import (
	"context"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/internal/clamd"
)

// Clamd gives the scanner of the configuration, or nil where there is none.
// Where it has no answer, its error is a refusal with scanner_unavailable.
func Clamd(c config.Scanner) Scanner {
	if c.Clamd == "" {
		return nil
	}
	client := clamd.New(c.Clamd, time.Duration(c.Timeout), int64(c.Max))
	return func(ctx context.Context, b *middleware.Blob) (string, error) {
		found, err := client.Scan(ctx, b.Reader(), b.Size())
		if err != nil {
			return "", middleware.Refuse(name, middleware.ScannerUnavailable, "files cannot be scanned for viruses now").With(err).Set("Retry-After", "5")
		}
		return found, nil
	}
}
