package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hopper"
	"hopper/adapters/input/database/databasetest"
)

// TestDatabaseThatGrows kills imports from a database to which rows are added all
// the while, and runs them again until they are complete.
func TestDatabaseThatGrows(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "hopper")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	databasetest.Each(t, func(t *testing.T, db *databasetest.Database) {
		v := newVictim(t, binary, 6000, nil)
		insert := load(t, db, v.input)
		v.input = db.Address
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(2 * time.Millisecond):
					insert(fmt.Sprintf("00000000-0000-5000-8001-%012d", i), time.Now(), fmt.Sprintf("/new/%d", i))
				}
			}
		}()
		end := sync.OnceFunc(func() {
			close(stop)
			<-stopped
		})
		defer end()
		killed := 0
		for range 8 {
			if exit, _, said := v.run(syscall.SIGKILL, 250*time.Millisecond); exit == exitDone {
				break
			} else if exit != -1 {
				t.Fatalf("exit %d:\n%s", exit, said)
			}
			killed++
		}
		v.finish()
		end()
		t.Logf("killed %d times", killed)
		v.rest(insert)
		v.anonymous()
	})
}

// anonymous expects that the ledger does not say who read the database.
func (v *victim) anonymous() {
	v.t.Helper()
	ledgers, err := filepath.Glob(filepath.Join(v.state, "ledgers", "migrations", "*"))
	if err != nil || len(ledgers) == 0 {
		v.t.Fatalf("no ledgers: %v", err)
	}
	for _, path := range ledgers {
		if text, err := os.ReadFile(path); err != nil || strings.Contains(string(text), "@") {
			v.t.Errorf("%s: %v\n%.600s", path, err, text)
		}
	}
}

// rest imports what was added after the migration began, with the command that
// the run proposes.
func (v *victim) rest(insert func(id string, at time.Time, page string)) {
	v.t.Helper()
	insert("00000000-0000-5000-8002-000000000000", time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC), "/later")
	cmd := exec.Command(v.binary, "import", "--url", v.url, "--site", "1", "--state", filepath.Join(v.state, "ledgers"), "--since", "2025-05-31",
		"--settle-after", "50ms", "--json", v.input)
	cmd.Env = append(os.Environ(), "RYBBIT_API_KEY=sandbox")
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), fmt.Sprintf("%q: %q", "status", hopper.Complete)) && !strings.Contains(string(out), fmt.Sprintf("%q:%q", "status", hopper.Complete)) {
		v.t.Errorf("the rest: %v\n%s", err, out)
	}
	var n int
	if err := v.server.DB().QueryRow("SELECT count(*) FROM events WHERE pathname = '/later'").Scan(&n); err != nil || n != 1 {
		v.t.Errorf("the server holds %d of 1 later events, %v", n, err)
	}
}

// load makes website_event of a CSV file, and returns what adds a row to it.
func load(t *testing.T, db *databasetest.Database, path string) func(id string, at time.Time, page string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var columns, marks []string
	for i, c := range records[0] {
		column := c + " " + db.Kind(c)
		if c == "event_id" {
			column += " PRIMARY KEY"
		}
		columns, marks = append(columns, column), append(marks, db.Mark(i+1))
	}
	exec := func(statement string, args ...any) {
		if _, err := db.SQL.Exec(statement, args...); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
	exec("CREATE TABLE website_event (" + strings.Join(columns, ", ") + ")")
	statement := "INSERT INTO website_event VALUES (" + strings.Join(marks, ", ") + ")"
	add := func(row []string) {
		values := make([]any, len(row))
		for i, cell := range row {
			if at, err := time.Parse("2006-01-02 15:04:05.999Z07", cell); err == nil {
				cell = at.UTC().Format("2006-01-02 15:04:05.000")
			}
			if cell != "" {
				values[i] = cell
			}
		}
		exec(statement, values...)
	}
	for _, row := range records[1:] {
		add(row)
	}
	last := records[len(records)-1]
	return func(id string, at time.Time, page string) {
		row := append([]string(nil), last...)
		row[0], row[3], row[4] = id, at.UTC().Format("2006-01-02 15:04:05.000"), page
		add(row)
	}
}
