package wire_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hopper/pipeline"
	"hopper/sinks/rybbit"
	"hopper/sinks/rybbit/sandbox"
	"hopper/sinks/rybbit/wire"
)

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
