package file

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/parquet-go/parquet-go"

	"hopper/pipeline"
)

// source gives events in chunks of some.
type source struct {
	events []pipeline.Event
	each   int
	at     int
	// fails, if set, is what comes after the events.
	fails error
}

func (s *source) Next(ctx context.Context) (pipeline.Chunk, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if s.at == len(s.events) {
		if s.fails != nil {
			return nil, s.fails
		}
		return nil, io.EOF
	}
	some := s.events[s.at:min(s.at+s.each, len(s.events))]
	s.at += len(some)
	return chunk(some), nil
}

func (s *source) Close() error { return nil }

type chunk []pipeline.Event

func (c chunk) Decode(out *pipeline.Emitter) error {
	for i := range c {
		out.Rows(1)
		ev := c[i]
		out.Event(&ev)
	}
	return nil
}

var began = time.Date(2024, 5, 1, 8, 20, 0, 123456000, time.UTC)

// sample returns events that have something in each kind of column.
func sample(n int) []pipeline.Event {
	events := make([]pipeline.Event, n)
	for i := range events {
		events[i] = pipeline.Event{
			Time:    pipeline.MicrosOf(began.Add(time.Duration(i) * time.Second)),
			Visitor: fmt.Sprintf("11111111-0000-4000-8000-%012d", i/3), Session: fmt.Sprintf("22222222-0000-4000-8000-%012d", i/2),
			Hostname: "a.example", Path: fmt.Sprintf("/p/%d", i%5), Title: "Über, \"uns\"\n", Browser: "Firefox",
			ScreenWidth: 1920, ScreenHeight: 1080,
		}
		if i%2 == 1 {
			events[i].Kind, events[i].Name = pipeline.Custom, "buy"
			events[i].Properties = []pipeline.Property{{Key: "note", Value: "null", Literal: true}, {Key: "price", Value: "12.5", Literal: true}, {Key: "size", Value: "7"}}
			events[i].Latitude, events[i].Longitude = pipeline.Known(52.5), pipeline.Known(13.4)
		}
	}
	return events
}

// kept keeps what is committed.
type kept struct {
	bytes.Buffer
	committed, abandoned bool
}

func (m *kept) Commit() error  { m.committed = true; return nil }
func (m *kept) Abandon() error { m.abandoned = true; return nil }

// written writes events in a format, in parts of some size.
func written(t *testing.T, format Format, events []pipeline.Event, partBytes int64) ([]*kept, []Part) {
	t.Helper()
	var outs []*kept
	job := Job{Format: format, PartBytes: partBytes, Create: func(n int) (string, Output, error) {
		outs = append(outs, new(kept))
		return fmt.Sprint("part-", n), outs[n], nil
	}}
	stats, parts, err := job.Write(t.Context(), &pipeline.Translation{Jobs: 2}, &source{events: events, each: 7})
	if err != nil || stats.Events != int64(len(events)) || len(parts) != len(outs) {
		t.Fatalf("%s: %d events in %d parts: %v", format, stats.Events, len(parts), err)
	}
	var n int64
	for i, out := range outs {
		n += parts[i].Events
		if !out.committed || out.abandoned || parts[i].Bytes != int64(out.Len()) {
			t.Errorf("%s: part %d of %d bytes is told to have %d, committed: %v", format, i, out.Len(), parts[i].Bytes, out.committed)
		}
	}
	if n != stats.Events {
		t.Errorf("%s: the parts are told to hold %d events, not %d", format, n, stats.Events)
	}
	return outs, parts
}

// text is an event's columns as text, which every format must give back.
func text(ev *pipeline.Event) map[string]string {
	row := map[string]string{}
	for _, c := range columns {
		if value := string(c.Append(nil, ev)); value != "" {
			row[c.Name] = value
		}
	}
	return row
}

