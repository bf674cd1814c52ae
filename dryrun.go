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
	if to.New || to.Replace {
		return e.dryRunNew(ctx, site, to)
	}
	r := &importRun{Export: e, Import: to, began: time.Now(), log: e.options.Log, result: e.newResult()}
	return r.finish(r.translateOnly(ctx, site))
}

// dryRunNew is DryRun of what is new.
func (e *Export) dryRunNew(ctx context.Context, site string, to Import) (*Result, error) {
	n := &newRun{Export: e, to: to, server: to.server(), result: e.newResult(), bounded: map[time.Time]bool{}}
	r := &importRun{Export: e, Import: to, began: time.Now(), log: e.options.Log, result: n.result}
	sums, err := n.knownBy(to.State, n.server, to.Client.Site())
	if err != nil {
		return r.finish(err)
	}
	units, err := n.units(ctx, sums)
	if err != nil {
		return r.finish(err)
	}
	p, err := n.plan(units)
	if err != nil {
		return r.finish(err)
	}
	counts := &UnitCounts{New: len(p.fresh), Done: len(p.done), Refused: []string{}}
	for _, s := range p.finish {
		counts.Finished += len(s.units)
	}
	n.result.Units = counts
	for _, s := range p.stale {
		n.refuse(s)
	}
	if len(p.fresh) == 0 {
		r.result.Inputs, r.result.Status = []string{}, NothingNew
	} else {
		r.Export = e.part(ctx, p.fresh)
		r.result.Inputs = r.Export.Inputs()
		n.errs = append(n.errs, r.translateOnly(ctx, site))
	}
	return r.finish(errors.Join(n.errs...))
}

func (r *importRun) translateOnly(ctx context.Context, site string) (err error) {
	if _, err := formatFor(r.Wire); err != nil {
		return err
	}
	if r.options.Until == Live {
		if r.live, err = r.askLive(ctx); err != nil {
			return err
		}
		if err := r.bound(); err != nil {
			return err
		}
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
		bytes += int64(chunk.Value.Size())
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
