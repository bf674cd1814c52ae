package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// counting yields 0, 1, … n-1.
func counting(n int) func(context.Context) (int, error) {
	next := 0
	return func(ctx context.Context) (int, error) {
		if next == n {
			return 0, io.EOF
		}
		next++
		return next - 1, ctx.Err()
	}
}

// TestOrdered gives each item a time of its own, so that workers finish in any
// order, and lets any items fail. A goroutine left behind would not let the
// bubble end.
func TestOrdered(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(rt, "items")
		workers := rapid.IntRange(-1, 8).Draw(rt, "workers")
		times := rapid.SliceOfN(rapid.IntRange(0, 50), n, n).Draw(rt, "times")
		fails := rapid.SliceOfN(rapid.IntRange(0, n), 0, 3).Draw(rt, "fails")
		first := n
		for _, at := range fails {
			first = min(first, at)
		}
		synctest.Test(t, func(t *testing.T) {
			var taken, emitted, emitting atomic.Int64
			next := counting(n)
			err := Ordered(t.Context(), workers,
				func(ctx context.Context) (int, error) { taken.Add(1); return next(ctx) },
				func(i int) (int, error) {
					time.Sleep(time.Duration(times[i]))
					for _, at := range fails {
						if at == i {
							return 0, fmt.Errorf("item %d", i)
						}
					}
					return i, nil
				},
				func(_ context.Context, i int) error {
					if emitting.Add(1) != 1 {
						t.Error("emit is called twice at once")
					}
					defer emitting.Add(-1)
					if int64(i) != emitted.Load() {
						t.Errorf("item %d comes where %d should", i, emitted.Load())
					}
					if in := taken.Load() - emitted.Load(); in > int64(3*max(workers, 1)+2) {
						t.Errorf("%d items are on the way with %d workers", in, workers)
					}
					time.Sleep(7 * time.Nanosecond)
					emitted.Add(1)
					return nil
				})
			if emitted.Load() != int64(first) {
				t.Errorf("%d items emitted before the failure of %d", emitted.Load(), first)
			}
			if first < n && (err == nil || err.Error() != fmt.Sprint("item ", first)) || first == n && err != nil {
				t.Errorf("error %v, want that of item %d", err, first)
			}
		})
	})
}

func TestOrderedErrors(t *testing.T) {
	broken := errors.New("broken")
	work := func(i int) (int, error) { return i, nil }
	t.Run("next", func(t *testing.T) {
		emitted := 0
		next := counting(10)
		err := Ordered(t.Context(), 3,
			func(ctx context.Context) (int, error) {
				if i, err := next(ctx); i < 5 {
					return i, err
				}
				return 0, broken
			}, work,
			func(context.Context, int) error { emitted++; return nil })
		if !errors.Is(err, broken) || emitted != 5 {
			t.Errorf("error %v after %d items", err, emitted)
		}
	})
	t.Run("emit", func(t *testing.T) {
		emitted := 0
		err := Ordered(t.Context(), 3, counting(1000), work, func(context.Context, int) error {
			if emitted++; emitted == 5 {
				return broken
			}
			return nil
		})
		if !errors.Is(err, broken) || emitted != 5 {
			t.Errorf("error %v after %d items", err, emitted)
		}
	})
	stopped := errors.New("stopped")
	for _, where := range []string{"next", "work", "emit", "before"} {
		t.Run("cancel in "+where, func(t *testing.T) {
			for range 50 {
				ctx, cancel := context.WithCancelCause(t.Context())
				if where == "before" {
					cancel(stopped)
				}
				next := counting(1000)
				at := func(here string, i int) {
					if here == where && i == 20 {
						cancel(stopped)
					}
				}
				err := Ordered(ctx, 3,
					func(ctx context.Context) (int, error) { i, err := next(ctx); at("next", i); return i, err },
					func(i int) (int, error) { at("work", i); return i, nil },
					func(ctx context.Context, i int) error { at("emit", i); return ctx.Err() })
				if !errors.Is(err, stopped) {
					t.Fatalf("error %v, want the context's cause", err)
				}
			}
		})
	}
}