// normalized returns the events as they are written.
func normalized(t *testing.T, events []pipeline.Event) []map[string]string {
	t.Helper()
	var rows []map[string]string
	collect := func() pipeline.Collector[[]map[string]string] { return new(texts) }
	_, err := pipeline.Translate(t.Context(), &pipeline.Translation{}, &source{events: events, each: 100}, pipeline.Mark{}, collect,
		func(_ context.Context, chunk *pipeline.Collected[[]map[string]string]) error {
			rows = append(rows, chunk.Value...)
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

type texts struct{ rows []map[string]string }

func (c *texts) Begin()                    { c.rows = nil }
func (c *texts) Add(ev *pipeline.Event)    { c.rows = append(c.rows, text(ev)) }
func (c *texts) Done() []map[string]string { return c.rows }

// readers read a part with a library of its format that is not hopper's.
var readers = map[Format]func(t *testing.T, part []byte) []map[string]string{
	NDJSON: readNDJSON, CSV: readCSV, Parquet: readParquet, Arrow: readArrow,
}

// TestOthersReadWhatIsWritten holds each format to what its own library reads.
func TestOthersReadWhatIsWritten(t *testing.T) {
	events := sample(3000)
	want := normalized(t, events)
	for _, format := range Formats() {
		for _, size := range []int64{0, 1 << 10} {
			outs, _ := written(t, format, events, size)
			if size > 0 && len(outs) < 2 && format != Parquet { // whose row groups are larger

				t.Errorf("%s: one part, though it is larger than %d bytes", format, size)
			}
			var got []map[string]string
			for _, out := range outs {
				got = append(got, readers[format](t, out.Bytes())...)
			}
			if len(got) != len(want) {
				t.Fatalf("%s in parts of %d bytes: got %d rows of %d", format, size, len(got), len(want))
			}
			for i := range got {
				if !maps.Equal(got[i], want[i]) {
					t.Fatalf("%s in parts of %d bytes: row %d is %q, not %q", format, size, i, got[i], want[i])
				}
			}
		}
	}
}

func readNDJSON(t *testing.T, part []byte) (rows []map[string]string) {
	t.Helper()
	for _, line := range bytes.Split(bytes.TrimSuffix(part, []byte("\n")), []byte("\n")) {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(line, &members); err != nil {
			t.Fatal(err)
		}
		row := map[string]string{}
		for name, value := range members {
			var s string
			if json.Unmarshal(value, &s) != nil {
				s = string(value)
			}
			row[name] = s
		}
		rows = append(rows, row)
	}
	return rows
}

func readCSV(t *testing.T, part []byte) (rows []map[string]string) {
	t.Helper()
	records, err := csv.NewReader(bytes.NewReader(part)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, value := range record {
			if value != "" {
				row[records[0][i]] = value
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func readParquet(t *testing.T, part []byte) (rows []map[string]string) {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(part), int64(len(part)))
	if err != nil {
		t.Fatal(err)
	}
	if version, _ := f.Lookup("hopper.table"); version != fmt.Sprint(pipeline.TableVersion) {
		t.Errorf("the version of the table is %q", version)
	}
	for name, want := range map[string]string{
		"time": "TIMESTAMP(isAdjustedToUTC=true,unit=MICROS)", "path": "STRING", "screen_width": "INT(32,true)", "latitude": "DOUBLE",
		"client_apart": "BOOLEAN", "properties.key_value.key": "STRING", "properties.key_value.value": "STRING", "json_properties.list.element": "STRING",
	} {
		column, _ := f.Schema().Lookup(strings.Split(name, ".")...)
		if got := column.Node.Type().String(); got != want {
			t.Errorf("column %s is of type %s, not %s", name, got, want)
		}
	}
	reader := parquet.NewReader(f)
	defer reader.Close()
	for {
		row := map[string]any{}
		err := reader.Read(&row)
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, ofParquet(row))
	}
}

func ofParquet(row map[string]any) map[string]string {
	texts := map[string]string{}
	for name, value := range row {
		switch value := value.(type) {
		case nil:
		case []byte:
			texts[name] = string(value)
		case map[string]any:
			texts[name] = mapOfParquet(value, row["json_"+name])
		case []any: // beside a map
		default:
			texts[name] = fmt.Sprint(value)
		}
		if at, is := value.(int64); is && name == "time" {
			texts[name] = time.UnixMicro(at).UTC().Format("2006-01-02T15:04:05.000000Z07:00")
		}
		if at, is := value.(time.Time); is {
			texts[name] = at.UTC().Format("2006-01-02T15:04:05.000000Z07:00")
		}
	}
	return texts
}

func mapOfParquet(entries map[string]any, keys any) string {
	values := map[string]*string{}
	for key, value := range entries {
		values[key] = nil
		if text, is := value.(*[]byte); is && text != nil {
			s := string(*text)
			values[key] = &s
		}
	}
	list, _ := keys.([]any)
	areJSON := make([]string, len(list))
	for i := range list {
		areJSON[i], _ = list[i].(string)
	}
	return object(values, areJSON)
}

// object writes a map as the JSON object that it stands for. Its keys are in the
// order of the alphabet.
func object(of map[string]*string, areJSON []string) string {
	values := map[string]any{}
	for key, value := range of {
		values[key] = value
		if value != nil && slices.Contains(areJSON, key) {
			values[key] = json.RawMessage(*value)
		}
	}
	text, _ := json.Marshal(values)
	return string(text)
}

func readArrow(t *testing.T, part []byte) (rows []map[string]string) {
	t.Helper()
	reader, err := ipc.NewReader(bytes.NewReader(part))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Release()
	for name, want := range map[string]arrow.DataType{
		"time": &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, "visitor": arrow.BinaryTypes.String,
		"path":         &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String},
		"screen_width": arrow.PrimitiveTypes.Int32, "latitude": arrow.PrimitiveTypes.Float64, "client_apart": arrow.FixedWidthTypes.Boolean,
		"properties": arrow.MapOf(arrow.BinaryTypes.String, arrow.BinaryTypes.String), "json_properties": arrow.ListOfNonNullable(arrow.BinaryTypes.String),
	} {
		fields, _ := reader.Schema().FieldsByName(name)
		if !arrow.TypeEqual(fields[0].Type, want) {
			t.Errorf("column %s is of type %s, not %s", name, fields[0].Type, want)
		}
	}
	for reader.Next() {
		record := reader.Record()
		for i := range int(record.NumRows()) {
			row := map[string]string{}
			for c, column := range record.Columns() {
				if column.IsNull(i) {
					continue
				}
				value := column.ValueStr(i)
				switch column := column.(type) {
				case *array.List: // beside a map
					continue
				case *array.Map:
					value = mapOfArrow(column, record.Column(c+1).(*array.List), i)
				case *array.Timestamp:
					value = time.UnixMicro(int64(column.Value(i))).UTC().Format("2006-01-02T15:04:05.000000Z07:00")
				case *array.Dictionary:
					if n := column.Dictionary().Len(); n > int(record.NumRows()) {
						t.Errorf("column %s: a dictionary of %d values for %d rows", record.ColumnName(c), n, record.NumRows())
					}
				}
				row[record.ColumnName(c)] = value
			}
			rows = append(rows, row)
		}
	}
	if err := reader.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

func mapOfArrow(entries *array.Map, keys *array.List, row int) string {
	values := map[string]*string{}
	from, to := entries.ValueOffsets(row)
	for i := int(from); i < int(to); i++ {
		key := entries.Keys().ValueStr(i)
		values[key] = nil
		if items := entries.Items().(*array.String); items.IsValid(i) {
			s := items.Value(i)
			values[key] = &s
		}
	}
	var areJSON []string
	from, to = keys.ValueOffsets(row)
	for i := int(from); i < int(to); i++ {
		areJSON = append(areJSON, keys.ListValues().ValueStr(i))
	}
	return object(values, areJSON)
}

// full is a disk that is full after some bytes.
type full struct {
	Output
	left int
}

var errFull = errors.New("no space left on device")

func (f *full) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errFull
	}
	return f.Output.Write(p)
}

// TestNoHalfFile lets writing fail at every stage: no file that is not complete has
// a name, and nothing else is left.
func TestNoHalfFile(t *testing.T) {
	failure := errors.New("the source broke")
	for _, format := range Formats() {
		for name, c := range map[string]struct {
			src  *source
			left int
			stop bool
		}{
			"the source fails":  {&source{events: sample(50), each: 7, fails: failure}, 1 << 30, false},
			"the disk is full":  {&source{events: sample(2000), each: 7}, 3000, false},
			"full at once":      {&source{events: sample(50), each: 7}, 0, false},
			"it is interrupted": {&source{events: sample(50), each: 7}, 1 << 30, true},
		} {
			dir := t.TempDir()
			ctx, cancel := context.WithCancel(t.Context())
			job := Job{Format: format, Create: func(n int) (string, Output, error) {
				out, err := Create(filepath.Join(dir, fmt.Sprint("part-", n)))
				return "", &full{out, c.left}, err
			}, Came: func(int64) {
				if c.stop {
					cancel()
				}
			}}
			_, _, err := job.Write(ctx, &pipeline.Translation{Jobs: 2}, c.src)
			cancel()
			if err == nil {
				t.Errorf("%s, %s: no error", format, name)
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) > 0 {
				t.Errorf("%s, %s: %v is left (%v)", format, name, left, err)
			}
		}
	}
}

// TestKilledWriterLeavesNoName holds that what a process leaves that is killed is
// hidden, and never in the way of the next.
func TestKilledWriterLeavesNoName(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "events.parquet")
	out, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Write([]byte("half")); err != nil { // and never committed
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || !strings.HasPrefix(left[0].Name(), ".") {
		t.Errorf("%v is left (%v)", left, err)
	}
	again, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Write([]byte("whole")); err != nil {
		t.Fatal(err)
	}
	if err := again.Commit(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "whole" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestSameBytes holds that the same events give the same bytes, however many work.
func TestSameBytes(t *testing.T) {
	events := sample(500)
	for _, format := range Formats() {
		_, a := written(t, format, events, 0)
		_, b := written(t, format, events, 0)
		if a[0].SHA256 != b[0].SHA256 {
			t.Errorf("%s: two runs differ", format)
		}
	}
}
