package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones by name on machines without a zone database

	"github.com/spf13/cobra"

	"hopper/adapters"
	"hopper/adapters/ga"
	"hopper/adapters/input"
	"hopper/adapters/plausible"
	"hopper/adapters/umami"
	"hopper/pipeline"
	"hopper/sinks/rybbit"
)

// sources are the adapters, in the order in which they are asked whether
// inputs are theirs.
func sources() []adapters.Adapter {
	return []adapters.Adapter{umami.Adapter{}, plausible.Adapter{}, ga.Adapter{}}
}

// reading are the flags of all commands that read.
type reading struct {
	from, since, until, timezone, hostname, website string
	jobs                                            int
	gaEvents                                        string
	dedupe                                          bool

	days  window
	zone  *time.Location // nil is what the export tells
	names []string
}

// window is the range of days asked for.
type window struct{ since, until pipeline.Micros }

func (r *reading) flags(cmd *cobra.Command) {
	for _, a := range sources() {
		r.names = append(r.names, a.Name())
	}
	f := cmd.Flags()
	f.StringVar(&r.from, "from", "auto", "`SOURCE` of the inputs: auto or "+strings.Join(r.names, ", "))
	f.StringVar(&r.since, "since", "", "leave out events before this `DAY` (UTC, 2024-01-31)")
	f.StringVar(&r.until, "until", "", "leave out events after this `DAY` (UTC, inclusive)")
	f.StringVar(&r.timezone, "timezone", "", "`ZONE` of days and times without one, as Europe/Berlin (default what the export tells, else UTC)")
	f.StringVar(&r.hostname, "hostname", "", "`HOST` of events without one")
	f.StringVar(&r.website, "website", "", "read only the events of this `ID` (Umami's website_id)")
	f.StringVar(&r.gaEvents, "ga-events", "default", "of Google Analytics' automatic events keep `WHICH`: default (what a user did) or all")
	f.BoolVar(&r.dedupe, "dedupe", false, "drop events that Google Analytics holds twice")
	f.IntVar(&r.jobs, "jobs", runtime.GOMAXPROCS(0), "workers that translate")
}

func (r *reading) check() (err error) {
	if r.timezone != "" {
		if r.zone, err = time.LoadLocation(r.timezone); err != nil || r.timezone == "Local" {
			return usagef("--timezone: %q is no zone such as Europe/Berlin or UTC", r.timezone)
		}
	}
	if r.days.since, err = day("--since", r.since, 0); err != nil {
		return err
	}
	if r.days.until, err = day("--until", r.until, 1); err != nil {
		return err
	}
	if r.days.until != 0 && r.days.since >= r.days.until {
		return usagef("--since %s is after --until %s", r.since, r.until)
	}
	if r.gaEvents != "default" && r.gaEvents != "all" {
		return usagef("--ga-events is default or all, not %q", r.gaEvents)
	}
	if r.jobs < 1 {
		return usagef("--jobs must be at least 1")
	}
	return nil
}

func day(flag, s string, plus int) (pipeline.Micros, error) {
	if s == "" {
		return 0, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, usagef("%s: %q is no day such as 2024-01-31", flag, s)
	}
	return pipeline.MicrosOf(t.AddDate(0, 0, plus)), nil
}

// export is an opened migration's input.
type export struct {
	inputs  *input.Inputs
	adapter adapters.Adapter
	options adapters.Options
}

func (r *reading) open(ctx context.Context, args []string, stdin io.Reader) (*export, error) {
	inputs, err := input.Open(ctx, args, stdin, "")
	if err != nil {
		return nil, err
	}
	e := &export{inputs: inputs, options: adapters.Options{
		Timezone: r.zone, Now: time.Now(), Website: r.website, AllEvents: r.gaEvents == "all", Dedupe: r.dedupe,
	}}
	if e.adapter, err = r.detect(inputs); err != nil {
		inputs.Close()
		return nil, err
	}
	return e, nil
}

func (r *reading) detect(inputs *input.Inputs) (adapters.Adapter, error) {
	for _, a := range sources() {
		if r.from == a.Name() || r.from == "auto" && a.Detect(inputs.Files) {
			return a, nil
		}
	}
	if r.from != "auto" {
		return nil, usagef("--from: %q is none of auto, %s", r.from, strings.Join(r.names, ", "))
	}
	names := make([]string, 0, 4)
	for _, in := range inputs.Files {
		if len(names) == 3 {
			names = append(names, fmt.Sprintf("and %d more", len(inputs.Files)-3))
			break
		}
		names = append(names, in.Name)
	}
	return nil, fmt.Errorf("%s: not recognized as an export of %s; if it is one, name it with --from and read what is missing",
		strings.Join(names, ", "), strings.Join(r.names, ", "))
}

// migration identifies what is being moved. Flags that change neither which
// events there are nor what they hold stay out of it.
func (r *reading) migration(ctx context.Context, e *export) (rybbit.Migration, error) {
	prints, err := e.inputs.Fingerprints(ctx)
	if err != nil {
		return rybbit.Migration{}, err
	}
	m := rybbit.Migration{
		Source: e.adapter.Name(), Since: r.since, Until: r.until,
		Options: map[string]string{"timezone": r.timezone, "hostname": r.hostname, "website": r.website, "ga-events": r.gaEvents, "dedupe": strconv.FormatBool(r.dedupe)},
	}
	for _, p := range prints {
		m.Inputs = append(m.Inputs, rybbit.InputID{Name: p.Name, Size: p.Size, SHA256: p.SHA256, Joined: e.joined(p.Name)})
	}
	return m, nil
}

// joined reports whether nothing of what an argument names holds events.
func (e *export) joined(argument string) bool {
	joiner, ok := e.adapter.(adapters.Joiner)
	return ok && !slices.ContainsFunc(e.inputs.Files, func(in *input.Input) bool {
		return (in.Name == argument || strings.HasPrefix(in.Name, argument+"/")) && !joiner.Joined(in)
	})
}

// normalizer returns the rules for events of e that go to site.
func (r *reading) normalizer(e *export, site string, now time.Time) pipeline.Normalizer {
	return pipeline.Normalizer{
		Namespace: pipeline.Site(e.adapter.Name(), site),
		Hostname:  r.hostname,
		Since:     r.days.since, Until: r.days.until,
		Now: pipeline.MicrosOf(now),
	}
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
