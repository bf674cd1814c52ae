package rows

import (
	"context"
	"runtime"

	"hopper/pipeline"
)

// Look reads the table through. Each chunk goes to look, which several
// goroutines call at a time and which makes of its rows what there is to know;
// take gets that in the order of chunks. It ends with the first error, as
// [Table.Each] would.
func Look[T any](ctx context.Context, t *Table, look func(*Chunk) (T, error), take func(T) error) error {
	r, err := t.Open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	return pipeline.Ordered(ctx, runtime.GOMAXPROCS(0), r.Next,
		func(c *Chunk) (T, error) {
			seen, err := look(c)
			if err == nil {
				err = c.Err()
			}
			return seen, err
		},
		func(_ context.Context, seen T) error { return take(seen) })
}
