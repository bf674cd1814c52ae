package hopper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"hopper/pipeline"
	"hopper/sinks/rybbit"
	"hopper/sinks/rybbit/ledger"
	"hopper/sinks/rybbit/wire"
)

// Import says where events go and how.
type Import struct {
	// Client is the server's and the site's.
	Client *rybbit.Client
	// Server names the server in the ledger, where its address is none that
	// lasts; empty is the client's.
	Server string
	// State is the directory where ledgers, rejects and what is known of servers
	// are kept. It must outlive the process for a migration to be resumed.
	State string
	// Wire is the platform whose wire format is used; empty and "auto" choose
	// the one that loses least of what the server knows.
	Wire string
	// Upload holds the choices of the upload itself.
	Upload rybbit.Options
	// Rejects is the file for rejected rows; empty is one beside the ledger.
	Rejects string
	// Again imports once more what was imported already.
	Again bool
	// New imports of the export what no migration of the site has brought yet, as
	// far as the ledgers in State know.
	New bool
	// Replace also deletes the imports that hold what has changed since, and
	// imports all that they held anew. It implies New.
	Replace bool
	// Force imports although more than a tenth of the rows is rejected.
	Force bool
	// Version is that of the program, for the record.
	Version string

	// chosen says that the inputs are what is new.
	chosen bool
}

// server is what the ledger calls the server.
func (i *Import) server() string {
	if i.Server != "" {
		return i.Server
	}
	return i.Client.Server()
}

// importRun is one run of [Export.Import] or [Export.DryRun].
type importRun struct {
	*Export
	Import
	began  time.Time
	log    *slog.Logger
	survey *surveyed // of the input's beginning; nil when a run is resumed
	result *Result
	// refused says that the inputs are not imported for what they are.
	refused bool
}

// Import brings the export's events into a site, each exactly once. It goes on
// where an earlier run of the same inputs, options and site stopped. When ctx
// ends, it finishes the batch in flight, for at most 20 seconds. The result is
// there whatever the error, and says how far the run came; [Again] says of the
// error whether the same call goes on.
func (e *Export) Import(ctx context.Context, to Import) (_ *Result, err error) {
	if to.New || to.Replace {
		return e.importNew(ctx, to)
	}
	r := &importRun{Export: e, Import: to, began: time.Now(), log: e.options.Log, result: e.newResult()}
	err = r.upload(ctx)
	r.result.Requests = to.Client.Calls()
	return r.finish(err)
}

// finish completes the result of a run that ended in err.
func (r *importRun) finish(err error) (*Result, error) { return r.result.finish(r.began, err) }

func (r *importRun) upload(ctx context.Context) (err error) {
	if _, err := formatFor(r.Wire); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in := &reader{export: r.Export, now: r.began.UTC()}
	defer func() { err = errors.Join(err, in.close()) }()
	sums, err := r.knownBy(r.State, r.server(), r.Client.Site())
	if err != nil {
		return err
	}
	in.begin(ctx, !sums.SHA256)
	return r.bring(ctx, in, sums)
}

// bring opens the ledger of the inputs' migration and brings what is missing of it.
func (r *importRun) bring(ctx context.Context, in *reader, sums ledger.Sums) (err error) {
	if !sums.SHA256 {
		in.settle()
	}
	migration, err := r.migration(ctx, sums)
	if err != nil {
		return err
	}
	if !sums.SHA256 && r.inputs.Identified() {
		r.identity = nil // it is there again at once
	}
	migration.Server, migration.Site = r.server(), r.Client.Site()
	open := ledger.Options{Dir: r.State, Version: r.Version, Again: r.Again, Chosen: r.chosen, Now: r.began}
	if err := r.untilLive(ctx, &migration, open); err != nil {
		return err
	}
	book, err := ledger.Open(migration, open)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	migration.Inputs, migration.Units = nil, nil // the disk has them, and there can be hundreds of thousands
	if summary, done := book.Complete(); done {
		r.result.summarize(summary, AlreadyComplete)
		if len(r.inputs.Growing()) > 0 && summary.Stats.Events > 0 {
			r.result.Newer = (summary.Stats.Latest + 1).Time().Format(time.RFC3339Nano)
		}
		return nil
	}
	in.now = book.Started()
	memory, err := rybbit.OpenMemory(r.State, migration.Server, r.began)
	if err != nil {
		return err
	}
	if err := r.checkGiven(ctx, in, book, r.normalizer(migration.Site, book.Started())); err != nil {
		r.refused = true
		return err
	}
	r.goesOn(book)
	options := r.Upload
	options.Log, options.Watch = r.log, r.watched
	defer r.uploaded.Store(nil)
	up := rybbit.NewUpload(r.Client, book, memory, options)
	summary, err := r.send(ctx, in, book, up, r.normalizer(migration.Site, book.Started()))
	if r.refused {
		return err
	}
	if err != nil {
		// The server's counts are read at the end; until then the ledger knows.
		summary = book.Summary()
		r.result.summarize(summary, "")
		r.result.Events, r.result.Sent = r.events.Load(), summary.Stored
		return err
	}
	status := Complete
	if book.Resumed() {
		status = Resumed
	}
	r.result.summarize(summary, status)
	return nil
}

