// Package rows reads named rows from any container, alike: delimited text and
// COPY blocks (package text), JSON, Avro, Parquet and Arrow (package record).
//
// [Find] returns the tables that an input holds. A [Reader] cuts a table into
// chunks, which is sequential and cheap; [Chunk.Rows] takes a chunk apart into
// rows, which any goroutine can do.
//
// A cell is text. NULL is empty; booleans are "true" and "false"; a number
// stands as short as it can be; a time is 2024-05-01T08:20:00.123Z, without T
// and Z where the container knows no zone; a nested value is JSON. What stood
// in a container as text is that text. [Row.Value] opens nested values.
//
// Names of columns are brought to one form, see [Name]. A name that several
// columns have is for the adapter to resolve, see [Table.Twice].
package rows

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"hopper/adapters/input"
	"hopper/adapters/input/rows/record"
	"hopper/adapters/input/rows/text"
)

// A Table is named columns with rows beneath.
type Table struct {
	// Name is the file's name without extension, or the table's in a dump
	// without its schema; in lower case: "website_event".
	Name string
	*Form
	Input *input.Input
	// NullWord is what else is written for NULL in text, as "NULL": such a cell is
	// empty, quoted or not, as \N always is. Empty is no word. It must be set before
	// Open; it is ignored in COPY blocks.
	NullWord string

	only []bool // columns to read; nil is all
}

// A Form is what many tables can have in common. It must not be changed.
type Form struct {
	// Columns are the columns' names as [Name] forms them.
	Columns []string
	// Header are the columns' names as they are written. Where text has no
	// header, these are the cells of its first row.
	Header []string

	text    *text.Table   // or
	records *record.Table // is set
	types   int64         // number of the row that holds the columns' types, or 0
	headed  bool          // Header is a line of text
	nulls   bool          // see MayHaveNullWord
	members []member      // columns behind the container's own
	late    *late         // of records
}

// reform gives the table a form of its own, to be changed.
func (t *Table) reform() *Form {
	own := *t.Form
	t.Form = &own
	return t.Form
}

// IsSQL reports by an input's first line whether it is a database's dump,
// which Find reads through.
func IsSQL(in *input.Input) bool {
	return in.Format() == input.Text && in.Kept() == nil && text.IsSQL(in)
}

// IsTable reports whether Find takes an input's head, or its schema, to be
// enough: it is of a container of rows and no dump.
func IsTable(in *input.Input) bool {
	switch in.Format() {
	case input.JSON, input.Avro, input.Parquet, input.Arrow:
		return true
	}
	return in.Format() == input.Text && !IsSQL(in)
}

// Find returns the tables that an input holds, and fails with an
// [input.Error] where it holds no rows. A database's dump is read through,
// once; of anything else the head is enough, or the schema. An empty input
// holds no table.
func Find(ctx context.Context, in *input.Input) ([]*Table, error) {
	return FindAmong(ctx, in, []*input.Input{in})
}

// FindAmong is Find for one of several inputs. Where a dump's rows come
// without their columns' names, as mydumper writes them, the names are those
// of the table's CREATE TABLE in another input.
func FindAmong(ctx context.Context, in *input.Input, inputs []*input.Input) ([]*Table, error) {
	switch in.Format() {
	case input.JSON, input.Avro, input.Parquet, input.Arrow:
		if err := noRows(in); err != nil {
			return nil, err
		}
		found, err := record.Find(ctx, in)
		if err != nil {
			return nil, err
		}
		t := newTable(in, withLearned(in, found))
		t.Name, t.records, t.late = nameOf(in), found, &late{in: in}
		return []*Table{t}, t.findTypes(ctx)
	}
	if t := kept(in); t != nil {
		return []*Table{t}, nil
	}
	if err := noRows(in); err != nil {
		return nil, err
	}
	found, err := text.Find(ctx, in)
	if err != nil {
		return nil, err
	}
	tables := make([]*Table, 0, len(found))
	for _, one := range found {
		if len(one.Columns) == 0 {
			if one, err = declared(ctx, one, inputs); err != nil {
				return nil, err
			}
		}
		t := newTable(in, one.Columns)
		t.Name, t.text = one.Name, one.Alike()
		columns, err := schemaBeside(ctx, t, inputs)
		if err != nil {
			return nil, err
		}
		if columns != nil {
			t = t.Headless(columns)
		} else if t.headed = !one.Block(); t.headed {
			if err := t.findTypes(ctx); err != nil {
				return nil, err
			}
			head := in.TextHead()
			t.nulls = slices.ContainsFunc(nullWords, func(word string) bool { return bytes.Contains(head, []byte(word)) })
		}
		tables = append(tables, t)
	}
	if len(tables) == 1 {
		tables[0].keep()
	}
	return tables, nil
}

