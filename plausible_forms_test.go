package hopper

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hopper/sinks/file"
)

// plausibleRow is a row of events_v2.
type plausibleRow struct {
	at            time.Time
	name          string
	user, session uint64
	path, browser string
	key, value    string // of a property; empty is none
}

var plausibleColumns = []string{"timestamp", "name", "site_id", "user_id", "session_id", "hostname", "pathname", "browser", "meta.key", "meta.value"}

// drawPlausible draws a dump in the order of time. Equal rows of one second are
// several events.
func drawPlausible(t *rapid.T) []plausibleRow {
	at := time.Date(2024, 3, 1, 8, 0, 0, 0, time.UTC)
	var list []plausibleRow
	for i := range rapid.IntRange(1, 25).Draw(t, "events") {
		at = at.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 40, 7000, 90000}).Draw(t, "pause")) * time.Second)
		user := rapid.Uint64Range(1, 3).Draw(t, "user")
		r := plausibleRow{at: at, name: "pageview", user: user + 1<<63, session: user*100 + uint64(i/8), path: rapid.SampledFrom([]string{"/", "/a b", "/über,\"x\"", "/it's"}).Draw(t, "path"),
			browser: rapid.SampledFrom([]string{"", "Chrome", "Firefox"}).Draw(t, "browser")}
		if rapid.Bool().Draw(t, "custom") {
			r.name, r.key, r.value = "Sign up", "plan", rapid.SampledFrom([]string{"pro", "a, b", "ü"}).Draw(t, "value")
		}
		list = append(list, r)
	}
	return list
}

// cells writes a row with its time in a layout; "" is seconds since 1970.
func (r *plausibleRow) cells(layout string) []string {
	when := strconv.FormatInt(r.at.Unix(), 10)
	if layout != "" {
		when = r.at.Format(layout)
	}
	keys, values := "[]", "[]"
	if r.key != "" {
		keys, values = "['"+r.key+"']", "['"+r.value+"']"
	}
	return []string{when, r.name, "1", strconv.FormatUint(r.user, 10), strconv.FormatUint(r.session, 10), "a.example", r.path, r.browser, keys, values}
}

// plausibleDialects write rows as people's tools do.
var plausibleDialects = map[string]func(rows []plausibleRow, layout string) string{
	"events.csv":    func(rows []plausibleRow, layout string) string { return delimited(rows, layout, ",") },
	"excel.csv":     func(rows []plausibleRow, layout string) string { return "\ufeff" + delimited(rows, layout, ";") },
	"events.tsv":    tabbed,
	"events.jsonl":  jsonLines,
	"events_v2.sql": inserted,
}

func delimited(rows []plausibleRow, layout, separator string) string {
	lines := []string{strings.Join(plausibleColumns, separator)}
	for i := range rows {
		cells := rows[i].cells(layout)
		for k, c := range cells {
			cells[k] = `"` + strings.ReplaceAll(c, `"`, `""`) + `"`
		}
		lines = append(lines, strings.Join(cells, separator))
	}
	return strings.Join(lines, "\r\n") + "\r\n"
}

func tabbed(rows []plausibleRow, layout string) string {
	out := strings.Join(plausibleColumns, "\t") + "\n"
	for i := range rows {
		cells := rows[i].cells(layout)
		for k := range cells[:len(cells)-2] { // the quotes of arrays stay as they are
			cells[k] = strings.ReplaceAll(cells[k], `'`, `\'`)
		}
		out += strings.Join(cells, "\t") + "\n"
	}
	return out
}

func jsonLines(rows []plausibleRow, layout string) string {
	var out strings.Builder
	for i := range rows {
		object := map[string]any{}
		for k, c := range rows[i].cells(layout) {
			object[plausibleColumns[k]] = c
		}
		object["meta.key"], object["meta.value"] = []string{}, []string{}
		if rows[i].key != "" {
			object["meta.key"], object["meta.value"] = []string{rows[i].key}, []string{rows[i].value}
		}
		line, _ := json.Marshal(object)
		out.Write(append(line, '\n'))
	}
	return out.String()
}

