package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// setting is what all measurements share.
type setting struct {
	hopper  string
	dir     string // of the inputs
	server  *discarding
	rounds  int
	self    string // this program, which is DuckDB when asked
	node    string // or ""
	modules string // where node finds papaparse, or ""
	miller  string // or ""
	missing []string
}

// usage is what one process took.
type usage struct{ wall, cpu, peakMB float64 }

// result is what a program came to over all rounds.
type result struct {
	program string
	runs    []usage
}

func (r *result) median(of func(usage) float64) float64 {
	all := make([]float64, len(r.runs))
	for i, one := range r.runs {
		all[i] = of(one)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// against returns the median, over rounds, of how many times more another took.
func (r *result) against(other *result, of func(usage) float64) float64 {
	ratios := make([]float64, len(r.runs))
	for i := range r.runs {
		ratios[i] = of(other.runs[i]) / of(r.runs[i])
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

func wall(one usage) float64   { return one.wall }
func cpu(one usage) float64    { return one.cpu }
func memory(one usage) float64 { return one.peakMB }

// measure runs an input's programs in turn. The first round warms the files up.
func (s *setting) measure(ctx context.Context, in *bench) ([]result, error) {
	results := make([]result, len(in.programs))
	for round := range s.rounds + 1 {
		for i, p := range in.programs {
			one, err := s.time(ctx, p)
			if err != nil {
				return nil, err
			}
			if got := s.server.imported(); p.sends && got != in.rows && !(in.mostly && got > in.rows/2) {
				return nil, fmt.Errorf("%s: the server got %d events of %d %s", p.name, got, in.rows, in.unit)
			}
			results[i].program = p.name
			if round > 0 {
				results[i].runs = append(results[i].runs, one)
			}
		}
	}
	return results, nil
}

// time runs a program as a process. What it writes to stdout is thrown away.
func (s *setting) time(ctx context.Context, p program) (usage, error) {
	state, err := os.MkdirTemp(s.dir, "state")
	if err != nil {
		return usage{}, err
	}
	defer os.RemoveAll(state)
	s.server.forget()
	cmd := exec.CommandContext(ctx, p.args[0], p.args[1:]...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+state, "RYBBIT_API_KEY=bench", "NODE_PATH="+s.modules)
	began := time.Now()
	err = cmd.Run()
	wall := time.Since(began).Seconds()
	if err != nil {
		return usage{}, fmt.Errorf("%s: %w\n%s", p.name, err, stderr.Bytes())
	}
	used := cmd.ProcessState
	one := usage{wall: wall, cpu: (used.UserTime() + used.SystemTime()).Seconds()}
	if sys, ok := used.SysUsage().(*syscall.Rusage); ok {
		one.peakMB = float64(sys.Maxrss) * 1024 / 1e6 // Linux counts in KiB
	}
	return one, nil
}
