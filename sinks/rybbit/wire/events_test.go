package wire_test

import (
	"context"
	"io"
	"strings"

	"pgregory.net/rapid"

	"hopper/pipeline"
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

// drawn is a source of one chunk that holds drawn events.
type drawn struct {
	events []pipeline.Event
	read   bool
}

func (d *drawn) Next(context.Context) (pipeline.Chunk, error) {
	if d.read {
		return nil, io.EOF
	}
	d.read = true
	return d, nil
}

func (d *drawn) Close() error { return nil }

func (d *drawn) Decode(out *pipeline.Emitter) error {
	for i := range d.events {
		ev := d.events[i].Clone()
		out.Event(&ev)
	}
	return nil
}

// watcher calls itself with each event.
type watcher func(*pipeline.Event)

func (w watcher) Begin()                 {}
func (w watcher) Add(ev *pipeline.Event) { w(ev) }
func (w watcher) Done() struct{}         { return struct{}{} }
