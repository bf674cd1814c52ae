package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hopper/adapters/input/database/databasetest"
	"hopper/fixtures/peers"
)

// TestRecipes runs the pipelines that README proposes, where this machine has
// the tools, and expects the fixture's 87 events of each.
func TestRecipes(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "hopper"), ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	fixture, err := filepath.Abs("../../fixtures/umami/postgres/website_event.csv")
	if err != nil {
		t.Fatal(err)
	}
	for _, recipe := range []struct {
		tool  string
		start func(*testing.T) *databasetest.Database
		line  string
	}{
		{"psql", databasetest.PostgreSQL, `psql "$DB" -qc '\copy website_event to stdout csv header' | hopper inspect --json -`},
		{"pg_dump", databasetest.PostgreSQL, `pg_dump -t website_event "$DB" | hopper inspect --json -`},
		{"mariadb", databasetest.MariaDB, `mariadb -h 127.0.0.1 -P "$PORT" -u root --batch -e 'select * from website_event' umami | hopper inspect --json -`},
		{"mariadb-dump", databasetest.MariaDB, `mariadb-dump -h 127.0.0.1 -P "$PORT" -u root umami website_event | hopper inspect --json -`},
		{"sqlite3", databasetest.SQLite, `sqlite3 -header -csv "$DB" 'select * from website_event' | hopper inspect --json -`},
		{"sqlite3", databasetest.SQLite, `sqlite3 -json "$DB" 'select * from website_event' | jq -c '.[]' | hopper inspect --json -`},
		{"jq", databasetest.PostgreSQL, `psql "$DB" -qtAc "select json_build_object('rows', json_agg(e)) from website_event e" > "$DIR/answer.json"; jq -c '.rows[]' "$DIR/answer.json" | hopper inspect --json -`},
		{"rclone", nil, `rclone cat "$CSV" | hopper inspect --json -`},
		{"rclone", nil, `gzip -c "$CSV" > "$DIR/website_event.csv.gz"; rclone cat "$DIR/website_event.csv.gz" | hopper inspect --json -`},
		{"duckdb", nil, `duckdb -c "copy (from '$CSV') to '$DIR/1.parquet' (format parquet)"; duckdb -c "copy (from '$DIR/*.parquet') to '/dev/stdout' (format csv)" | hopper inspect --json -`},
		{"duckdb", nil, `duckdb -c "copy (from '$CSV') to '$DIR/website_event.parquet' (format parquet, compression zstd)"; hopper inspect --json "$DIR/website_event.parquet"`},
		{"clickhouse-client", nil, `clickhouse-client -q "select * from file('$CSV', CSVWithNames) format ArrowStream" | hopper inspect --json -`},
		{"clickhouse-client", nil, `clickhouse-client -q "select * from file('$CSV', CSVWithNames) format Parquet" | hopper inspect --json -`},
		{"clickhouse-client", nil, `clickhouse-client -q "select * from file('$CSV', CSVWithNames) format Avro" | hopper inspect --json -`},
		{"clickhouse-client", nil, `clickhouse-client -q "select * from file('$CSV', CSVWithNames) format JSON" | hopper inspect --json -`},
	} {
		t.Run(recipe.tool, func(t *testing.T) {
			path := dir + string(filepath.ListSeparator) + os.Getenv("PATH")
			if recipe.tool == "duckdb" || recipe.tool == "clickhouse-client" {
				path = filepath.Join(peers.Dir(t), "bin") + string(filepath.ListSeparator) + path
				t.Setenv("PATH", path)
			}
			for _, tool := range []string{"sh", recipe.tool, "jq"} {
				if _, err := exec.LookPath(tool); err != nil && strings.Contains("sh "+recipe.line, tool) {
					t.Skipf("%s is not installed here", tool)
				}
			}
			cmd := exec.Command("sh", "-c", recipe.line)
			cmd.Env = append(os.Environ(), "PATH="+path, "CSV="+fixture, "DIR="+t.TempDir(), "RCLONE_CONFIG="+filepath.Join(dir, "none"))
			if recipe.start != nil {
				db := recipe.start(t)
				load(t, db, fixture)
				port := db.Address[strings.LastIndex(db.Address, ":")+1:]
				port, _, _ = strings.Cut(port, "/")
				cmd.Env = append(cmd.Env, "DB="+db.Address, "PORT="+port)
			}
			var said strings.Builder
			cmd.Stderr = &said
			out, err := cmd.Output()
			if err != nil || !strings.Contains(string(out), `"events": 87,`) {
				t.Errorf("%s: %v\n%.1000s\n%s", recipe.line, err, out, said.String())
			}
		})
	}
}
