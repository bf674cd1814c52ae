package wire_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"hopper/pipeline"
	"hopper/sinks/rybbit/wire"
)

// TestFormats is what every wire format must pass. A new format takes part by its
// line in the list of formats, with a golden file that go test -update writes.
func TestFormats(t *testing.T) {
	for _, format := range wire.Formats() {
		t.Run(format.Platform(), func(t *testing.T) {
			for name, test := range map[string]func(*testing.T, wire.Format){
				"is found by its name":        isFound,
				"writes the golden bytes":     writesGoldenBytes,
				"writes strings in one order": writesStrings,
				"reads back what it keeps":    readsBack,
				"needs only its limits":       needsOnlyItsLimits,
				"counts as the model does":    countsAsTheModel,
				"allocates nothing":           allocatesNothing,
			} {
				t.Run(name, func(t *testing.T) { test(t, format) })
			}
		})
	}
}

func isFound(t *testing.T, format wire.Format) {
	if got, err := wire.For(format.Platform()); err != nil || got != format {
		t.Errorf("For(%q) = %v, %v", format.Platform(), got, err)
	}
	if format.EventsPerSecond() <= 0 {
		t.Error("nothing is known of how fast a server stores it")
	}
}

// writesGoldenBytes pins the bytes: a migration is resumed by them.
func writesGoldenBytes(t *testing.T, format wire.Format) {
	var lines bytes.Buffer
	for _, ev := range wire.Typical() {
		if reason := format.Refuses(&ev); reason != "" {
			fmt.Fprintf(&lines, "%v: %s\n", ev.Kind, reason)
			continue
		}
		fmt.Fprintf(&lines, "%v: %s\n", ev.Kind, format.Append(nil, &ev))
	}
	wire.Golden(t, format.Platform()+".golden", lines.Bytes())
}

func allocatesNothing(t *testing.T, format wire.Format) {
	dst := make([]byte, 0, 8<<10)
	for _, ev := range wire.Typical() {
		ev.Properties = ev.Properties[:min(2, len(ev.Properties))] // an object as literal is checked by encoding/json
		if format.Refuses(&ev) == "" {
			if n := testing.AllocsPerRun(20, func() { format.Append(dst, &ev) }); n != 0 {
				t.Errorf("%v allocations for a %v", n, ev.Kind)
			}
		}
	}
}

// writesStrings checks that any event becomes an object whose fields are strings,
// in the same order for every event, and the same one each time.
func writesStrings(t *testing.T, format wire.Format) {
	var order []string
	rapid.Check(t, func(t *rapid.T) {
		ev := events(false).Draw(t, "event")
		record := format.Append(nil, &ev)
		if again := format.Append([]byte("before"), &ev); string(again) != "before"+string(record) {
			t.Fatalf("the same event gives\n%s\nand\n%s", record, again)
		}
		if !json.Valid(record) {
			t.Fatalf("not JSON:\n%s", record)
		}
		keys := []string{}
		dec := json.NewDecoder(bytes.NewReader(record))
		for i := 0; ; i++ {
			token, err := dec.Token()
			if err != nil {
				break
			}
			text, isString := token.(string)
			if !isString && i > 0 && dec.More() {
				t.Fatalf("%v is no string in\n%s", token, record)
			}
			if isString && i%2 == 1 {
				keys = append(keys, text)
			}
		}
		if order == nil {
			order = keys
		}
		if !reflect.DeepEqual(keys, order) {
			t.Fatalf("fields %v, in another event %v", keys, order)
		}
	})
}

// readsBack is what the fidelity table promises: any event of the model, written
// in the format and sent over a socket, is valid there, and every field that the
// format is said to keep reads back as it was.
func readsBack(t *testing.T, format wire.Format) {
	s := serve(t, format)
	rapid.Check(t, func(t *rapid.T) {
		drawn := rapid.SliceOfN(events(true), 1, 10).Draw(t, "events")
		sent := slices.DeleteFunc(drawn, func(ev pipeline.Event) bool { return format.Refuses(&ev) != "" })
		if len(sent) == 0 {
			return
		}
		for i, row := range s.roundTrip(t, sent) {
			compare(t, format, &sent[i], row)
		}
	})
}

