package main

import (
	"context"
	"fmt"
	"strings"

	"hopper/pipeline"
	"hopper/sinks/rybbit/wire"
)

// surveyor adds up what the wire formats make of a translation's events.
type surveyor struct{ all wire.Survey }

func (s *surveyor) observe() pipeline.Observer { return &chunkSurvey{total: s} }

// chunkSurvey is what one worker sees of one chunk.
type chunkSurvey struct {
	wire.Survey
	total *surveyor
}

// Event counts one event.
func (c *chunkSurvey) Event(ev *pipeline.Event) { c.Add(ev) }

// Done adds the chunk to the total.
func (c *chunkSurvey) Done() { c.total.all.Merge(&c.Survey) }

func nothing(context.Context, pipeline.Mark, *pipeline.Encoded) error { return nil }

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
