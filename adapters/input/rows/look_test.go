package rows_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"hopper/adapters/input/rows"
)

// Look sees the rows that Each does, in their order, and stops at the same one.
func TestLookIsEach(t *testing.T) {
	var text strings.Builder
	text.WriteString("id,title\n")
	for i := range 60_000 { // several chunks
		fmt.Fprintf(&text, "%d,\"a title, with \"\"quotes\"\"\nand a second line\"\n", i)
	}
	table := find(t, []byte(text.String()))
	var want, got []string
	if err := table.Each(t.Context(), func(row *rows.Row) error {
		want = append(want, row.Cells[0])
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	ids := func(c *rows.Chunk) (ids []string, err error) {
		for row := range c.Rows() {
			ids = append(ids, row.Cells[0])
		}
		return ids, nil
	}
	chunks := 0
	if err := rows.Look(t.Context(), table, ids, func(ids []string) error {
		chunks++
		got = append(got, ids...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if chunks < 3 || !slices.Equal(got, want) {
		t.Errorf("%d rows of %d chunks, want %d rows", len(got), chunks, len(want))
	}
	stop, taken := errors.New("stop"), 0
	err := rows.Look(t.Context(), table, func(c *rows.Chunk) (int64, error) {
		if c.FirstRow > 30_000 {
			return 0, stop
		}
		return c.EndRow, nil
	}, func(end int64) error {
		taken++
		return nil
	})
	if !errors.Is(err, stop) || taken == 0 || taken == chunks {
		t.Errorf("got %v behind %d of %d chunks", err, taken, chunks)
	}
}
