package spill_test

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"hopper/adapters/input/spill"
)

func TestBlocks(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		want := rapid.SliceOf(rapid.SliceOfN(rapid.Byte(), 1, 50)).Draw(rt, "blocks")
		b := spill.Blocks{Dir: dir, Limit: rapid.SampledFrom([]int{0, 1, 100}).Draw(rt, "limit")}
		defer b.Close()
		var memory []byte
		for _, block := range want {
			free, err := b.Add(append(memory, block...))
			if err != nil {
				rt.Fatal(err)
			}
			memory = free
		}
		for range 2 {
			var got [][]byte
			if err := b.Each(context.Background(), func(block []byte) error {
				got = append(got, bytes.Clone(block))
				return nil
			}); err != nil {
				rt.Fatal(err)
			}
			if !slices.EqualFunc(got, want, bytes.Equal) {
				rt.Fatalf("got %v, want %v", got, want)
			}
		}
	})
}