func inserted(rows []plausibleRow, layout string) string {
	var values []string
	for i := range rows {
		cells := rows[i].cells(layout)
		for k, c := range cells {
			cells[k] = "'" + strings.ReplaceAll(c, "'", "''") + "'"
		}
		values = append(values, "("+strings.Join(cells, ",")+")")
	}
	return "INSERT INTO events_v2 (`" + strings.Join(plausibleColumns, "`, `") + "`) VALUES " + strings.Join(values, ", ") + ";\n"
}

// packed writes a file in a packing.
func packed(t rapid.TB, dir, name, content, packing string) {
	var err error
	write := func(w io.Writer) { _, err = io.WriteString(w, content) }
	f, created := os.Create(filepath.Join(dir, name+packing))
	if created != nil {
		t.Fatal(created)
	}
	switch packing {
	case ".gz":
		z := gzip.NewWriter(f)
		write(z)
		err = errors.Join(err, z.Close())
	case ".zip":
		z := zip.NewWriter(f)
		w, _ := z.Create(name)
		write(w)
		err = errors.Join(err, z.Close())
	default:
		write(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// arrived returns the events of an export, in no order.
func arrived(t rapid.TB, dir string) []string {
	e, err := Open(context.Background(), []string{dir}, Options{Jobs: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	out := filepath.Join(filepath.Dir(dir), "out.ndjson")
	if _, err := e.Translate(context.Background(), Translation{Format: file.NDJSON, Site: "1", Out: out}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	slices.Sort(lines)
	return lines
}

// TestPlausibleNullWords has events in which tools have written a word where nothing is.
func TestPlausibleNullWords(t *testing.T) {
	text, err := os.ReadFile("fixtures/plausible/events.csv")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	in := func(word string) []string {
		dir := filepath.Join(t.TempDir(), "in")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		w := csv.NewWriter(&b)
		for _, row := range rows {
			row = slices.Clone(row)
			for i, cell := range row {
				if cell == "" {
					row[i] = word
				}
			}
			w.Write(row)
		}
		w.Flush()
		packed(t, dir, "events_v2.csv", b.String(), "")
		return arrived(t, dir)
	}
	want := in("")
	for _, word := range []string{"NULL", `\N`, "null", "None", "nan", "<null>", "[NULL]"} {
		if got := in(word); !slices.Equal(got, want) {
			t.Errorf("%s: %s, want %s", word, got[0], want[0])
		}
	}
}

// TestPlausibleInAnyForm holds the events of a dump to be the same however it is
// written, split, repeated and packed.
func TestPlausibleInAnyForm(t *testing.T) {
	root, n := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		rows := drawPlausible(t)
		folder := func() string {
			n++
			dir := filepath.Join(root, fmt.Sprint(n), "in")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			return dir
		}
		plain := folder()
		packed(t, plain, "events.csv", delimited(rows, time.DateTime, ","), "")
		want := arrived(t, plain)

		// Parts end and begin between seconds, as exports of days do, and overlap.
		parts := [][]plausibleRow{rows}
		if cut := rapid.IntRange(0, len(rows)-1).Draw(t, "cut"); cut > 0 && rows[cut].at != rows[cut-1].at {
			from := cut
			if rapid.Bool().Draw(t, "overlapping") {
				from = slices.IndexFunc(rows, func(r plausibleRow) bool { return r.at == rows[cut-1].at })
			}
			parts = [][]plausibleRow{rows[:cut], rows[from:]}
		}
		if rapid.Bool().Draw(t, "twice") {
			parts = append(parts, rows)
		}
		other := folder()
		for i, part := range parts {
			dialect := rapid.SampledFrom([]string{"events.csv", "excel.csv", "events.tsv", "events.jsonl", "events_v2.sql"}).Draw(t, "dialect")
			layout := rapid.SampledFrom([]string{time.DateTime, time.RFC3339, "", "2006-01-02T15:04:05"}).Draw(t, "time")
			packing := rapid.SampledFrom([]string{"", ".gz", ".zip"}).Draw(t, "packing")
			packed(t, other, fmt.Sprint(i, "-", dialect), plausibleDialects[dialect](part, layout), packing)
		}
		if diff := cmp.Diff(want, arrived(t, other)); diff != "" {
			t.Errorf("the events are other ones: %s", diff)
		}
	})
}
