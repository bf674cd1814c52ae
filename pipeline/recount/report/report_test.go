package report_test

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"hopper/pipeline/recount"
	"hopper/pipeline/recount/report"
)

var update = flag.Bool("update", false, "write golden files anew")

// example is a migration with a difference, and texts that must be escaped.
func example() *report.Page {
	shown := func(n int64) *int64 { return &n }
	line := func(table, measure string, source, leftOut, sent int64, server *int64, off int64) recount.Line {
		l := recount.Line{Table: table, Measure: measure, Source: source, LeftOut: leftOut, Sent: sent, Shown: server, Off: off}
		if off > 0 {
			l.Rows, l.Share = 1, float64(off)/float64(max(source, sent))
		}
		return l
	}
	return &report.Page{
		Source: "umami", Shape: "Umami <export>", Schema: "41 columns", Inputs: []string{"a&b.csv"}, Wire: "posthog",
		Server: "https://rybbit.example.com", Site: "1", Zone: "Europe/Vienna", Imports: []string{"5e4e"},
		Made: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Rows: 12345, Events: 12000,
		Rejected: []report.Count{{What: "no time", N: 5, Example: "first a&b.csv: row 7"}},
		Omitted:  []report.Count{{What: "before --since", N: 340}},
		Losses:   []string{"title: lost in 3 of 12000 events"},
		Earliest: "2024-05-01T00:00:00Z", Latest: "2024-05-02T23:00:00Z", Notes: []string{"The column \"x\" is not read."},
		Wires: []report.Wire{{Name: "posthog", Needs: "8s"}, {Name: "umami", Refused: 3, Needs: "1s"}},
		Fields: []report.Field{
			{Name: "title", Events: 6000, Share: 0.5, Verdicts: []report.Verdict{{Worst: "lost", Kept: 0.999}, {Worst: "kept", Kept: 1}}},
			{Name: "properties", Events: 60, Share: 0.005, Verdicts: []report.Verdict{{Worst: "kept", Kept: 1}, {Worst: "lost"}}},
		},
		Sent: &recount.Comparison{
			Days: []recount.DayLines{
				{Date: "2024-05-01", Lines: []recount.Line{line("days", "sessions", 40, 0, 40, nil, 0), line("days", "pageviews", 90, 2, 88, nil, 0)}},
				{Date: "2024-05-02", Lines: []recount.Line{line("days", "sessions", 60, 0, 60, nil, 0), line("days", "pageviews", 10, 0, 10, nil, 0)}},
			},
			Total:      []recount.Line{line("days", "sessions", 100, 0, 100, nil, 0), line("days", "pageviews", 100, 2, 98, nil, 0)},
			Guarantees: []recount.Guarantee{{Table: "days", Measure: "sessions", Days: 2, Holds: true}},
			Notes:      []string{"5 of 100 events have no session."},
		},
		Shown: &recount.Comparison{
			Days: []recount.DayLines{
				{Date: "2024-05-01", Lines: []recount.Line{line("days", "sessions", 0, 0, 40, shown(38), 2)}},
				{Date: "2024-05-02", Lines: []recount.Line{line("days", "sessions", 0, 0, 60, shown(60), 0)}},
			},
			Total:      []recount.Line{line("days", "sessions", 0, 0, 100, shown(98), 2)},
			Worst:      []recount.Row{{Table: "pages", Measure: "events", Row: `/<script>alert(1)</script>`, Sent: 2, Shown: shown(0)}},
			Guarantees: []recount.Guarantee{{Table: "days", Measure: "sessions", Share: 0.02, Days: 2, Failed: 1}},
		},
	}
}

func write(t *testing.T, p *report.Page) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.Write(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPage(t *testing.T) {
	got := write(t, example())
	const golden = "testdata/page.html"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("not what %s holds; look at it and run with -update", golden)
	}
	for _, part := range []string{"✗ 1 of 2 guarantees do not hold.", "sessions a day from 2024-05-01 to 2024-05-02, at most 60", "12\u202f345", "exact", "line-shown"} {
		if !strings.Contains(got, part) {
			t.Errorf("%q is missing", part)
		}
	}
	// One file, no script, nothing that is fetched, and nothing of the data as markup.
	for _, part := range []string{"<script", "src=", "href=", "@import", "url(", "<export>", "ZgotmplZ"} {
		if strings.Contains(got, part) {
			t.Errorf("holds %q", part)
		}
	}
}

// TestPageBefore is a page of an export that was not moved yet.
func TestPageBefore(t *testing.T) {
	p := example()
	p.Before, p.Shown, p.Server = true, nil, ""
	got := write(t, p)
	for _, part := range []string{"and what would become of it", "<h2>What it holds</h2>", "would not carry", `<td class="some">lost in 0.10 %</td>`, `<td class="bad">lost</td>`, "The column &#34;x&#34; is not read."} {
		if !strings.Contains(got, part) {
			t.Errorf("%q is missing", part)
		}
	}
}

func TestPageWithoutServer(t *testing.T) {
	p := example()
	p.Shown, p.Server = nil, ""
	got := write(t, p)
	if !strings.Contains(got, "✓ All 1 guarantees hold.") || strings.Contains(got, "What the server shows") || strings.Contains(got, "line-shown\" points") {
		t.Error("a server is told of that was not asked")
	}
	if got := write(t, &report.Page{Shape: "nothing"}); !strings.Contains(got, "Nothing could be compared.") {
		t.Error("nothing is said of nothing")
	}
}

// TestPageNamesInputs leaves out where the exporter keeps files.
func TestPageNamesInputs(t *testing.T) {
	for want, inputs := range map[string][]string{
		"<dd>export.zip/a.csv, export.zip/b.csv</dd>": {"/home/ann/export.zip/a.csv", "/home/ann/export.zip/b.csv"},
		"<dd>a.csv</dd>":                {"/home/ann/a.csv"},
		"<dd>x/a.csv, y/b.csv</dd>":     {"/home/ann/x/a.csv", "/home/ann/y/b.csv"},
		"<dd>/srv/a.csv, b.csv, -</dd>": {"/srv/a.csv", "b.csv", "-"},
	} {
		if got := write(t, &report.Page{Inputs: inputs}); !strings.Contains(got, want) {
			t.Errorf("%q: %s is missing", inputs, want)
		}
	}
}

// TestPageShowsControls never lets a value control how the page is read.
func TestPageShowsControls(t *testing.T) {
	p := example()
	const hostile = "a\x1b[31m\u202eb\x07\u0085\u2066\r"
	p.Inputs, p.Losses, p.Sent.Notes, p.Shown.Worst[0].Row, p.Rejected[0].Example = []string{hostile}, []string{hostile}, []string{hostile}, hostile, hostile
	got := write(t, p)
	if i := strings.IndexFunc(got, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r == 0x202e || r == 0x2066
	}); i >= 0 {
		t.Errorf("holds %q", got[max(0, i-20):i+20])
	}
	if !strings.Contains(got, `a\u001b[31m\u202eb\u0007\u0085\u2066`) {
		t.Error("the value is not shown")
	}
}
