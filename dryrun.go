package hopper

import (
	"context"
	"errors"
	"time"

	"hopper/pipeline"
	"hopper/sinks/rybbit/ledger"
	"hopper/sinks/rybbit/wire"
)

// DryRun translates the export as [Export.Import] would, and uploads nothing.
// Of its argument it takes Wire and Rejects, which is written only where it is
// set; site is the one that events would go to, if known.
func (e *Export) DryRun(ctx context.Context, site string, to Import) (*Result, error) {
	r := &importRun{Export: e, Import: to, began: time.Now(), log: e.options.Log, result: e.newResult()}
	return r.finish(r.translateOnly(ctx, site))
}

func (r *importRun) translateOnly(ctx context.Context, site string) (err error) {
	if _, err := formatFor(r.Wire); err != nil {
		return err
	}
	rules := r.normalizer(site, r.began)
	in := &reader{export: r.Export, now: r.began}
	defer func() { err = errors.Join(err, in.close()) }()
	rejected := &rejects{path: r.Rejects}
	defer func() { err = errors.Join(err, rejected.close()) }()
	candidates, err := r.choose(ctx, in, rules)
	if err != nil {
		return errors.Join(err, r.showRejects(rejected, err))
	}
	format := candidates[0]
	src, err := in.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	r.warnOfLosses(format)
	translation := pipeline.Translation{Normalizer: rules, Target: wire.Target(format), Jobs: r.options.Jobs}
	var bytes int64
	stats, err := pipeline.Translate(ctx, &translation, src, pipeline.Mark{}, wire.Encode(format), func(_ context.Context, chunk *pipeline.Collected[*pipeline.Records]) error {
		r.came(chunk.Before.Stats.Events + chunk.Stats.Events)
		bytes += int64(len(chunk.Value.Body))
		if r.Rejects == "" {
			return nil
		}
		return rejected.add(chunk.Before.Stats.Rejected.Total(), chunk.Rejects)
	})
	if err != nil {
		return err
	}
	r.result.summarize(ledger.Summary{Platform: format.Platform(), Stats: stats, Bytes: bytes}, DryRun)
	if stats.Rejected.Total() > 0 {
		r.result.RejectsFile = rejected.path
	}
	in.remark()
	return nil
}
