package main

import (
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hopper"
	"hopper/sinks/rybbit/wire"
)

// readFlags are the flags of all commands that read.
type readFlags struct {
	options hopper.Options
	flags   *pflag.FlagSet
	// anonymize has visitors' ids hashed.
	anonymize bool
	// server says that there is one to ask, for --until live.
	server bool
	now    atomic.Pointer[hopper.Progress] // how far reading has come
}

func (r *readFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	o := &r.options
	f.StringVar(&o.From, "from", "auto", "`SOURCE` of the inputs: auto or "+strings.Join(hopper.SourceNames(), ", "))
	f.StringVar(&o.Since, "since", "", "leave out events before this `DAY` (UTC, 2024-01-31) or time (2024-01-31T08:00:00Z)")
	f.StringVar(&o.Until, "until", "", "leave out events after this `DAY` (UTC, inclusive), or from this time on")
	f.StringVar(&o.Timezone, "timezone", "", "`ZONE` of days and times without one, as Europe/Berlin (default what the export says, else UTC)")
	f.StringVar(&o.Hostname, "hostname", "", "`HOST` of events without one")
	f.IntVar(&o.Jobs, "jobs", runtime.GOMAXPROCS(0), "`N` workers translate")
	f.StringSliceVar(&o.Privacy.QueryKeys, "drop-query-keys", nil, "leave out these parameters of pages', referrers' and links' queries (`KEYS`: email,token,utm_*)")
	f.StringSliceVar(&o.Privacy.Properties, "drop-properties", nil, "leave out these properties of events and users (`KEYS`: email,user_*)")
	f.BoolVar(&r.anonymize, "anonymize-visitors", false, "hash the ids of visitors and visits with a key that is kept in --state, and leave out what the site knows of users")
	group(f, inputFlags, "from", "since", "until", "timezone", "hostname", "jobs")
	group(f, privacyFlags, "drop-query-keys", "drop-properties", "anonymize-visitors")
	for _, option := range hopper.SourceOptions() {
		switch {
		case option.Placeholder == "":
			f.Bool(option.Name, false, option.Help)
		case len(option.Values) > 0:
			f.String(option.Name, option.Default(), fmt.Sprintf("%s (`%s`: %s)", option.Help, option.Placeholder, strings.Join(option.Values, ", ")))
		default:
			f.String(option.Name, "", fmt.Sprintf("%s (`%s`)", option.Help, option.Placeholder))
		}
	}
	for _, option := range hopper.SourceOptions() {
		group(f, inputFlags, option.Name)
	}
	r.flags = f
}

// check takes over what was given, and reports what cannot be.
func (r *readFlags) check(g *global, stdin io.Reader, log *slog.Logger) error {
	r.options.Stdin, r.options.Log = stdin, log
	r.options.Chosen = map[string]string{}
	for _, option := range hopper.SourceOptions() {
		if flag := r.flags.Lookup(option.Name); flag.Changed {
			r.options.Chosen[option.Name] = flag.Value.String()
		}
	}
	if r.options.Until == hopper.Live && !r.server {
		return usagef("--until live is for import, which asks the server; give the day")
	}
	if r.options.Jobs == 0 {
		return usagef("--jobs must be at least 1")
	}
	r.options.Progress = func(p hopper.Progress) { r.now.Store(&p) }
	if err := r.options.Check(); err != nil || !r.anonymize {
		return err
	}
	state, err := g.stateDir()
	if err != nil {
		return err
	}
	r.options.Privacy.VisitorKey, err = hopper.VisitorKey(state)
	return err
}

// tolerance is how many rejects are too many: a number or a share of the rows.
type tolerance struct {
	limit   float64
	percent bool
	set     bool
}

func (t *tolerance) Type() string { return "N|N%" }

func (t *tolerance) String() string {
	switch {
	case !t.set:
		return ""
	case t.percent:
		return strconv.FormatFloat(t.limit, 'g', -1, 64) + "%"
	}
	return strconv.FormatFloat(t.limit, 'g', -1, 64)
}

func (t *tolerance) Set(s string) error {
	number, percent := strings.CutSuffix(s, "%")
	limit, err := strconv.ParseFloat(number, 64)
	if err != nil || limit < 0 || !percent && limit != float64(int64(limit)) || percent && limit > 100 {
		return fmt.Errorf("a number of rows or a share such as 0.5%% is needed")
	}
	*t = tolerance{limit, percent, true}
	return nil
}

// exceeded reports whether rejects of rows are too many.
func (t *tolerance) exceeded(rejects, rows int64) bool {
	if !t.set {
		return false
	}
	if t.percent {
		return float64(rejects)*100 > t.limit*float64(rows)
	}
	return float64(rejects) > t.limit
}

func platforms() string {
	names := make([]string, 0, 5)
	for _, f := range wire.Formats() {
		names = append(names, f.Platform())
	}
	return strings.Join(names, ", ")
}
