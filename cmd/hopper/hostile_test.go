package main

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"hopper/sinks/rybbit/ledger"
	"hopper/sinks/rybbit/sandbox"
)

// forged begins a line that a value tries to write by itself.
const forged = "FORGED"

// evil is what a visitor, a file name or a server could have in a value: escape
// sequences, BEL, C1, characters that turn directions, and newlines. A value that
// is printed with them could retitle the window, hide what precedes it, or forge a
// line of output.
const evil = "\x1b]0;owned\x07\u009b2J\u009d\u202egnp\u2066\u061c\u2028\r\n" + forged + "\x1b[A\x7f\x00\x1f\u200e"

// evilName is evil as a file may be called.
var evilName = strings.NewReplacer("\x00", "", "/", "").Replace(evil)

// quiet runs hopper and fails where it writes what a terminal obeys, or a line
// that a value has made. It returns the output.
func quiet(t *testing.T, stdin string, args ...string) (stdout string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(args, strings.NewReader(stdin), &out, &errs)
	for name, written := range map[string]string{"stdout": out.String(), "stderr": errs.String()} {
		if name == "stdout" && args[0] == "translate" {
			continue // events as they are
		}
		obeys := strings.ContainsFunc(written, func(r rune) bool { return r == '\r' || r == utf8.RuneError || obeyed(r) })
		for line := range strings.Lines(written) {
			if obeys = obeys || strings.HasPrefix(strings.TrimLeft(line, " \t"), forged); obeys {
				t.Errorf("hopper %q: %s has %q", args, name, line)
				break
			}
		}
	}
	return out.String(), code
}

// TestHostileValues puts evil into the columns of exports of each source, one
// after the other, and lets every command that reads have them.
func TestHostileValues(t *testing.T) {
	for _, name := range []string{
		"umami/clickhouse.csv", "umami/v1", "umami/postgres", "plausible/events.csv", "plausible/old", "plausible/dashboard",
		"ga/cells.csv", "ga/hits.csv", "ga/flat.csv", "ga/params.csv", "ga/report-pages.csv", "ga/report-ua.csv", "ga/report-pivot.csv", "ga/report-sheet.csv", "events/shop.csv",
		"simpleanalytics/datapoints.csv", "simpleanalytics/pageviews.csv", "simpleanalytics/visits-2020.csv", "posthog/sql-editor.csv",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for column := range spoilt(t, filepath.Join("../../fixtures", name), dir, -1) {
				into := filepath.Join(dir, "in")
				spoilt(t, filepath.Join("../../fixtures", name), into, column)
				quiet(t, "", "inspect", into)
				quiet(t, "", "import", "--dry-run", "--force", into)
				quiet(t, "", "verify", "--state", dir, into)
				if err := os.RemoveAll(into); err != nil {
					t.Fatal(err)
				}
			}
			into, state := filepath.Join(dir, evilName), filepath.Join(dir, "state")
			spoilt(t, filepath.Join("../../fixtures", name), into, every)
			quiet(t, "", "inspect", "--json", into)
			quiet(t, "", "import", "--dry-run", "--json", "--log-format", "json", into)
			quiet(t, "", "import", "--sandbox", "--force", "--state", state, "--verify", into)
			quiet(t, "", "import", "--sandbox", "--force", "--state", state, into)
			quiet(t, "", "import", "--sandbox", "--force", "--state", state, "--new", "--json", filepath.Join(dir, "*"))
			quiet(t, "", "verify", "--json", "--state", dir, into)
			quiet(t, "", "translate", into)
			quiet(t, "", "translate", "--as", "umami", "--output", filepath.Join(dir, "out"+evilName), into)
			quiet(t, "", "imports", "clean", "--older-than", "0h", "--state", state)
		})
	}
}

// every puts evil into the columns in turn, row by row.
const every = -2

