package ga

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows/record"
	"hopper/fixtures/ga/gen/avro"
	"hopper/pipeline"
)

type (
	drawnEvent struct {
		Date       *string       `parquet:"event_date,optional,dict"`
		Timestamp  *int64        `parquet:"event_timestamp,optional"`
		Name       *string       `parquet:"event_name,optional,dict"`
		Params     []drawnParam  `parquet:"event_params,list"`
		User       *string       `parquet:"user_pseudo_id,optional"`
		Properties []drawnParam  `parquet:"user_properties,list"`
		Device     *drawnDevice  `parquet:"device,optional"`
		Ecommerce  drawnCommerce `parquet:"ecommerce"`
		Items      []drawnItem   `parquet:"items,list"`
		Shirt      *float64      `parquet:"shirt_size,optional"`
		Sizes      []string      `parquet:"sizes,list"`
		Params2    []drawnParam  `parquet:"params,list"`
	}
	// knownEvent has columns of the schema alone, in another order.
	knownEvent struct {
		Name      *string       `parquet:"event_name,optional,dict"`
		Params    []drawnParam  `parquet:"event_params,list"`
		User      *string       `parquet:"user_pseudo_id,optional"`
		Device    *drawnDevice  `parquet:"device,optional"`
		Ecommerce drawnCommerce `parquet:"ecommerce"`
		Items     []drawnItem   `parquet:"items,list"`
		Timestamp *int64        `parquet:"event_timestamp,optional"`
	}
	drawnParam struct {
		Key   *string     `parquet:"key,optional,dict"`
		Value *drawnValue `parquet:"value,optional"`
	}
	drawnValue struct {
		Text  *string  `parquet:"string_value,optional,dict"`
		Int   *int64   `parquet:"int_value,optional"`
		Float *float64 `parquet:"double_value,optional"`
		Set   *int64   `parquet:"set_timestamp_micros,optional"`
	}
	drawnDevice struct {
		Category *string   `parquet:"category,optional,dict"`
		Browser  *string   `parquet:"browser,optional"`
		Web      *drawnWeb `parquet:"web_info,optional"`
	}
	drawnWeb struct {
		Browser  *string  `parquet:"browser,optional,dict"`
		Versions []string `parquet:"versions,list"`
	}
	drawnCommerce struct {
		Revenue *float64 `parquet:"purchase_revenue,optional"`
		ID      *string  `parquet:"transaction_id,optional"`
	}
	drawnItem struct {
		Name   *string      `parquet:"item_name,optional"`
		Price  *float64     `parquet:"price,optional"`
		Tags   []string     `parquet:"tags,list"`
		Count  *int64       `parquet:"quantity,optional,dict"`
		Params []drawnParam `parquet:"item_params,list"`
	}
)

