package wire

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"hopper/pipeline"
)

// Typical are normalized events as an export holds them, one of each kind.
func Typical() []pipeline.Event {
	page := pipeline.Event{
		Time: 1719828000_123000, Visitor: "2f0f3c5a-51f8-4c6e-9d8e-0d3f6b1a7c11", Session: "9b2d7e40-0c1f-5a3b-8e6d-4f5a6b7c8d9e",
		Identified: "ada@example.com", Hostname: "shop.example", Path: "/teas/gr%C3%BCn", Query: "utm_source=news&utm_medium=email",
		Title: "Green “teas” – Übersicht", Referrer: "https://news.example/item?id=1", Browser: "Mobile Chrome", BrowserVersion: "126",
		OS: "Android", OSVersion: "14", Device: "Mobile", ScreenWidth: 390, ScreenHeight: 844, Language: "de-AT",
		Country: "AT", Region: "AT-9", City: "Wien", Latitude: pipeline.Known(48.2), Longitude: pipeline.Known(16.37), TimeZone: "Europe/Vienna",
	}
	custom, outbound, vitals, failure := page, page, page, page
	custom.Kind, custom.Name, custom.OS, custom.OSVersion = pipeline.Custom, "$signup", "Windows", "10"
	custom.Browser, custom.Device = "Edge", "Desktop"
	custom.Properties = []pipeline.Property{
		{Key: "plan", Value: `pro "yearly"`},
		{Key: "seats", Value: "3", Literal: true},
		{Key: "$set", Value: `{"a":["b"]}`, Literal: true},
		{Key: "utm_source", Value: "news"},
	}
	outbound.Kind, outbound.Target, outbound.TargetText = pipeline.Outbound, "https://other.example/x?y=1", "Other"
	vitals.Kind, vitals.Vitals = pipeline.Vitals, pipeline.WebVitals{LCP: pipeline.Known(1234.5), CLS: pipeline.Known(0.05), TTFB: pipeline.Known(80)}
	failure.Kind, failure.Name, failure.Message = pipeline.Error, "TypeError", "x is not a function"
	least := pipeline.Event{Time: 1719828000_000000, Visitor: page.Visitor, Session: page.Session, Path: "/"}
	return []pipeline.Event{page, custom, outbound, vitals, failure, least}
}

func TestUnknownFormat(t *testing.T) {
	if _, err := For("fathom"); err == nil || !strings.Contains(err.Error(), "umami") {
		t.Errorf("an unknown format gives %v", err)
	}
}

func BenchmarkAppend(b *testing.B) {
	events := Typical()
	for _, w := range Formats() {
		b.Run(w.Platform(), func(b *testing.B) {
			b.ReportAllocs()
			var dst []byte
			for b.Loop() {
				dst = w.Append(dst[:0], &events[0])
			}
			b.SetBytes(int64(len(dst)))
		})
	}
}

// BenchmarkEncodingJSON writes the same umami event with encoding/json.
func BenchmarkEncodingJSON(b *testing.B) {
	ev := Typical()[0]
	type umami struct {
		SessionID      string `json:"session_id"`
		Hostname       string `json:"hostname"`
		Browser        string `json:"browser"`
		OS             string `json:"os"`
		Device         string `json:"device"`
		Screen         string `json:"screen"`
		Language       string `json:"language"`
		Country        string `json:"country"`
		Region         string `json:"region"`
		City           string `json:"city"`
		URLPath        string `json:"url_path"`
		URLQuery       string `json:"url_query"`
		ReferrerPath   string `json:"referrer_path"`
		ReferrerQuery  string `json:"referrer_query"`
		ReferrerDomain string `json:"referrer_domain"`
		PageTitle      string `json:"page_title"`
		EventType      string `json:"event_type"`
		EventName      string `json:"event_name"`
		DistinctID     string `json:"distinct_id"`
		CreatedAt      string `json:"created_at"`
	}
	b.ReportAllocs()
	for b.Loop() {
		domain, path := umamiReferrer(ev.Referrer)
		body, err := json.Marshal(umami{
			ev.Session, ev.Hostname, ev.Browser, ev.OS, ev.Device, fmt.Sprintf("%dx%d", ev.ScreenWidth, ev.ScreenHeight), ev.Language,
			ev.Country, ev.Region, ev.City, ev.Path, ev.Query, path, "", domain, ev.Title, "1", "", ev.Visitor,
			ev.Time.Time().Format("2006-01-02 15:04:05"),
		})
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(body)))
	}
}

func BenchmarkSurvey(b *testing.B) {
	for _, ev := range Typical() {
		b.Run(ev.Kind.String(), func(b *testing.B) {
			ev.ClientMemo, ev.PlaceMemo = new(pipeline.Memo), new(pipeline.Memo)
			var s Survey
			b.ReportAllocs()
			for b.Loop() {
				s.Add(&ev)
			}
		})
	}
}
