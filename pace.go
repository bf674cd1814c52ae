package hopper

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"hopper/sinks/rybbit"
	"hopper/sinks/rybbit/ledger"
	"hopper/sinks/rybbit/wire"
)

// worthSaying is how long an import must take for its time to be told beforehand.
const worthSaying = 10 * time.Second

// needed is how long a server needs to store events at a pace; 0 is unknown.
func needed(events int64, perSecond float64) time.Duration {
	if events <= 0 || perSecond <= 0 {
		return 0
	}
	return time.Duration(float64(events) / perSecond * float64(time.Second)).Round(time.Second)
}

// foretell says how long the import will take, by experience with other servers.
func (r *importRun) foretell(format wire.Format) {
	events := r.expected.Load()
	need := needed(events, float64(format.EventsPerSecond()))
	if need < worthSaying {
		return
	}
	r.log.Info(fmt.Sprintf("about %s events; to store them in the wire format %s, a server needs some %s", humanize.Comma(events), format.Platform(), need),
		"event", "time_foretold", slog.Group("", "events", events, "wire", format.Platform(), "seconds", need.Seconds()))
}

// watched takes how far the upload has come. Once the server's own pace is known,
// it says how long the rest will take.
func (r *importRun) watched(s rybbit.Status) {
	before := r.uploaded.Swap(&s)
	now := r.progress()
	if left := needed(now.Expected-s.Stored, s.PerSecond); left >= worthSaying && (before == nil || before.PerSecond == 0) {
		r.log.Info(fmt.Sprintf("this server stores %s events a second: some %s to go", humanize.Comma(int64(s.PerSecond)), left),
			"event", "time_measured", slog.Group("", "eventsPerSecond", int64(s.PerSecond), "seconds", left.Seconds()))
	}
	if r.options.Progress != nil {
		r.tell(now)
	}
}

// goesOn says what an earlier run has brought.
func (r *importRun) goesOn(book *ledger.Ledger) {
	sum := book.Summary()
	if !book.Resumed() || sum.Stored == 0 {
		return
	}
	r.log.Info(fmt.Sprintf("going on where an earlier run stopped: %s events are in Rybbit already, in import %s", humanize.Comma(sum.Stored), strings.Join(sum.Imports, ", ")),
		"event", "resumed", slog.Group("", "events", sum.Stored, "imports", sum.Imports, "begun", book.Started().Format(time.RFC3339)))
}
