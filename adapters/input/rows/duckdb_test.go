package rows_test

import (
	"path/filepath"
	"slices"
	"testing"

	"hopper/adapters/input"
	"hopper/adapters/input/rows"
)

// What DuckDB writes is read, of every type and compression.
func TestDuckDB(t *testing.T) {
	typed := [][]string{
		{"0f4b8c1e-7f0a-4d57-9c1d-1b2c3d4e5f60", "2024-05-01T08:20:00.123456Z", "2024-05-01 08:20:00", "2024-05-01 08:20:00.5", "2024-05-01 08:20:00", "2024-05-01",
			"18446744073709551615", "4294967295", "-7", "4.5", "0.1", "1e+21", "true", "pageview", `["a","é\""]`, `{"key":"k","value":{"int_value":1}}`, `{"m":"v"}`, ""},
		{"0f4b8c1e-7f0a-4d57-9c1d-1b2c3d4e5f61", "1969-12-31T23:59:59.5Z", "", "", "", "", "0", "0", "", "", "", "", "", "", "[]", "", "", "São Paulo"},
	}
	columns := []string{"id", "created_at", "local", "ms", "ns", "day", "big", "u32", "tiny", "price", "f32", "f64", "member", "kind", "tags", "rec", "dict", "title"}
	// JSON has DuckDB's own text of times, and of a float32 the float64 next to it.
	asText := map[string]string{
		"2024-05-01T08:20:00.123456Z": "2024-05-01 08:20:00.123456+00", "1969-12-31T23:59:59.5Z": "1969-12-31 23:59:59.5+00", "0.1": "0.10000000149011612",
	}
	paths, err := filepath.Glob("testdata/duckdb/*.*[tn]")
	if err != nil || len(paths) != 8 {
		t.Fatalf("files %q, %v", paths, err)
	}
	for _, path := range paths {
		ins, err := input.Open(t.Context(), []string{path}, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		tables, err := rows.Find(t.Context(), ins.Files[0])
		if err != nil || len(tables) != 1 || !slices.Equal(tables[0].Columns, columns) {
			t.Fatalf("%s: %v", path, err)
		}
		got := read(t, tables[0])
		for i, want := range typed {
			want = slices.Clone(want)
			if filepath.Ext(path) != ".parquet" {
				for j, cell := range want {
					if text, found := asText[cell]; found {
						want[j] = text
					}
				}
				if i == 0 {
					want[4] = "2024-05-01 08:20:00.000000999"
				}
			}
			if !slices.Equal(got[i], want) {
				t.Errorf("%s, row %d\ngot  %q\nwant %q", path, i+1, got[i], want)
			}
		}
		ins.Close()
	}
}
