package recount

import (
	"reflect"
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
			session: id("session"), at: pipeline.Micros(rapid.Int64().Draw(rt, "at")),
			sides: sides(rapid.Byte().Draw(rt, "sides")), paused: rapid.Bool().Draw(rt, "paused"), kind: pipeline.Kind(rapid.Byte().Draw(rt, "kind")),
			input: rapid.Uint32().Draw(rt, "input"), row: rapid.Int64().Draw(rt, "row"), visitor: id("visitor"),
			page: word(rapid.Uint32().Draw(rt, "page")), name: word(rapid.Uint32().Draw(rt, "name")), link: word(rapid.Uint32().Draw(rt, "link")),
			title: word(rapid.Uint32().Draw(rt, "title")), rows: words.Draw(rt, "rows"), properties: words.Draw(rt, "properties"),
		}
		bytes := want.append(nil)
		got := record{rows: []word{7, 7}, properties: []word{7}}
		got.parse(bytes, len(want.rows))
		if !reflect.DeepEqual(got, want) {
			rt.Fatalf("got %+v, want %+v", got, want)
		}
	})
}
