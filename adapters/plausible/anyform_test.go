package plausible_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hopper/adapters"
)

// sumsDialects write a table of sums, with what its file's name ends in.
var sumsDialects = map[string]func(t *sheet) (text, extension string){
	"comma":     func(t *sheet) (string, string) { return t.separated(',', "\n"), ".csv" },
	"semicolon": func(t *sheet) (string, string) { return "\ufeff" + t.separated(';', "\r\n"), ".csv" },
	"UTF-16": func(t *sheet) (string, string) {
		b := []byte{0xff, 0xfe}
		for _, unit := range utf16.Encode([]rune(t.separated('\t', "\r\n"))) {
			b = append(b, byte(unit), byte(unit>>8))
		}
		return string(b), ".txt"
	},
	"JSON lines": func(t *sheet) (string, string) {
		var b strings.Builder
		for _, row := range t.rows {
			b.WriteString(t.object(row) + "\n")
		}
		return b.String(), ".jsonl"
	},
	"JSON": func(t *sheet) (string, string) {
		var all []string
		for _, row := range t.rows {
			all = append(all, t.object(row))
		}
		return "[" + strings.Join(all, ",") + "]", ".json"
	},
	"INSERT": func(t *sheet) (string, string) {
		var values []string
		for _, row := range t.rows {
			cells := make([]string, len(row))
			for i, cell := range row {
				cells[i] = "'" + strings.ReplaceAll(cell, "'", "''") + "'"
			}
			values = append(values, "("+strings.Join(cells, ",")+")")
		}
		return fmt.Sprintf("INSERT INTO `imported_%s` (`%s`) VALUES %s;\n", t.name, strings.Join(t.columns, "`,`"), strings.Join(values, ",")), ".sql"
	},
}

func (t *sheet) separated(delimiter rune, end string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.Comma, w.UseCRLF = delimiter, end == "\r\n"
	w.Write(t.columns)
	w.WriteAll(t.rows)
	return b.String()
}

func (t *sheet) object(row []string) string {
	object := map[string]string{}
	for i, cell := range row {
		object[t.columns[i]] = cell
	}
	line, _ := json.Marshal(object)
	return string(line)
}

// within returns the table's rows of the days from one to another.
func (t *sheet) within(from, to string) sheet {
	part := sheet{name: t.name, columns: t.columns}
	for _, row := range t.rows {
		if from <= row[0] && row[0] <= to {
			part.rows = append(part.rows, slices.Clone(row))
		}
	}
	return part
}

// packedSums writes an export's tables in one packing.
func packedSums(t *rapid.T, name string, files map[string]string) map[string]string {
	archive := func(files map[string]string) string {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for name, content := range files {
			w, _ := z.Create(name)
			io.WriteString(w, content)
		}
		z.Close()
		return b.String()
	}
	out := map[string]string{}
	switch rapid.SampledFrom([]string{"folder", "ZIP", "ZIP in a ZIP", "gzip"}).Draw(t, "packing") {
	case "folder":
		for file, content := range files {
			out[name+"/"+file] = content
		}
	case "ZIP":
		out[name+".zip"] = archive(files)
	case "ZIP in a ZIP":
		out[name+".zip"] = archive(map[string]string{"backup/export.zip": archive(files), "README.txt": "our backup\n"})
	case "gzip":
		for file, content := range files {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			io.WriteString(z, content)
			z.Close()
			out[name+"/"+file+".gz"] = b.String()
		}
	}
	return out
}

// drawSums writes tables in a drawn dialect and form, perhaps with rows twice or in
// another order.
func drawSums(t *rapid.T, s *site, name string, tables []sheet) map[string]string {
	dialect := rapid.SampledFrom([]string{"comma", "semicolon", "UTF-16", "JSON lines", "JSON", "INSERT"}).Draw(t, "dialect")
	layout := rapid.SampledFrom([]string{time.DateOnly, "2006-01-02T00:00:00Z", "02.01.2006", "Jan 2, 2006", "20060102"}).Draw(t, "dates")
	twice, shuffled := rapid.Bool().Draw(t, "rows twice"), rapid.Bool().Draw(t, "by table in another order")
	files := map[string]string{}
	for i := range tables {
		table := tables[i].within("", "9")
		if len(table.rows) == 0 {
			continue // text has a header still, JSON nothing
		}
		for _, row := range table.rows {
			day, _ := time.Parse(time.DateOnly, row[0])
			row[0] = day.Format(layout)
		}
		if twice {
			table.rows = append(table.rows, table.rows...)
		}
		if shuffled { // days come in another order, the rows of one in the same
			slices.SortStableFunc(table.rows, func(a, b []string) int { return strings.Compare(b[0], a[0]) })
		}
		text, extension := sumsDialects[dialect](&table)
		files[strings.TrimSuffix(s.file(&table), ".csv")+extension] = text
	}
	return packedSums(t, name, files)
}

// TestSumsInAnyForm holds a site export to give the same events however its tables
// are written, split by days and packed. Parts that share days are refused.
func TestSumsInAnyForm(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newSite(rapid.Uint64Range(1, 50).Draw(rt, "site"), firstDay, rapid.IntRange(2, 5).Draw(rt, "days"), 6)
		tables := s.sums()
		want, err := collect(t, adapters.Options{}, s.written(t, tables))
		if err != nil {
			rt.Fatal(err)
		}
		files := map[string]string{}
		part := func(name, from, to string) {
			var own []sheet
			for i := range tables {
				own = append(own, tables[i].within(from, to))
			}
			for file, content := range drawSums(rt, s, name, own) {
				files[file] = content
			}
		}
		cut := rapid.IntRange(0, len(s.days)-1).Draw(rt, "cut")
		overlapping := cut > 0 && rapid.Bool().Draw(rt, "overlapping")
		switch {
		case overlapping:
			part("a", "", s.days[cut])
			part("b", s.days[cut], "9")
		case cut > 0:
			part("a", "", s.days[cut-1])
			part("b", s.days[cut], "9")
		default:
			part("a", "", "9")
		}
		got, err := collect(t, adapters.Options{}, write(t, files))
		switch {
		case overlapping && (err == nil || !strings.Contains(err.Error(), s.days[cut])):
			rt.Fatalf("two exports with the day %s give %d events, %v", s.days[cut], len(got), err)
		case overlapping:
		case err != nil:
			rt.Fatal(err)
		case !cmp.Equal(want, got):
			rt.Fatalf("the events are other ones: %.3000s", cmp.Diff(want, got))
		}
	})
}