// spoilt writes the tables of a fixture to a directory with evil in one column of
// each, in every other row, and in the last run in its name. It returns how many
// runs there are.
func spoilt(t *testing.T, fixture, dir string, column int) (columns int) {
	t.Helper()
	files := []string{fixture}
	if info, err := os.Stat(fixture); err != nil {
		t.Fatal(err)
	} else if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(fixture, "*")); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r := csv.NewReader(bytes.NewReader(text))
		r.FieldsPerRecord, r.LazyQuotes = -1, true
		rows, err := r.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		head := slices.IndexFunc(rows, func(row []string) bool { return len(row) > 1 })
		if head < 0 {
			continue
		}
		columns = max(columns, len(rows[head])+1)
		for i, row := range rows[head:] {
			at := column
			if column == every {
				at = i % len(row)
			}
			switch {
			case i == 0 && column == len(rows[head]): // a column of that name
				for j := range rows[head:] {
					rows[head+j] = append(rows[head+j], evil)
				}
			case i%2 == 1 && at >= 0 && at < len(row):
				row[at] += evil
			}
		}
		if column == -1 {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		w := csv.NewWriter(&out)
		w.WriteAll(rows)
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return columns
}

// TestHostileNames has evil in the names of files, directories and members of
// archives, of what can be read and what cannot.
func TestHostileNames(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile("../../fixtures/umami/clickhouse.csv")
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for _, member := range []string{evil + "/" + evil + ".csv", evil + "/." + evil, evil + ".txt", "../" + evil} {
		w, err := z.Create(member)
		if err == nil {
			_, err = w.Write(text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		evilName + ".csv": text, evilName + ".zip": archive.Bytes(), evilName + ".gz": []byte("no gzip"), evilName + ".parquet": []byte("PAR1no"),
		evilName + ".txt": []byte("nothing"), "bad" + evilName + ".zip": archive.Bytes()[:len(archive.Bytes())/2], evilName + ".sqlite": []byte("SQLite format 3\x00 no"),
		evilName + ".json": []byte(`{"` + "a"), evilName + ".sql": []byte("INSERT INTO `a" + evil + "` VALUES (1,"), evilName + ".html": []byte("<html>" + evil),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		state := filepath.Join(t.TempDir(), evilName)
		for _, args := range [][]string{
			{"inspect"}, {"import", "--sandbox"}, {"import", "--sandbox"}, {"import", "--sandbox", "--json", "--again"}, {"verify"}, {"translate"},
			{"import", "--dry-run", "--new", "--url", "http://127.0.0.1:1", "--site", "1"}, {"inspect", "--from", "umami"}, {"import", "--sandbox", "--from", "ga4"},
		} {
			quiet(t, "", append(append(args, "--state", state), path)...)
		}
		quiet(t, string(content), "import", "--sandbox", "--state", state, "-")
		quiet(t, string(content), "import", "--sandbox", "--state", state, "-")
	}
	state := filepath.Join(t.TempDir(), evilName)
	quiet(t, "", "inspect", dir)
	quiet(t, "", "import", "--sandbox", "--state", state, dir)
	quiet(t, "", "import", "--sandbox", "--state", state, filepath.Join(dir, "*.csv"))
	quiet(t, "", "import", "--sandbox", "--state", state, "--new", filepath.Join(dir, "*.csv"))
	quiet(t, "", "imports", "clean", "--older-than", "0h", "--state", state)
	quiet(t, "", "man", filepath.Join(dir, evilName+".csv"))
}

// TestHostileOptions has evil in what is typed, as by a script that takes it from
// elsewhere.
func TestHostileOptions(t *testing.T) {
	t.Setenv("RYBBIT_API_KEY", "key")
	input, err := filepath.Abs("../../fixtures/umami/clickhouse.csv")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir()) // where files of that name go
	state := filepath.Join(t.TempDir(), evilName)
	for _, flag := range []string{
		"url", "site", "api-key-file", "wire", "from", "since", "until", "timezone", "hostname", "website", "rejects", "metrics-file", "report",
		"max-batch-bytes", "retry-for", "settle-after", "max-rejects", "max-requests-per-minute", "log-format", "jobs", "drop-query-keys", "drop-properties", "no-such-flag",
		"temp-dir", "ga-events", "period-users",
	} {
		for _, command := range []string{"import", "verify", "inspect", "translate"} {
			quiet(t, "", command, "--state", state, "--"+flag, evilName, input)
		}
		quiet(t, "", "import", "--sandbox", "--state", state, "--"+flag, evilName, input)
	}
	quiet(t, "", evil)
	quiet(t, "", "help", evil)
	quiet(t, "", "completion", evil)
	quiet(t, "", "imports", evil)
	quiet(t, "", "version", evil)
	quiet(t, "", "imports", "clean", "--older-than", evil)
	quiet(t, "", "sandbox", "--fault", evil)
	quiet(t, "", "sandbox", "--listen", evil)
	quiet(t, "", "sandbox", "--platforms", evil)
	quiet(t, "", "sandbox", "--release", evil)
	for _, address := range []string{"https://127.0.0.1:1/" + evilName, "postgres://127.0.0.1:1/" + evilName, "mysql://a:b@127.0.0.1:1/" + evilName} {
		quiet(t, "", "inspect", address)
	}
	for i, file := range []string{
		evil, "sites: [{site: 1, inputs: [" + fmt.Sprintf("%q", evilName) + "]}]", "sites: [{site: 1, name: " + fmt.Sprintf("%q", evilName) + ", inputs: [" + input + "], url: 'http://127.0.0.1:1', api-key: k, retry-for: 1ms}]",
		"sites: [{site: 1, " + fmt.Sprintf("%q", evilName) + ": 1}]", "defaults: {since: " + fmt.Sprintf("%q", evilName) + "}\nsites: [{site: 1, inputs: [a]}]", "sites: [{site: 1, url: ${A" + evilName + "}, inputs: [a]}]",
	} {
		path := filepath.Join(t.TempDir(), fmt.Sprint(i, evilName, ".yaml"))
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		quiet(t, "", "run", "--state", state, path)
		quiet(t, "", "run", "--state", state, "--json", path)
	}
}

// TestHostileServer talks to a server whose every word is evil.
func TestHostileServer(t *testing.T) {
	t.Setenv("RYBBIT_API_KEY", "key")
	input := "../../fixtures/umami/clickhouse.csv"
	text := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	const id = "6c1c77a2-c723-50b2-9268-0868c3c6305d"
	list := text(map[string]any{"data": []map[string]any{
		{"importId": id, "platform": evil, "startedAt": evil, "completedAt": evil, "importedEvents": 60, "skippedEvents": 0, "invalidEvents": 0},
	}})
	for name, answer := range map[string]func(out http.ResponseWriter, r *http.Request){
		"an error": func(out http.ResponseWriter, _ *http.Request) {
			out.WriteHeader(http.StatusBadRequest)
			io.WriteString(out, text(map[string]string{"error": evil, "message": evil, "required": evil}))
		},
		"a failure": func(out http.ResponseWriter, _ *http.Request) {
			out.WriteHeader(http.StatusServiceUnavailable)
			io.WriteString(out, text(map[string]string{"error": evil}))
		},
		"a redirect": func(out http.ResponseWriter, _ *http.Request) {
			out.Header().Set("Location", "http://other.example/%1b%5d\u202e"+"\x1b]0;\x07")
			out.WriteHeader(http.StatusFound)
		},
		"no JSON": func(out http.ResponseWriter, _ *http.Request) { io.WriteString(out, "{"+evil) },
		"no HTTP": func(out http.ResponseWriter, _ *http.Request) {
			conn, _, err := out.(http.Hijacker).Hijack()
			if err == nil {
				io.WriteString(conn, "HTTP/1.1 \x1b[31m\x07\u009b2J "+evil+"\r\n\r\n")
				conn.Close()
			}
		},
		"a list": func(out http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodGet:
				io.WriteString(out, list)
			case strings.HasSuffix(r.URL.Path, "/imports"):
				io.WriteString(out, text(map[string]any{"data": map[string]any{"importId": id, "allowedDateRange": map[string]string{"earliestAllowedDate": evil, "latestAllowedDate": evil}}}))
			default:
				out.WriteHeader(http.StatusConflict)
				io.WriteString(out, text(map[string]string{"error": evil}))
			}
		},
		"an import in the way": func(out http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet || !strings.HasSuffix(r.URL.Path, "/imports") {
				io.WriteString(out, strings.Replace(list, `"completedAt":`+text(evil)+",", "", 1))
				return
			}
			out.WriteHeader(http.StatusTooManyRequests)
			io.WriteString(out, text(map[string]string{"error": "Only 1 concurrent import allowed" + evil}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(answer))
			defer server.Close()
			state := t.TempDir()
			at := []string{"--state", state, "--url", server.URL, "--site", "1"}
			quick := append(slices.Clone(at), "--retry-for", "20ms", "--settle-after", "1ms")
			for _, args := range [][]string{
				append([]string{"import"}, append(quick, input)...), append([]string{"import", "--json", "--log-format", "json"}, append(quick, input)...),
				append([]string{"import", "--new"}, append(quick, input)...), append([]string{"import", "--until", "live"}, append(quick, input)...),
				append([]string{"imports", "list"}, at...), append([]string{"imports", "list", "--json"}, at...),
				append([]string{"imports", "close"}, append(at, id)...), append([]string{"imports", "delete"}, append(at, id, evilName)...),
			} {
				quiet(t, "", args...)
			}
			if name == "an error" { // others are waited for
				quiet(t, "", append([]string{"verify"}, append(at, input)...)...)
			}
		})
	}
}

