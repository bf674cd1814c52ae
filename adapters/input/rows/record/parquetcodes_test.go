package record

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"
)

// The same rows with and without dictionaries.
type (
	plainRow struct {
		ID     int64        `parquet:"id"`
		Name   *string      `parquet:"name,optional"`
		Params []plainParam `parquet:"params,list"`
		Group  *plainGroup  `parquet:"group,optional"`
	}
	plainParam struct {
		Key  string   `parquet:"key"`
		Int  *int64   `parquet:"int,optional"`
		Tags []string `parquet:"tags,list"`
	}
	plainGroup struct {
		On    *bool    `parquet:"on,optional"`
		Price *float64 `parquet:"price,optional"`
		Bare  []int32  `parquet:"bare"`
	}
	codedRow struct {
		ID     int64        `parquet:"id,dict"`
		Name   *string      `parquet:"name,optional,dict"`
		Params []codedParam `parquet:"params,list"`
		Group  *codedGroup  `parquet:"group,optional"`
	}
	codedParam struct {
		Key  string   `parquet:"key,dict"`
		Int  *int64   `parquet:"int,optional,dict"`
		Tags []string `parquet:"tags,list"`
	}
	codedGroup struct {
		On    *bool    `parquet:"on,optional"`
		Price *float64 `parquet:"price,optional,dict"`
		Bare  []int32  `parquet:"bare,dict"`
	}
)

func (r *plainRow) coded() codedRow {
	c := codedRow{ID: r.ID, Name: r.Name}
	for _, p := range r.Params {
		c.Params = append(c.Params, codedParam(p))
	}
	if r.Group != nil {
		g := codedGroup(*r.Group)
		c.Group = &g
	}
	return c
}

// json is the row as it is to be read.
func (r *plainRow) json() string {
	b := fmt.Appendf(nil, `{"id":%d`, r.ID)
	if r.Name != nil {
		b = AppendQuoted(append(b, `,"name":`...), *r.Name)
	}
	b = append(b, `,"params":[`...)
	for i, p := range r.Params {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendQuoted(append(b, `{"key":`...), p.Key)
		if p.Int != nil {
			b = fmt.Appendf(b, `,"int":%d`, *p.Int)
		}
		b = append(b, `,"tags":[`...)
		for k, tag := range p.Tags {
			if k > 0 {
				b = append(b, ',')
			}
			b = AppendQuoted(b, tag)
		}
		b = append(b, "]}"...)
	}
	b = append(b, ']')
	if g := r.Group; g != nil {
		b = append(b, `,"group":{`...)
		if g.On != nil {
			b = fmt.Appendf(b, `"on":%t,`, *g.On)
		}
		if g.Price != nil {
			b = append(append(b, `"price":`+FormatFloat(*g.Price)...), ',')
		}
		b = append(b, `"bare":[`...)
		for k, n := range g.Bare {
			if k > 0 {
				b = append(b, ',')
			}
			b = fmt.Appendf(b, "%d", n)
		}
		b = append(b, "]}"...)
	}
	return string(append(b, '}'))
}

func drawRow(t *rapid.T) plainRow {
	word := rapid.SampledFrom([]string{"", "a", "page_view", "São Paulo", `with "quotes"`, "a text that is longer than sixty-four bytes, so that it is not remembered"})
	r := plainRow{ID: rapid.Int64Range(-3, 3).Draw(t, "id"), Name: rapid.Ptr(word, true).Draw(t, "name")}
	for range rapid.IntRange(0, 3).Draw(t, "params") {
		r.Params = append(r.Params, plainParam{
			Key:  word.Draw(t, "key"),
			Int:  rapid.Ptr(rapid.Int64(), true).Draw(t, "int"),
			Tags: rapid.SliceOfN(word, 0, 3).Draw(t, "tags"),
		})
	}
	if rapid.Bool().Draw(t, "grouped") {
		r.Group = &plainGroup{
			On:    rapid.Ptr(rapid.Bool(), true).Draw(t, "on"),
			Price: rapid.Ptr(rapid.Float64Range(-1e9, 1e9), true).Draw(t, "price"),
			Bare:  rapid.SliceOfN(rapid.Int32(), 0, 3).Draw(t, "bare"),
		}
	}
	return r
}

