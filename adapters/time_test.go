package adapters

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hopper/pipeline"
)

// databaseLayouts are the forms that databases write, as package time spells them.
var databaseLayouts = []string{
	"2006-01-02 15:04:05.999999", "2006-01-02T15:04:05.999999Z07:00", "2006-01-02 15:04:05.999999-07", "2006-01-02 15:04:05.000-0700",
	"2006-01-02 15:04:05.000000-07:00", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05 UTC", "2006-01-02T15:04:05-07:00:00",
}

// toolLayouts are forms of other tools, whose order of day and month is told.
var toolLayouts = []struct {
	layout string
	order  DateOrder
}{
	{"2006-01-02 15:04", AnyOrder}, {"2006-01-02", AnyOrder}, {"20060102", AnyOrder}, {"2006/01/02 15:04:05", AnyOrder}, {"2006/1/2", AnyOrder},
	{"2006-1-2 15:04", AnyOrder}, {"2006-01-02T15:04Z07:00", AnyOrder}, {"20060102T150405Z07:00", AnyOrder}, {"2006-01-02 15:04:05 -0700 MST", AnyOrder},
	{"1/2/2006 15:04", MonthFirst}, {"1/2/2006 3:04 PM", MonthFirst}, {"01/02/2006 03:04:05 PM", MonthFirst}, {"1/2/06 15:04", MonthFirst}, {"1/2/2006, 3:04:05\u202fPM", MonthFirst},
	{"2/1/2006 15:04", DayFirst}, {"02/01/2006 15:04:05", DayFirst}, {"02-01-2006 15:04", DayFirst}, {"2/1/06", DayFirst},
	{"02.01.2006 15:04", AnyOrder}, {"02.01.2006, 15:04:05", AnyOrder}, {"2. 1. 2006", AnyOrder}, {"2.1.06 15:04", AnyOrder},
	{"January 2, 2006, 3:04 PM", AnyOrder}, {"Jan 2, 2006 15:04", AnyOrder}, {"2 January 2006 15:04", AnyOrder}, {"2 Jan 2006", AnyOrder}, {"02-Jan-06 15:04", AnyOrder},
	{time.RFC1123, AnyOrder}, {time.RFC1123Z, AnyOrder}, {time.RFC850, AnyOrder}, {"Mon Jan 02 2006 15:04:05 GMT-0700 (MST)", AnyOrder},
	{"Monday, January 2, 2006, 3:04 pm", AnyOrder}, {time.RFC3339Nano, AnyOrder}, {time.ANSIC, AnyOrder}, {time.RubyDate, AnyOrder}, {time.ANSIC + " -0700", AnyOrder}, {"Mon Jan 02 15:04:05.000 2006 MST", AnyOrder},
}

func TestTimesAsPackageTime(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		zone := time.FixedZone("", rapid.IntRange(-14*4, 14*4).Draw(rt, "quarters")*900)
		at := time.UnixMicro(rapid.Int64Range(-30e15, 200e15).Draw(rt, "time")).In(zone)
		layout := rapid.SampledFrom(databaseLayouts).Draw(rt, "layout")
		text := at.Format(layout)
		want, err := time.Parse(layout, text)
		if err != nil {
			rt.Skip(err)
		}
		got, ok := new(Times).Parse(text)
		if !ok || got != pipeline.MicrosOf(want) {
			rt.Fatalf("%q: got %v, %t, want %v", text, got.Time(), ok, want)
		}
	})
}

func TestTimesOfToolsAsPackageTime(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		form := rapid.SampledFrom(toolLayouts).Draw(rt, "layout")
		// From 2001 to 2068, since some layouts have two digits of the year.
		at := time.Unix(rapid.Int64Range(980e6, 3.1e9).Draw(rt, "time"), 0).UTC()
		text := at.Format(form.layout)
		want, err := time.ParseInLocation(form.layout, text, berlin)
		if err != nil {
			rt.Fatal(err)
		}
		times := Times{Zone: berlin, Order: form.order}
		got, ok := times.Parse(text)
		if !ok || got != pipeline.MicrosOf(want) {
			rt.Fatalf("%q: got %v, %t, want %v", text, got.Time(), ok, want)
		}
	})
}

