package upload

import (
	"context"
	"fmt"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/internal/clamd"
)

// Scan looks for viruses in content. It gives the name of what was found, and
// "" where the content is clean; an error says that this is not known.
type Scan func(ctx context.Context, b *middleware.Blob) (found string, err error)

// Scanner gives what asks the scanner of the configuration, or nil where there
// is none.
func Scanner(c config.Scanner) Scan {
	if c.Clamd == "" {
		return nil
	}
	client := clamd.New(c.Clamd, time.Duration(c.Timeout), int64(c.Max))
	return func(ctx context.Context, b *middleware.Blob) (string, error) {
		return client.Scan(ctx, b.Reader(), b.Size())
	}
}

// scanned refuses a file in which something is found, and any file where nobody
// knows. What was found is for the record: clients that try until a file passes
// are not helped.
func (s *Stage) scanned(x *middleware.Exchange, b *middleware.Blob, place string) error {
	if s.scan == nil {
		return nil
	}
	found, err := s.scan(x.Request.Context(), b)
	switch {
	case err != nil:
		return middleware.Refuse(name, middleware.ScannerUnavailable, "files cannot be scanned for viruses now").With(fmt.Errorf("the scanner: %w", err)).Set("Retry-After", "5")
	case found != "":
		x.Note("upload_virus", found)
		return middleware.Refuse(name, middleware.UploadRejected, place+" is not accepted: it holds a virus")
	}
	return nil
}
