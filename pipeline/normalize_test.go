package pipeline

import (
	"encoding/json"
	"math"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// tight are limits of the order of Rybbit's, and some far below, so that they
// are met often.
var tight = Limits{
	Name: 256, Identified: 64, Hostname: 253, Path: 2048, Query: 100, Title: 60, Referrer: 300,
	Browser: 30, BrowserVersion: 20, OS: 25, OSVersion: 20, Device: 20, Language: 35, City: 60, Target: 200, TargetText: 40,
	Message: 50, Properties: 200,
}

var now = MicrosOf(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))

func anyEvent(t *rapid.T) Event {
	text := func(field string, usual ...string) string {
		if rapid.IntRange(0, 2).Draw(t, field+" is") == 0 {
			return awkward(500).Draw(t, field)
		}
		return rapid.SampledFrom(append(usual, "")).Draw(t, field)
	}
	measure := func(field string) Measure {
		value := rapid.SampledFrom([]float64{0, 1, 48.2, -16.4, 90.1, 181, 1e12, math.NaN(), math.Inf(1)}).Draw(t, field)
		return Measure{value, rapid.Bool().Draw(t, field+" known")}
	}
	properties := func(field string) []Property {
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Property {
			if rapid.Bool().Draw(t, "literal") {
				return Property{rapid.StringN(0, 5, -1).Draw(t, "key"), rapid.SampledFrom([]string{"1", "true", "null", `{"a":[1]}`}).Draw(t, "value"), true}
			}
			return Property{awkward(100).Draw(t, "key"), awkward(100).Draw(t, "value"), false}
		}), 0, 4).Draw(t, field)
	}
	ids := []string{"1", "visitor", "4E2F0E6A-8A0E-4F0B-9C1D-1234567890ab"}
	return Event{
		Time:    Micros(rapid.OneOf(rapid.Just(int64(now)-1e9), rapid.Int64Range(-1e15, 2*int64(now)), rapid.Just(int64(0))).Draw(t, "time")),
		Kind:    Kind(rapid.IntRange(0, kinds-1).Draw(t, "kind")),
		Name:    text("name", "signup"),
		Visitor: text("visitor", ids...), Session: text("session", ids...), Identified: text("identified", "ann@example.com"),
		Hostname: text("hostname", "example.com", "WWW.Example.com:443", "https://example.com/x", "[::1]:80", "::1", "example.com.", "u:p@example.com"),
		Path:     text("path", "/", "/a?b=1", "a", "?x=1"), Query: text("query", "a=1", "?a=1"), Title: text("title", "Home"),
		Referrer: text("referrer", "https://www.google.com/", "google.com", "/intern", "android-app://com.slack", "example.com/a b"),
		Browser:  text("browser", "chrome", "ios-webview"), BrowserVersion: text("version", "126.0.1"),
		OS: text("os", "Mac OS", "Windows 10"), OSVersion: text("os version", "10.15.7"), Device: text("device", "laptop"),
		ScreenWidth: rapid.SampledFrom([]int{0, 1920, 65536, -1}).Draw(t, "width"), ScreenHeight: rapid.SampledFrom([]int{0, 1080, 1 << 40}).Draw(t, "height"),
		Language: text("language", "en-US", "de", "en_GB.UTF-8"), Country: text("country", "us", "Austria", "XX", "AUT"),
		Region: text("region", "CA", "US-CA", "Vienna", "9"), City: text("city", "Wien"),
		Latitude: measure("latitude"), Longitude: measure("longitude"), TimeZone: text("zone", "Europe/Vienna"),
		Target: text("target", "https://other.example/", "mailto:a@b"), TargetText: text("target text", "More"), Message: text("message", "oops"),
		Properties: properties("properties"), UserProperties: properties("user properties"),
		Vitals: WebVitals{measure("LCP"), measure("INP"), measure("FCP"), measure("TTFB"), measure("CLS")},
	}
}

var (
	uuidForm    = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	countryForm = regexp.MustCompile(`^([A-Z]{2})?$`)
	regionForm  = regexp.MustCompile(`^([A-Z]{2}-[A-Z0-9]{1,3})?$`)
)

