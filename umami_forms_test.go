package hopper

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
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
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"
)

// umamiTable is one of Umami's tables; NULL is an empty cell.
type umamiTable struct {
	name    string
	columns []string
	rows    [][]string
}

var (
	umamiEvents   = strings.Fields("event_id website_id session_id visit_id created_at url_path url_query referrer_domain page_title event_type event_name hostname")
	umamiSessions = strings.Fields("session_id website_id browser os device screen language country region city created_at")
)

// umamiID is a UUID.
func umamiID(kind, n int) string { return fmt.Sprintf("a3590978-46c6-5e59-996%d-%012d", kind, n) }

// drawUmami draws events at whole minutes, in the order of time, and their sessions.
func drawUmami(t *rapid.T) (events, sessions umamiTable) {
	events, sessions = umamiTable{"website_event", umamiEvents, nil}, umamiTable{"session", umamiSessions, nil}
	at := time.Date(2024, time.Month(rapid.IntRange(1, 12).Draw(t, "month")), 13, 8, 0, 0, 0, time.UTC)
	for i := range rapid.IntRange(2, 20).Draw(t, "events") {
		at = at.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 50, 2000}).Draw(t, "pause")) * time.Minute)
		kind, name, title := "1", "", rapid.SampledFrom([]string{"", "Bread, \"fresh\"; daily", "Brötchen\tund mehr", `it's C:\new`}).Draw(t, "title")
		if rapid.Bool().Draw(t, "custom") {
			kind, name = "2", "order placed"
		}
		events.rows = append(events.rows, []string{umamiID(1, i), umamiID(0, 0), umamiID(2, i%3), umamiID(3, i/4*3+i%3), at.Format(time.DateTime),
			rapid.SampledFrom([]string{"/", "/menu", "/café"}).Draw(t, "path"), rapid.SampledFrom([]string{"", "a=1&b=2"}).Draw(t, "query"),
			rapid.SampledFrom([]string{"", "google.com"}).Draw(t, "referrer"), title, kind, name, "mill.example"})
	}
	for i, client := range []string{"chrome Windows\u00a010 desktop 1920x1080 de-DE DE DE-BY München", "ios iOS mobile 390x844 en-US US US-CA Oakland", "firefox Linux desktop 800x600 fr-FR FR FR-IDF Paris"} {
		cells := append([]string{umamiID(2, i), umamiID(0, 0)}, strings.Fields(strings.ReplaceAll(client, "\u00a0", "_"))...)
		cells[3] = strings.ReplaceAll(cells[3], "_", " ")
		sessions.rows = append(sessions.rows, append(cells, "2023-01-01 00:00:00"))
	}
	return events, sessions
}

// timed returns the table with its times in a layout; "" is milliseconds since 1970.
func (u umamiTable) timed(layout string) umamiTable {
	column := slices.Index(u.columns, "created_at")
	out := umamiTable{name: u.name, columns: u.columns}
	for _, row := range u.rows {
		at, _ := time.Parse(time.DateTime, row[column])
		row = slices.Clone(row)
		if row[column] = at.Format(layout); layout == "" {
			row[column] = fmt.Sprint(at.UnixMilli())
		}
		out.rows = append(out.rows, row)
	}
	return out
}

// joined returns the events with all that their sessions have.
func (u umamiTable) joined(sessions umamiTable) umamiTable {
	of := map[string][]string{}
	for _, row := range sessions.rows {
		of[row[0]] = row
	}
	out := umamiTable{name: u.name, columns: slices.Concat(u.columns, sessions.columns[2:10])}
	for _, row := range u.rows {
		out.rows = append(out.rows, slices.Concat(row, of[row[2]][2:10]))
	}
	return out
}

// object returns a row as an object.
func (u umamiTable) object(row []string, name func(string) string) map[string]any {
	object := map[string]any{}
	for i, column := range u.columns {
		if object[name(column)] = any(row[i]); row[i] == "" {
			object[name(column)] = nil
		}
	}
	return object
}

func (u umamiTable) delimited(separator rune) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.Comma = separator
	w.Write(u.columns)
	w.WriteAll(u.rows)
	return b.String()
}

