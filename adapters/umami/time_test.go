package umami

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"hopper/pipeline"
)

// layouts are the forms of a created_at as package time spells them.
var layouts = []string{
	"2006-01-02 15:04:05.999999", "2006-01-02T15:04:05.999999Z07:00", "2006-01-02 15:04:05.999999-07", "2006-01-02 15:04:05.000-0700",
	"2006-01-02 15:04:05.000000-07:00", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05 UTC", "2006-01-02T15:04:05-07:00:00",
}

func TestParseTimeAsPackageTime(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		zone := time.FixedZone("", rapid.IntRange(-14*4, 14*4).Draw(rt, "quarters")*900)
		at := time.UnixMicro(rapid.Int64Range(-30e15, 200e15).Draw(rt, "time")).In(zone)
		layout := rapid.SampledFrom(layouts).Draw(rt, "layout")
		text := at.Format(layout)
		want, err := time.Parse(layout, text)
		if err != nil {
			rt.Skip(err)
		}
		got, ok := parseTime(text, time.UTC)
		if !ok || got != pipeline.MicrosOf(want) {
			rt.Fatalf("%q: got %v, %t, want %v", text, got.Time(), ok, want)
		}
	})
}

func TestParseTimeRefuses(t *testing.T) {
	for _, text := range []string{
		"", "2024", "2024-05-01", "2024-05-01 10:00", "2024-02-30 10:00:00", "2023-02-29 10:00:00", "2024-13-01 10:00:00", "2024-05-01 24:00:00",
		"2024-05-01 10:60:00", "2024-05-01 10:00:0x", "2024-05-01 10:00:00+", "2024-05-01 10:00:00+2", "2024-05-01 10:00:00+02:", "2024-05-01 10:00:00 CET",
		"2024-05-01 10:00:00+02:00:00:00", "01.05.2024 10:00:00", "2024/05/01 10:00:00", "1714557600",
	} {
		if got, ok := parseTime(text, time.UTC); ok {
			t.Errorf("%q: got %v", text, got.Time())
		}
	}
}

// Whatever package time reads of a form is read alike, and nothing else is
// read as another time.
func FuzzTimestamp(f *testing.F) {
	at := time.Date(2024, 2, 29, 23, 59, 58, 123456000, time.FixedZone("", 5*3600+1800))
	for _, layout := range layouts {
		f.Add(at.Format(layout))
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := parseTime(text, time.UTC)
		for _, layout := range layouts {
			want, err := time.Parse(layout, text)
			if err == nil && ok && got != pipeline.MicrosOf(want) {
				t.Errorf("%q: got %v, want %v", text, got.Time(), want)
			}
		}
	})
}

func FuzzID(f *testing.F) {
	f.Add("6c1c77a2-c723-50b2-9268-0868c3c6305d", "6C1C77A2-C723-50B2-9268-0868C3C6305D")
	f.Add("1", "6c1c77a2-c723-50b2-9268-0868c3c6305-")
	f.Fuzz(func(t *testing.T, a, b string) {
		same := idOf(a) == idOf(b)
		if a == b && !same {
			t.Errorf("%q has two ids", a)
		}
		if same && len(a) != len(b) {
			t.Errorf("%q and %q have one id", a, b)
		}
	})
}

func BenchmarkParseTime(b *testing.B) {
	for b.Loop() {
		parseTime("2024-05-01 10:00:00.123456+00", time.UTC)
	}
}