// wrong returns what of a normalized event Rybbit would not take.
func wrong(n *Normalizer, ev *Event) (faults []string) {
	expect := func(what string, ok bool) {
		if !ok {
			faults = append(faults, what)
		}
	}
	expect("time", ev.Time > 0 && ev.Time <= n.Now)
	expect("visitor", uuidForm.MatchString(ev.Visitor))
	expect("session", uuidForm.MatchString(ev.Session))
	expect("country", countryForm.MatchString(ev.Country))
	expect("region", regionForm.MatchString(ev.Region) && (ev.Region == "" || strings.HasPrefix(ev.Region, ev.Country+"-")))
	expect("path", ev.Path == "" || ev.Path[0] == '/' && !strings.Contains(ev.Path, "?"))
	expect("page", ev.Kind != Pageview || ev.Path != "")
	expect("name", ev.Kind != Custom || ev.Name != "")
	expect("target", ev.Kind != Outbound || isURL(ev.Target))
	expect("vitals", ev.Kind != Vitals || ev.Vitals != WebVitals{})
	expect("query", !strings.HasPrefix(ev.Query, "?"))
	expect("host", ev.Hostname == strings.ToLower(ev.Hostname) && !strings.ContainsAny(ev.Hostname, "/?#@"))
	expect("referrer", ev.Referrer == "" || isURL(ev.Referrer))
	expect("screen", ev.ScreenWidth == 0 && ev.ScreenHeight == 0 || isScreenSide(ev.ScreenWidth) && isScreenSide(ev.ScreenHeight))
	expect("latitude", ev.Latitude.Known == ev.Longitude.Known && (!ev.Latitude.Known || math.Abs(ev.Latitude.Value) <= 90))
	l := tight
	for _, f := range []struct {
		name, value string
		limit       int
	}{
		{"name", ev.Name, l.Name}, {"identified", ev.Identified, l.Identified}, {"hostname", ev.Hostname, l.Hostname},
		{"path", ev.Path, l.Path}, {"query", ev.Query, l.Query}, {"title", ev.Title, l.Title}, {"referrer", ev.Referrer, l.Referrer},
		{"browser", ev.Browser, l.Browser}, {"browser version", ev.BrowserVersion, l.BrowserVersion}, {"os", ev.OS, l.OS},
		{"os version", ev.OSVersion, l.OSVersion}, {"device", ev.Device, l.Device}, {"language", ev.Language, l.Language},
		{"city", ev.City, l.City}, {"target", ev.Target, l.Target}, {"target text", ev.TargetText, l.TargetText}, {"message", ev.Message, l.Message},
	} {
		expect("length of "+f.name, Units(f.value) <= f.limit)
		expect("UTF-8 of "+f.name, utf8.ValidString(f.value))
	}
	for _, p := range ev.Properties {
		expect("UTF-8 of a property", utf8.ValidString(p.Key) && utf8.ValidString(p.Value))
	}
	text := []string{}
	for _, p := range ev.Properties {
		key, _ := json.Marshal(p.Key)
		value := []byte(p.Value)
		if !p.Literal {
			value, _ = json.Marshal(p.Value)
		}
		text = append(text, string(key)+":"+string(value))
	}
	// json.Marshal escapes more than an encoder for Rybbit needs to.
	plain := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&", `\u2028`, "\u2028", `\u2029`, "\u2029").Replace(strings.Join(text, ","))
	expect("length of properties", Units("{"+plain+"}") <= l.Properties || len(ev.Properties) == 0)
	return faults
}

