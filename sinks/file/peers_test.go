package file

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"hopper/fixtures/peers"
)

// peerRow is a row as others read it.
type peerRow struct {
	Time       int64              `json:"time"` // microseconds
	Kind       string             `json:"kind"`
	Path       *string            `json:"path"`
	Width      *int               `json:"screen_width"`
	Latitude   *float64           `json:"latitude"`
	Apart      *bool              `json:"client_apart"`
	Properties map[string]*string `json:"properties"`
	JSON       []string           `json:"json_properties"`
}

// TestPeersReadWhatIsWritten has engines of others read Parquet and Arrow, and
// compares types and values.
func TestPeersReadWhatIsWritten(t *testing.T) {
	const columns = 8
	types := map[string][columns]string{ // time, path, screen_width, latitude, client_apart, properties, json_properties, visitor
		"DuckDB":               {"TIMESTAMP WITH TIME ZONE", "VARCHAR", "INTEGER", "DOUBLE", "BOOLEAN", "MAP(VARCHAR, VARCHAR)", "VARCHAR[]", "VARCHAR"},
		"ClickHouse":           {`DateTime64(6, 'UTC')`, "Nullable(String)", "Nullable(Int32)", "Nullable(Float64)", "Nullable(Bool)", "Map(String, Nullable(String))", "Array(String)", "Nullable(String)"},
		"ClickHouse of Arrow":  {`DateTime64(6, 'UTC')`, "LowCardinality(Nullable(String))", "Nullable(Int32)", "Nullable(Float64)", "Nullable(Bool)", "Map(String, Nullable(String))", "Array(String)", "Nullable(String)"},
		"Arrow for JavaScript": {"Timestamp<MICROSECOND, UTC>", "Dictionary<Int32, Utf8>", "Int32", "Float64", "Bool", "Map<{key:Utf8, value:Utf8}>", "List<Utf8>", "Utf8"},
		"Arrow for Rust":       {"Timestamp<MICROSECOND, UTC>", "Utf8", "Int32", "Float64", "Bool", "Map<{key:Utf8, value:Utf8}>", "List<Utf8>", "Utf8"},
		"hyparquet":            {"TIMESTAMP", "STRING", "INTEGER", "DOUBLE", "BOOLEAN", "MAP", "LIST", "STRING"},
	}
	dir := t.TempDir()
	events := sample(300)
	for i := range events {
		events[i].ClientApart = i%3 == 0
	}
	for _, format := range []Format{Parquet, Arrow} {
		outs, _ := written(t, format, events, 0)
		if err := os.WriteFile(filepath.Join(dir, "events."+string(format)), outs[0].Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var want []peerRow
	for _, row := range normalized(t, events) {
		want = append(want, peerRowOf(t, row))
	}
	var read map[string]struct {
		Types map[string]string `json:"types"`
		Rows  []peerRow         `json:"rows"`
	}
	if err := json.Unmarshal(peers.Node(t, "read.mjs", filepath.Join(dir, "events")), &read); err != nil {
		t.Fatal(err)
	}
	for engine, wantTypes := range types {
		got := read[engine]
		for i, name := range [columns]string{"time", "path", "screen_width", "latitude", "client_apart", "properties", "json_properties", "visitor"} {
			if got.Types[name] != wantTypes[i] {
				t.Errorf("%s: column %s is of type %s, not %s", engine, name, got.Types[name], wantTypes[i])
			}
		}
		if len(got.Rows) != len(want) {
			t.Errorf("%s reads %d rows of %d", engine, len(got.Rows), len(want))
			continue
		}
		for i := range want {
			w := want[i]
			if engine == "hyparquet" { // whose times are JavaScript's
				w.Time -= w.Time % 1000
			}
			if !reflect.DeepEqual(got.Rows[i], w) {
				a, _ := json.Marshal(got.Rows[i])
				b, _ := json.Marshal(w)
				t.Errorf("%s reads row %d as\n%s\nnot\n%s", engine, i, a, b)
				break
			}
		}
	}
}

// peerRowOf returns what others must read of a row.
func peerRowOf(t *testing.T, text map[string]string) peerRow {
	t.Helper()
	row := peerRow{Time: microsOf(t, text["time"]), Kind: text["kind"]}
	path := text["path"]
	row.Path = &path
	for name, to := range map[string]any{"screen_width": &row.Width, "latitude": &row.Latitude, "client_apart": &row.Apart} {
		if text[name] != "" {
			if err := json.Unmarshal([]byte(text[name]), to); err != nil {
				t.Fatal(err)
			}
		}
	}
	if text["properties"] != "" { // as sample makes them
		price, size := "12.5", "7"
		row.Properties, row.JSON = map[string]*string{"note": nil, "price": &price, "size": &size}, []string{"price"}
	}
	return row
}

func microsOf(t *testing.T, text string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMicro()
}
