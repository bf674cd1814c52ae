package ga

import (
	"context"

	"hopper/adapters/input/rows"
	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
)

const omitMessage = "message of a connector that is no row"

// rootedReader reads the rows of a table as records: those that connectors wrap,
// and those of Universal Analytics in any other form than BigQuery's own.
type rootedReader struct {
	*rows.Reader
	table *rows.Table
	// each makes what translates the records of one chunk.
	each func() translate
}

func openRooted(ctx context.Context, t *rows.Table, each func() translate) (reader, error) {
	r, err := t.Open(ctx)
	if err != nil {
		return nil, err
	}
	return &rootedReader{r, t, each}, nil
}

func (r *rootedReader) Next(ctx context.Context) (decode, error) {
	c, err := r.Reader.Next(ctx)
	if err != nil {
		return nil, err
	}
	return func(out sink, seen *seen) error {
		each, c := r.each(), *c // two can decode a chunk at once, which keeps its error
		for row := range c.Rows() {
			out.Rows(1)
			at := pipeline.Origin{Input: r.table.Input.Name, Row: row.Number}
			if row.Err != nil {
				out.Reject(at, row.Err.Error(), row.Text())
				continue
			}
			if row.Replaced {
				out.Repair(at, pipeline.RepairUTF8)
			}
			root, _ := unwrapped(rooted(r.table, row))
			if root == nil {
				out.Omit(at, omitMessage)
				continue
			}
			each(&record.Record{Row: row.Number, Root: root}, at, out, seen)
		}
		return c.Err()
	}, nil
}