// TestNormalize gives any event: what is kept fits Rybbit's rules, and
// normalizing it once more changes nothing and repairs nothing.
func TestNormalize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := &Normalizer{
			Namespace: uuid.NameSpaceURL, Now: now,
			Hostname: rapid.SampledFrom([]string{"", "fallback.example"}).Draw(t, "fallback"),
		}
		ev := anyEvent(t)
		before := ev.Clone()
		var repaired Tally
		if n.normalize(&ev, &tight, &repaired, new(known)) != (outcome{}) {
			return
		}
		if faults := wrong(n, &ev); faults != nil {
			t.Fatalf("%q of\n%+v\nmade of\n%+v", faults, ev, before)
		}
		if repaired["hostname"+RepairShortened].Count > 0 {
			return // what is longer than a name can be is none, and its beginning may look like another
		}
		once := ev.Clone()
		var again Tally
		if got := n.normalize(&ev, &tight, &again, new(known)); got != (outcome{}) {
			t.Fatalf("kept once, then %v:\n%+v\nmade of\n%+v", got, once, before)
		}
		if !same(ev, once) || again.Total() != 0 {
			t.Fatalf("once\n%+v\ntwice\n%+v\nrepairs %v\nmade of\n%+v", once, ev, again, before)
		}
		// The same event always gives the same, and the same repairs, also where a
		// like one was met before, and where its texts are known to be valid.
		remembered := newKnown()
		for range 4 { // anew twice, then remembered twice
			another := before.Clone()
			another.ValidUTF8 = before.isValidText()
			var counted Tally
			n.normalize(&another, &tight, &counted, remembered)
			another.ValidUTF8 = false
			if another = another.Clone(); !same(another, once) || !reflect.DeepEqual(counted, repaired) {
				t.Fatalf("once\n%+v %v\nanother time\n%+v %v", once, repaired, another, counted)
			}
		}
	})
}

// same compares events; measures that are unknown may be NaN.
func same(a, b Event) bool {
	for _, ev := range []*Event{&a, &b} {
		for _, m := range []*Measure{&ev.Latitude, &ev.Longitude, &ev.Vitals.LCP, &ev.Vitals.INP, &ev.Vitals.FCP, &ev.Vitals.TTFB, &ev.Vitals.CLS} {
			if math.IsNaN(m.Value) {
				m.Value = -1
			}
		}
		if len(ev.Properties) == 0 {
			ev.Properties = nil
		}
	}
	return reflect.DeepEqual(a, b)
}

