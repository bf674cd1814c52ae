package rows

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"hopper/adapters/input"
	"hopper/adapters/input/rows/record"
)

// noRows returns an error that says what an input is instead, and what to do,
// where it is recognized as something without rows that can be read.
func noRows(in *input.Input) error {
	switch in.Format() {
	case input.PGCustom:
		return input.Errorf(in.Name, "is in pg_dump's custom format (-Fc); convert it with pg_restore -f dump.sql FILE and give dump.sql")
	case input.Tar:
		if bytes.HasPrefix(in.Head(), []byte("toc.dat\x00")) {
			return input.Errorf(in.Name, "is in pg_dump's tar format (-Ft); convert it with pg_restore -f dump.sql FILE and give dump.sql")
		}
		return input.Errorf(in.Name, "is a tar archive; unpack it with tar -xf FILE into a folder and give that")
	case input.SQLite:
		return input.Errorf(in.Name, "is an SQLite database, which can be read only as a file of this machine by itself; save it there, or write its tables as SQL with sqlite3 FILE .dump > dump.sql")
	case input.Binary:
		for _, name := range []string{"LowCardinality(", "UInt64", "DateTime", "Array(String)"} {
			if bytes.Contains(in.Head(), []byte(name)) {
				return input.Errorf(in.Name, "is in one of ClickHouse's own binary formats (Native, RowBinary); export it with FORMAT Parquet or FORMAT CSVWithNames")
			}
		}
	case input.JSON:
		return jsonError(in)
	case input.Text:
		return markup(in)
	}
	return nil
}

var phpMyAdmin = regexp.MustCompile(`^\s*\[\s*\{\s*"type"\s*:\s*"header"`)

// drawn matches the first line of what databases draw on a screen and no table says.
var drawn = regexp.MustCompile(`^(-\[ record 1 \]|\*{10,} 1\. row \*|row 1:\r?\n[─-]+|[┌┏╭╔])`)

// singleQuoted matches a header and the beginning of a row whose cells stand in single
// quotes, which belong to the cells of all tables that are read.
var singleQuoted = regexp.MustCompile(`^'[a-z_][^'\n]*'[,;|\t]'[^\n]*'\r?\n'`)

// markup recognizes a web page, the parts of a spreadsheet's workbook, what is drawn
// for a screen, and text in quotes that are not taken off.
func markup(in *input.Input) error {
	head := bytes.ToLower(bytes.TrimLeft(in.TextHead()[:min(len(in.TextHead()), 1024)], " \t\r\n"))
	switch {
	case bytes.HasPrefix(head, []byte("<!doctype html")), bytes.HasPrefix(head, []byte("<html")):
		return input.Errorf(in.Name, "is a web page (HTML) and no table: perhaps a login page was saved in its place; download the export again")
	case bytes.HasPrefix(head, []byte("<?xml")) && (strings.Contains(in.Name, ".xlsx/") || strings.Contains(in.Name, "/xl/") || bytes.Contains(head, []byte("openxmlformats"))):
		return input.Errorf(in.Name, "is part of a spreadsheet's workbook (XLSX); save the sheet as CSV UTF-8 and give that")
	case bytes.HasPrefix(head, []byte("('")):
		return input.Errorf(in.Name, "holds rows as ClickHouse's FORMAT Values writes them, without the columns' names; export it with FORMAT CSVWithNames or FORMAT SQLInsert")
	case singleQuoted.Match(head):
		return input.Errorf(in.Name, "has its cells in single quotes, as sqlite3 writes them in the mode quote; export it with double quotes or none (.mode csv)")
	case drawn.Match(head):
		return input.Errorf(in.Name, "is drawn for a screen, a record over several lines or in frames (\\x of psql, \\G of mysql, FORMAT Vertical and Pretty of ClickHouse); export the table as CSV with a header")
	case bytes.HasPrefix(head, []byte("<?xml")):
		return input.Errorf(in.Name, "is XML; export the table as CSV or JSON")
	}
	return nil
}

// jsonError recognizes an answer that says what went wrong, and phpMyAdmin's JSON,
// which holds all tables of a database in one list.
func jsonError(in *input.Input) error {
	if phpMyAdmin.Match(in.TextHead()[:min(len(in.TextHead()), 1024)]) {
		return input.Errorf(in.Name, "is a database as phpMyAdmin exports it in the format JSON; export it in the format SQL, or its tables as CSV with the columns' names in the first row")
	}
	v, err := record.Parse(string(in.TextHead()))
	if err != nil || v.Kind != record.Object || len(v.Kids) > 6 {
		return nil
	}
	at := slices.IndexFunc(v.Kids, func(kid record.Value) bool {
		key := strings.ToLower(kid.Key)
		return (key == "error" || key == "errors" || key == "exception") && kid.Kind != record.Null
	})
	if at < 0 {
		return nil
	}
	text := string(v.AppendJSON(nil))
	if len(text) > 200 {
		text = text[:200] + "…"
	}
	return input.Errorf(in.Name, "is an answer with an error and holds no rows: %s; export it again", text)
}
