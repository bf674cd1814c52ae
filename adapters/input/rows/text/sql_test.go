package text_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hopper/adapters/input"
	"hopper/adapters/input/rows/text"
)

func TestInserts(t *testing.T) {
	two := []record{{1, []string{"x", "y"}, ""}, {2, []string{"", "z"}, ""}}
	for name, c := range map[string]struct {
		dump string
		want []record
	}{
		"mysqldump": {"-- MySQL dump 10.13\n/*!40101 SET NAMES utf8mb4 */;\nDROP TABLE IF EXISTS `t`;\nCREATE TABLE `t` (\n  `a` varchar(36) NOT NULL DEFAULT 'x,(',\n  `B` decimal(19,4) COMMENT 'it''s; \\'',\n  PRIMARY KEY (`a`),\n  KEY `k` (`B`)\n) ENGINE=InnoDB;\n" +
			"LOCK TABLES `t` WRITE;\n/*!40000 ALTER TABLE `t` DISABLE KEYS */;\nINSERT INTO `t` VALUES ('x','y'),\n(NULL,'z');\n/*!40000 ALTER TABLE `t` ENABLE KEYS */;\nUNLOCK TABLES;\n", two},
		"phpMyAdmin": {"-- phpMyAdmin SQL Dump\nSET SQL_MODE = \"NO_AUTO_VALUE_ON_ZERO\";\nINSERT INTO `t` (`a`, `B`) VALUES\n('x', 'y'),\n(NULL, 'z');\n", two},
		"pg --inserts": {"--\n-- PostgreSQL database dump\n--\n\\restrict abc\nSET x = 0;\nCREATE FUNCTION f() RETURNS trigger AS $_$ BEGIN INSERT INTO t VALUES ('no', 'no'); END; $_$;\nCREATE TABLE public.t (\n    a uuid NOT NULL,\n    \"B\" character varying(500) DEFAULT 'it''s'::text,\n    CONSTRAINT c CHECK ((a > 0))\n);\n" +
			"INSERT INTO public.t VALUES ('x', 'y');\nINSERT INTO public.t VALUES (NULL, 'z') ON CONFLICT DO NOTHING;\n", two},
		"ClickHouse":    {"INSERT INTO table (`a`, `B`) VALUES ('x', 'y'), (NULL, 'z');\n", two},
		"SQLite":        {"PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE t(a TEXT, [B] INT);\nINSERT INTO t VALUES('x','y');\nINSERT INTO \"t\" VALUES(NULL,'z');\nCOMMIT;\n", two},
		"mixed columns": {"-- x\nINSERT INTO t (a, B) VALUES ('x','y');\nINSERT INTO other (a) VALUES ('no');\nINSERT INTO t (B, a) VALUES ('no','no');\nREPLACE INTO t (a, B) VALUES (NULL,'z') ON DUPLICATE KEY UPDATE a = VALUES(a);\n", two},
		"trigger":       {"-- MySQL dump\nCREATE TABLE `t` (`a` int, `B` int);\nDELIMITER ;;\nCREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW BEGIN\nINSERT INTO `t` VALUES ('no','no');\nEND ;;\nDELIMITER ;\nINSERT INTO `t` VALUES ('x','y'),(NULL,'z');\n", two},
		"values": {"-- MySQL dump\nINSERT INTO `t` (`a`,`B`) VALUES ('it\\'s \\\"q\\\"\\n\\\\',_utf8mb4'y'),(-1.50,0x6162),(X'6162',b'101'),(TRUE,CAST('{\"k\": \"it''s\"}' AS JSON)),('a''b',_binary 'raw'),( DEFAULT , 1e3 );\n", []record{
			{1, []string{"it's \"q\"\n\\", "y"}, ""}, {2, []string{"-1.50", "ab"}, ""}, {3, []string{"ab", "5"}, ""},
			{4, []string{"true", `{"k": "it's"}`}, ""}, {5, []string{"a'b", "raw"}, ""}, {6, []string{"", "1e3"}, ""}}},
		"PostgreSQL's values": {"-- PostgreSQL database dump\nINSERT INTO t (a, B) VALUES ('C:\\', E'tab\\t\\'q\\''), ('2024-05-01 10:00:00+00'::timestamptz, '{a,b}'::text[]), (timestamp '2024-05-01', U&'x');\n", []record{
			{1, []string{`C:\`, "tab\t'q'"}, ""}, {2, []string{"2024-05-01 10:00:00+00", "{a,b}"}, ""}, {3, []string{"2024-05-01", "x"}, ""}}},
		"ClickHouse's values": {"INSERT INTO events (`a`, `B`) VALUES (['it\\'s','b'], {'k':'v'}), (1, 'x');\n", []record{
			{1, []string{`['it\'s','b']`, `{'k':'v'}`}, ""}, {2, []string{"1", "x"}, ""}}},
		"SQLite's line ends": {"PRAGMA foreign_keys=OFF;\nINSERT INTO t(a,B) VALUES(replace(replace('x\\r\\ny','\\r',char(13)),'\\n',char(10)),'z');\n", []record{{1, []string{"x\r\ny", "z"}, ""}}},
		"too few, too many":  {"-- x\nINSERT INTO t (a, B) VALUES (1), (1,2,3), (1,2);\n", []record{{1, []string{"1"}, text.ErrFewCells.Error()}, {2, []string{"1", "2", "3"}, text.ErrManyCells.Error()}, {3, []string{"1", "2"}, ""}}},
		"cut off":            {"-- x\nINSERT INTO t (a, B) VALUES (1,2),(1,'never closed", []record{{1, []string{"1", "2"}, ""}, {2, []string{"1"}, text.ErrUnclosed.Error()}}},
	} {
		t.Run(name, func(t *testing.T) {
			tables := find(t, c.dump)
			if len(tables) == 0 || !reflect.DeepEqual(tables[0].Columns, []string{"a", "B"}) {
				t.Fatalf("found %d tables: %+v", len(tables), tables)
			}
			got, err := read(t, tables[0])
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %.900q, %v\nwant %.900q", fmt.Sprint(got), err, fmt.Sprint(c.want))
			}
		})
	}
}

// dialects of INSERT: how a dump begins, and how a text is quoted.
var insertDialects = map[string]struct {
	head, name string
	quote      *strings.Replacer
}{
	"MySQL":      {"-- MySQL dump\n", "`t` (`a`,`b`)", strings.NewReplacer("\\", `\\`, "'", `\'`, "\n", `\n`, "\x00", `\0`)},
	"PostgreSQL": {"-- PostgreSQL database dump\n", `public.t (a, "b")`, strings.NewReplacer("'", "''")},
	"ClickHouse": {"", "table (`a`, `b`)", strings.NewReplacer("\\", `\\`, "'", `\'`, "\n", `\n`, "\t", `\t`)},
}

// What a database writes is what is read, in any dialect, in however many
// commands and chunks.
func TestInsertsRoundTrip(t *testing.T) {
	for name, d := range insertDialects {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				cell := rapid.StringOf(rapid.SampledFrom([]rune("ab'\"`\\\n\t,;()[]{}-/*#$é$$INSERT ")))
				var want []record
				dump := strings.Builder{}
				dump.WriteString(d.head)
				for i := range rapid.IntRange(1, 30).Draw(rt, "rows") {
					a, b := cell.Draw(rt, "a"), strings.Repeat(cell.Draw(rt, "b"), rapid.SampledFrom([]int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 5000}).Draw(rt, "times"))
					want = append(want, record{int64(i + 1), []string{a, b}, ""})
					switch {
					case i > 0 && rapid.Bool().Draw(rt, "same command"):
						dump.WriteString(",")
					case i > 0:
						dump.WriteString(";\n")
						fallthrough
					default:
						fmt.Fprintf(&dump, "INSERT INTO %s VALUES ", d.name)
					}
					fmt.Fprintf(&dump, "('%s', '%s')", d.quote.Replace(a), d.quote.Replace(b))
				}
				dump.WriteString(";\n")
				got, err := read(rt, find(rt, dump.String())[0])
				if err != nil || !reflect.DeepEqual(got, want) {
					rt.Fatalf("%.2000s\ngot  %.500q, %v\nwant %.500q", dump.String(), fmt.Sprint(got), err, fmt.Sprint(want))
				}
			})
		})
	}
}