func TestTimesOfCounts(t *testing.T) {
	at := time.Date(2024, 5, 1, 8, 20, 0, 123456789, time.UTC)
	for text, want := range map[string]time.Time{
		fmt.Sprint(at.Unix()):               at.Truncate(time.Second),
		fmt.Sprintf("%d.0", at.Unix()):      at.Truncate(time.Second),
		fmt.Sprintf("%d.123456", at.Unix()): at.Truncate(time.Microsecond),
		fmt.Sprint(at.UnixMilli()):          at.Truncate(time.Millisecond),
		fmt.Sprintf("%d.5", at.UnixMilli()): at.Truncate(time.Millisecond).Add(500 * time.Microsecond),
		fmt.Sprint(at.UnixMicro()):          at.Truncate(time.Microsecond),
		fmt.Sprint(at.UnixNano()):           at.Truncate(time.Microsecond),
		"45413.34722":                       time.Date(2024, 5, 1, 8, 20, 0, 0, time.UTC),
		"45413":                             time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC),
		"45413.347222222221":                time.Date(2024, 5, 1, 8, 20, 0, 0, time.UTC),
		"20240501":                          time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC),
		fmt.Sprint(earliest):                time.Unix(earliest, 0),
		fmt.Sprint(latest*1000 - 1):         time.UnixMilli(latest*1000 - 1),
		"  2024-05-01 08:20:00\u00a0":       time.Date(2024, 5, 1, 8, 20, 0, 0, time.UTC),
		"5/5/2024 8:20 p.m.":                time.Date(2024, 5, 5, 20, 20, 0, 0, time.UTC),
		"5/5/2024 12:20 am":                 time.Date(2024, 5, 5, 0, 20, 0, 0, time.UTC),
		"2024-05-01T08:20:00,5+02":          time.Date(2024, 5, 1, 6, 20, 0, 5e8, time.UTC),
		"Sept 1, 2024":                      time.Date(2024, 9, 1, 0, 0, 0, 0, time.UTC),
		"20240501082005":                    time.Date(2024, 5, 1, 8, 20, 5, 0, time.UTC),
		"202405010820":                      time.Date(2024, 5, 1, 8, 20, 0, 0, time.UTC),
		"'2024-05-01 08:20:00'":             time.Date(2024, 5, 1, 8, 20, 0, 0, time.UTC),
		`"2024-05-01T08:20:00Z"`:            time.Date(2024, 5, 1, 8, 20, 0, 0, time.UTC),
		"'2024-05-01 08:20:00":              time.Date(2024, 5, 1, 8, 20, 0, 0, time.UTC),
		"45413,34722":                       time.Date(2024, 5, 1, 8, 20, 0, 0, time.UTC),
		"01-MAY-24 08.20.05.500000 PM":      time.Date(2024, 5, 1, 20, 20, 5, 5e8, time.UTC),
		"1.5.2024 8.20":                     time.Date(2024, 5, 1, 8, 20, 0, 0, time.UTC),
		"2024年5月1日 8:20":                    time.Date(2024, 5, 1, 8, 20, 0, 0, time.UTC),
		"2024年05月01日":                       time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC),
		"2024-05-01 10:20:00 CEST":          time.Date(2024, 5, 1, 8, 20, 0, 0, time.UTC),
		"5/5/2024 3:20 AM EST":              time.Date(2024, 5, 5, 8, 20, 0, 0, time.UTC),
		"2024-05-01 08:20:00.5 +0000 UTC":   time.Date(2024, 5, 1, 8, 20, 0, 5e8, time.UTC),
		"Wed May 1 2024 10:20:00 GMT+0200 (Central European Summer Time)": time.Date(2024, 5, 1, 8, 20, 0, 0, time.UTC),
	} {
		times := Times{Serials: true}
		if got, ok := times.Parse(text); !ok || got != pipeline.MicrosOf(want) {
			t.Errorf("%q: got %v, %t, want %v", text, got.Time(), ok, want)
		}
	}
}

func TestDaysAlone(t *testing.T) {
	for text, want := range map[string]bool{
		"2024-05-01": true, "01.05.2024": true, "5/1/2024": true, "May 1, 2024": true, "20240501": true, "45413": true,
		"2024-05-01 08:20": false, "45413.34722": false, "1714551600": false, "20240501082005": false, "5/1/24, 8:20 AM": false,
		"45413,34722": false, "May 1,2024": true,
	} {
		if got := IsDay(text); got != want {
			t.Errorf("%q: got %t", text, got)
		}
	}
}

