package ga

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hopper/adapters"
	"hopper/adapters/adaptertest"
	"hopper/pipeline"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func fixture(name string) string { return filepath.Join("..", "..", "fixtures", "ga", name) }

// golden compares got with a golden file of one JSON value a line.
func golden(t *testing.T, name string, events []pipeline.Event, stats pipeline.Stats) {
	t.Helper()
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	encode := func(v any) {
		if err := e.Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	for _, ev := range events {
		ev.Raw, ev.ValidUTF8, ev.Origin.Input = "", false, filepath.Base(ev.Origin.Input)
		encode(brief(ev))
	}
	encode(map[string]any{"rows": stats.Rows, "events": stats.Events, "omitted": stats.Omitted.Counts(), "repaired": stats.Repaired.Counts()})
	path := filepath.Join("testdata", name)
	adaptertest.Golden(t, path, b.String(), *update)
}

// brief leaves out what is empty.
func brief(ev pipeline.Event) map[string]any {
	b, err := json.Marshal(ev)
	if err != nil {
		panic(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		panic(err)
	}
	for k, v := range m {
		object, _ := v.(map[string]any)
		if v == nil || v == "" || v == 0.0 || v == false || k == "Vitals" || object["Known"] == false || object["Text"] == "" {
			delete(m, k)
		}
	}
	m["Kind"] = ev.Kind.String()
	m["Time"] = ev.Time.Time().Format("2006-01-02T15:04:05.000000Z")
	return m
}

func TestGA4Fixture(t *testing.T) {
	events, stats, _ := read(t, adapters.Options{}, fixture("events_20240305.ndjson"))
	golden(t, "ga4.golden", events, stats)
	for _, name := range []string{
		"events_20240305.avro", "events_20240305.bigquery.parquet", "events_20240305.standard.parquet", "events_20240305.bare.parquet",
	} {
		sameIn(t, events, stats, fixture(name))
	}
}

// TestArray reads an array whose records span lines. Its rows count records.
func TestArray(t *testing.T) {
	want, wantStats, _ := read(t, adapters.Options{}, fixture("events_20240305.ndjson"))
	sameIn(t, want, wantStats, fixture("events_20240305.json"))
}

// TestFlattened reads tables that queries made of the same day.
func TestFlattened(t *testing.T) {
	want, wantStats, _ := read(t, adapters.Options{}, fixture("events_20240305.ndjson"))
	options := cmp.Options{
		cmpopts.IgnoreFields(pipeline.Event{}, "Origin", "Raw", "ValidUTF8"),
		// A column's place says nothing of a parameter's.
		cmpopts.SortSlices(func(a, b pipeline.Property) bool { return a.Key < b.Key }),
		cmpopts.EquateEmpty(),
	}
	for _, name := range []string{"flat.csv", "cells.csv", "params.csv"} {
		events, stats, reading := read(t, adapters.Options{}, fixture(name))
		if diff := cmp.Diff(want, events, options); diff != "" {
			t.Errorf("%s: events differ (-ndjson +csv):\n%.6000s", name, diff)
		}
		omitted := stats.Omitted.Counts()
		if name == "params.csv" {
			const joined = "further parameter of an event, joined with its first row"
			if got := stats.Events + stats.Omitted.Total(); stats.Rows != got || omitted[joined] == 0 {
				t.Errorf("%s: %d rows, but %d events and omitted ones", name, stats.Rows, got)
			}
			delete(omitted, joined)
		}
		if diff := cmp.Diff(wantStats.Omitted.Counts(), omitted); diff != "" {
			t.Errorf("%s: omitted differ (-ndjson +csv):\n%s", name, diff)
		}
		if diff := cmp.Diff(wantStats.Repaired.Counts(), stats.Repaired.Counts()); diff != "" {
			t.Errorf("%s: repaired differ (-ndjson +csv):\n%s", name, diff)
		}
		if reading.Shape != "GA4 events flattened by a query" {
			t.Errorf("%s: shape = %q", name, reading.Shape)
		}
	}
}

// TestParams reads JSON with a record a parameter, as UNNEST makes it.
func TestParams(t *testing.T) {
	want, _, _ := read(t, adapters.Options{}, fixture("events_20240305.ndjson"))
	content, err := os.ReadFile(fixture("events_20240305.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"object", "members"} {
		var b strings.Builder
		rows := 0
		for line := range strings.Lines(string(content)) {
			var event map[string]any
			if err := json.Unmarshal([]byte(line), &event); err != nil {
				t.Fatal(err)
			}
			for _, param := range event["event_params"].([]any) {
				row := maps.Clone(event)
				if form == "object" {
					row["event_params"] = param
				} else {
					delete(row, "event_params")
					maps.Copy(row, param.(map[string]any))
				}
				text, err := json.Marshal(row)
				if err != nil {
					t.Fatal(err)
				}
				b.Write(append(text, '\n'))
				rows++
			}
		}
		events, stats, _ := read(t, adapters.Options{}, write(t, "params.json", b.String()))
		if diff := cmp.Diff(want, events, cmpopts.IgnoreFields(pipeline.Event{}, "Origin", "Raw", "ValidUTF8", "Properties"), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: events differ (-ndjson +params):\n%.4000s", form, diff)
		}
		for i := range events {
			// encoding/json sorts the members of items, so that their text differs.
			if i < len(want) && len(events[i].Properties) != len(want[i].Properties) {
				t.Errorf("%s: event %d has properties %v; want %v", form, i, events[i].Properties, want[i].Properties)
			}
		}
		if stats.Rows != int64(rows) || stats.Rows != stats.Events+stats.Omitted.Total() {
			t.Errorf("%s: %d rows of %d, %d events, %d omitted", form, stats.Rows, rows, stats.Events, stats.Omitted.Total())
		}
	}
}

func TestUAFixture(t *testing.T) {
	events, stats, _ := read(t, adapters.Options{}, fixture("ga_sessions_20190412.ndjson"))
	golden(t, "ua.golden", events, stats)
	sameIn(t, events, stats, fixture("ga_sessions_20190412.avro"))
	sameIn(t, events, stats, fixture("ga_sessions_20190412.parquet"))
	if sessions := countEvents(events).Sessions; sessions != 3 {
		t.Errorf("%d sessions; want 3, as one stands in two tables", sessions)
	}
}

// TestOptions checks what --dedupe and --ga-events all change.
func TestOptions(t *testing.T) {
	day := fixture("events_20240305.ndjson")
	plain, stats, _ := read(t, adapters.Options{}, day)
	if got := stats.Repaired[repairDuplicate]; got.Count != 1 || got.Row != 13 {
		t.Errorf("duplicates = %+v; want 1, in row 13", got)
	}
	deduped, stats, _ := read(t, adapters.Options{Chosen: map[string]string{"dedupe": "true"}}, day)
	without := slices.DeleteFunc(slices.Clone(plain), func(ev pipeline.Event) bool { return ev.Origin.Row == 13 })
	if diff := cmp.Diff(without, deduped); diff != "" {
		t.Errorf("--dedupe (-want +got):\n%s", diff)
	}
	if stats.Omitted[omitDuplicate].Count != 1 || stats.Repaired[repairDuplicate].Count != 0 || stats.Repaired[repairLoneSession].Count != 1 {
		t.Errorf("--dedupe: omitted %v, repaired %v", stats.Omitted, stats.Repaired)
	}
	all, stats, _ := read(t, adapters.Options{Chosen: map[string]string{"ga-events": "all"}}, day)
	if int64(len(all)) != stats.Rows || stats.Repaired[repairLoneSession].Count != 0 {
		t.Errorf("--ga-events all: %d events of %d rows, repaired %v", len(all), stats.Rows, stats.Repaired)
	}
	// The same day in two files is the same day twice.
	_, stats, _ = read(t, adapters.Options{Chosen: map[string]string{"dedupe": "true"}}, day, fixture("events_20240305.avro"))
	if got := stats.Omitted[omitDuplicate].Count; got != int64(len(plain))+1 {
		t.Errorf("the day twice: %d duplicates dropped; want %d", got, len(plain)+1)
	}
}
