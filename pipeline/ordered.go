package pipeline

import (
	"context"
	"errors"
	"io"

	"golang.org/x/sync/errgroup"
)

// Ordered takes items from next until io.EOF, hands them to work on several
// goroutines and the results to emit in the order of the items. next and emit
// are each called by one goroutine at a time.
//
// The order holds because the reader puts each item's result channel into the
// order queue before a worker can see the item, and emit takes the channels
// from that queue one by one. Memory is bounded because both queues are: at
// most 3×workers items are between next and emit.
//
// An error of next or work travels in its item's place, so that whatever
// precedes it has been emitted when Ordered returns it: the same input fails
// at the same point, however the goroutines run. When ctx ends, its cause is
// returned.
func Ordered[In, Out any](
	ctx context.Context, workers int,
	next func(context.Context) (In, error),
	work func(In) (Out, error),
	emit func(context.Context, Out) error,
) error {
	type result struct {
		out Out
		err error
	}
	type item struct {
		in   In
		done chan<- result
	}
	workers = max(workers, 1)
	outer := ctx
	items := make(chan item, workers)
	order := make(chan (<-chan result), 2*workers)
	group, ctx := errgroup.WithContext(ctx)

	group.Go(func() error {
		defer close(order)
		defer close(items)
		for {
			in, err := next(ctx)
			if errors.Is(err, io.EOF) {
				return nil
			}
			done := make(chan result, 1)
			select {
			case order <- done:
			case <-ctx.Done():
				return ctx.Err()
			}
			if err != nil {
				done <- result{err: err}
				return nil
			}
			select {
			case items <- item{in, done}:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	for range workers {
		group.Go(func() error {
			for it := range items {
				out, err := work(it.in)
				it.done <- result{out, err}
			}
			return nil
		})
	}
	group.Go(func() error {
		for done := range order {
			select {
			case r := <-done:
				if r.err != nil {
					return r.err
				}
				if err := emit(ctx, r.out); err != nil {
					return err
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	err := group.Wait()
	if outer.Err() != nil && errors.Is(err, outer.Err()) {
		return context.Cause(outer)
	}
	return err
}
