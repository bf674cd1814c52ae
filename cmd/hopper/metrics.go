package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"hopper"
	"hopper/sinks/file"
)

// writeMetrics writes what a run came to in the text format of Prometheus, as
// node_exporter's textfile collector reads it. The file is replaced at once, so
// that no half of one is collected.
func writeMetrics(path, site string, res *hopper.Result, exit int, ended time.Time) error {
	err := file.Replace(path, func(w io.Writer) error {
		_, err := io.WriteString(w, metricsOf(site, res, exit, ended))
		return err
	})
	if err != nil {
		return fmt.Errorf("--metrics-file: %w", err)
	}
	return nil
}

// metricsOf returns the metrics of a run. Counts are gauges: they are those of
// one migration, and the next begins at 0.
func metricsOf(site string, res *hopper.Result, exit int, ended time.Time) string {
	var b strings.Builder
	labels := fmt.Sprintf(`{site=%s,source=%s,wire=%s}`, label(site), label(res.Source), label(res.Wire))
	for _, m := range []struct {
		name, help string
		value      float64
	}{
		{"exit_code", "Exit code of the last run; 4 and 130 go on when it is run again.", float64(exit)},
		{"end_timestamp_seconds", "When the last run ended.", float64(ended.UnixMilli()) / 1000},
		{"duration_seconds", "How long the last run took.", res.Seconds},
		{"rows", "Rows that the inputs hold.", float64(res.Rows)},
		{"events", "Events that the rows give.", float64(res.Events)},
		{"rejected_rows", "Rows that cannot be imported.", float64(res.Rejected)},
		{"sent_events", "Events that the server has counted or the ledger has settled.", float64(res.Sent)},
		{"imported_events", "Events that the server stored.", float64(res.Imported)},
		{"skipped_events", "Events that the server left out for their date or its quota.", float64(res.Skipped)},
		{"invalid_events", "Events that the server found invalid.", float64(res.Invalid)},
		{"batches", "Batches that were sent.", float64(res.Batches)},
		{"sent_bytes", "Bytes of the batches.", float64(res.Bytes)},
		{"requests", "Requests of the last run.", float64(res.Requests)},
	} {
		name := "hopper_import_" + m.name
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s gauge\n%s%s %s\n", name, m.help, name, name, labels, strconv.FormatFloat(m.value, 'f', -1, 64))
	}
	return b.String()
}

// label quotes the value of a label.
func label(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}
