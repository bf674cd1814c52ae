// Command bench measures hopper beside other programs that could do a part of
// its work, and writes what it finds as a table.
//
// It makes its inputs, the same ones for the same size, and runs every program
// on them in turn, as whole processes: round after round, so that a machine
// that others use too slows all of them alike. What it prints are medians.
//
//	go run . -hopper ../../bin/hopper            # small inputs, some seconds
//	go run . -hopper ../../bin/hopper -full      # the sizes of BENCHMARKS.md
//
// It is a module of its own, so that the rivals are no dependencies of hopper.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	switch {
	case len(os.Args) == 3 && os.Args[1] == "duckdb":
		exit(runDuckDB(os.Args[2]))
	case len(os.Args) == 3 && os.Args[1] == "send":
		exit(send(ctx, os.Args[2], os.Stdin))
	}
	exit(run(ctx))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// sizes are how many rows the inputs have.
type sizes struct {
	umami, ga int
	plausible siteSize
	memory    []int64 // bytes of the inputs whose memory is measured
}

func sizesOf(full bool) sizes {
	if full {
		return sizes{2_000_000, 534_000, siteSize{365, 6000, 300}, []int64{10e6, 1e9, 10e9}}
	}
	return sizes{50_000, 10_000, siteSize{90, 300, 300}, []int64{10e6}}
}

func run(ctx context.Context) (err error) {
	hopper := flag.String("hopper", "", "hopper's `FILE`")
	full := flag.Bool("full", false, "measure with inputs of hundreds of megabytes")
	rounds := flag.Int("rounds", 5, "`N` rounds are measured, after one that is not")
	only := flag.String("only", "", "measure only the `INPUT` of this name: umami, ndjson, parquet, plausible or memory")
	dir := flag.String("dir", "", "`DIR` for the inputs, which are kept there (default: a temporary one)")
	out := flag.String("o", "", "`FILE` to write the table to, as Markdown")
	flag.Parse()
	if *hopper == "" || flag.NArg() > 0 || *rounds < 1 {
		return errors.New("name hopper's file with -hopper, and at least one round")
	}
	size := sizesOf(*full)
	if *dir == "" {
		if *dir, err = os.MkdirTemp("", "hopper-bench"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(*dir)) }()
	}
	if err := size.fit(*dir); err != nil {
		return err
	}
	if *hopper, err = filepath.Abs(*hopper); err != nil {
		return err
	}
	server, err := startDiscarding()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.close()) }()
	set := &setting{hopper: *hopper, dir: *dir, server: server, rounds: *rounds}
	if err := set.findRivals(ctx); err != nil {
		return err
	}
	inputs, err := makeInputs(ctx, set, size, *only)
	if err != nil {
		return err
	}
	r := &report{full: *full, missing: set.missing, rounds: *rounds}
	r.describe(ctx, *hopper)
	for _, in := range inputs {
		fmt.Fprintf(os.Stderr, "measuring %s\n", in.title)
		results, err := set.measure(ctx, in)
		if err != nil {
			return err
		}
		r.add(in, results)
	}
	if *only == "" || *only == "memory" {
		peaks, err := set.measureMemory(ctx, size.memory)
		if err != nil {
			return err
		}
		r.addMemory(peaks)
	}
	fmt.Print(r.text())
	if *out != "" {
		return os.WriteFile(*out, []byte(r.text()), 0o644)
	}
	return nil
}