func drawEvent(t *rapid.T) drawnEvent {
	word := rapid.Ptr(rapid.SampledFrom([]string{"", " ", "(not set)", "page_view", "click", "scroll", "mobile", "Firefox", "string_value", "https://example.com/a?b=c", "n\xffo", "\xe2\x82", "1.50", "20240305", `{"a":1}`}), true)
	number := rapid.Ptr(rapid.SampledFrom([]float64{0, 1, 1.5, -2e30}), true)
	whole := rapid.Ptr(rapid.SampledFrom([]int64{0, 7, 1709596800137385}), true)
	key := rapid.Ptr(rapid.SampledFrom([]string{"", "page_location", "page_title", "ga_session_id", "source", "link_url", "outbound", "color"}), true)
	value := rapid.Ptr(rapid.Custom(func(t *rapid.T) drawnValue {
		return drawnValue{word.Draw(t, "text"), whole.Draw(t, "int"), number.Draw(t, "float"), whole.Draw(t, "set")}
	}), true)
	params := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) drawnParam { return drawnParam{key.Draw(t, "key"), value.Draw(t, "value")} }), 0, 4)
	ev := drawnEvent{
		Date: word.Draw(t, "date"), Timestamp: whole.Draw(t, "time"), Name: word.Draw(t, "name"), User: word.Draw(t, "user"),
		Params: params.Draw(t, "params"), Properties: params.Draw(t, "properties"), Params2: params.Draw(t, "params2"),
		Ecommerce: drawnCommerce{number.Draw(t, "revenue"), word.Draw(t, "id")}, Shirt: number.Draw(t, "shirt"),
		Sizes: rapid.SliceOfN(rapid.String(), 0, 2).Draw(t, "sizes"),
	}
	if rapid.Bool().Draw(t, "has a device") {
		ev.Device = &drawnDevice{Category: word.Draw(t, "category"), Browser: word.Draw(t, "browser")}
		if rapid.Bool().Draw(t, "has a web browser") {
			ev.Device.Web = &drawnWeb{word.Draw(t, "browser"), rapid.SliceOfN(rapid.String(), 0, 2).Draw(t, "versions")}
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, "items") {
		item := drawnItem{Name: word.Draw(t, "item"), Price: number.Draw(t, "price"), Count: whole.Draw(t, "count")}
		if rapid.IntRange(0, 9).Draw(t, "has parameters") == 0 {
			item.Params, item.Tags = params.Draw(t, "item's"), []string{"tag"}
		}
		ev.Items = append(ev.Items, item)
	}
	return ev
}

// transcript writes down what it gets.
type transcript []string

func (s *transcript) note(format string, args ...any) { *s = append(*s, fmt.Sprintf(format, args...)) }

func (s *transcript) Rows(n int) { s.note("%d rows", n) }
func (s *transcript) Event(ev *pipeline.Event) {
	is, texts := ev.ValidUTF8, *ev
	ev.ValidUTF8, texts.Properties, texts.UserProperties = false, nil, nil
	if text := fmt.Sprintf("%+v", texts); is && !utf8.ValidString(text) {
		s.note("not valid as it says: %q", text)
	}
	s.note("event %+v", *ev)
}
func (s *transcript) Reject(at pipeline.Origin, why, raw string) {
	s.note("reject %v %s %s", at, why, raw)
}
func (s *transcript) Omit(at pipeline.Origin, reason string) { s.note("omit %v %s", at, reason) }
func (s *transcript) Repair(at pipeline.Origin, kind string) { s.note("repair %v %s", at, kind) }

