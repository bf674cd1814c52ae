package recount

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"hopper/pipeline"
)

// TestRecordSurvives packs and unpacks any record.
func TestRecordSurvives(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		words := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) word { return word(rapid.Uint32().Draw(rt, "word")) }), 0, 6)
		id := func(name string) (id [idSize]byte) {
			copy(id[:], rapid.SliceOfN(rapid.Byte(), idSize, idSize).Draw(rt, name))
			return id
		}
		want := record{
			group: rapid.Byte().Draw(rt, "group"), session: id("session"), at: pipeline.Micros(rapid.Int64().Draw(rt, "at")),
			sides: sides(rapid.Byte().Draw(rt, "sides")), paused: rapid.Bool().Draw(rt, "paused"), kind: pipeline.Kind(rapid.Byte().Draw(rt, "kind")),
			input: rapid.Uint16().Draw(rt, "input"), row: rapid.Int64().Draw(rt, "row"), visitor: id("visitor"),
			page: word(rapid.Uint32().Draw(rt, "page")), name: word(rapid.Uint32().Draw(rt, "name")), link: word(rapid.Uint32().Draw(rt, "link")),
			rows: words.Draw(rt, "rows"), properties: words.Draw(rt, "properties"),
		}
		key, value := want.append(nil, nil)
		got := record{rows: []word{7, 7}, properties: []word{7}}
		got.parse(key, value, len(want.rows))
		if !slices.Equal(got.rows, want.rows) || !slices.Equal(got.properties, want.properties) {
			rt.Fatalf("got %+v, want %+v", got, want)
		}
		again, _ := got.append(nil, nil)
		if !slices.Equal(again, key) || got.sides != want.sides || got.paused != want.paused || got.kind != want.kind || got.input != want.input ||
			got.row != want.row || got.visitor != want.visitor || got.page != want.page || got.name != want.name || got.link != want.link {
			rt.Fatalf("got %+v, want %+v", got, want)
		}
	})
}