func writeRows[T any](t *rapid.T, rows []T, pageSize int) []byte {
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b, parquet.PageBufferSize(pageSize))
	for i := range rows {
		if i == len(rows)/2 && i > 0 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Write(rows[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// drawRows draws rows, more than a chunk and what is read ahead have, and returns them
// as they are, with codes, and as they are read.
func drawRows(rt *rapid.T) (rows []plainRow, coded []codedRow, want []line) {
	rows = rapid.SliceOfN(rapid.Custom(drawRow), 1, 20).Draw(rt, "rows")
	for range rapid.IntRange(0, 6).Draw(rt, "doublings") {
		rows = append(rows, rows...)
	}
	coded, want = make([]codedRow, len(rows)), make([]line, len(rows))
	for i := range rows {
		coded[i] = rows[i].coded()
		want[i] = line{int64(i) + 1, rows[i].json()}
	}
	return rows, coded, want
}

// Values that are read by their codes, over pages and row groups, are those that
// were written, as are values that are read one by one.
func TestParquetCodes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rows, coded, want := drawRows(rt)
		pageSize := rapid.SampledFrom([]int{64, 1000, 1 << 20}).Draw(rt, "page")
		for name, content := range map[string][]byte{"plain": writeRows(rt, rows, pageSize), "coded": writeRows(rt, coded, pageSize)} {
			got, err := readAll(t, content, nil)
			if err != nil {
				rt.Fatalf("%s: %v", name, err)
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(line{})); diff != "" {
				rt.Fatalf("%s (-written +read):\n%s", name, diff)
			}
		}
	})
}

// Pages that are cut into pieces on disk hold what they do in memory.
func TestParquetPagesOnDisk(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rows, coded, want := drawRows(rt)
		limits := pageLimits{
			page: rapid.SampledFrom([]int{1, 500}).Draw(rt, "page"), cells: rapid.SampledFrom([]int{1, 3, 100}).Draw(rt, "cells"),
			texts: rapid.SampledFrom([]int{1, 100}).Draw(rt, "texts"), group: rapid.SampledFrom([]int64{0, 1 << 40}).Draw(rt, "group"),
			words: rapid.SampledFrom([]int{0, 10}).Draw(rt, "words"), alone: rapid.SampledFrom([]int{1, 1 << 30}).Draw(rt, "alone"),
		}
		for name, content := range map[string][]byte{"plain": writeRows(rt, rows, 1<<20), "coded": writeRows(rt, coded, 1<<20)} {
			r := parquetOf(t, content)
			r.spilled.pageLimits = limits
			got, err := drain(r)
			if err != nil {
				rt.Fatalf("%s: %v", name, err)
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(line{})); diff != "" {
				rt.Fatalf("%s (-written +read):\n%s", name, diff)
			}
			if r.spilled.size == 0 && limits.page == 1 && limits.group == 0 {
				rt.Fatalf("%s: nothing is on disk", name)
			}
			r.Close()
		}
	})
}

func TestNumbers(t *testing.T) {
	var texts numberTexts
	var got, want []string
	check := func(n int64) {
		text := strconv.FormatInt(n, 10)
		if got := int(digits(n)); got != len(text) {
			t.Errorf("%d has %d characters, got %d", n, len(text), got)
		}
		got, want = append(got, texts.text(n)), append(want, text)
	}
	rapid.Check(t, func(t *rapid.T) { check(rapid.Int64().Draw(t, "number")) })
	for n := int64(0); n < 1e8; n += 9_973 {
		check(n)
	}
	for power := int64(1); power > 0 && power <= math.MaxInt64/10; power *= 10 {
		for _, n := range []int64{power - 1, power, power + 1, 10*power - 1, 10 * power} {
			check(n)
			check(-n)
		}
	}
	check(math.MinInt64)
	check(math.MaxInt64)
	for i := range want { // none is overwritten by those behind it
		if got[i] != want[i] {
			t.Fatalf("%q, want %q", got[i], want[i])
		}
	}
}