func TestNormalizeDecides(t *testing.T) {
	day := func(d int) Micros { return MicrosOf(time.Date(2024, 1, d, 0, 0, 0, 0, time.UTC)) }
	n := Normalizer{Now: day(20), Since: day(5), Until: day(10)}
	for name, tt := range map[string]struct {
		change func(*Event)
		want   outcome
	}{
		"kept":              {func(*Event) {}, outcome{}},
		"no time":           {func(ev *Event) { ev.Time = 0 }, outcome{reject: RejectNoTime}},
		"year 1":            {func(ev *Event) { ev.Time = MicrosOf(time.Time{}) }, outcome{reject: RejectNoTime}},
		"future":            {func(ev *Event) { ev.Time = day(20) + 1 }, outcome{reject: RejectFuture}},
		"before":            {func(ev *Event) { ev.Time = day(5) - 1 }, outcome{omit: OmitBefore}},
		"first moment":      {func(ev *Event) { ev.Time = day(5) }, outcome{}},
		"after":             {func(ev *Event) { ev.Time = day(10) }, outcome{omit: OmitAfter}},
		"last moment":       {func(ev *Event) { ev.Time = day(10) - 1 }, outcome{}},
		"nobody":            {func(ev *Event) { ev.Visitor, ev.Session = "", "" }, outcome{reject: RejectNoVisitor}},
		"no page":           {func(ev *Event) { ev.Path, ev.Hostname = "", "" }, outcome{reject: RejectNoPage}},
		"a host alone":      {func(ev *Event) { ev.Path = "" }, outcome{}},
		"nameless event":    {func(ev *Event) { ev.Kind = Custom }, outcome{reject: RejectNoName}},
		"nothing measured":  {func(ev *Event) { ev.Kind = Vitals }, outcome{omit: OmitNoVitals}},
		"nonsense measured": {func(ev *Event) { ev.Kind, ev.Vitals.LCP = Vitals, Known(-1) }, outcome{omit: OmitNoVitals}},
	} {
		ev := Event{Time: day(7), Visitor: "v", Hostname: "example.com", Path: "/"}
		tt.change(&ev)
		if got := n.normalize(&ev, new(Limits), new(Tally), new(known)); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

func TestCleanHost(t *testing.T) {
	for host, want := range map[string]string{
		"": "", "example.com": "example.com", "Example.COM.": "example.com", " a.example:8080 ": "a.example",
		"https://a.example/path?q": "a.example", "//a": "", "[2001:DB8::1]:443": "[2001:db8::1]", "[::1]": "[::1]", "2001:db8::1": "2001:db8::1",
		"user:secret@a.example:80": "a.example", "localhost:3000": "localhost",
	} {
		if got := cleanHost(host); got != want {
			t.Errorf("%q is %q, want %q", host, got, want)
		}
	}
}

func TestIdentity(t *testing.T) {
	n := Normalizer{Namespace: SiteNamespace("umami", "1")}
	get := func(n Normalizer, visitor, session string, at time.Time) (string, string) {
		ev := Event{Time: MicrosOf(at), Visitor: visitor, Session: session, Hostname: "a", Path: "/"}
		if got := n.normalize(&ev, new(Limits), new(Tally), new(known)); got != (outcome{}) {
			t.Fatal(got)
		}
		return ev.Visitor, ev.Session
	}
	day := time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)
	v, s := get(n, "1", "1", day)
	if v == s {
		t.Error("visitor 1 and session 1 are the same")
	}
	if v2, s2 := get(n, "1", "", day); v2 != v || s2 == s {
		t.Error("a visitor changes when no session is known")
	}
	_, today := get(n, "1", "", day)
	if _, later := get(n, "1", "", day.Add(11*time.Hour)); later != today {
		t.Error("two events of a day are two sessions")
	}
	if _, next := get(n, "1", "", day.Add(13*time.Hour)); next == today {
		t.Error("two days are one session")
	}
	if v2, _ := get(Normalizer{Namespace: SiteNamespace("umami", "2")}, "1", "1", day); v2 == v {
		t.Error("visitor 1 of two sites is one")
	}
	id := "4E2F0E6A-8A0E-4F0B-9C1D-1234567890AB"
	if v, s := get(n, id, id, day); v != strings.ToLower(id) || s != v {
		t.Errorf("a UUID becomes %s and %s", v, s)
	}
}

// What fits is not shortened, whatever limits there are.
func TestFitsSaysNothingIsShortened(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := tight
		l.URL = rapid.SampledFrom([]int{0, 20, 100}).Draw(t, "longest URL")
		ev := anyEvent(t)
		if !ev.isValidText() || !ev.fits(&l) {
			return
		}
		for f := range limited {
			d := &limited[f]
			cutField(d.text(&ev), d.limit(&l), d, func(kind string) { t.Fatalf("%s of %+v", kind, ev) })
		}
		if l.URL > 0 {
			shortenURL(&ev, l.URL, func(kind string) { t.Fatalf("%s of %+v", kind, ev) })
		}
	})
}

func TestNormalizingAgainAllocatesNothing(t *testing.T) {
	remembered, repaired := newKnown(), Tally{}
	n := &Normalizer{}
	usual := Event{Time: 1719828000_123000, Visitor: "2f0f3c5a-51f8-4c6e-9d8e-0d3f6b1a7c11", Session: "9b2d7e40-0c1f-5a3b-8e6d-4f5a6b7c8d9e",
		Hostname: "shop.example", Path: "/teas", Title: "Teas", Referrer: "https://news.example/item?id=1", Browser: "chrome", OS: "Windows 10",
		Device: "desktop", ScreenWidth: 1920, ScreenHeight: 1080, Language: "en-US", Country: "GB", Region: "GB-LND", City: "London", Origin: Origin{"a.csv", 2}}
	ev := new(Event)
	if allocs := testing.AllocsPerRun(100, func() {
		*ev = usual
		n.normalize(ev, &tight, &repaired, remembered)
	}); allocs != 0 {
		t.Errorf("%v allocations an event", allocs)
	}
}
