package ledger

import (
	"errors"
	"fmt"
	"io"
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
		of, err := sumsOf(path, server, site, plain)
		if err != nil {
			return Sums{XXH3: true, SHA256: true}, nil
		}
		sums.XXH3, sums.SHA256 = sums.XXH3 || of.XXH3, sums.SHA256 || of.SHA256
	}
	return sums, err
}

// errBegun ends the reading of a ledger after its first line.
var errBegun = errors.New("the ledger has more lines")

// sumsOf is SumsOf for one ledger.
func sumsOf(path, server, site string, plain map[int64]bool) (Sums, error) {
	f, err := os.Open(path)
	if err != nil {
		return Sums{}, err
	}
	defer f.Close()
	var all, sums Sums
	_, err = readJournal(f, func(line io.Reader) error {
		first, _, err := decodeFirst(line, func(in InputID) {
			if in.Grows || plain != nil && in.isPlain() && !plain[in.Size] {
				return
			}
			for _, c := range in.contents() {
				all.XXH3 = all.XXH3 || c.XXH3 != ""
				all.SHA256 = all.SHA256 || c.SHA256 != ""
			}
		}, func(Unit) {})
		if err != nil {
			return err
		}
		begin, ok := first.(Begin)
		if !ok {
			return fmt.Errorf("unexpected %T", first)
		}
		if begin.Migration.isOf(server, site) {
			sums = all
		}
		return errBegun
	})
	if errors.Is(err, errBegun) {
		err = nil
	}
	return sums, err
}