// Many rows at once are as long as each of them is, so that chunks end where they would
// without a look at them together.
func TestSkim(t *testing.T) {
	skimmed := 0
	rapid.Check(t, func(rt *rapid.T) {
		rows := rapid.SliceOfN(rapid.Custom(drawRow), 1, 20).Draw(rt, "rows")
		for i := range rows {
			long := strings.Repeat("x", rapid.IntRange(0, 4000).Draw(rt, "length"))
			rows[i].Name = &long
		}
		for range rapid.IntRange(0, 6).Draw(rt, "doublings") {
			rows = append(rows, rows...)
		}
		coded := make([]codedRow, len(rows))
		for i := range rows {
			coded[i] = rows[i].coded()
		}
		pageSize := rapid.SampledFrom([]int{1000, 100_000, 1 << 20}).Draw(rt, "page")
		for _, content := range [][]byte{writeRows(rt, rows, pageSize), writeRows(rt, coded, pageSize)} {
			var sizes []int
			ends := make(map[int64]bool) // of row groups
			measured := parquetOf(t, content)
			for len(measured.groups) > 0 {
				if err := measured.nextGroup(); err != nil {
					rt.Fatal(err)
				}
				for measured.left > 0 {
					n, bytes := measured.skim(rapid.IntRange(1, chunkRecords).Draw(rt, "most"))
					if measured.look(); measured.err != nil {
						rt.Fatal(measured.err)
					}
					for _, size := range measured.sizes[:n] {
						bytes -= size
					}
					if bytes != 0 {
						rt.Fatalf("%d rows take %d bytes more together", n, bytes)
					}
					skimmed += n
					sizes, measured.left, measured.sizes = append(sizes, measured.sizes...), measured.left-int64(len(measured.sizes)), measured.sizes[:0]
				}
				ends[int64(len(sizes))] = true
			}
			chunks, row := parquetOf(t, content), int64(0)
			for range sizes {
				var want int64
				for size := 0; want < chunkRecords && size < chunkSize && !(want > 0 && ends[row+want]); want++ {
					size += sizes[row+want]
				}
				chunk, err := chunks.Next(t.Context())
				if err != nil {
					rt.Fatal(err)
				}
				if row += want; chunk.(*parquetChunk).row+int64(chunk.(*parquetChunk).count) != row {
					rt.Fatalf("a chunk of %d rows does not end behind row %d", chunk.(*parquetChunk).count, row)
				}
				if row == int64(len(sizes)) {
					break
				}
			}
		}
	})
	if skimmed == 0 {
		t.Error("no rows are looked at together")
	}
}

// parquetOf opens a file with these bytes.
func parquetOf(t *testing.T, content []byte) *parquetReader {
	t.Helper()
	r, err := openParquet(t.Context(), inputOf(t, content), func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r.(*parquetReader)
}

// Rows are found in repetition levels by blocks as they are one by one.
func TestCellsOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var reps []byte
		for range rapid.IntRange(0, 40).Draw(t, "runs") {
			reps = append(reps, bytes.Repeat([]byte{byte(rapid.IntRange(0, 2).Draw(t, "level"))}, rapid.IntRange(1, 300).Draw(t, "length"))...)
		}
		rows, isFirst := rapid.IntRange(0, 600).Draw(t, "rows"), rapid.Bool().Draw(t, "first")
		n, begun := 0, 0
		for ; n < len(reps); n++ {
			if reps[n] == 0 || n == 0 && isFirst && rows > 0 {
				if begun == rows {
					break
				}
				begun++
			}
		}
		if gotN, gotBegun := cellsOf(reps, rows, isFirst); gotN != n || gotBegun != begun {
			t.Fatalf("%d cells and %d rows, want %d and %d", gotN, gotBegun, n, begun)
		}
	})
}
