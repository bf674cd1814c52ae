package wire_test

import (
	"context"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"hopper/pipeline"
	"hopper/sinks/rybbit/wire"
)

// What a worker remembers of earlier events changes no byte of later ones.
func TestMemosWriteTheSame(t *testing.T) {
	for _, format := range wire.Formats() {
		t.Run(format.Platform(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				drawn := rapid.SliceOfN(events(false), 1, 6).Draw(t, "events")
				// Events that share some facts and not others.
				for i := range drawn {
					mixed := drawn[i]
					other := drawn[rapid.IntRange(0, len(drawn)-1).Draw(t, "other")]
					mixed.OS, mixed.OSVersion, mixed.ScreenWidth, mixed.Country, mixed.City = other.OS, other.OSVersion, other.ScreenWidth, other.Country, other.City
					drawn = append(drawn, mixed)
				}
				write := pipeline.Encode(func(dst []byte, ev *pipeline.Event) []byte {
					forgotten := ev.Clone()
					if got, want := format.Append(nil, ev), format.Append(nil, &forgotten); string(got) != string(want) {
						t.Fatalf("with memos\n%s\nwithout\n%s\nof %+v", got, want, forgotten)
					}
					return dst
				})
				translation := &pipeline.Translation{Target: wire.Target(format)}
				_, err := pipeline.Translate(context.Background(), translation, pipeline.Replay(slices.Concat(drawn, drawn, drawn, drawn)), pipeline.Mark{}, write,
					func(context.Context, *pipeline.Collected[*pipeline.Records]) error { return nil })
				if err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}