// transcribe reads an input, by columns or members where wanted.
func transcribe(t *testing.T, tally *tally, path string, g *ga4, byParts bool) transcript {
	t.Helper()
	ctx := context.Background()
	inputs, err := input.Open(ctx, []string{path}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	defer inputs.Close()
	in := inputs.Files[0]
	fields, err := record.Fields(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	var quick *fast
	if byParts {
		quick = &fast{newColumnar(g, 0, "", fields), newScanned(g, 0, "", fields)}
	}
	r, err := openRecords(ctx, in, wantedOfGA4, g.record(0, "", fields), quick)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got transcript
	for {
		d, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		seen := newSeen(tally)
		if err := d(&got, seen); err != nil {
			t.Fatal(err)
		}
		got.note("seen %x %v", seen.events, seen.sessions)
	}
}

func parquetOf[T any](t interface{ Fatal(...any) }, events []T, page int) []byte {
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b, parquet.PageBufferSize(page))
	for half := range slices.Chunk(events, (len(events)+1)/2) { // row groups
		if _, err := w.Write(half); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// avroOf writes events as BigQuery does, with the names that they have in Parquet, in
// blocks of so many.
func avroOf[T any](t interface{ Fatal(...any) }, events []T, block int) []byte {
	var b bytes.Buffer
	if err := avro.Write(&b, "parquet", "snappy", events, block); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Events that are read by column are those that are read by record.
func TestColumnsAndRecordsAgree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	tally := newTally(t.TempDir())
	defer tally.close()
	rapid.Check(t, func(rt *rapid.T) {
		isAvro := rapid.Bool().Draw(rt, "Avro")
		events := rapid.SliceOfN(rapid.Custom(drawEvent), 1, 12).Draw(rt, "events")
		doublings := 7
		if isAvro {
			doublings = 4 // which goavro takes long to write
		}
		for range rapid.IntRange(0, doublings).Draw(rt, "doublings") { // beyond a chunk
			events = append(events, events...)
		}
		page := rapid.SampledFrom([]int{100, 1 << 20}).Draw(rt, "page")
		var content []byte
		switch own := rapid.Bool().Draw(rt, "own columns"); {
		case own && isAvro:
			content = avroOf(rt, events, page)
		case own:
			content = parquetOf(rt, events, page)
		default:
			if rapid.Bool().Draw(rt, "whole") { // as exports are
				for i := range events {
					name := rapid.SampledFrom([]string{"scroll", "page_view", "click"}).Draw(rt, "name")
					events[i].Timestamp, events[i].Name, events[i].User = new(int64(1709596800000000+i)), &name, new(fmt.Sprint("u", i%3))
				}
			}
			known := make([]knownEvent, len(events))
			for i, ev := range events {
				known[i] = knownEvent{ev.Name, ev.Params, ev.User, ev.Device, ev.Ecommerce, ev.Items, ev.Timestamp}
			}
			if isAvro {
				content = avroOf(rt, known, page)
			} else {
				content = parquetOf(rt, known, page)
			}
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			rt.Fatal(err)
		}
		g := &ga4{zone: time.UTC, allEvents: rapid.Bool().Draw(rt, "all"), website: rapid.SampledFrom([]string{"", "", "example.com"}).Draw(rt, "website")}
		if diff := cmp.Diff(transcribe(t, tally, path, g, false), transcribe(t, tally, path, g, true)); diff != "" {
			rt.Fatalf("events differ (-records +columns):\n%.6000s", diff)
		}
	})
}

// drawJSON draws a value as programs write events: mostly plain, sometimes in any
// other form, and sometimes not JSON.
func drawJSON(t *rapid.T, depth int) string {
	texts := []string{`""`, `"page_view"`, `"a\"b"`, `"(not set)"`, `"string_value"`, `"{\"a\":1}"`, `"[]"`, "17", "-1.50", "1e3", "null", "true", `"2024-03-05 10:00:00"`}
	kind := rapid.IntRange(0, 9).Draw(t, "kind")
	if depth == 0 {
		kind = 0
	}
	switch kind {
	case 7:
		return "[" + strings.Join(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string { return drawJSON(t, depth-1) }), 0, 3).Draw(t, "list"), ",") + "]"
	case 8:
		return drawMembers(t, depth-1)
	case 9:
		return rapid.SampledFrom([]string{"01", "tru", `"\x"`, "\"a\tb\"", "", "{,}", "[1,]", `{"a"}`, " 5 "}).Draw(t, "odd")
	}
	return rapid.SampledFrom(texts).Draw(t, "scalar")
}

func drawMembers(t *rapid.T, depth int) string {
	names := []string{"event_name", "Event_Name", "event_timestamp", "event_params", "user_properties", "items", "params", "device", "web_info", "browser", "category",
		"traffic_source", "event_value_in_usd", "key", "value", "string_value", "int_value", "set_timestamp_micros", "list", "element", "user_pseudo_id", "own", `a\u0062`}
	var b strings.Builder
	b.WriteByte('{')
	for i := range rapid.IntRange(0, 5).Draw(t, "members") {
		if i > 0 {
			b.WriteString(rapid.SampledFrom([]string{",", ",", ",", " , "}).Draw(t, "comma"))
		}
		fmt.Fprintf(&b, `"%s":`, rapid.SampledFrom(names).Draw(t, "name"))
		b.WriteString(drawJSON(t, depth))
	}
	return b.String() + "}"
}

// drawParams draws parameters as the schema has them, with a few of another form.
func drawParams(t *rapid.T) string {
	param := rapid.Custom(func(t *rapid.T) string {
		if rapid.IntRange(0, 5).Draw(t, "form") == 0 {
			return drawJSON(t, 3)
		}
		key := rapid.SampledFrom([]string{"page_location", "page_title", "ga_session_id", "color", "", `a\"b`}).Draw(t, "key")
		kind := rapid.SampledFrom([]string{"string_value", "int_value", "double_value", "set_timestamp_micros"})
		return fmt.Sprintf(`{"key":"%s","value":{"%s":%s,"%s":%s}}`, key, kind.Draw(t, "type"), drawJSON(t, 0), kind.Draw(t, "type"), drawJSON(t, 1))
	})
	return "[" + strings.Join(rapid.SliceOfN(param, 0, 4).Draw(t, "params"), ",") + "]"
}

// drawProducts draws items as the schema has them, with a few of another form.
func drawProducts(t *rapid.T) string {
	item := rapid.Custom(func(t *rapid.T) string {
		if rapid.IntRange(0, 9).Draw(t, "form") == 0 {
			return drawJSON(t, 3)
		}
		members := []string{`"item_id":"a"`, `"item_name":"An \"item\""`, `"price":1.50`, `"quantity":"2"`, `"price":"x"`, `"coupon":"(not set)"`, `"item_params":[]`, `"is_new":true`, `"n":null`}
		if rapid.IntRange(0, 3).Draw(t, "rare") == 0 {
			members = append(members, `"item_params":`+drawParams(t), `"item_name":`+drawJSON(t, 2), `"a\u0062":"1"`)
		}
		return "{" + strings.Join(rapid.SliceOfN(rapid.SampledFrom(members), 0, 4).Draw(t, "members"), ",") + "}"
	})
	return "[" + strings.Join(rapid.SliceOfN(item, 0, 3).Draw(t, "items"), ",") + "]"
}

// drawLine draws an event as a line, mostly well-formed.
func drawLine(t *rapid.T) string {
	extra := strings.TrimPrefix(drawMembers(t, 4), "{")
	if extra != "}" {
		extra = "," + extra
	}
	line := fmt.Sprintf(`{"event_timestamp":"1709596800137385","event_name":"click","user_pseudo_id":"u","event_params":%s,"user_properties":%s,"items":%s%s`, drawParams(t), drawParams(t), drawProducts(t), extra)
	if rapid.IntRange(0, 3).Draw(t, "spaced") == 0 {
		line = strings.NewReplacer(":", ": ", ",", " , ", "}", " }").Replace(line)
	}
	return line
}

// damage leaves out, doubles or replaces a piece of a line.
func damage(t *rapid.T, line string) string {
	at := rapid.IntRange(0, len(line)-1).Draw(t, "at")
	end := min(at+rapid.IntRange(0, 4).Draw(t, "length"), len(line))
	piece := rapid.SampledFrom([]string{"", "", line[at:end] + line[at:end], ",", `"`, `\`, "{", "}", "]", "\x01", "\x00", "\xff"}).Draw(t, "piece")
	return line[:at] + piece + line[end:]
}

const plainLine = `{"event_timestamp":"1","event_name":"click","user_pseudo_id":"u","event_params":[]}`

// Records of JSON that are read member by member are those that are read as a
// whole, whatever their form and that of those before, and are refused for the same
// reasons.
func TestMembersAndRecordsAgree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.ndjson")
	tally := newTally(t.TempDir())
	defer tally.close()
	rapid.Check(t, func(rt *rapid.T) {
		drawn := rapid.SliceOfN(rapid.Custom(drawLine), 1, 5).Draw(rt, "records")
		lines := []string{plainLine + strings.Repeat(" ", 64<<10)} // so that these say what kind of file it is
		for range rapid.IntRange(1, 12).Draw(rt, "lines") {
			line := rapid.SampledFrom(drawn).Draw(rt, "line")
			if rapid.IntRange(0, 3).Draw(rt, "damaged") == 0 {
				line = damage(rt, line)
			}
			lines = append(lines, line)
		}
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(transcribe(t, tally, path, &ga4{zone: time.UTC}, false), transcribe(t, tally, path, &ga4{zone: time.UTC}, true)); diff != "" {
			rt.Fatalf("events differ (-records +members):\n%.6000s", diff)
		}
	})
}

// translated writes down the events and rejects that a source is translated to.
func translated(t *testing.T, src pipeline.Source) string {
	t.Helper()
	var all strings.Builder
	write := func(dst []byte, ev *pipeline.Event) []byte {
		one := *ev
		one.ClientMemo, one.PlaceMemo = nil, nil
		return fmt.Appendf(dst, "%+v\n", one)
	}
	_, err := pipeline.Translate(t.Context(), &pipeline.Translation{Jobs: 3}, src, pipeline.Mark{}, pipeline.Encode(write),
		func(_ context.Context, c *pipeline.Collected[*pipeline.Records]) error {
			for i := range c.Value.Len() {
				all.Write(c.Value.Record(i))
			}
			fmt.Fprintf(&all, "%v\n", c.Rejects)
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// Nothing is kept of the text of chunks, which later ones overwrite.
func TestTextIsNotKept(t *testing.T) {
	var text strings.Builder
	for i := range 5000 { // some chunks of half a megabyte
		fmt.Fprintf(&text, `{"event_timestamp":"17095968%08d","event_name":"%s","user_pseudo_id":"u%d","user_id":"%d","stream_id":"s","event_params":[{"key":"ga_session_id","value":{"int_value":"%d"}},`,
			i, []string{"page_view", "click", "scroll", "exception", ""}[i%5], i%97, i%41, i%89)
		fmt.Fprintf(&text, `{"key":"page_location","value":{"string_value":"https://www%d.example/Ä/%d?a=%d"}},{"key":"page_title","value":{"string_value":"A \"title\" %d"}},{"key":"page_referrer","value":{"string_value":"https://from%d.example/"}},`,
			i%3, i%37, i%5, i%43, i%29)
		fmt.Fprintf(&text, `{"key":"own%d","value":{"double_value":%d.5}}],"device":{"category":"desktop","operating_system":"Windows","operating_system_version":"Windows %d","language":"xx-%d","web_info":{"browser":"Browser %d","browser_version":"%d.1"}},`,
			i%17, i, i%12, i%23, i%19, i%31)
		fmt.Fprintf(&text, `"geo":{"country":"Country %d","region":"Region %d","city":"City %d"},"privacy_info":{"a":"%d"}}%s`+"\n", i%13, i%7, i%53, i%6, []string{"", "", "", "", "", "", "}"}[i%7])
	}
	checkNothingIsKept(t, write(t, "events.ndjson", text.String()))
}

// Nothing is kept of the pages of Parquet and the blocks of Avro, which later ones
// overwrite.
func TestPagesAreNotKept(t *testing.T) {
	events := make([]knownEvent, 5000)
	for i := range events {
		param := func(key string, value drawnValue) drawnParam { return drawnParam{&key, &value} }
		text := func(format string, args ...any) *string { return new(fmt.Sprintf(format, args...)) }
		events[i] = knownEvent{
			Timestamp: new(int64(1709596800000000 + i)), Name: text("%s", []string{"page_view", "click", "scroll", "exception", ""}[i%5]), User: text("u%d", i%97),
			Params: []drawnParam{
				param("ga_session_id", drawnValue{Int: new(int64(i % 89))}), param("page_location", drawnValue{Text: text("https://www%d.example/Ä/%d?a=%d", i%3, i%37, i%5)}),
				param(fmt.Sprint("own", i%17), drawnValue{Float: new(float64(i))}),
			},
			Device: &drawnDevice{Category: text("desktop"), Web: &drawnWeb{Browser: text("Browser %d", i%19)}},
			Items:  []drawnItem{{Name: text("Item %d", i), Count: new(int64(i))}}[:i%2],
		}
	}
	for name, page := range map[string]int{"small": 1000, "large": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			checkNothingIsKept(t, write(t, "events.parquet", string(parquetOf(t, events, page))))
		})
	}
	t.Run("Avro", func(t *testing.T) {
		checkNothingIsKept(t, write(t, "events.avro", string(avroOf(t, events, 100))))
	})
}

// checkNothingIsKept checks that events are the same whether their chunks are released
// as they come or not at all.
func checkNothingIsKept(t *testing.T, path string) {
	t.Helper()
	open := func() pipeline.Source {
		inputs, err := input.Open(t.Context(), []string{path}, nil, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { inputs.Close() })
		reading, err := Adapter{}.Match(t.Context(), inputs.Files).Open(t.Context(), adapters.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return reading.Source
	}
	// Whoever collects events copies all of them.
	kept := open()
	events, _, rejects, err := pipeline.Collect(t.Context(), kept)
	if err := errors.Join(err, kept.Close()); err != nil {
		t.Fatal(err)
	}
	want := translated(t, pipeline.Replay(events))
	want = strings.ReplaceAll(want, "[]\n", "")
	src := open()
	got := translated(t, src)
	if err := src.Close(); err != nil {
		t.Fatal(err)
	}
	for _, one := range rejects {
		if listed := fmt.Sprint(one); !strings.Contains(got, listed) {
			t.Fatalf("no reject %s", listed)
		}
	}
	lines := slices.DeleteFunc(strings.SplitAfter(got, "\n"), func(line string) bool { return strings.HasPrefix(line, "[") })
	if diff := cmp.Diff(strings.SplitAfter(want, "\n"), lines); diff != "" {
		t.Errorf("events differ (-copied +as they come):\n%.3000s", diff)
	}
}

// FuzzMembers has both ways to read JSON agree, whatever stands in it.
func FuzzMembers(f *testing.F) {
	day, err := os.ReadFile(fixture("events_20240305.ndjson"))
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(day)) {
		f.Add(line)
	}
	// What is first in one record stands behind another in the next, without a comma.
	for _, pair := range [][2]string{
		{`{"event_params":[{"key":"a","value":{"int_value":1}}]}`, `{"event_params":[7{"key":"a","value":{"int_value":1}}]}`},
		{`{"event_params":[{"key":"a","value":{"int_value":1}}]}`, `{"event_params":[{"key":"a","value":{"int_value":1}}{"key":"a","value":{"int_value":1}}]}`},
		{`{"device":{"category":"a"}}`, `{"device":{"browser":"b""category":"a"}}`},
		{`{"device":{"browser":"b","category":"a"}}`, `{"device":{,"category":"a"}}`},
	} {
		f.Add(pair[0] + "\n" + pair[1])
	}
	f.Add(`{"device":{"category":"a"},"privacy_info":{"a":[1,{"b":"\u00e9"}]},"device" : {"category" : "b"}}`)
	f.Fuzz(func(t *testing.T, content string) {
		tally := newTally(t.TempDir())
		defer tally.close()
		// What is remembered of the first lines is tried on the last. The spaces are
		// so many that content does not decide what kind of file it is.
		path := write(t, "events.ndjson", plainLine+strings.Repeat(" ", 64<<10)+"\n"+content+"\n"+content)
		if diff := cmp.Diff(transcribe(t, tally, path, &ga4{zone: time.UTC}, false), transcribe(t, tally, path, &ga4{zone: time.UTC}, true)); diff != "" {
			t.Fatalf("events differ (-records +members):\n%.6000s", diff)
		}
	})
}
