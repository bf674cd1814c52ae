package wire_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"hopper/pipeline"
	"hopper/sinks/rybbit"
	"hopper/sinks/rybbit/sandbox"
	"hopper/sinks/rybbit/wire"
)

// events draws any event of the model: plausible values mostly, and among them
// what no adapter should let through. Text is valid UTF-8 when valid.
func events(valid bool) *rapid.Generator[pipeline.Event] {
	wild := rapid.Map(rapid.OneOf(
		rapid.String(),
		rapid.StringN(0, 3000, -1),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 40), func(b []byte) string { return string(b) }),
		rapid.SampledFrom([]string{
			"", " ", "\x00", "\"", `\`, `\"`, "\u2028", "😀", "$", "?", "#", "/", "//", "null", "pageview", "unknown", "\xff",
			strings.Repeat("😀", 1200), strings.Repeat(`"\`, 2200), strings.Repeat("%C3%A9", 500), strings.Repeat("a=b&", 700),
		}),
	), func(s string) string {
		if valid {
			return strings.ToValidUTF8(s, "\uFFFD")
		}
		return s
	})
	text := func(tame ...string) *rapid.Generator[string] {
		known := rapid.SampledFrom(append(tame, ""))
		return rapid.OneOf(known, known, known, wild)
	}
	id := text("2f0f3c5a-51f8-4c6e-9d8e-0d3f6b1a7c11", "9b2d7e40-0c1f-5a3b-8e6d-4f5a6b7c8d9e")
	measure := rapid.OneOf(
		rapid.Just(pipeline.Measure{}),
		rapid.Map(rapid.Float64Range(-200, 4000), pipeline.Known),
		rapid.Map(rapid.SampledFrom([]float64{0, 0.05, 1234.5, 1e21}), pipeline.Known),
	)
	side := rapid.SampledFrom([]int{0, 1, 390, 1080, 1920, 65535, 65536, -1})
	property := rapid.Custom(func(t *rapid.T) pipeline.Property {
		p := pipeline.Property{
			Key:   text("plan", "url", "text", "message", "action", "name", "value", "$set", "utm_source", "title").Draw(t, "key"),
			Value: text("pro", "3").Draw(t, "value"),
		}
		if rapid.Bool().Draw(t, "literal") {
			p.Literal = true
			p.Value = text("3", "-1.5", "true", "null", `{"a":["b\n",1]}`, "007", "1e400", "12345678901234567", "{").Draw(t, "literal value")
		}
		return p
	})
	properties := rapid.SliceOfNDistinct(property, 0, 6, func(p pipeline.Property) string { return p.Key })
	return rapid.Custom(func(t *rapid.T) pipeline.Event {
		return pipeline.Event{
			Time:       pipeline.Micros(rapid.Int64Range(1, 1717236000_000000).Draw(t, "time")),
			Kind:       pipeline.Kind(rapid.IntRange(0, 4).Draw(t, "kind")),
			Name:       text("signup", "$signup", "TypeError").Draw(t, "name"),
			Visitor:    id.Draw(t, "visitor"),
			Session:    id.Draw(t, "session"),
			Identified: text("ada@example.com", " ada ").Draw(t, "identified"),
			Hostname: text("shop.example", "www.shop.example", "localhost", "127.0.0.1", "1.2.3", "[::1]", "xn--mnchen-3ya.de", "münchen.de",
				"a_b.example", "shop.example:8080", "a b").Draw(t, "hostname"),
			Path:           text("/", "/teas/green", "/t%C3%A9", "/té", "/a b", "/a#b?c", "/a/../b", "/%zz", "/%2e%2E/x", "teas").Draw(t, "path"),
			Query:          text("q=tea", "utm_source=news&utm_medium=email", "q='a b'", "a=b#c", "q=ü").Draw(t, "query"),
			Title:          text("Green teas", "Grüne Tees – Übersicht").Draw(t, "title"),
			Referrer:       text("https://news.example/item?id=1", "http://old.example:8080/", "android-app://com.example/", "https://"+strings.Repeat("a", 260)+"/").Draw(t, "referrer"),
			Browser:        text("Chrome", "Mobile Safari", "Safari", "Ladybird", "IE").Draw(t, "browser"),
			BrowserVersion: text("126", "17", "17.5").Draw(t, "browser version"),
			OS:             text("Windows", "macOS", "iOS", "Android", "Linux", "Windows Mobile", "TempleOS").Draw(t, "os"),
			OSVersion:      text("10", "7", "11", "14.5", "XP").Draw(t, "os version"),
			Device:         text("Desktop", "Mobile", "TV").Draw(t, "device"),
			ScreenWidth:    side.Draw(t, "width"),
			ScreenHeight:   side.Draw(t, "height"),
			Language:       text("en", "en-US", "zh-Hant-TW", "es-419", "xx").Draw(t, "language"),
			Country:        text("US", "AT", "us", "USA").Draw(t, "country"),
			Region:         text("US-CA", "AT-9", "CA", "US-").Draw(t, "region"),
			City:           text("Wien", "San José").Draw(t, "city"),
			Latitude:       measure.Draw(t, "latitude"),
			Longitude:      measure.Draw(t, "longitude"),
			TimeZone:       text("Europe/Vienna", "UTC", "Etc/GMT+5").Draw(t, "time zone"),
			Target:         text("https://other.example/x", "https://user@other.example:8080/?q", "mailto:a@b.example", "https://a b/").Draw(t, "target"),
			TargetText:     text("Other").Draw(t, "target text"),
			Message:        text("x is not a function").Draw(t, "message"),
			Properties:     properties.Draw(t, "properties"),
			UserProperties: properties.Draw(t, "user properties"),
			Vitals: pipeline.WebVitals{
				LCP: measure.Draw(t, "lcp"), INP: measure.Draw(t, "inp"), FCP: measure.Draw(t, "fcp"),
				TTFB: measure.Draw(t, "ttfb"), CLS: measure.Draw(t, "cls"),
			},
		}
	})
}

// TestWiresReadBack is what the fidelity table promises: any event of the
// model, written in any format format and sent over a socket, is valid there, and
// every field that the format is said to keep reads back as it was.
func TestWiresReadBack(t *testing.T) {
	sandboxes := make(map[string]*sandboxed)
	for _, format := range wire.Formats() {
		sandboxes[format.Platform()] = serve(t, format)
	}
	rapid.Check(t, func(t *rapid.T) {
		drawn := rapid.SliceOfN(events(true), 1, 10).Draw(t, "events")
		for _, format := range wire.Formats() {
			sent := slices.DeleteFunc(slices.Clone(drawn), func(ev pipeline.Event) bool { return format.Refuses(&ev) != "" })
			if len(sent) == 0 {
				continue
			}
			rows := sandboxes[format.Platform()].roundTrip(t, sent)
			for i := range sent {
				compare(t, format, &sent[i], rows[i])
			}
		}
	})
}

// sandboxed is an open import in a sandbox of its own.
type sandboxed struct {
	format wire.Format
	server *sandbox.Server
	client *rybbit.Client
	id     string
	rows   int // stored so far
}

// serve starts a sandbox and an import into it.
func serve(t *testing.T, format wire.Format) *sandboxed {
	server, err := sandbox.Open(t.Context(), sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	client, err := rybbit.NewClient(web.URL, "1", "sandbox", rybbit.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		web.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	created, err := client.Create(t.Context(), format.Platform())
	if err != nil {
		t.Fatal(err)
	}
	return &sandboxed{format: format, server: server, client: client, id: created.ID}
}

// send sends one batch.
func (s *sandboxed) send(t failer, events []pipeline.Event) {
	var batch []byte
	for i := range events {
		if i > 0 {
			batch = append(batch, ',')
		}
		batch = s.format.Append(batch, &events[i])
	}
	if err := s.client.Send(context.Background(), s.id, batch); err != nil {
		t.Fatalf("%s: %v\n%s", s.format.Platform(), err, batch)
	}
}

// roundTrip sends a batch and returns what the server stored of it.
func (s *sandboxed) roundTrip(t failer, events []pipeline.Event) []map[string]any {
	s.send(t, events)
	all := s.query(t, "SELECT "+strings.Join(columns, ", ")+" FROM events ORDER BY id LIMIT -1 OFFSET ?", s.rows)
	s.rows += len(all)
	if len(all) != len(events) {
		t.Fatalf("%s: %d of %d events stored", s.format.Platform(), len(all), len(events))
	}
	var stored []map[string]any
	for _, row := range all {
		named := make(map[string]any)
		for i, name := range columns {
			named[name] = row[i]
		}
		stored = append(stored, named)
	}
	return stored
}

// columns are those of the sandbox's table that hold an event.
var columns = strings.Fields(`timestamp kind session_id user_id identified_user_id hostname pathname querystring page_title referrer
	browser browser_version operating_system operating_system_version device_type screen_width screen_height language
	country region city lat lon timezone event_name props outbound_url outbound_text lcp cls inp fcp`)

// query returns the rows that a query of the sandbox's database gives.
func (s *sandboxed) query(t failer, sql string, args ...any) [][]any {
	rows, err := s.server.DB().QueryContext(context.Background(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all [][]any
	for rows.Next() {
		row, into := make([]any, len(names)), make([]any, len(names))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// failer is what testing.T and rapid.T share.
type failer interface {
	Fatal(...any)
	Fatalf(string, ...any)
}

// compare checks each field of ev that format is said to keep against the row stored.
func compare(t *rapid.T, format wire.Format, ev *pipeline.Event, row map[string]any) {
	if got := row["kind"]; (got == "pageview") != (ev.Kind == pipeline.Pageview) {
		t.Errorf("%s: a %v is stored as %v\n%s", format.Platform(), ev.Kind, got, format.Append(nil, ev))
	}
	for f := range pipeline.Field(pipeline.Fields) {
		if !ev.Has(f) || format.Carries(f, ev) != wire.Kept {
			continue
		}
		want, got := expected(f, ev), stored(f, ev, row)
		if f == pipeline.FieldReferrer && got == "" && isOwnPage(ev) {
			continue // Rybbit clears it, whatever the format
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v reads back as %#v, was %#v\n%s", format.Platform(), f, got, want, format.Append(nil, ev))
		}
	}
}

func isOwnPage(ev *pipeline.Event) bool {
	u, err := url.Parse(ev.Referrer)
	return err == nil && strings.EqualFold(strings.TrimPrefix(u.Hostname(), "www."), strings.TrimPrefix(ev.Hostname, "www."))
}

// expected returns the value of a field that ev has.
func expected(f pipeline.Field, ev *pipeline.Event) any {
	switch f {
	case pipeline.FieldTime:
		return ev.Time.Time().Format(time.DateTime)
	case pipeline.FieldPrecision:
		return ev.Time.Time().Format("2006-01-02 15:04:05.000")
	case pipeline.FieldKind:
		return ev.Kind.String()
	case pipeline.FieldName:
		return ev.Name
	case pipeline.FieldVisitor:
		return ev.Visitor
	case pipeline.FieldSession:
		return ev.Session
	case pipeline.FieldIdentified:
		return ev.Identified
	case pipeline.FieldHostname:
		return ev.Hostname
	case pipeline.FieldPath:
		return ev.Path
	case pipeline.FieldQuery:
		return "?" + ev.Query
	case pipeline.FieldTitle:
		return ev.Title
	case pipeline.FieldReferrer:
		return ev.Referrer
	case pipeline.FieldBrowser:
		return ev.Browser
	case pipeline.FieldBrowserVersion:
		return ev.BrowserVersion
	case pipeline.FieldOS:
		return ev.OS
	case pipeline.FieldOSVersion:
		return ev.OSVersion
	case pipeline.FieldDevice:
		return ev.Device
	case pipeline.FieldScreen:
		return fmt.Sprintf("%dx%d", ev.ScreenWidth, ev.ScreenHeight)
	case pipeline.FieldLanguage:
		return ev.Language
	case pipeline.FieldCountry:
		return ev.Country
	case pipeline.FieldRegion:
		return ev.Region
	case pipeline.FieldCity:
		return ev.City
	case pipeline.FieldCoordinates:
		return []any{ev.Latitude.Value, ev.Longitude.Value}
	case pipeline.FieldTimeZone:
		return ev.TimeZone
	case pipeline.FieldTarget:
		return ev.Target
	case pipeline.FieldTargetText:
		return ev.TargetText
	case pipeline.FieldMessage:
		return ev.Message
	case pipeline.FieldVitals:
		return measures(ev.Vitals.LCP, ev.Vitals.CLS, ev.Vitals.INP, ev.Vitals.FCP)
	case pipeline.FieldProperties:
		props := map[string]any{}
		for _, p := range ev.Properties {
			var value any
			if !p.Literal {
				value = p.Value
			} else if err := json.Unmarshal([]byte(p.Value), &value); err != nil {
				return err
			}
			props[p.Key] = value
		}
		return props
	}
	panic("no format is expected to keep " + f.String())
}

func measures(all ...pipeline.Measure) []any {
	values := make([]any, len(all))
	for i, m := range all {
		if m.Known && m.Value >= 0 {
			values[i] = m.Value
		}
	}
	return values
}

// stored returns what row holds of a field.
func stored(f pipeline.Field, ev *pipeline.Event, row map[string]any) any {
	column := map[pipeline.Field]string{
		pipeline.FieldKind: "kind", pipeline.FieldName: "event_name", pipeline.FieldVisitor: "user_id", pipeline.FieldSession: "session_id",
		pipeline.FieldIdentified: "identified_user_id", pipeline.FieldHostname: "hostname", pipeline.FieldPath: "pathname",
		pipeline.FieldQuery: "querystring", pipeline.FieldTitle: "page_title", pipeline.FieldReferrer: "referrer",
		pipeline.FieldBrowser: "browser", pipeline.FieldBrowserVersion: "browser_version", pipeline.FieldOS: "operating_system",
		pipeline.FieldOSVersion: "operating_system_version", pipeline.FieldDevice: "device_type", pipeline.FieldLanguage: "language",
		pipeline.FieldCountry: "country", pipeline.FieldRegion: "region", pipeline.FieldCity: "city", pipeline.FieldTimeZone: "timezone",
		pipeline.FieldTarget: "outbound_url", pipeline.FieldTargetText: "outbound_text", pipeline.FieldPrecision: "timestamp",
	}
	switch f {
	case pipeline.FieldTime:
		return row["timestamp"].(string)[:len(time.DateTime)]
	case pipeline.FieldScreen:
		return fmt.Sprintf("%dx%d", row["screen_width"], row["screen_height"])
	case pipeline.FieldCoordinates:
		return []any{row["lat"], row["lon"]}
	case pipeline.FieldVitals:
		return []any{row["lcp"], row["cls"], row["inp"], row["fcp"]}
	case pipeline.FieldMessage, pipeline.FieldProperties:
		props := map[string]any{}
		if err := json.Unmarshal([]byte(row["props"].(string)), &props); err != nil {
			return err
		}
		if f == pipeline.FieldMessage {
			return props["message"]
		}
		if ev.Kind != pipeline.Custom { // what the kind has to say stands among them
			for key := range props {
				if _, own := expected(f, ev).(map[string]any)[key]; !own {
					delete(props, key)
				}
			}
		}
		return props
	}
	return row[column[f]]
}

// TestWiresCountAlike checks that the numbers of the dashboard do not depend on
// the format: users, sessions, bounces and page views per day, and page views,
// sessions and users per page.
func TestWiresCountAlike(t *testing.T) {
	const users, visits, views = 7, 60, 5
	start := time.Date(2024, 5, 1, 6, 0, 0, 0, time.UTC)
	var history []pipeline.Event
	for visit := range visits {
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
	const days = `SELECT day, users, sessions, pageviews, events, bounces FROM daily ORDER BY day`
	const pages = `SELECT hostname, pathname, pageviews, sessions, users FROM pages ORDER BY hostname, pathname`
	counts := make(map[string][][]any)
	for _, format := range wire.Formats() {
		s := serve(t, format)
		s.send(t, history)
		for _, q := range []string{days, pages} {
			got := s.query(t, q)
			if counts[q] == nil {
				counts[q] = got
			}
			if len(got) == 0 || !reflect.DeepEqual(got, counts[q]) {
				t.Errorf("%s: %s gives\n%v\nwith %s\n%v", format.Platform(), q, got, wire.Formats()[0].Platform(), counts[q])
			}
		}
	}
}

// TestWiresWriteStrings checks what every format has in common: an object whose
// fields are strings, in the same order for every event.
func TestWiresWriteStrings(t *testing.T) {
	for _, format := range wire.Formats() {
		var order []string
		rapid.Check(t, func(t *rapid.T) {
			ev := events(false).Draw(t, "event")
			record := format.Append(nil, &ev)
			if again := format.Append([]byte("before"), &ev); string(again) != "before"+string(record) {
				t.Fatalf("%s: the same event gives\n%s\nand\n%s", format.Platform(), record, again)
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
					t.Fatalf("%s: %v is no string in\n%s", format.Platform(), token, record)
				}
				if isString && i%2 == 1 {
					keys = append(keys, text)
				}
			}
			if !json.Valid(record) {
				t.Fatalf("%s: not JSON:\n%s", format.Platform(), record)
			}
			if order == nil {
				order = keys
			}
			if !reflect.DeepEqual(keys, order) {
				t.Fatalf("%s: fields %v, in another event %v", format.Platform(), keys, order)
			}
		})
	}
}