func FuzzInserts(f *testing.F) {
	for _, s := range []string{
		"-- MySQL dump\nCREATE TABLE `t` (`a` int);\nINSERT INTO `t` VALUES (1),('\\'');\n",
		"-- PostgreSQL database dump\nCOPY t (a) FROM stdin;\n1\n\\.\nINSERT INTO t VALUES ($x$a$x$, E'\\'');\n",
		"INSERT INTO table (`a`) VALUES (['x']), (1);\n", "DELIMITER ;;\nINSERT INTO t VALUES (1)\n;;\nDELIMITER ;\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, content string) {
		if content == "" {
			return
		}
		tables, err := text.Find(t.Context(), open(t, content))
		if err != nil {
			return
		}
		for _, tab := range tables {
			got, err := read(t, tab)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range got {
				if r.Err == "" && len(r.Cells) != len(tab.Columns) {
					t.Fatalf("%+v", r)
				}
			}
		}
	})
}

// A dump is read through once, whoever asks for its tables: asked again, they are
// there though the file is gone, and what one has set of a table another does not see.
func TestDumpIsReadThroughOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dump.sql")
	dump := "-- MySQL dump\nCREATE TABLE `t` (`a` int, `b` int);\nINSERT INTO `t` VALUES (1,2),(3,4);\nINSERT INTO `u` (c) VALUES (5);\n"
	if err := os.WriteFile(path, []byte(dump), 0o600); err != nil {
		t.Fatal(err)
	}
	ins, err := input.Open(t.Context(), []string{path}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	defer ins.Close()
	first, err := text.Find(t.Context(), ins.Files[0])
	if err != nil {
		t.Fatal(err)
	}
	first[0].NullWord = "NULL"
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	again, err := text.Find(t.Context(), ins.Files[0])
	if err != nil || len(again) != 2 {
		t.Fatalf("%d tables, %v", len(again), err)
	}
	if again[0].NullWord != "" || again[0].Name != "t" || !slices.Equal(again[0].Columns, []string{"a", "b"}) || again[1].Name != "u" {
		t.Errorf("got %+v, %+v", again[0], again[1])
	}
}
