package wire

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"hopper/pipeline"
)

func survey(events ...pipeline.Event) *Survey {
	s := new(Survey)
	for i := range events {
		s.Add(&events[i])
	}
	return s
}

func platformNames(wires []Format) []string {
	var names []string
	for _, w := range wires {
		names = append(names, w.Platform())
	}
	return names
}

// TestFidelityTable pins what each format makes of each kind of event.
func TestFidelityTable(t *testing.T) {
	var table bytes.Buffer
	for _, ev := range Typical() {
		fmt.Fprintf(&table, "%v", ev.Kind)
		for _, w := range Formats() {
			fmt.Fprintf(&table, "\t%s", w.Platform())
		}
		fmt.Fprintln(&table)
		for _, row := range survey(ev).Rows() {
			fmt.Fprint(&table, row.Field)
			for _, v := range row.Formats {
				if v.Total() == 0 {
					fmt.Fprint(&table, "\trefused")
					continue
				}
				fmt.Fprintf(&table, "\t%v", v.Worst())
			}
			fmt.Fprintln(&table)
		}
		fmt.Fprintln(&table)
	}
	Golden(t, "fidelity.tsv", table.Bytes())
}

func TestRank(t *testing.T) {
	plain := pipeline.Event{
		Time: 1719828000_000000, Visitor: "2f0f3c5a-51f8-4c6e-9d8e-0d3f6b1a7c11", Session: "9b2d7e40-0c1f-5a3b-8e6d-4f5a6b7c8d9e",
		Hostname: "shop.example", Path: "/teas", Browser: "Chrome", OS: "macOS", Device: "Desktop", Country: "AT",
	}
	tagged := plain
	tagged.Properties = []pipeline.Property{{Key: "tag", Value: "a"}}
	odd := plain
	odd.Path = "/a/../b" // which a URL cannot hold
	titled := plain
	titled.Title = "Green teas"
	signup := titled
	signup.Kind, signup.Name = pipeline.Custom, "signup"
	scroll := signup
	scroll.Properties = []pipeline.Property{{Key: "depth", Value: "50"}}
	for _, tt := range []struct {
		name   string
		events []pipeline.Event
		want   []string
	}{
		{"nothing", nil, []string{"umami", "plausible", "simple_analytics", "posthog", "matomo"}}, // the fastest
		{"everything", Typical(), []string{"posthog", "matomo", "umami", "plausible", "simple_analytics"}},
		{"what all keep but the visitor's id", []pipeline.Event{plain}, []string{"umami", "plausible", "simple_analytics", "posthog", "matomo"}},
		{"properties on pageviews", []pipeline.Event{tagged}, []string{"plausible", "umami", "simple_analytics", "posthog", "matomo"}},
		{"a title on a pageview, on which a custom event with properties happens",
			[]pipeline.Event{titled, scroll, scroll, scroll}, []string{"posthog", "plausible", "matomo", "umami", "simple_analytics"}},
		{"titles on custom events alone, which nobody sees",
			[]pipeline.Event{plain, signup}, []string{"umami", "plausible", "simple_analytics", "posthog", "matomo"}},
		{"a path that no URL holds", []pipeline.Event{odd}, []string{"umami", "plausible", "simple_analytics", "posthog", "matomo"}},
	} {
		if got := platformNames(survey(tt.events...).Rank()); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestSurveyMerge(t *testing.T) {
	events := Typical()
	parts := survey(events[:2]...)
	parts.Merge(survey(events[2:]...))
	whole := survey(events...)
	if parts.found, whole.found = nil, nil; !reflect.DeepEqual(parts, whole) {
		t.Errorf("merged %+v, whole %+v", parts, whole)
	}
	umami, _ := For("umami")
	if got := parts.Refused(umami); got != 1 {
		t.Errorf("umami refuses %d events, want the web vitals", got)
	}
	if parts.Events() != int64(len(events)) {
		t.Errorf("%d events counted", parts.Events())
	}
	posthog, _ := For("posthog")
	want := []pipeline.Field{pipeline.FieldTitle, pipeline.FieldTTFB} // titles of events other than pageviews
	if got := parts.Loses(posthog); !reflect.DeepEqual(got, want) {
		t.Errorf("posthog loses %v, want %v", got, want)
	}
}