// likeness is what text with a header has in common with others, but for its input.
type likeness struct {
	text  *text.Table
	types int64
	nulls bool
}

// keep lets the table be found again without a look at the input's beginning, where
// nothing but that says what it is: hundreds of thousands of inputs can be alike.
func (t *Table) keep() {
	if !t.headed || slices.ContainsFunc(t.Header, isValue) {
		return // see schemaBeside
	}
	t.Input.Keep(likeness{t.text, t.types, t.nulls}, t.Form)
}

// kept returns the table that was kept of an input, or nil.
func kept(in *input.Input) *Table {
	form, ok := in.Kept().(*Form)
	if !ok {
		return nil
	}
	return &Table{Name: nameOf(in), Form: form, Input: in}
}

// declared returns the table with the columns that one of inputs declares.
func declared(ctx context.Context, t *text.Table, inputs []*input.Input) (*text.Table, error) {
	for _, in := range inputs {
		if !IsSQL(in) {
			continue
		}
		columns, err := text.Declared(ctx, in, t.Name)
		if err != nil {
			return nil, err
		}
		if len(columns) > 0 {
			return t.Named(columns), nil
		}
	}
	return nil, input.Errorf(t.Input.Name, "fills %s with INSERT commands that name no columns, and no CREATE TABLE says which they are; "+
		"give the file with the schema too, or dump with the names (mysqldump --complete-insert)", t.Name)
}

// schemaBeside returns the columns that a file of the same name, but for .sql,
// declares for text without a header, as mysqldump --tab writes the two; nil is
// none.
func schemaBeside(ctx context.Context, t *Table, inputs []*input.Input) ([]string, error) {
	if t.text.Block() || !slices.ContainsFunc(t.Header, isValue) {
		return nil, nil
	}
	stem := func(in *input.Input) string { return strings.TrimSuffix(in.Name, path.Ext(in.Name)) }
	for _, in := range inputs {
		if in == t.Input || path.Ext(in.Base) != ".sql" || stem(in) != stem(t.Input) || !IsSQL(in) {
			continue
		}
		declared, err := text.Declared(ctx, in, t.Name)
		if err != nil {
			return nil, err
		}
		columns := make([]string, len(declared))
		for i, name := range declared {
			columns[i] = Name(name)
		}
		if len(columns) == len(t.Header) && !slices.Equal(columns, t.Columns) {
			return columns, nil
		}
	}
	return nil, nil
}

// nullWords are what tools write for a value that is not there, beside NULL.
var nullWords = []string{"null", "None", "NaN", "nan", "<NA>", "(null)", "<null>", "[NULL]"}

// IsNullWord reports whether a cell is what tools write for a value that is not
// there, other than NULL and \N. It may also be a value: a title is "None".
func IsNullWord(cell string) bool { return slices.Contains(nullWords, cell) }

// MayHaveNullWord reports whether a cell can be such a word, by the beginning of
// text with a header.
func (t *Table) MayHaveNullWord() bool { return t.nulls }

