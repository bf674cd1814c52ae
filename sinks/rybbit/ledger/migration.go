package ledger

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"iter"
	"maps"
	"slices"
	"time"
)

// A Migration is what a ledger is about: these inputs, read with these
// options, into this site. Two runs with the same Migration are the same
// migration, and the second goes on where the first stopped.
type Migration struct {
	Server string    `json:"server"`
	Site   string    `json:"site"`
	Source string    `json:"source"`
	Inputs []InputID `json:"inputs"`
	// Options are those that change which events there are, or what is in them,
	// and are set to something else than their default.
	Options map[string]string `json:"options,omitempty"`
	// Since and Until are the days asked for, "2024-01-31", or empty.
	Since string `json:"since,omitempty"`
	Until string `json:"until,omitempty"`
	// Sums says that the inputs hold sums of days, so that a day is brought as a
	// whole.
	Sums bool `json:"sums,omitempty"`
	// Live is where Until "live" stands: the time from which the site's own
	// tracker has recorded events.
	Live string `json:"live,omitempty"`
	// Units are the parts of which the inputs consist, where only what is new was
	// asked for.
	Units []Unit `json:"units,omitempty"`
}

// A Unit is a part of an export that could be imported by itself.
type Unit struct {
	Name string `json:"name"`
	// Dated says that the name stands for a day, whose events no unit of another
	// name holds.
	Dated bool `json:"dated,omitempty"`
	// XXH3 and SHA256 are the digests of its contents, each in one of them.
	XXH3   []string `json:"xxh3,omitempty"`
	SHA256 []string `json:"sha256,omitempty"`
}

// Digests returns the digests of the unit's contents.
func (u Unit) Digests() []string { return slices.Concat(u.XXH3, u.SHA256) }

