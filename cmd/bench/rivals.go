package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A program is what is measured on an input.
type program struct {
	name  string
	args  []string
	sends bool // to the server
}

// bench is an input, and the programs that run on it; the first is hopper.
type bench struct {
	title    string
	rows     int64 // or events, where rows are made of sums
	mostly   bool  // not all rows become events: Google Analytics' automatic ones do not
	unit     string
	bytes    int64
	programs []program
}

// findRivals looks which rivals this machine has.
func (s *setting) findRivals(ctx context.Context) (err error) {
	if s.self, err = os.Executable(); err != nil {
		return err
	}
	if !hasDuckDB {
		s.missing = append(s.missing, "DuckDB (build with cgo)")
	}
	if s.miller, err = exec.LookPath("mlr"); err != nil {
		s.missing = append(s.missing, "Miller (install mlr)")
	}
	if s.node, err = exec.LookPath("node"); err != nil {
		s.missing = append(s.missing, "papaparse (install node)")
		return nil
	}
	s.modules = filepath.Join(s.dir, "node_modules")
	if _, err := os.Stat(filepath.Join(s.modules, "papaparse")); err == nil {
		return nil
	}
	install := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--prefix", s.dir, "papaparse@5.5.3")
	if out, err := install.CombinedOutput(); err != nil {
		s.node = ""
		s.missing = append(s.missing, fmt.Sprintf("papaparse (npm install: %s)", strings.TrimSpace(string(out))))
	}
	return nil
}

// ours are the ways in which hopper is measured.
func (s *setting) ours(path string) []program {
	return []program{
		{"hopper, to a server", []string{s.hopper, "import", "-q", "--url", s.server.address, "--site", "1", "--retry-for", "10s", path}, true},
		s.dryRun(path),
	}
}

func (s *setting) dryRun(path string) program {
	return program{"hopper, dry run", []string{s.hopper, "import", "-q", "--dry-run", "--wire", "umami", path}, false}
}

// duckdb runs a query whose result is written as JSON lines and thrown away.
func (s *setting) duckdb(name, query string) []program {
	if !hasDuckDB {
		return nil
	}
	// Without a temporary file DuckDB would rename one over the device.
	script := fmt.Sprintf("COPY (%s) TO '/dev/stdout' (FORMAT json, USE_TMP_FILE false)", query)
	return []program{{name, []string{s.self, "duckdb", script}, false}}
}

// sending adds to a program that writes events as lines of JSON the same one whose
// lines are sent to the server.
func (s *setting) sending(rival []program) []program {
	for _, one := range rival {
		pipe := []string{"sh", "-c", `sender=$0 site=$1; shift; "$@" | "$sender" send "$site"`, s.self, s.server.address + "/api/sites/1"}
		rival = append(rival, program{one.name + ", to a server", append(pipe, one.args...), true})
	}
	return rival
}

// umamiColumns are the columns of an Umami export that stand in its wire format.
var umamiColumns = []string{"hostname", "browser", "os", "device", "screen", "language", "country", "region", "city", "url_path", "url_query",
	"referrer_path", "referrer_query", "referrer_domain", "page_title", "event_type", "event_name", "distinct_id", "created_at"}

// umamiRivals do no more than rename a column and write JSON.
func (s *setting) umamiRivals(path string) []program {
	all := s.sending(s.duckdb("DuckDB, renaming to JSON", fmt.Sprintf("SELECT visit_id AS session_id, %s FROM read_csv('%s', header = true, all_varchar = true)",
		strings.Join(umamiColumns, ", "), path)))
	if s.node != "" {
		all = append(all, s.sending([]program{{"papaparse, renaming to JSON", []string{s.node, "-e", papaparse, path, strings.Join(umamiColumns, ",")}, false}})...)
	}
	if s.miller != "" {
		all = append(all, program{"Miller, renaming to JSON", []string{s.miller, "--icsv", "--ojsonl", "-S", "cut", "-f",
			"visit_id," + strings.Join(umamiColumns, ","), "then", "rename", "visit_id,session_id", path}, false})
	}
	return all
}

const papaparse = `
const [, path, names] = process.argv, columns = names.split(',')
let batch = []
const flush = () => { process.stdout.write(batch.join('\n') + '\n'); batch = [] }
require('papaparse').parse(require('fs').createReadStream(path, {highWaterMark: 1 << 20}), {
  header: true,
  step: ({data}) => {
    const event = {session_id: data.visit_id}
    for (const name of columns) event[name] = data[name]
    if (batch.push(JSON.stringify(event)) === 10000) flush()
  },
  complete: flush,
})`

// gaQuery takes the columns that the wire format needs, and opens the parameters.
func gaQuery(from string) string {
	param := func(key, kind string) string {
		return fmt.Sprintf("list_filter(event_params, lambda p: p.key = '%s')[1].value.%s AS %s", key, kind, key)
	}
	return strings.Join([]string{"SELECT event_timestamp, event_name, user_pseudo_id, user_id",
		param("ga_session_id", "int_value"), param("page_location", "string_value"), param("page_title", "string_value"), param("page_referrer", "string_value"),
		"device.category, device.operating_system, device.operating_system_version, device.\"language\", device.web_info.browser, device.web_info.browser_version",
		"geo.country, geo.region, geo.city",
		"collected_traffic_source.manual_source, collected_traffic_source.manual_medium, collected_traffic_source.manual_campaign_name"}, ", ") + " FROM " + from
}

// gaColumns is the schema of the inputs, for DuckDB.
const gaColumns = `{event_date: 'VARCHAR', event_timestamp: 'BIGINT', event_name: 'VARCHAR',
 event_params: 'STRUCT("key" VARCHAR, "value" STRUCT(string_value VARCHAR, int_value BIGINT, float_value DOUBLE, double_value DOUBLE))[]',
 event_bundle_sequence_id: 'BIGINT', user_id: 'VARCHAR', user_pseudo_id: 'VARCHAR',
 device: 'STRUCT(category VARCHAR, mobile_brand_name VARCHAR, mobile_model_name VARCHAR, operating_system VARCHAR, operating_system_version VARCHAR, "language" VARCHAR, time_zone_offset_seconds BIGINT, web_info STRUCT(browser VARCHAR, browser_version VARCHAR, hostname VARCHAR))',
 geo: 'STRUCT(continent VARCHAR, country VARCHAR, region VARCHAR, city VARCHAR, metro VARCHAR)',
 traffic_source: 'STRUCT("name" VARCHAR, medium VARCHAR, "source" VARCHAR)', stream_id: 'VARCHAR', platform: 'VARCHAR',
 collected_traffic_source: 'STRUCT(manual_campaign_name VARCHAR, manual_source VARCHAR, manual_medium VARCHAR, gclid VARCHAR)',
 is_active_user: 'BOOLEAN', batch_event_index: 'BIGINT', batch_page_id: 'BIGINT', batch_ordering_id: 'BIGINT'}`

func gaJSON(path string) string {
	return fmt.Sprintf("read_ndjson('%s', columns = %s)", path, gaColumns)
}
