package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Facts of every kind go through memos of which few fit, again and again: each time
// they become what they become without memos, and the same is counted.
func TestMemosRecall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		remembered := newKnown()
		texts := rapid.SampledFrom([]string{"", "chrome", "ios", "Windows 10", "de-DE", "DE", "xx-unknown", "Berlin", "a text that is longer than sixteen bytes", strings.Repeat("long", 200)})
		versions := rapid.SampledFrom([]string{"", "126", "126.0.1", " 126.0.2 ", "12", "beta 1", "v"})
		sides := rapid.SampledFrom([]int{0, 1080, 1920, -1, 1 << 20})
		all := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Event {
			return Event{
				Browser: texts.Draw(t, "browser"), BrowserVersion: versions.Draw(t, "version"), OS: texts.Draw(t, "os"), Device: texts.Draw(t, "device"),
				ScreenWidth: sides.Draw(t, "width"), ScreenHeight: sides.Draw(t, "height"), ClientApart: rapid.Bool().Draw(t, "apart"),
				Language: texts.Draw(t, "language"), Country: texts.Draw(t, "country"), Region: texts.Draw(t, "region"), City: texts.Draw(t, "city"),
			}
		}), 1, 5).Draw(t, "events")
		// One reading writes the facts in this order, the other in that.
		readings := []*Reading{nil, new(Reading), new(Reading)}
		for i := range all {
			ev := &all[i]
			client := []any{ev.Browser, ev.BrowserVersion, ev.OS, ev.Device, ev.ScreenWidth, ev.ScreenHeight, ev.ClientApart}
			place := []any{ev.Language, ev.Country, ev.Region, ev.City}
			by := rapid.SampledFrom(readings).Draw(t, "read by")
			switch by {
			case readings[2]:
				slices.Reverse(client)
				slices.Reverse(place)
				fallthrough
			case readings[1]:
				ev.ClientFrom, ev.PlaceFrom = Passage{fmt.Sprintf("%q", client), by}, Passage{fmt.Sprintf("%q", place), by}
			}
		}
		// read does what an adapter does.
		read := func(k *known, from *Event) (ev Event) {
			ev.ClientFrom, ev.PlaceFrom = from.ClientFrom, from.PlaceFrom
			client, place := (&Emitter{known: k}).Recall(&ev)
			if !client {
				ev.Browser, ev.BrowserVersion, ev.OS, ev.Device = from.Browser, from.BrowserVersion, from.OS, from.Device
				ev.ScreenWidth, ev.ScreenHeight, ev.ClientApart = from.ScreenWidth, from.ScreenHeight, from.ClientApart
			}
			if !place {
				ev.Language, ev.Country, ev.Region, ev.City = from.Language, from.Country, from.Region, from.City
			}
			return ev
		}
		part := &Part{func(dst []byte, ev *Event) []byte {
			return append(append(append(dst, ev.Browser...), '|'), ev.OS...)
		}}
		run := func(k *known, ev Event) (after, bare Event, repairs []string, bytes string) {
			count := func(kind string) { repairs = append(repairs, kind) }
			k.client(&ev, count)
			k.place(&ev, count)
			bytes = string(ev.ClientMemo.Append([]byte("before"), part, &ev))
			bare = ev
			bare.ClientMemo, bare.PlaceMemo, bare.ClientApart = nil, nil, false // which a memo has in it
			return ev, bare, repairs, bytes
		}
		for range 12 {
			from := rapid.SampledFrom(all).Draw(t, "event")
			_, want, wantRepairs, wantBytes := run(new(known), from)
			check := func(how string, ev Event) Event {
				after, got, gotRepairs, gotBytes := run(remembered, ev)
				if !same(got, want) || !slices.Equal(gotRepairs, wantRepairs) || gotBytes != wantBytes {
					t.Fatalf("%s\n%+v %q %q\nanew\n%+v %q %q", how, got, gotRepairs, gotBytes, want, wantRepairs, wantBytes)
				}
				return after
			}
			earlier := check("remembered", read(remembered, &from))
			following := from
			following.Follow(&earlier)
			check("following", following)
		}
	})
}

// Of pages that are recognized as plain nothing would be changed.
func TestPlainPages(t *testing.T) {
	parts := []string{"", "a", "/", ".", "https://", "http://", "shop.example", "%", "?", " ", "é", "\x00", "\"", "#", "'", ":", "A", "a=b&c"}
	text := rapid.Map(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 3), func(of []string) string { return strings.Join(of, "") })
	plain := 0
	rapid.Check(t, func(t *rapid.T) {
		ev := Event{
			Hostname: rapid.OneOf(rapid.Just("shop.example"), text).Draw(t, "host"), Path: "/" + text.Draw(t, "path"), Query: text.Draw(t, "query"),
			Referrer: rapid.OneOf(rapid.Just("https://a"), text).Draw(t, "referrer"),
		}
		if ev.Path = rapid.SampledFrom([]string{ev.Path, ev.Path[1:]}).Draw(t, "from"); !ev.hasPlainPage() {
			return
		}
		plain++
		cleaned := ev
		new(Normalizer).cleanPage(&cleaned, func(kind string) { t.Fatalf("%+v: %s", ev, kind) })
		if !same(cleaned, ev) {
			t.Fatalf("%+v became %+v", ev, cleaned)
		}
	})
	if plain == 0 {
		t.Error("no page is plain")
	}
}

// A page is looked over for what normalization would change in it, and most are
// left alone: what comes out is what comes out of changing all.
func TestPagesLeftAlone(t *testing.T) {
	parts := []string{"", "/", "a", "/.", "..", "%2e", "%2E", "%20", "?", "&b=1", "é", "\x7f", "\t", "\\", "<", "'", "{", "#", ":", "//", "index.html", "~", "|", "^", "`"}
	text := rapid.Map(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 6), func(of []string) string { return strings.Join(of, "") })
	rapid.Check(t, func(t *rapid.T) {
		ev := Event{Hostname: "shop.example", Path: text.Draw(t, "path"), Query: text.Draw(t, "query")}
		path, query := ev.Path, strings.TrimLeft(ev.Query, "?")
		if before, after, found := strings.Cut(path, "?"); found {
			path = before
			if first := strings.TrimLeft(after, "?"); first == "" || query == "" {
				query = first + query
			} else {
				query = first + "&" + query
			}
		}
		want := map[string]bool{}
		if path != "" && path[0] != '/' {
			path, want[RepairPath] = "/"+path, true
		}
		if EscapePath(path) != path || EscapeQuery(query) != query {
			want[RepairLocation] = true
		}
		counted := map[string]bool{}
		new(Normalizer).page(&ev, func(kind string) { counted[kind] = true })
		if ev.Path != EscapePath(path) || ev.Query != EscapeQuery(query) || len(counted) != len(want) || counted[RepairPath] != want[RepairPath] {
			t.Fatalf("%q %q %v, want %q %q %v", ev.Path, ev.Query, counted, EscapePath(path), EscapeQuery(query), want)
		}
	})
}

func FuzzIsURL(f *testing.F) {
	for _, s := range []string{"https://", "https:///", "https://a", "https://a b", "https://é", "https://a\u00a0b", "https://a\x7f", "http://a", "a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		rest, https := strings.CutPrefix(s, "https://")
		if !https {
			return
		}
		// What holds of one scheme holds of the other, which has no way of its own.
		if got, want := isURL(s), isURL("httpx://"+rest); got != want {
			t.Errorf("%q: %v", s, got)
		}
	})
}
