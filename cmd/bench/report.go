package main

import (
	"bufio"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// bounds says what was found by hand: on larger inputs, and what takes the time.
//
//go:embed bounds.md
var bounds string

// report is the table.
type report struct {
	full    bool
	rounds  int
	missing []string
	about   string
	tables  []string
}

// describe notes which program was measured, and where.
func (r *report) describe(ctx context.Context, hopper string) {
	commit := "unknown"
	if out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output(); err == nil {
		commit = strings.TrimSpace(string(out))
	}
	r.about = fmt.Sprintf("Commit %s, %s, %s/%s, %d processors%s.", commit, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor())
}

// processor names the processor's model, where the system tells.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, found := strings.Cut(lines.Text(), ":"); found && strings.TrimSpace(name) == "model name" {
			return " (" + strings.TrimSpace(value) + ")"
		}
	}
	return ""
}

func (r *report) add(in *bench, results []result) {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n%d %s, %.0f MB.\n\n", in.title, in.rows, in.unit, float64(in.bytes)/1e6)
	fmt.Fprintf(&b, "| | seconds | CPU seconds | %s/s | MB/s | peak MB | times hopper to a server | times hopper's dry run | in CPU |\n"+
		"| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n", in.unit)
	server, dry := &results[0], &results[1]
	for i := range results {
		one := &results[i]
		seconds := one.median(wall)
		fmt.Fprintf(&b, "| %s | %.2f | %.2f | %.0f | %.0f | %.0f | %.2f | %.2f | %.2f |\n", one.program, seconds, one.median(cpu),
			float64(in.rows)/seconds, float64(in.bytes)/1e6/seconds, one.median(memory), server.against(one, wall), dry.against(one, wall), dry.against(one, cpu))
	}
	r.tables = append(r.tables, b.String())
}

func (r *report) text() string {
	var b strings.Builder
	b.WriteString("# Benchmarks\n\nWritten by `make bench`, which makes the inputs and runs all programs in turn, as whole processes. " +
		fmt.Sprintf("Figures are medians of %d rounds; a ratio is the median of the rounds' ratios: above 1, hopper is faster.\n", r.rounds) +
		"hopper recognizes, reads, normalizes, encodes and, to a server, uploads by loopback HTTP to one that discards what it gets, with ledger and digest; " +
		"the rivals only project columns and write JSON to nowhere or, to a server, to a program that does no more than post it in batches of 10 MiB.\n\n")
	b.WriteString(r.about + "\n")
	if !r.full {
		b.WriteString("\nThese inputs are small, so that starting a program weighs much: `make bench SIZE=-full` measures large ones.\n")
	}
	if len(r.missing) > 0 {
		b.WriteString("\nMissing here: " + strings.Join(r.missing, ", ") + ".\n")
	}
	for _, t := range r.tables {
		b.WriteString(t)
	}
	b.WriteString("\n" + bounds)
	return b.String()
}