// escaped writes rows as COPY and ClickHouse's TSV have them.
func (u umamiTable) escaped() string {
	var b strings.Builder
	for _, row := range u.rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			if cells[i] = strings.NewReplacer(`\`, `\\`, "\t", `\t`).Replace(cell); cell == "" {
				cells[i] = `\N`
			}
		}
		b.WriteString(strings.Join(cells, "\t") + "\n")
	}
	return b.String()
}

// sql quotes a row's values as SQL does.
func (u umamiTable) sql(row []string) string {
	values := make([]string, len(row))
	for i, cell := range row {
		if values[i] = "'" + strings.ReplaceAll(cell, "'", "''") + "'"; cell == "" {
			values[i] = "NULL"
		}
	}
	return "(" + strings.Join(values, ", ") + ")"
}

// camelCase names columns as Umami's own code does.
func camelCase(name string) string {
	words := strings.Split(name, "_")
	for i, word := range words[1:] {
		words[i+1] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, "")
}

// umamiContainers write a table, by the ending of its file.
var umamiContainers = map[string]func(u umamiTable) string{
	".csv":   func(u umamiTable) string { return u.delimited(',') },
	".excel": func(u umamiTable) string { return "\ufeff" + u.delimited(';') },
	".tsv":   func(u umamiTable) string { return strings.Join(u.columns, "\t") + "\n" + u.escaped() },
	".jsonl": func(u umamiTable) string { return u.json(func(name string) string { return name }, "", "\n", "\n") },
	".json":  func(u umamiTable) string { return u.json(camelCase, "[", ",", "]") },
	".api.json": func(u umamiTable) string {
		return u.json(camelCase, `{"data":[`, ",\n", fmt.Sprintf(`],"count":%d}`, len(u.rows)))
	},
	".sql": func(u umamiTable) string {
		var values []string
		for _, row := range u.rows {
			values = append(values, u.sql(row))
		}
		return fmt.Sprintf("-- PostgreSQL database dump\nINSERT INTO public.%s (%s) VALUES %s;\n", u.name, strings.Join(u.columns, ", "), strings.Join(values, ",\n"))
	},
	".copy.sql": func(u umamiTable) string {
		return fmt.Sprintf("--\n-- PostgreSQL database dump\n--\n\nCOPY public.%s (%s) FROM stdin;\n", u.name, strings.Join(u.columns, ", ")) + u.escaped() + "\\.\n"
	},
	".parquet": umamiTable.parquet,
	".arrow":   umamiTable.arrow,
}

func (u umamiTable) json(name func(string) string, before, between, after string) string {
	var lines []string
	for _, row := range u.rows {
		line, _ := json.Marshal(u.object(row, name))
		lines = append(lines, string(line))
	}
	return before + strings.Join(lines, between) + after
}

func (u umamiTable) parquet() string {
	group := parquet.Group{}
	for _, column := range u.columns {
		group[column] = parquet.Optional(parquet.String())
	}
	var b bytes.Buffer
	w := parquet.NewWriter(&b, parquet.NewSchema(u.name, group))
	columns := slices.Sorted(maps.Keys(group)) // a group's order
	for _, row := range u.rows {
		out := make(parquet.Row, len(columns))
		for i, column := range columns {
			if cell := row[slices.Index(u.columns, column)]; cell != "" {
				out[i] = parquet.ValueOf(cell).Level(0, 1, i)
			} else {
				out[i] = parquet.Value{}.Level(0, 0, i)
			}
		}
		w.WriteRows([]parquet.Row{out})
	}
	w.Close()
	return b.String()
}

func (u umamiTable) arrow() string {
	var fields []arrow.Field
	for _, column := range u.columns {
		fields = append(fields, arrow.Field{Name: column, Type: arrow.BinaryTypes.String, Nullable: true})
	}
	schema := arrow.NewSchema(fields, nil)
	record := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer record.Release()
	for _, row := range u.rows {
		for i, cell := range row {
			if column := record.Field(i).(*array.StringBuilder); cell == "" {
				column.AppendNull()
			} else {
				column.Append(cell)
			}
		}
	}
	var b bytes.Buffer
	w := ipc.NewWriter(&b, ipc.WithSchema(schema))
	w.Write(record.NewRecord())
	w.Close()
	return b.String()
}

// TestUmamiNullWords has tables in which tools have written a word where nothing is.
func TestUmamiNullWords(t *testing.T) {
	events := umamiTable{"website_event", umamiEvents, [][]string{
		{umamiID(1, 0), umamiID(0, 0), umamiID(2, 0), umamiID(3, 0), "2024-05-13 08:00:00", "/", "a=1", "google.com", "Home", "1", "", "mill.example"},
		{umamiID(1, 1), umamiID(0, 0), umamiID(2, 0), umamiID(3, 0), "2024-05-13 08:01:00", "/menu", "", "", "", "1", "", ""},
		{umamiID(1, 2), umamiID(0, 0), umamiID(2, 0), umamiID(3, 0), "2024-05-13 08:02:00", "/menu", "", "", "null and void", "2", "order", "mill.example"},
	}}
	sessions := umamiTable{"session", umamiSessions, [][]string{
		{umamiID(2, 0), umamiID(0, 0), "chrome", "", "", "", "", "", "", "", "2024-05-13 08:00:00"},
	}}
	in := func(word string) []string {
		dir := filepath.Join(t.TempDir(), "in")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, table := range []umamiTable{events, sessions} {
			said := umamiTable{name: table.name, columns: table.columns}
			for _, row := range table.rows {
				row = slices.Clone(row)
				for i, cell := range row {
					if cell == "" {
						row[i] = word
					}
				}
				said.rows = append(said.rows, row)
			}
			packed(t, dir, table.name+".csv", said.delimited(','), "")
		}
		return arrived(t, dir)
	}
	want := in("")
	for _, word := range []string{"NULL", `\N`, "null", "None", "NaN", "nan", "<NA>", "(null)", "<null>", "[NULL]"} {
		if diff := cmp.Diff(want, in(word)); diff != "" {
			t.Errorf("%s: the events are other ones: %s", word, diff)
		}
	}
}

// TestUmamiInAnyForm holds the events of an export to be the same however its tables
// are written, joined, split, repeated and packed.
func TestUmamiInAnyForm(t *testing.T) {
	root, n := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		events, sessions := drawUmami(t)
		folder := func() string {
			n++
			dir := filepath.Join(root, fmt.Sprint(n), "in")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			return dir
		}
		plain := folder()
		packed(t, plain, "website_event.csv", events.delimited(','), "")
		packed(t, plain, "session.csv", sessions.delimited(','), "")
		want := arrived(t, plain)

		other, files := folder(), 0
		put := func(table umamiTable) {
			files++
			kind := rapid.SampledFrom(slices.Sorted(maps.Keys(umamiContainers))).Draw(t, "container")
			layout := rapid.SampledFrom([]string{time.DateTime, time.RFC3339, "", "2006-01-02 15:04:05.000+00", "02.01.2006 15:04", "Jan 2, 2006, 3:04 PM"}).Draw(t, "time")
			packing := rapid.SampledFrom([]string{"", ".gz", ".zip"}).Draw(t, "packing")
			packed(t, other, fmt.Sprint(files, "-", table.name, kind), umamiContainers[kind](table.timed(layout)), packing)
		}
		wide := rapid.Bool().Draw(t, "joined")
		if wide {
			events = events.joined(sessions)
		} else {
			put(sessions)
		}
		cut := rapid.IntRange(1, len(events.rows)).Draw(t, "cut")
		early, late := events, events
		early.rows, late.rows = events.rows[:cut], events.rows[rapid.IntRange(0, cut).Draw(t, "from"):]
		put(early)
		if len(late.rows) > 0 {
			put(late)
		}
		if rapid.Bool().Draw(t, "twice") {
			put(events)
		}
		if diff := cmp.Diff(want, arrived(t, other)); diff != "" {
			t.Errorf("the events are other ones: %s", diff)
		}
	})
}
