package file

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/parquet-go/parquet-go"

	"hopper/pipeline"
	"hopper/sinks/rybbit/wire"
)

// TestWireTables reads the records of every wire format back from each container,
// which must be those of the NDJSON.
func TestWireTables(t *testing.T) {
	events := sample(20)
	for _, f := range wire.Formats() {
		translation := pipeline.Translation{Target: wire.Target(f)}
		write := func(format Format) []byte {
			var b bytes.Buffer
			job := &Job{Format: format, Wire: f.Append, Create: func(int) (string, Output, error) { return "-", Stream(&b), nil }}
			if _, _, err := job.Write(t.Context(), &translation, &source{events: slices.Clone(events), each: 7}); err != nil {
				t.Fatalf("%s as %s: %v", f.Platform(), format, err)
			}
			return b.Bytes()
		}
		var want []map[string]string
		for line := range bytes.Lines(write(NDJSON)) {
			record := map[string]string{}
			if err := json.Unmarshal(line, &record); err != nil {
				t.Fatalf("%s: a field is no text: %v", f.Platform(), err)
			}
			want = append(want, record)
		}
		if len(want) == 0 {
			t.Fatalf("%s: no records", f.Platform())
		}
		for format, read := range map[Format]func(*testing.T, []byte) []map[string]string{CSV: fromCSV, Parquet: fromParquet, Arrow: fromArrow} {
			got := read(t, write(format))
			if len(got) != len(want) {
				t.Fatalf("%s as %s: %d records, want %d", f.Platform(), format, len(got), len(want))
			}
			for i := range want {
				if len(got[i]) != len(want[i]) {
					t.Errorf("%s as %s: record %d has %d fields, want %d", f.Platform(), format, i, len(got[i]), len(want[i]))
				}
				for name, value := range want[i] {
					if got[i][name] != value {
						t.Errorf("%s as %s: record %d, %s: got %q, want %q", f.Platform(), format, i, name, got[i][name], value)
					}
				}
			}
		}
	}
}

func fromCSV(t *testing.T, content []byte) (records []map[string]string) {
	rows, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		record := map[string]string{}
		for i, name := range rows[0] {
			record[name] = row[i]
		}
		records = append(records, record)
	}
	return records
}

func fromParquet(t *testing.T, content []byte) (records []map[string]string) {
	file, err := parquet.OpenFile(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	names := file.Schema().Columns()
	for _, group := range file.RowGroups() {
		rows := group.Rows()
		buffer := make([]parquet.Row, group.NumRows())
		n, _ := rows.ReadRows(buffer)
		for _, row := range buffer[:n] {
			record := map[string]string{}
			for _, value := range row {
				record[names[value.Column()][0]] = value.String()
			}
			records = append(records, record)
		}
		rows.Close()
	}
	return records
}

func fromArrow(t *testing.T, content []byte) (records []map[string]string) {
	r, err := ipc.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	for r.Next() {
		batch := r.Record()
		for i := range int(batch.NumRows()) {
			record := map[string]string{}
			for column, field := range batch.Schema().Fields() {
				record[field.Name] = batch.Column(column).(*array.String).Value(i)
			}
			records = append(records, record)
		}
	}
	return records
}