// withLearned returns a table's columns and those that came up in rows behind the
// beginning when it was read before.
func withLearned(in *input.Input, t *record.Table) []string {
	columns := t.Columns
	if in.Format() != input.JSON || t.Lists() {
		return columns
	}
	for _, name := range in.Learned() {
		if !slices.Contains(columns, name) {
			columns = append(slices.Clip(columns), name)
		}
	}
	return columns
}

// isValue reports whether a cell can name no column.
func isValue(cell string) bool { return cell == "" || cell == `\N` || '0' <= cell[0] && cell[0] <= '9' }

func newTable(in *input.Input, header []string) *Table {
	columns := make([]string, len(header))
	table := commonTable(header)
	for i, name := range header {
		columns[i] = Name(unquoted(name[len(table):]))
	}
	return &Table{Input: in, Form: &Form{Header: header, Columns: in.Share(columns)}}
}

func nameOf(in *input.Input) string { return strings.TrimSuffix(in.Base, path.Ext(in.Base)) }

// findTypes looks whether the first row holds the columns' types, as
// ClickHouse's formats with names and types have it.
func (t *Table) findTypes(ctx context.Context) error {
	if t.text == nil && !t.records.Lists() {
		return nil
	}
	sample, err := t.Sample(ctx)
	if err != nil {
		return err
	}
	for row := range sample.Rows() {
		if row.Err == nil && len(row.Cells) > 1 && !slices.ContainsFunc(row.Cells, isNoType) {
			t.types = row.Number
		}
		break
	}
	return nil
}

// Notes are sentences on how the table is read.
func (t *Table) Notes() []string {
	var notes []string
	if t.types > 0 {
		notes = append(notes, fmt.Sprintf("%s: row %d holds the columns' types and is not read.", t.Input.Name, t.types))
	}
	if t.text != nil && t.text.IsWindows1252() {
		notes = append(notes, t.Input.Name+" is not UTF-8 and is read as Windows-1252.")
	}
	return notes
}

// Remarks are sentences on what came up in the rows that were read.
func (t *Table) Remarks() []string {
	late := t.Late()
	if len(late) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s: no record at the beginning has %s, so these are not read; put a record with all members first, or export null ones too.",
		t.Input.Name, strings.Join(late, ", "))}
}

// isNoType reports whether a cell is no name of one of ClickHouse's types.
func isNoType(cell string) bool {
	name, _, _ := strings.Cut(cell, "(")
	switch name = strings.TrimRight(name, "0123456789"); name {
	case "String", "UUID", "Int", "UInt", "Float", "Date", "DateTime", "Bool", "Enum", "Decimal", "IPv", "JSON":
		return false
	case "Nullable", "LowCardinality", "Array", "Map", "Tuple", "FixedString", "Nested", "SimpleAggregateFunction", "AggregateFunction", "Variant":
		return !strings.HasSuffix(cell, ")")
	}
	return true
}

// Headless returns the table for text, or lists of JSON, whose first row is a
// row and no header, with columns in its place.
func (t *Table) Headless(columns []string) *Table {
	h := *t
	h.reform()
	h.Columns, h.types, h.headed = columns, 0, false
	switch {
	case t.text != nil:
		h.text = t.text.Headless(columns)
	case t.records.Lists():
		h.records = t.records.Headless(columns)
	}
	return &h
}

// Only makes Open leave out columns other than these (-1 is none) where the
// container allows it: their cells are empty.
func (t *Table) Only(columns ...int) {
	t.only = make([]bool, len(t.Columns))
	for _, i := range columns {
		if i >= 0 {
			t.only[i] = true
		}
		if own := len(t.Header) - len(t.members); i >= own {
			t.only[t.members[i-own].of] = true
		}
	}
}

// wanted reports whether a column of that name, or one within it, is read.
func (t *Table) wanted(path string) bool {
	if t.only == nil {
		return true
	}
	name, _, _ := strings.Cut(path, ".")
	for i, header := range t.Header {
		if t.only[i] && (header == path || header == name) {
			return true
		}
	}
	return false
}
