package wire_test

import (
	"context"
	"fmt"
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
				repeated := sharing(t)
				write := pipeline.Encode(func(dst []byte, ev *pipeline.Event) []byte {
					forgotten := ev.Clone()
					if got, want := format.Append(nil, ev), format.Append(nil, &forgotten); string(got) != string(want) {
						t.Fatalf("with memos\n%s\nwithout\n%s\nof %+v", got, want, forgotten)
					}
					return dst
				})
				translation := &pipeline.Translation{Target: wire.Target(format)}
				_, err := pipeline.Translate(context.Background(), translation, pipeline.Replay(repeated), pipeline.Mark{}, write,
					func(context.Context, *pipeline.Collected[*pipeline.Records]) error { return nil })
				if err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// sharing draws events of which some share facts and not others, each several times.
func sharing(t *rapid.T) []pipeline.Event {
	drawn := rapid.SliceOfN(events(false), 1, 6).Draw(t, "events")
	for i := range drawn {
		mixed := drawn[i]
		other := drawn[rapid.IntRange(0, len(drawn)-1).Draw(t, "other")]
		mixed.OS, mixed.OSVersion, mixed.ScreenWidth, mixed.Country, mixed.City = other.OS, other.OSVersion, other.ScreenWidth, other.Country, other.City
		if rapid.Bool().Draw(t, "all") {
			mixed.Browser, mixed.BrowserVersion, mixed.Device, mixed.ScreenHeight = other.Browser, other.BrowserVersion, other.Device, other.ScreenHeight
			mixed.Language, mixed.Region = other.Language, other.Region
		}
		drawn = append(drawn, mixed)
	}
	return slices.Concat(drawn, drawn, drawn, drawn)
}

// A survey, which asks for a memo's verdicts once, counts what the formats say of each event.
func TestSurveyCountsWhatFormatsSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		refused, present := make(map[string]int64), make(map[pipeline.Field]int64)
		fields := make(map[pipeline.Field]map[string]*wire.Verdicts)
		ask := func(ev *pipeline.Event) {
			for f := range pipeline.Field(pipeline.Fields) {
				if !ev.Has(f) {
					continue
				}
				present[f]++
				if fields[f] == nil {
					fields[f] = make(map[string]*wire.Verdicts)
				}
				for _, format := range wire.Formats() {
					if fields[f][format.Platform()] == nil {
						fields[f][format.Platform()] = new(wire.Verdicts)
					}
					if format.Refuses(ev) == "" {
						fields[f][format.Platform()][format.Carries(f, ev)]++
					}
				}
			}
			for _, format := range wire.Formats() {
				if format.Refuses(ev) != "" {
					refused[format.Platform()]++
				}
			}
		}
		collect := pipeline.InOnePass(func() pipeline.Collector[*wire.Survey] { return new(wire.Survey) }, func() pipeline.Collector[struct{}] { return watcher(ask) })
		survey := new(wire.Survey)
		_, err := pipeline.Translate(t.Context(), &pipeline.Translation{Jobs: 1}, pipeline.Replay(sharing(t)), pipeline.Mark{}, collect,
			func(_ context.Context, chunk *pipeline.Collected[pipeline.Both[*wire.Survey, struct{}]]) error {
				survey.Merge(chunk.Value.First)
				return nil
			})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range survey.Rows() {
			if row.Events != present[row.Field] {
				t.Fatalf("%v: %d events counted, %d have it", row.Field, row.Events, present[row.Field])
			}
			delete(present, row.Field)
			for i, format := range wire.Formats() {
				if want := *fields[row.Field][format.Platform()]; row.Formats[i] != want {
					t.Fatalf("%v in %s: %v counted, %v said", row.Field, format.Platform(), row.Formats[i], want)
				}
			}
		}
		for _, format := range wire.Formats() {
			if survey.Refused(format) != refused[format.Platform()] {
				t.Fatalf("%s refuses %d events, %d counted", format.Platform(), refused[format.Platform()], survey.Refused(format))
			}
		}
		if len(present) > 0 {
			t.Fatalf("not counted: %v", present)
		}
	})
}

// BenchmarkEncode normalizes and writes events of which some hundred clients and
// places are made, as an export's are.
func BenchmarkEncode(b *testing.B) {
	events := make([]pipeline.Event, 4096)
	of := func(i int, values ...string) string { return values[i%len(values)] }
	for i := range events {
		events[i] = pipeline.Event{
			Time: pipeline.Micros(1719828000_000000 + i*1e6), ValidUTF8: true,
			Visitor: fmt.Sprintf("2f0f3c5a-51f8-4c6e-9d8e-%012x", i/7), Session: fmt.Sprintf("9b2d7e40-0c1f-5a3b-8e6d-%012x", i/3),
			Hostname: "garden.example", Path: fmt.Sprintf("/shop/seeds/item-%d", i%500), Query: of(i, "", "", "q=red%20pots"),
			Title: fmt.Sprintf("Item number %d | Garden & Co.", i%500), Referrer: of(i, "", "https://www.google.com/"),
			Browser: of(i, "chrome", "ios", "safari"), BrowserVersion: of(i, "126.0.1", "17"), OS: of(i, "Windows 10", "iOS", "Mac OS", "Linux", "Android"),
			Device: of(i, "desktop", "mobile"), ScreenWidth: 1920, ScreenHeight: 1080 - i%3,
			Language: of(i, "en-US", "de-DE", "fr"), Country: of(i, "GB", "DE"), City: of(i, "London", "Berlin", "München"),
		}
	}
	for _, format := range wire.Formats() {
		b.Run(format.Platform(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := pipeline.Translate(b.Context(), &pipeline.Translation{Target: wire.Target(format)}, pipeline.Replay(events), pipeline.Mark{}, wire.Encode(format),
					func(_ context.Context, chunk *pipeline.Collected[*pipeline.Records]) error {
						b.SetBytes(int64(len(chunk.Value.Body)))
						return nil
					})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
