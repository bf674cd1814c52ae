package hopper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"hopper/pipeline"
)

// A NothingError says that not one event comes of the inputs, which is a
// failure whatever the reason.
type NothingError struct {
	Inputs []string
	// Stats say what became of the rows.
	Stats pipeline.Stats
	// Example is a row that was rejected, if any was.
	Example pipeline.Reject
}

func (e *NothingError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: nothing to import: %d rows give no event", strings.Join(fewOf(e.Inputs), ", "), e.Stats.Rows)
	for _, tally := range []pipeline.Tally{e.Stats.Rejected, e.Stats.Omitted} {
		for _, kind := range tally.Kinds()[:min(3, len(tally))] {
			fmt.Fprintf(&b, "; %d × %s", tally[kind].Count, kind)
		}
	}
	b.WriteString(example(e.Example))
	if e.Stats.Rows == 0 {
		b.WriteString("; a header alone, or an empty table: export it again")
	}
	return b.String()
}

// A DoubtError says that so much of the inputs is rejected that a part of them
// must have been misread.
type DoubtError struct {
	Rejected, Rows int64
	Example        pipeline.Reject
}

func (e *DoubtError) Error() string {
	return fmt.Sprintf("%d of %d rows were rejected, which is no one's intent%s; mend the export, or import the rest with --force or a --max-rejects",
		e.Rejected, e.Rows, example(e.Example))
}

// example shows a rejected row.
func example(r pipeline.Reject) string {
	if r.Reason == "" {
		return ""
	}
	at := pipeline.Origin{Input: r.Input, Row: r.Row}
	if r.Raw == "" {
		return fmt.Sprintf("; the first: %s: %s", at, r.Reason)
	}
	raw := pipeline.Cut(r.Raw, 120)
	if len(raw) < len(r.Raw) {
		raw += "…"
	}
	return fmt.Sprintf("; the first: %s: %s: %q", at, r.Reason, raw)
}

// An ImplausibleError says that what would come of the inputs cannot be what
// happened, and what to add to them.
type ImplausibleError struct{ Err error }

func (e *ImplausibleError) Error() string {
	return e.Err.Error() + "; or import what there is with --force"
}

func (e *ImplausibleError) Unwrap() error { return e.Err }

// judge refuses inputs of which nothing comes, those of which something
// implausible does, and those of which too much is rejected. A beginning alone
// proves nothing of the last, since some sources hand out what they reject
// first: where it is bad, all of the input is counted.
func (r *importRun) judge(ctx context.Context, in *reader, rules pipeline.Normalizer) error {
	s := r.survey
	if s.stats.Events == 0 {
		return &NothingError{Inputs: r.result.Inputs, Stats: s.stats, Example: s.firstReject()}
	}
	if in.doubt != nil && !r.Force {
		return &ImplausibleError{in.doubt}
	}
	err := r.tooMany(&s.stats, s.firstReject)
	if err == nil || s.whole {
		return err
	}
	all, _, countErr := r.count(ctx, in, rules)
	if countErr != nil {
		return countErr
	}
	return r.tooMany(&all, s.firstReject)
}

// doubtAfter is how many rows of an input must be read before what is rejected
// of them stops a run that is under way.
const doubtAfter = 100_000

// doubt refuses, amid a run, inputs of which too much is rejected.
func (r *importRun) doubt(chunk *pipeline.Collected[*pipeline.Records]) error {
	if chunk.Before.Stats.Rows < doubtAfter {
		return nil
	}
	after := chunk.After()
	return r.tooMany(&after.Stats, func() pipeline.Reject {
		if len(chunk.Rejects) == 0 {
			return pipeline.Reject{}
		}
		return chunk.Rejects[0]
	})
}

// tooMany reports whether more than a tenth of the rows is rejected.
func (r *importRun) tooMany(stats *pipeline.Stats, first func() pipeline.Reject) error {
	rejected := stats.Rejected.Total()
	if r.Force || rejected*10 <= stats.Rows {
		return nil
	}
	return &DoubtError{Rejected: rejected, Rows: stats.Rows, Example: first()}
}

// firstReject returns an example of the most frequent reason.
func (s *surveyed) firstReject() pipeline.Reject {
	for _, kind := range s.stats.Rejected.Kinds() {
		if i := slices.IndexFunc(s.rejects, func(r pipeline.Reject) bool { return r.Reason == kind }); i >= 0 {
			return s.rejects[i]
		}
	}
	return pipeline.Reject{}
}

// showRejects writes the rejects of inputs that are not imported for what they
// are, so that a user can look at more than one.
func (r *importRun) showRejects(rejected *rejects, err error) error {
	var nothing *NothingError
	var doubt *DoubtError
	var implausible *ImplausibleError
	if r.refused = errors.As(err, &nothing) || errors.As(err, &doubt) || errors.As(err, &implausible); !r.refused || len(r.survey.rejects) == 0 {
		return nil
	}
	r.result.Rows, r.result.Rejected = r.survey.stats.Rows, r.survey.stats.Rejected.Total()
	r.result.Rejects = r.survey.stats.Rejected.Counts()
	if rejected.path == "" {
		return nil
	}
	r.result.RejectsFile = rejected.path
	return rejected.add(0, r.survey.rejects)
}