// send translates what is not yet in Rybbit and uploads it.
func (r *importRun) send(ctx context.Context, in *reader, book *ledger.Ledger, up *rybbit.Upload, rules pipeline.Normalizer) (_ ledger.Summary, err error) {
	rejected := &rejects{path: r.Rejects}
	if rejected.path == "" {
		rejected.path = book.Rejects()
	}
	defer func() { err = errors.Join(err, rejected.close()) }()
	format, err := r.agree(ctx, in, rules, book, up)
	if err != nil {
		return ledger.Summary{}, errors.Join(err, r.showRejects(rejected, err))
	}
	r.warnOfLosses(format)
	r.foretell(format)
	summary, err := up.Run(ctx, rybbit.Run{
		Open:        in.open,
		Translation: &pipeline.Translation{Normalizer: rules, Target: wire.Target(format), Jobs: r.options.Jobs},
		Encode:      wire.Encode(format),

		EventsPerSecond: format.EventsPerSecond(),
		Each: func(chunk *pipeline.Collected[*pipeline.Records]) error {
			r.came(chunk.Before.Stats.Events + chunk.Stats.Events)
			if err := rejected.add(chunk.Before.Stats.Rejected.Total(), chunk.Rejects); err != nil {
				return err
			}
			return r.doubt(chunk)
		},
	})
	if err != nil {
		return ledger.Summary{}, err
	}
	if summary.Stats.Rejected.Total() > 0 {
		r.result.RejectsFile = rejected.path
	}
	in.remark()
	return summary, nil
}

// agree settles with the server on the wire format: the one that the migration
// was begun in, else the best that the server knows.
func (r *importRun) agree(ctx context.Context, in *reader, rules pipeline.Normalizer, book *ledger.Ledger, up *rybbit.Upload) (wire.Format, error) {
	var candidates []wire.Format
	if book.Platform() == "" {
		var err error
		if candidates, err = r.choose(ctx, in, rules); err != nil {
			return nil, err
		}
	}
	platform, err := up.Open(ctx, platforms(candidates))
	if err != nil {
		return nil, err
	}
	if r.Wire != "" && r.Wire != "auto" && r.Wire != platform {
		return nil, optionErrorf("wire", "this migration was begun in the wire format %s: go on without --wire, or delete its imports to begin anew", platform)
	}
	format, err := wire.For(platform)
	if err != nil {
		return nil, fmt.Errorf("ledger %s: %w", book.Path(), err)
	}
	return format, nil
}

// choose ranks the wire formats by what they lose of the input's beginning,
// where none is asked for. It refuses inputs that give nothing, or too little.
func (r *importRun) choose(ctx context.Context, in *reader, rules pipeline.Normalizer) (_ []wire.Format, err error) {
	if r.survey, err = in.survey(ctx, rules); err != nil {
		return nil, err
	}
	if err := r.judge(ctx, in, rules); err != nil {
		return nil, err
	}
	if format, err := wire.For(r.Wire); err == nil {
		return []wire.Format{format}, nil
	}
	return r.survey.Rank(), nil
}

func platforms(formats []wire.Format) []string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = f.Platform()
	}
	return names
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
	if best := r.survey.Rank()[0]; r.survey.Cost(best) < r.survey.Cost(format) {
		advice = fmt.Sprintf("%s would keep more and needs %s", best.Platform(), needs(best))
	}
	r.log.Warn(fmt.Sprintf("the wire format %s loses or shortens %s; %s; hopper inspect says how much",
		format.Platform(), strings.Join(names, ", "), advice),
		"event", "fields_lost", slog.Group("", "wire", format.Platform(), "fields", names))
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
