package recount

import (
	"context"
	"errors"

	"hopper/pipeline"
)

// An Export is an export of events that is to be verified.
type Export struct {
	Facts Facts
	// Source is the inputs' source. It is read to its end and not closed.
	Source pipeline.Source
	// Progress, if set, is told how many events have come through, chunk by chunk.
	Progress func(events int64)
	// Scratch makes the sorters.
	Scratch Scratch
}

// Compare runs t over the export, recounts its rows, and compares.
func Compare(ctx context.Context, e Export, t pipeline.Translation) (*Comparison, error) {
	return compareWithin(ctx, e, t, memory)
}

// compareWithin is Compare with sorters that take this much memory.
func compareWithin(ctx context.Context, e Export, t pipeline.Translation, memory int) (_ *Comparison, err error) {
	r := &rows{Count: newCount(&events, e.Scratch, memory), rules: &t.Normalizer, hitOf: (*Fact).hit}
	r.untoldBy = func(input uint16, row int64) untoldSet { return untoldSet(r.flags[input][row]) & allUntold }
	defer func() { err = errors.Join(err, r.Close()) }()
	stats, err := translate(ctx, t, e.Source, r.Hits, e.Progress, r.sent)
	if err != nil {
		return nil, err
	}
	if err := e.Facts(ctx, r.source); err != nil {
		return nil, err
	}
	if err := r.Finish(ctx); err != nil {
		return nil, err
	}
	out, err := r.Sums.Compare(ctx, Kept, Sent)
	if err != nil {
		return nil, err
	}
	out.account(r, &stats)
	return out, nil
}

// translate hands the hits and rejects of each chunk on.
func translate(
	ctx context.Context, t pipeline.Translation, src pipeline.Source, hits func() pipeline.Collector[[]Hit], progress func(int64),
	each func(*pipeline.Collected[[]Hit]) error,
) (pipeline.Stats, error) {
	return pipeline.Translate(ctx, &t, src, pipeline.Mark{}, hits, func(_ context.Context, chunk *pipeline.Collected[[]Hit]) error {
		if progress != nil {
			progress(chunk.Before.Stats.Events + chunk.Stats.Events)
		}
		return each(chunk)
	})
}

// rows counts an export's rows and what became of them.
type rows struct {
	*Count
	rules *pipeline.Normalizer
	hitOf func(*Fact) *Hit
	flags [][]rowFlags // by input and row

	facts, rejected, omitted, joined int64
	untold                           [2]int64 // rows without session, without visitor
	left                             fates
	times                            [2]int64 // seconds of what is kept and of what is sent, added up
	kept                             int64
}

// fates count rows of which the export says whether they are events.
type fates struct{ said, own, sent, wrong int64 }

func (f *fates) count(own Fate, became bool) {
	if own == Unsaid {
		return
	}
	f.said++
	if own == LeftOut {
		f.own++
	}
	if !became {
		f.sent++
	}
	if became == (own == LeftOut) {
		f.wrong++
	}
}

// secondsOf counts from 2017, so that the seconds of very many events can be added.
func secondsOf(t pipeline.Micros) int64 { return int64(t)/1e6 - 1.5e9 }

// rowFlags are what is known of a row: what became of it, and what it does not
// tell. There is one for each row of the inputs.
type rowFlags uint32

const (
	anEvent rowFlags = 1 << (31 - iota)
	aReject

	allUntold = untoldSet(aReject - 1)
)

// row returns the flags of a row, until the next call.
func (r *rows) row(at pipeline.Origin) *rowFlags {
	in := r.input(at.Input)
	for len(r.flags) <= int(in) {
		r.flags = append(r.flags, nil)
	}
	of := &r.flags[in]
	if need := at.Row + 1 - int64(len(*of)); need > 0 {
		*of = append(*of, make([]rowFlags, need)...)
	}
	return &(*of)[at.Row]
}

// sent counts what came of a chunk.
func (r *rows) sent(chunk *pipeline.Collected[[]Hit]) error {
	for i := range chunk.Value {
		*r.row(chunk.Value[i].Origin) |= anEvent
		r.times[1] += secondsOf(chunk.Value[i].At)
	}
	for _, rejected := range chunk.Rejects {
		*r.row(pipeline.Origin{Input: rejected.Input, Row: rejected.Row}) |= aReject
	}
	return r.Sent(chunk.Value)
}

// source counts a row of the export.
func (r *rows) source(f *Fact) error {
	r.facts++
	r.joined += f.Joined
	if len(r.rules.Privacy.QueryKeys) > 0 {
		f.Source, f.Query = "", "" // The parameter may have been dropped on purpose.
	}
	if len(r.rules.Privacy.Properties) > 0 {
		f.Properties = ""
	}
	flags := r.row(f.Origin)
	shown := f.At != 0 && (f.Kind != pipeline.Custom || f.Name != "") && (f.Kind != pipeline.Pageview || f.Page != "" || f.Host != "" || r.rules.Hostname != "")
	asked := f.At >= r.rules.Since && (r.rules.Until == 0 || f.At < r.rules.Until)
	kept := shown && asked && *flags&anEvent != 0
	if shown && asked && *flags&aReject == 0 {
		r.left.count(f.Fate, *flags&anEvent != 0)
	}
	switch {
	case kept:
		r.kept++
		r.times[0] += secondsOf(f.At)
	case *flags&aReject != 0 && (asked || f.At == 0):
		r.rejected++
	default:
		r.omitted++
	}
	if f.At == 0 || !asked {
		return nil
	}
	for i, s := range [...]string{f.Session, f.Visitor} {
		if s == "" && !(i == 0 && f.Paused && f.Visitor != "") {
			*flags |= rowFlags(noSession << i)
			if kept {
				r.untold[i]++
			}
		}
	}
	h := r.hitOf(f)
	for i, text := range h.Rows {
		if text == "" && r.untoldBy != nil {
			*flags |= rowFlags(noDimension << i)
		}
	}
	on := only(Source)
	if kept {
		on |= only(Kept)
	}
	return r.add(on, h)
}