// A Digest identifies what a file holds, in hexadecimal: by XXH3 of 128 bits, or by
// SHA-256 where that alone is known, as in ledgers of builds before 2026-11-26 and of
// what a store or a manifest vouches for. Both are known of inputs that are compared
// with such a ledger's.
type Digest struct {
	XXH3   string `json:"xxh3,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
}

// Main is the digest that a new ledger holds.
func (d Digest) Main() string { return cmp.Or(d.XXH3, d.SHA256) }

// Known are the digests that are known, of the two.
func (d Digest) Known() []string {
	return slices.DeleteFunc([]string{d.XXH3, d.SHA256}, func(digest string) bool { return digest == "" })
}

// IsIn reports whether one of the digests is among others.
func (d Digest) IsIn(others map[string]bool) bool {
	return slices.ContainsFunc(d.Known(), func(digest string) bool { return others[digest] })
}

// recorded returns the digest as a new ledger holds it.
func (d Digest) recorded() Digest {
	if d.XXH3 != "" {
		d.SHA256 = ""
	}
	return d
}

// Digests returns what identifies the inputs that hold events.
func (m Migration) Digests() []string {
	var all []string
	for _, in := range m.Inputs {
		for _, c := range in.contents() {
			if !c.Joined {
				all = append(all, c.Known()...)
			}
		}
	}
	return all
}

// Dated reports whether there are units, and the names of all stand for days.
func (m Migration) Dated() bool {
	return len(m.Units) > 0 && !slices.ContainsFunc(m.Units, func(u Unit) bool { return !u.Dated })
}

// Same reports whether o is the same migration: one whose ledger goes on with
// m's.
func (m Migration) Same(o Migration) bool {
	theirs := o.keys()
	return slices.ContainsFunc(m.keys(), func(key string) bool { return slices.Contains(theirs, key) })
}

// recorded returns m as its ledger holds it: with one digest of each content.
func (m Migration) recorded() Migration {
	if !slices.ContainsFunc(m.Inputs, InputID.isOld) { // there can be hundreds of thousands
		return m
	}
	m.Inputs = slices.Clone(m.Inputs)
	for i := range m.Inputs {
		in := &m.Inputs[i]
		in.Contents = slices.Clone(in.Contents)
		for j := range in.Contents {
			in.Contents[j].Digest = in.Contents[j].recorded()
		}
		if in.Digest = in.recorded(); len(in.Contents) > 0 && in.Contents[0].XXH3 != "" {
			in.SHA256 = "" // what is in it identifies it
		}
	}
	return m
}

// Stdin is the name of standard input, which is the only one that says nothing
// about its content.
const Stdin = "standard input"

// InputID identifies an input by its content. Packing does not count: an archive
// is the same input as the files in it.
type InputID struct {
	Name string `json:"name"`
	Size int64  `json:"size"` // bytes, as stored
	// Digest is of the bytes as stored. It is empty where Contents identify the input.
	Digest
	// Joined says that it holds no events, but what belongs to those of others.
	Joined bool `json:"joined,omitempty"`
	// Grows says that it is identified by its name, and goes on growing: a table of
	// a database. Several migrations read it, each the events of another time.
	Grows bool `json:"grows,omitempty"`
	// Contents are the files in it with all packing taken off, in the order in
	// which they are read. Empty means that it is one file without packing.
	Contents []Content `json:"contents,omitempty"`
}

// Content identifies a file without its packing.
type Content struct {
	Digest
	Joined bool `json:"joined,omitempty"`
}

// isOld reports whether the SHA-256 of the input or of what is in it is known.
func (in InputID) isOld() bool {
	return in.SHA256 != "" || slices.ContainsFunc(in.Contents, func(c Content) bool { return c.SHA256 != "" })
}

func (in *InputID) contents() []Content {
	if len(in.Contents) == 0 {
		return []Content{{in.Digest, in.Joined}}
	}
	return in.Contents
}

// all are the contents, and the input as it is stored.
func (in *InputID) all() []Content {
	return append(slices.Clone(in.contents()), Content{in.Digest, in.Joined})
}

// isPlain reports whether the input is one file without packing.
func (in *InputID) isPlain() bool {
	return len(in.Contents) == 0 || len(in.Contents) == 1 && in.Contents[0].Main() == in.Main()
}

// keys name a migration's files, the newest naming first: by the digests that new
// ledgers hold, by those that older ones do, and as [Migration.oldKey] does, as far as
// these digests are known. Names and sizes of inputs do not enter: a renamed file is
// the same input.
func (m Migration) keys() []string {
	contents := func(digest func(Digest) string) iter.Seq[string] {
		return func(yield func(string) bool) {
			for i := range m.Inputs {
				for _, c := range m.Inputs[i].contents() {
					if !yield(digest(c.Digest)) {
						return
					}
				}
			}
		}
	}
	stored := func(yield func(string) bool) {
		for i := range m.Inputs {
			if !yield(m.Inputs[i].SHA256) {
				return
			}
		}
	}
	keys := []string{m.hash(contents(Digest.Main), m.Options)}
	if older := contents(func(d Digest) string { return d.SHA256 }); areKnown(older) {
		keys = append(keys, m.hash(older, m.Options))
	}
	if areKnown(stored) {
		keys = append(keys, m.oldKey(stored))
	}
	return keys
}

// areKnown reports whether no digest is empty.
func areKnown(digests iter.Seq[string]) bool {
	for digest := range digests {
		if digest == "" {
			return false
		}
	}
	return true
}

// options2025 are the options that builds before 2026-11-25 hashed whether or
// not they were set, with their defaults.
var options2025 = map[string]string{"timezone": "", "hostname": "", "website": "", "ga-events": "default", "dedupe": "false"}

// oldKey is the key that builds before 2026-11-25 gave the same migration: of the
// bytes as stored, with all options of that time.
func (m Migration) oldKey(stored iter.Seq[string]) string {
	options := maps.Clone(options2025)
	maps.Copy(options, m.Options)
	return m.hash(stored, options)
}

func (m Migration) hash(digests iter.Seq[string], options map[string]string) string {
	h := sha256.New()
	enc := json.NewEncoder(h)
	encode := func(parts ...any) {
		for _, part := range parts {
			if err := enc.Encode(part); err != nil {
				panic(err) // strings and maps of strings always encode
			}
		}
	}
	if len(options) == 0 {
		options = nil
	}
	encode(m.Server, m.Site, m.Source)
	encodeList(h, digests)
	encode(options, m.Since, m.Until) // a string map encodes in the order of its keys
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// encodeList writes digests as [json.Encoder] does a slice of them, which can have
// hundreds of thousands; none is null.
func encodeList(h hash.Hash, digests iter.Seq[string]) {
	before, after := "[", "null\n"
	var line bytes.Buffer // one for all
	encoder := json.NewEncoder(&line)
	for digest := range digests {
		line.Reset()
		line.WriteString(before)
		if err := encoder.Encode(digest); err != nil {
			panic(err) // strings always encode
		}
		h.Write(bytes.TrimSuffix(line.Bytes(), []byte("\n")))
		before, after = ",", "]\n"
	}
	io.WriteString(h, after)
}

// OverlapError says that another migration into the same site has read some
// of the same inputs, so that this one would store events twice.
type OverlapError struct {
	Input  string
	Other  Migration
	Begun  time.Time
	Reason string
}

func (e *OverlapError) Error() string {
	return fmt.Sprintf("%s: %s (the migration into site %s of %s). To finish that one, run it with the same inputs and options; "+
		"to import these inputs although events may then stand in Rybbit twice, add --again",
		e.Input, e.Reason, e.Other.Site, e.Begun.Format(time.DateOnly))
}

// overlaps returns an error when o, begun at a time, has read an input of m, or one
// of the same name that has changed since. Inputs that are only joined to events,
// such as a table of sessions beside each year's events, may be shared.
func (m Migration) overlaps(o Migration, begun time.Time) error {
	read := make(map[string]bool) // by digest, whether only to be joined
	names := make(map[string]InputID)
	for _, in := range o.Inputs {
		names[in.Name] = in
		for _, c := range in.all() {
			for _, digest := range c.Known() {
				joined, seen := read[digest]
				read[digest] = c.Joined && (!seen || joined)
			}
		}
	}
	for _, in := range m.Inputs {
		if in.Grows {
			continue // which time is whose, the events say
		}
		e := &OverlapError{Input: in.Name, Other: o, Begun: begun}
		same := false
		for _, c := range in.all() {
			for _, digest := range c.Known() {
				joined, seen := read[digest]
				if same = same || seen; seen && !(joined && c.Joined) {
					e.Reason = "this has been imported already, with other options or together with other inputs"
					return e
				}
			}
		}
		// A table that is only joined may have grown.
		if other, named := names[in.Name]; named && !same && in.Name != Stdin && !(in.Joined && other.Joined) {
			e.Reason = fmt.Sprintf("this input has changed since it was imported (it had %d bytes, it has %d)", other.Size, in.Size)
			return e
		}
	}
	return nil
}

func disjoint(a, b Migration) bool {
	before := func(a, b Migration) bool { return a.Until != "" && b.Since != "" && a.Until < b.Since }
	return before(a, b) || before(b, a)
}