// TestHostileStatistics verifies against a server that shows evil values, and has
// a ledger whose inputs are called so.
func TestHostileStatistics(t *testing.T) {
	t.Setenv("RYBBIT_API_KEY", "sandbox")
	for _, noSQL := range []bool{false, true} {
		t.Run(fmt.Sprint("without SQL: ", noSQL), func(t *testing.T) {
			dir := t.TempDir()
			server, err := sandbox.Open(t.Context(), sandbox.Options{Path: filepath.Join(dir, "sandbox.db"), NoSQL: noSQL})
			if err != nil {
				t.Fatal(err)
			}
			web := httptest.NewServer(server)
			defer func() {
				web.Close()
				server.Close()
			}()
			input := filepath.Join(dir, evilName)
			spoilt(t, "../../fixtures/umami/clickhouse.csv", input, every)
			at := []string{"--state", dir, "--url", web.URL, "--site", "1"}
			quiet(t, "", append([]string{"import", "--force"}, append(at, input)...)...)
			if _, err := server.DB().Exec("UPDATE events SET pathname = pathname || ?, browser = ?, country = ?, event_name = ?, page_title = ?", evil, evil, evil, evil, evil); err != nil {
				t.Fatal(err)
			}
			if _, code := quiet(t, "", append([]string{"verify"}, append(at, input)...)...); code != exitRejects {
				t.Errorf("exit code %d", code)
			}
			quiet(t, "", append([]string{"verify", "--json"}, append(at, input)...)...)
			if listed, _ := quiet(t, "", append([]string{"imports", "list"}, at...)...); !strings.Contains(listed, `\u001b]0;owned`) {
				t.Errorf("the input is not listed: %s", listed)
			}
			if records, err := ledger.Records(dir, web.URL, "1"); err != nil || len(records) != 1 {
				t.Errorf("%v, %v, at %s", records, err, time.Now())
			}
		})
	}
}