// needsOnlyItsLimits checks that what a format says of its limits is
// what its encoder needs: after normalization to them, where each cut is
// counted, the encoder cuts nothing more. It does where a limit is of several
// fields together: a page URL with its escapes, and properties with what stands
// among them for an outbound click or an error.
func needsOnlyItsLimits(t *testing.T, format wire.Format) {
	rapid.Check(t, func(t *rapid.T) {
		source := &drawn{events: rapid.SliceOfN(events(false), 1, 10).Draw(t, "events")}
		watch := watcher(func(ev *pipeline.Event) {
			for f := range pipeline.Field(pipeline.Fields) {
				switch {
				case !ev.Has(f) || f == pipeline.FieldPrecision:
				case format.Limits().URL != 0 && (f == pipeline.FieldPath || f == pipeline.FieldQuery):
				case f == pipeline.FieldProperties && format.Limits().Properties == 0: // one text of all of them
				case ev.Kind == pipeline.Outbound || ev.Kind == pipeline.Error:
				case format.Carries(f, ev) == wire.Shortened:
					t.Errorf("%s cuts the %v of %+v", format.Platform(), f, ev)
				}
			}
		})
		_, err := pipeline.Translate(context.Background(), &pipeline.Translation{Target: wire.Target(format)}, source, pipeline.Mark{},
			func() pipeline.Collector[struct{}] { return watch },
			func(context.Context, *pipeline.Collected[struct{}]) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
	})
}

// countsAsTheModel checks that the dashboard's numbers are those of the events sent:
// users, sessions, bounces and pageviews per day.
func countsAsTheModel(t *testing.T, format wire.Format) {
	history := visits()
	s := serve(t, format)
	s.send(t, history)
	if got, want := s.query(t, `SELECT day, users, sessions, pageviews, events, bounces FROM daily ORDER BY day`), dailySums(history); !reflect.DeepEqual(got, want) {
		t.Errorf("per day\n%v\nwant\n%v", got, want)
	}
	views := 0
	pages := make(map[string]bool)
	for _, ev := range history {
		if ev.Kind == pipeline.Pageview {
			views++
			pages[ev.Path] = true
		}
	}
	want := [][]any{{int64(len(pages)), int64(views)}}
	if got := s.query(t, `SELECT count(*), sum(pageviews) FROM pages`); !reflect.DeepEqual(got, want) {
		t.Errorf("pages and their pageviews are %v, want %v", got, want)
	}
}

// visits are those of a few users over some days, among them bounces with and
// without a custom event, outbound clicks and errors.
func visits() []pipeline.Event {
	const users, count, views = 7, 60, 5
	start := time.Date(2024, 5, 1, 6, 0, 0, 0, time.UTC)
	var history []pipeline.Event
	for visit := range count {
		at := start.Add(time.Duration(visit) * 97 * time.Minute)
		for view := range 1 + visit%views {
			ev := pipeline.Event{
				Time:     pipeline.MicrosOf(at.Add(time.Duration(view) * 41 * time.Second)),
				Visitor:  uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, "user", visit%users)).String(),
				Session:  uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, "visit", visit)).String(),
				Hostname: "shop.example", Path: fmt.Sprintf("/teas/%d", (visit+view)%6), Query: "utm_source=news",
			}
			history = append(history, ev)
			switch ev.Name, ev.Target, ev.Message = "signup", "https://other.example/", "x is not a function"; visit % 9 {
			case 1:
				ev.Kind = pipeline.Custom
			case 2:
				ev.Kind = pipeline.Outbound
			case 3:
				ev.Kind = pipeline.Error
			default:
				continue
			}
			ev.Time += 1e6
			history = append(history, ev)
		}
	}
	return history
}

// dailySums counts events as the view daily does, in the simplest way.
func dailySums(history []pipeline.Event) [][]any {
	type sums struct {
		users, sessions   map[string]bool
		pageviews, events int64
		bounces           int64
	}
	days := make(map[string]*sums)
	firstDay, views := make(map[string]string), make(map[string]int)
	for _, ev := range history {
		day := ev.Time.Time().Format(time.DateOnly)
		if days[day] == nil {
			days[day] = &sums{users: make(map[string]bool), sessions: make(map[string]bool)}
		}
		d := days[day]
		d.users[ev.Visitor], d.sessions[ev.Session] = true, true
		d.events++
		if ev.Kind == pipeline.Pageview {
			d.pageviews++
			views[ev.Session]++
		}
		if firstDay[ev.Session] == "" {
			firstDay[ev.Session] = day
		}
	}
	for session, n := range views {
		if n == 1 {
			days[firstDay[session]].bounces++
		}
	}
	var rows [][]any
	for _, day := range slices.Sorted(maps.Keys(days)) {
		d := days[day]
		rows = append(rows, []any{day, int64(len(d.users)), int64(len(d.sessions)), d.pageviews, d.events, d.bounces})
	}
	return rows
}
