package rybbit

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/zeebo/xxh3"
	"pgregory.net/rapid"

	"hopper/pipeline"
)

// TestSum sends batches of records that come in chunks of any size, some of them twice
// since they are not stored, and with limits that change: the sum of each is that of
// its body, however much of it was summed up before.
func TestSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const longest = 40_000 // bytes of a record, so that chunks are copied and kept
		limits := rapid.IntRange(batchFrame+longest, batchFrame+10*longest)
		u := &Upload{size: sizer{limit: limits.Draw(t, "limit")}}
		next := rapid.Int64Range(0, 1<<40).Draw(t, "first")
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch step := rapid.IntRange(0, 3).Draw(t, "step"); {
			case step < 2:
				var chunk pipeline.Records
				for range rapid.IntRange(1, 12).Draw(t, "records") {
					letter, length := rapid.ByteRange('a', 'z').Draw(t, "letter"), rapid.IntRange(0, longest).Draw(t, "length")
					chunk.Body = append(append(chunk.Body, bytes.Repeat([]byte{letter}, length)...), ',')
					chunk.Ends = append(chunk.Ends, len(chunk.Body)-1)
				}
				u.queue.Add(next, &chunk, 0, chunk.Len())
				next += int64(chunk.Len())
				u.sumAhead(chunk.Size())
				u.queue.Keep()
			case u.flight != nil:
				if rapid.Bool().Draw(t, "stored") {
					u.queue.Drop(u.flight.batch.Events)
				}
				u.flight = nil
				u.size.limit = limits.Draw(t, "limit")
			case u.queue.Len() > 0:
				batch, _ := u.queue.Batch(u.size.limit - batchFrame)
				want := xxh3.Hash128(bytes.Join(batch.Body, nil)).Bytes()
				if got := u.sum.of(batch); got != hex.EncodeToString(want[:]) {
					t.Fatalf("the sum of %d bytes from record %d is %s, want %x", batch.Size, batch.First, got, want)
				}
				u.flight = &flight{batch: batch, limit: u.size.limit}
			}
		}
	})
}
