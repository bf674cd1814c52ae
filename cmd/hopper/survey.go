package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"hopper/pipeline"
	"hopper/sinks/rybbit/wire"
)

// survey counts what the wire formats make of a source's events.
func survey(ctx context.Context, t *pipeline.Translation, src pipeline.Source, events *atomic.Int64) (*wire.Survey, pipeline.Stats, error) {
	all := new(wire.Survey)
	collect := func() pipeline.Collector[*wire.Survey] { return new(wire.Survey) }
	stats, err := pipeline.Translate(ctx, t, src, pipeline.Mark{}, collect, func(_ context.Context, chunk *pipeline.Collected[*wire.Survey]) error {
		all.Merge(chunk.Value)
		events.Store(chunk.Before.Stats.Events + chunk.Stats.Events)
		return nil
	})
	return all, stats, err
}

// warnOfLosses says in one line what the wire format loses of the input's
// beginning, and which one would not.
func (r *importRun) warnOfLosses(format wire.Format) {
	if r.survey == nil {
		return
	}
	lost := r.survey.Loses(format)
	if len(lost) == 0 {
		return
	}
	names := make([]string, len(lost))
	for i, f := range lost {
		names[i] = f.String()
	}
	advice := "no wire format keeps more"
	if best := r.survey.Rank()[0]; best.Platform() != format.Platform() {
		advice = fmt.Sprintf("%s would keep more and needs %s", best.Platform(), needs(best))
	}
	r.log.Warn(fmt.Sprintf("the wire format %s loses or shortens %s; %s; hopper inspect tells how much",
		format.Platform(), strings.Join(names, ", "), advice))
}

// needs says which servers know a wire format. The oldest know umami alone;
// release 2.7.0 was seen to know three.
func needs(format wire.Format) string {
	switch format.Platform() {
	case "matomo", "posthog":
		return "a Rybbit newer than 2.7.0"
	case "umami":
		return "any Rybbit"
	}
	return "a Rybbit of 2.7.0 or somewhat older"
}
