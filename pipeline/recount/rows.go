package recount

import (
	"context"
	"errors"
	"io"
	"iter"

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

// compareWithin is Compare where each sorter and the like takes this much memory.
func compareWithin(ctx context.Context, e Export, t pipeline.Translation, memory int) (_ *Comparison, err error) {
	r := &rows{Count: newCount(&events, e.Scratch, memory), rules: &t.Normalizer, hitOf: (*Fact).hit}
	r.untoldBy = func(input uint32, row int64) untoldSet { return untoldSet(r.flags[input][row]) & allUntold }
	defer func() { err = errors.Join(err, r.Close()) }()
	stats, err := translate(ctx, t, e.Source, r.Hits, e.Progress, r.sent)
	if err != nil {
		return nil, err
	}
	if err := e.Facts(ctx, func(pieces Pieces) error { return r.tell(ctx, pieces, t.Jobs) }); err != nil {
		return nil, err
	}
	if err := r.Finish(ctx, t.Jobs); err != nil {
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
	ctx context.Context, t pipeline.Translation, src pipeline.Source, hits func() pipeline.Collector[*Hits], progress func(int64),
	each func(*pipeline.Collected[*Hits]) error,
) (pipeline.Stats, error) {
	return pipeline.Translate(ctx, &t, src, pipeline.Mark{}, hits, func(_ context.Context, chunk *pipeline.Collected[*Hits]) error {
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
func (r *rows) row(input uint32, row int64) *rowFlags {
	for len(r.flags) <= int(input) {
		r.flags = append(r.flags, nil)
	}
	of := &r.flags[input]
	if need := row + 1 - int64(len(*of)); need > 0 {
		*of = append(*of, make([]rowFlags, need)...)
	}
	return &(*of)[row]
}

// sent counts what came of a chunk.
func (r *rows) sent(chunk *pipeline.Collected[*Hits]) error {
	if err := r.Sent(chunk.Value); err != nil {
		return err
	}
	for i := range chunk.Value.list {
		hit := &chunk.Value.list[i]
		*r.row(hit.input, hit.row) |= anEvent
		r.times[1] += secondsOf(hit.at)
	}
	for _, rejected := range chunk.Rejects {
		*r.row(r.input(rejected.Input), rejected.Row) |= aReject
	}
	return nil
}

// toldRows are what a piece of an export's facts tells.
type toldRows struct {
	hits Hits // of those that have a time that is asked for
	rows []toldRow
}

// toldRow is what decides what became of a row.
type toldRow struct {
	input    uint32 // as in hits
	row      int64
	joined   int64
	at       pipeline.Micros
	fate     Fate
	shown    bool
	asked    bool
	hit      bool // it is the next of the hits
	untoldBy untoldSet
}

// tell counts the rows of the export.
func (r *rows) tell(ctx context.Context, pieces Pieces, jobs int) error {
	type told struct {
		piece Piece
		err   error
	}
	next, stop := iter.Pull(func(yield func(told) bool) {
		stopped := false
		err := pieces(func(p Piece) error {
			if stopped = !yield(told{piece: p}); stopped {
				return context.Canceled
			}
			return nil
		})
		if err != nil && !stopped {
			yield(told{err: err})
		}
	})
	defer stop()
	return pipeline.Ordered(ctx, jobs,
		func(context.Context) (Piece, error) {
			t, any := next()
			if !any {
				return nil, io.EOF
			}
			return t.piece, t.err
		},
		func(p Piece) (*toldRows, error) {
			out := &toldRows{hits: newHits(r.ids)}
			return out, p(func(f *Fact) { r.read(out, f) })
		},
		func(_ context.Context, out *toldRows) error { return r.source(out) },
	)
}

// read reads a row of the export. Several goroutines may call it.
func (r *rows) read(out *toldRows, f *Fact) {
	if len(r.rules.Privacy.QueryKeys) > 0 {
		f.Source, f.Query = "", "" // The parameter may have been dropped on purpose.
	}
	if len(r.rules.Privacy.Properties) > 0 {
		f.Properties = ""
	}
	t := toldRow{input: out.hits.input(f.Origin.Input), row: f.Origin.Row, joined: f.Joined, at: f.At, fate: f.Fate}
	t.shown = f.At != 0 && (f.Kind != pipeline.Custom || f.Name != "") && (f.Kind != pipeline.Pageview || f.Page != "" || f.Host != "" || r.rules.Hostname != "")
	t.asked = f.At >= r.rules.Since && (r.rules.Until == 0 || f.At < r.rules.Until)
	if t.hit = f.At != 0 && t.asked; t.hit {
		for i, s := range [...]string{f.Session, f.Visitor} {
			if s == "" && !(i == 0 && f.Paused && f.Visitor != "") {
				t.untoldBy |= noSession << i
			}
		}
		h := r.hitOf(f)
		for i, text := range h.Rows {
			if text == "" {
				t.untoldBy |= noDimension << i
			}
		}
		out.hits.add(h)
	}
	out.rows = append(out.rows, t)
}

// source counts rows of the export.
func (r *rows) source(told *toldRows) error {
	inputs := r.number(&told.hits)
	hits := told.hits.list
	for i := range told.rows {
		t := &told.rows[i]
		r.facts++
		r.joined += t.joined
		flags := r.row(inputs[t.input], t.row)
		kept := t.shown && t.asked && *flags&anEvent != 0
		if t.shown && t.asked && *flags&aReject == 0 {
			r.left.count(t.fate, *flags&anEvent != 0)
		}
		switch {
		case kept:
			r.kept++
			r.times[0] += secondsOf(t.at)
		case *flags&aReject != 0 && (t.asked || t.at == 0):
			r.rejected++
		default:
			r.omitted++
		}
		if !t.hit {
			continue
		}
		for i := range r.untold {
			if kept && t.untoldBy&(noSession<<i) != 0 {
				r.untold[i]++
			}
		}
		*flags |= rowFlags(t.untoldBy)
		on := only(Source)
		if kept {
			on |= only(Kept)
		}
		if err := r.add(on, &hits[0]); err != nil {
			return err
		}
		hits = hits[1:]
	}
	return nil
}
