package adapters

import (
	"bytes"
	"context"

	"hopper/adapters/input/spill"
)

// groupLimit is how much memory one of a [GroupFinder]'s sorters takes; two are
// filled and read at a time.
const groupLimit = 32 << 20

// A GroupFinder finds which identifiers belong together, from pairs that do: a and c
// with a and b, and b and c. It sorts the pairs, on disk where need be, and pulls
// each group into a star around its least identifier, in few rounds: those of
// "Connected Components in MapReduce and Beyond" (Kiveris and others, 2014). The zero
// value is ready for use, by one goroutine.
type GroupFinder struct {
	// Dir is where it spills; empty is the system's directory for temporary files.
	Dir string

	both *spill.Sorter // each pair, both ways round
}

func (f *GroupFinder) sorter() *spill.Sorter { return &spill.Sorter{Dir: f.Dir, Limit: groupLimit} }

// Add says that two identifiers belong together; they may be the same.
func (f *GroupFinder) Add(a, b ID) error {
	if f.both == nil {
		f.both = f.sorter()
	}
	if err := addPair(f.both, a[:], b[:]); err != nil {
		return err
	}
	return addPair(f.both, b[:], a[:])
}

func addPair(s *spill.Sorter, a, b []byte) error {
	var key [2 * len(ID{})]byte
	copy(key[copy(key[:], a):], b)
	return s.Add(key[:], nil)
}

// Find ends adding, and calls yield with each identifier in ascending order and the
// least of those that it belongs with, which can be itself.
func (f *GroupFinder) Find(ctx context.Context, yield func(member, least ID) error) error {
	defer f.Close()
	for f.both != nil {
		down := f.sorter()
		star, err := f.pullGreater(ctx, down)
		if err == nil && star {
			err = neighbors(ctx, down, func(of, to []byte, _ bool) error { return yield(ID(of), ID(to)) })
			f.Close()
		} else if err == nil {
			err = f.pullLess(ctx, down)
		}
		down.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// pullGreater pairs the greater neighbors of each identifier with the least of it and
// its neighbors, and each that is the least with itself. It reports whether every
// group is a star already, so that down says of each identifier which is its least.
func (f *GroupFinder) pullGreater(ctx context.Context, down *spill.Sorter) (star bool, err error) {
	star = true
	var least ID
	err = neighbors(ctx, f.both, func(of, to []byte, first bool) error {
		if first {
			if least = ID(to); bytes.Compare(of, to) <= 0 {
				least = ID(of)
				if err := addPair(down, of, of); err != nil {
					return err
				}
			}
		} else if !bytes.Equal(least[:], of) {
			star = false
		}
		if bytes.Compare(to, of) <= 0 {
			return nil
		}
		return addPair(down, to, least[:])
	})
	return star, err
}

// pullLess pairs each identifier and the neighbors less than it with the least of these.
func (f *GroupFinder) pullLess(ctx context.Context, down *spill.Sorter) error {
	f.Close()
	var least ID
	return neighbors(ctx, down, func(of, to []byte, first bool) error {
		switch {
		case first:
			least = ID(to)
			return f.Add(ID(of), least)
		case bytes.Equal(of, to):
			return nil
		}
		return f.Add(ID(to), least)
	})
}

// neighbors calls yield with each pair in order, once, and whether it is its first
// identifier's first.
func neighbors(ctx context.Context, pairs *spill.Sorter, yield func(of, to []byte, first bool) error) error {
	var last [2 * len(ID{})]byte
	some := false
	return pairs.Each(ctx, func(key, _ []byte) error {
		if some && bytes.Equal(last[:], key) {
			return nil
		}
		of, to := key[:len(ID{})], key[len(ID{}):]
		first := !some || !bytes.Equal(last[:len(ID{})], of)
		some = true
		copy(last[:], key)
		return yield(of, to, first)
	})
}

// Close gives up all memory and disk space. Find does so too.
func (f *GroupFinder) Close() error {
	both := f.both
	f.both = nil
	if both == nil {
		return nil
	}
	return both.Close()
}
