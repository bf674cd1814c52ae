package rows_test

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"hopper/fixtures/peers"
)

// typed is a query for two rows of the types that analytics have, and cells are
// what they must be read as.
const typed = `SELECT toUUID('0f4b8c1e-7f0a-4d57-9c1d-1b2c3d4e5f60') AS id, toDateTime64('2024-05-01 08:20:00.123456', 6, 'UTC') AS micros, toDateTime('2024-05-01 08:20:00', 'UTC') AS second,
	toDate('2024-05-01') AS day, 18446744073709551615::UInt64 AS big, -7::Int8 AS tiny, 4.5::Decimal(19, 4) AS price, 0.1::Float32 AS f32, 1.5::Float64 AS f64, true AS member,
	toLowCardinality('Chrome') AS browser, toFixedString('DE', 2) AS country, ['a', 'é"'] AS keys, map('m', 'v') AS params, CAST('São' AS Nullable(String)) AS city
UNION ALL SELECT toUUID('0f4b8c1e-7f0a-4d57-9c1d-1b2c3d4e5f61'), toDateTime64('1969-12-31 23:59:59.5', 6, 'UTC'), toDateTime('2024-05-02 00:00:00', 'UTC'),
	toDate('1970-01-01'), 0::UInt64, 0::Int8, 0::Decimal(19, 4), 0::Float32, -2::Float64, false,
	toLowCardinality(''), toFixedString('AT', 2), [], map(), NULL`

// TestClickHouseWrites reads what ClickHouse writes, in every container and codec.
func TestClickHouseWrites(t *testing.T) {
	nested := []string{`["a","é\""]`, `{"m":"v"}`}
	for _, out := range []struct {
		format, settings string
		second           string   // how a DateTime stands there
		nested           []string // and a list and a map, if not as JSON
	}{
		{format: "Parquet"},
		{format: "Parquet", settings: "output_format_parquet_compression_method = 'lz4'"},
		{format: "Parquet", settings: "output_format_parquet_compression_method = 'snappy'"},
		{format: "Parquet", settings: "output_format_parquet_compression_method = 'brotli'"},
		{format: "Parquet", settings: "output_format_parquet_compression_method = 'gzip'"},
		{format: "Parquet", settings: "output_format_parquet_string_as_string = 0, output_format_parquet_fixed_string_as_fixed_byte_array = 0"},
		{format: "Arrow", second: "1714551600"},
		{format: "ArrowStream", second: "1714551600"},
		{format: "ArrowStream", settings: "output_format_arrow_low_cardinality_as_dictionary = 1", second: "1714551600"},
		{format: "ArrowStream", settings: "output_format_arrow_compression_method = 'zstd'", second: "1714551600"},
		{format: "JSON"}, {format: "JSONEachRow"}, {format: "JSONCompact"}, {format: "JSONCompactEachRowWithNamesAndTypes"},
		{format: "JSONStrings", nested: []string{`['a','é"']`, `{'m':'v'}`}},
		{format: "CSVWithNames", nested: []string{`['a','é"']`, `{'m':'v'}`}},
		{format: "TSVWithNames", nested: []string{`['a','é"']`, `{'m':'v'}`}},
		{format: "CSVWithNamesAndTypes", nested: []string{`['a','é"']`, `{'m':'v'}`}},
	} {
		t.Run(out.format, func(t *testing.T) {
			query := "SELECT * FROM (" + typed + ") ORDER BY id"
			if out.settings != "" {
				query += " SETTINGS " + out.settings
			}
			table := find(t, peers.Node(t, "clickhouse.mjs", "-q", query+" FORMAT "+out.format))
			want := []string{
				"0f4b8c1e-7f0a-4d57-9c1d-1b2c3d4e5f60", "2024-05-01 08:20:00.123456", cmp.Or(out.second, "2024-05-01 08:20:00"), "2024-05-01",
				"18446744073709551615", "-7", "4.5", "0.1", "1.5", "true", "Chrome", "DE",
			}
			if out.nested == nil {
				out.nested = nested
			}
			want = append(append(want, out.nested...), "São")
			got := read(t, table)
			if len(got) != 2 {
				t.Fatalf("%d rows", len(got))
			}
			for _, row := range got { // the texts of times are the containers' own
				for _, i := range []int{1, 2} {
					row[i] = strings.TrimSuffix(strings.Replace(row[i], "T", " ", 1), "Z")
				}
			}
			if !slices.Equal(got[0], want) || got[1][0] != "0f4b8c1e-7f0a-4d57-9c1d-1b2c3d4e5f61" || !strings.HasPrefix(got[1][1], "1969-12-31 23:59:59.5") ||
				!slices.Equal(got[1][3:], []string{"1970-01-01", "0", "0", "0", "0", "-2", "false", "", "AT", "[]", "{}", ""}) {
				t.Errorf("got %q\nwant %q", got, want)
			}
		})
	}
}
