package orders

import (
	"context"
	_ "embed" // the scripts
	"errors"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gatehouse-dev/gatehouse/middleware/store"
)

// stream is the key in Redis. One key, so that a cluster can run scripts on it.
const stream = "gatehouse:orders"

// How much is read, put back and deleted in one exchange, which has 100ms.
const (
	pageLength = 512
	pageBytes  = 1 << 20
	batch      = 128
)

//go:embed read.lua
var readScript string

//go:embed append.lua
var appendScript string

// scripts run in Redis.
type scripts struct{ read, append *goredis.Script }

func newScripts() scripts {
	return scripts{goredis.NewScript(readScript), goredis.NewScript(appendScript)}
}

// exchange asks Redis. A Redis that answers with an error is well enough for
// whoever else asks it, and is not left alone for it.
func exchange(ctx context.Context, r *store.Redis, f func(context.Context, store.Client) error) error {
	var answer goredis.Error
	err := r.Do(ctx, func(ctx context.Context, client store.Client) error {
		err := f(ctx, client)
		if errors.As(err, &answer) {
			return nil
		}
		return err
	})
	if err == nil && answer != nil {
		return answer
	}
	return err
}

// page is a piece of the stream.
type page struct {
	ids, values []string
	whole       bool // nothing follows
}

// readFrom reads from an entry on, or from the beginning where id is "".
func (s scripts) readFrom(ctx context.Context, r *store.Redis, id string) (p page, err error) {
	if id == "" {
		id = "-"
	}
	var out []string
	err = exchange(ctx, r, func(ctx context.Context, client store.Client) (err error) {
		out, err = s.read.Run(ctx, client, []string{stream}, id, pageLength, maxRecord, pageBytes).StringSlice()
		return err
	})
	if err != nil {
		return page{}, err
	}
	if len(out)%2 != 1 {
		return page{}, errors.New("the script gave half an entry")
	}
	p.whole = out[0] == "1"
	for i := 1; i < len(out); i += 2 {
		p.ids, p.values = append(p.ids, out[i]), append(p.values, out[i+1])
	}
	return p, nil
}

// appendAfter appends values if the newest entry is still the given one, "" for
// an empty stream.
func (s scripts) appendAfter(ctx context.Context, r *store.Redis, newest string, values [][]byte) error {
	args := make([]any, 0, 1+len(values))
	args = append(args, newest)
	for _, v := range values {
		args = append(args, v)
	}
	return exchange(ctx, r, func(ctx context.Context, client store.Client) error {
		return s.append.Run(ctx, client, []string{stream}, args...).Err()
	})
}

// add appends one value.
func add(ctx context.Context, r *store.Redis, value []byte) error {
	return exchange(ctx, r, func(ctx context.Context, client store.Client) error {
		return client.XAdd(ctx, &goredis.XAddArgs{Stream: stream, Values: []any{"order", value}}).Err()
	})
}

// remove deletes entries.
func remove(ctx context.Context, r *store.Redis, ids []string) error {
	return exchange(ctx, r, func(ctx context.Context, client store.Client) error {
		return client.XDel(ctx, stream, ids...).Err()
	})
}
