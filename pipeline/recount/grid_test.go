package recount

import (
	"maps"
	"testing"

	"pgregory.net/rapid"
)

// TestGridAsMap compares a grid with a map, also when it is used again.
func TestGridAsMap(t *testing.T) {
	layout := &Layout{Tables: []Table{{Columns: make([]Column, 3)}, {Columns: make([]Column, 1)}}}
	rapid.Check(t, func(rt *rapid.T) {
		g := newGrid(layout)
		type key struct {
			cell
			on sides
		}
		for range rapid.IntRange(1, 2).Draw(rt, "uses") {
			want := map[key]int64{}
			for range rapid.IntRange(0, 1000).Draw(rt, "adds") {
				table := rapid.IntRange(0, 1).Draw(rt, "table")
				c := cell{
					day: rapid.SampledFrom([]Day{-1, 0, 1, AllDays}).Draw(rt, "day"), row: word(rapid.Uint32Range(0, 300).Draw(rt, "row")),
					table: uint8(table), column: uint8(rapid.IntRange(0, len(layout.Tables[table].Columns)-1).Draw(rt, "column")),
				}
				on, n := sides(rapid.IntRange(1, 3).Draw(rt, "on")), rapid.Int64Range(-2, 1<<40).Draw(rt, "n")
				g.add(rowKey{c.day, c.row, c.table, on}, int(c.column), n)
				want[key{c, on}] += n
			}
			got := map[key]int64{}
			if err := g.each(func(c cell, on sides, n int64) error { got[key{c, on}] += n; return nil }); err != nil {
				rt.Fatal(err)
			}
			if !maps.Equal(got, want) {
				rt.Fatalf("got %v, want %v", got, want)
			}
		}
	})
}

// TestNewPages has a visit tell pages that are new to it, few and many.
func TestNewPages(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var v, other visit
		seen := map[word]bool{}
		for _, page := range rapid.SliceOfN(rapid.Uint32Range(0, 60), 0, 200).Draw(rt, "pages") {
			if v.addPage(word(page)) == seen[word(page)] {
				rt.Fatalf("%d is new: %t", page, !seen[word(page)])
			}
			seen[word(page)] = true
		}
		other.copy(&v)
		v.reset()
		for page := range seen {
			if other.addPage(page) || !v.addPage(page) {
				rt.Fatalf("%d is not a copy's own", page)
			}
		}
	})
}
