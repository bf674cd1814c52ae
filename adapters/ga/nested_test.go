package ga

import (
	"strings"
	"testing"

	"hopper/adapters/input"
	"hopper/adapters/input/rows/record"
)

// FuzzNested has text of records and lists in any notation end, and what is read
// of it be JSON.
func FuzzNested(f *testing.F) {
	f.Add("[{'key': 'a', 'value': {'string_value': \"Baker's\", 'int_value': None}}\n {'key': 'b'}]")
	f.Add("array([{'key': 'a'}], dtype=object)")
	f.Add("[{key=a, value={string_value=1 kg, or more, int_value=null}}, {key=b, value=c}]")
	f.Add("[}")
	f.Add("{a=[, b=}")
	f.Fuzz(func(t *testing.T, text string) {
		v, ok := parseNested(text)
		if !ok {
			return
		}
		if _, err := record.Parse(string(v.AppendJSON(nil))); err != nil && strings.ToValidUTF8(text, "") == text {
			t.Errorf("%q is read as %s: %v", text, v.AppendJSON(nil), err)
		}
	})
}

// FuzzPrinted has answers in the text format of protocol buffers end.
func FuzzPrinted(f *testing.F) {
	f.Add("dimension_headers {\n  name: \"date\"\n}\nrows {\n  dimension_values {\n    value: \"20240304\"\n  }\n}\nrow_count: 1\n")
	f.Add("metric_headers {\n}\n}\n{\nmetadata {\n")
	f.Fuzz(func(t *testing.T, text string) {
		tables, err := readProtoText(newRowStore(""), &input.Input{Name: "answer.txt"}, text)
		for _, table := range tables {
			if err == nil && len(table.titles) != len(table.metrics) {
				t.Errorf("%d titles, %d of them told to be metrics or not", len(table.titles), len(table.metrics))
			}
		}
	})
}