func TestNoTimes(t *testing.T) {
	for _, text := range []string{
		"", " ", "2024", "2024-02-30 10:00:00", "2023-02-29 10:00:00", "2024-13-01 10:00:00", "2024-05-01 24:00:00",
		"2024-05-01 10:60:00", "2024-05-01 10:00:0x", "2024-05-01 10:00:00+", "2024-05-01 10:00:00+2", "2024-05-01 10:00:00+02:", "2024-05-01 10:00:00 XET", "2024-05-01 10:00:00 CET+1", "20241301082005", "202405012505", "19690501082005",
		"2024-05-01 10:00:00+02:00:00:00", "1000", "0", "-1714551600", "1.7145516e9", "1.60419E+15", "99999999999999999999", "20241301", "45413.34722",
		"5/1/2024", "5/1/2024 8:20 AM", "13/13/2024", "5/1/12024", "32.1.2024", "5/5/2024 13:20 AM", "5/5/2024 8 AM", "5/5/2024 8:2", "5/5/99", "5-5/2024",
		"May 32, 2024", "Yesterday, 2024", "May 2024", "2024-05-01 UTC", "UUID", "DateTime('UTC')", "2024-05-01x", "2024-05-01 08:20:00 (CET)",
		strings.Repeat("5/5/2024 ", 20), "'", `"`, "''", "5/5/2024 8.2", "2024-05-01 08:20.30", "45413,34722", "2024年13月1日",
	} {
		if got, ok := new(Times).Parse(text); ok {
			t.Errorf("%q: got %v", text, got.Time())
		}
	}
}

// Whatever package time reads of a form is read alike, and nothing else is
// read as another time.
func FuzzTimes(f *testing.F) {
	at := time.Date(2024, 2, 29, 23, 59, 58, 123456000, time.FixedZone("", 5*3600+1800))
	for _, layout := range databaseLayouts {
		f.Add(at.Format(layout))
	}
	for _, form := range toolLayouts {
		f.Add(at.Format(form.layout))
	}
	f.Add("45413.34722")
	f.Add("1714551600123")
	f.Fuzz(func(t *testing.T, text string) {
		for _, times := range []*Times{{}, {Order: MonthFirst, Serials: true}, {Order: DayFirst}} {
			got, ok := times.Parse(text)
			for _, layout := range databaseLayouts {
				want, err := time.Parse(layout, text)
				if err == nil && ok && got != pipeline.MicrosOf(want) {
					t.Errorf("%q: got %v, want %v", text, got.Time(), want)
				}
			}
			for _, form := range toolLayouts {
				if form.order != AnyOrder && form.order != times.Order {
					continue
				}
				want, err := time.Parse(form.layout, text)
				if err == nil && ok && got != pipeline.MicrosOf(want) && want.Year() >= 2000 {
					t.Errorf("%q as %s: got %v, want %v", text, form.layout, got.Time(), want)
				}
			}
		}
		var finder OrderFinder
		finder.Add(text)
		finder.Order()
	})
}

func BenchmarkTimes(b *testing.B) {
	var times Times
	for b.Loop() {
		times.Parse("2024-05-01 10:00:00.123456+00")
	}
}

func BenchmarkTimesOfSpreadsheets(b *testing.B) {
	times := Times{Order: MonthFirst}
	for b.Loop() {
		times.Parse("5/1/2024 8:20")
	}
}

// What databases write is read in a way of its own, and as what [time.Parse]
// reads character by character.
func TestTimesOfDatabases(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := time.Unix(rapid.Int64Range(-3e9, 2e11).Draw(t, "second before"), 0).UTC()
		s := []byte(before.Add(time.Duration(rapid.IntRange(-2e5, 2e5).Draw(t, "second")) * time.Second).Format(time.DateTime))
		for range rapid.IntRange(0, 2).Draw(t, "changes") {
			s[rapid.IntRange(0, len(s)-1).Draw(t, "at")] = rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte("0123456789/:- T"))).Draw(t, "to")
		}
		if s[10] == 'T' {
			s[10] = ' '
		}
		want, err := time.Parse(time.DateTime, string(s))
		// time.Parse also takes spaces and hours of one digit that no database writes.
		ok := err == nil && want.Year() > 0 && want.Format(time.DateTime) == string(s)
		inOrder := new(Times).InOrder()
		inOrder.Parse(before.Format(time.DateTime))
		got, parsed := inOrder.parseISO(string(s))
		if parsed != ok || ok && got != pipeline.MicrosOf(want) {
			t.Fatalf("%q: %v %v, want %v %v", s, got.Time(), parsed, want, err)
		}
	})
}
