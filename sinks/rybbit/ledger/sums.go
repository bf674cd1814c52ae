package ledger

import (
	"cmp"
	"errors"
	"os"
)

// Sums are kinds of digests, by which ledgers know contents.
type Sums struct{ XXH3, SHA256 bool }

// Within reports whether all of s are among o.
func (s Sums) Within(o Sums) bool { return (o.XXH3 || !s.XXH3) && (o.SHA256 || !s.SHA256) }

// SumsOf returns the kinds of digests by which the ledgers of a state directory know
// what could be contents of some inputs, for a site of a server; empty stands for any.
// Plain are the sizes of the inputs if all of them are single files without packing:
// no others have the same contents. It is nil where they are not.
//
// A ledger that cannot be read could know anything: whoever needs it meets the error.
func SumsOf(dir, server, site string, plain map[int64]bool) (Sums, error) {
	var sums Sums
	paths, err := journals(dir)
	for _, path := range paths {
		m, err := begunWith(path)
		if err != nil {
			return Sums{XXH3: true, SHA256: true}, nil
		}
		if m == nil || !m.isOf(server, site) {
			continue
		}
		for _, in := range m.Inputs {
			if in.Grows || plain != nil && in.isPlain() && !plain[in.Size] {
				continue
			}
			for _, c := range in.contents() {
				sums.XXH3 = sums.XXH3 || c.XXH3 != ""
				sums.SHA256 = sums.SHA256 || c.SHA256 != ""
			}
		}
	}
	return sums, err
}

// errBegun ends the reading of a ledger after its first line.
var errBegun = errors.New("the ledger has more lines")

// begunWith returns what a ledger was begun with, nil where that is not there.
func begunWith(path string) (*Migration, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	l := new(Ledger)
	_, err = readJournal(f, func(line []byte) error { return cmp.Or(l.replay(line), errBegun) })
	if err != nil && !errors.Is(err, errBegun) {
		return nil, err
	}
	if l.started.IsZero() {
		return nil, nil
	}
	return &l.migration, nil
}
