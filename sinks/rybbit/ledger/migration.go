package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
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
	// SHA256 are the digests of its contents.
	SHA256 []string `json:"sha256"`
}

// Digests returns what identifies the inputs that hold events.
func (m Migration) Digests() []string {
	var all []string
	for _, in := range m.Inputs {
		for _, c := range in.contents() {
			if !c.Joined {
				all = append(all, c.SHA256)
			}
		}
	}
	return all
}

// Same reports whether o is the same migration: one whose ledger goes on with
// m's.
func (m Migration) Same(o Migration) bool { return m.key() == o.key() || m.oldKey() == o.oldKey() }

// Stdin is the name of standard input, which is the only one that says nothing
// about its content.
const Stdin = "standard input"

// InputID identifies an input by its content. Packing does not count: an archive
// is the same input as the files in it.
type InputID struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"` // bytes, as stored
	SHA256 string `json:"sha256"`
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
	SHA256 string `json:"sha256"`
	Joined bool   `json:"joined,omitempty"`
}

func (in *InputID) contents() []Content {
	if len(in.Contents) == 0 {
		return []Content{{in.SHA256, in.Joined}}
	}
	return in.Contents
}

// key names a migration's files. Names and sizes of inputs do not enter: a
// renamed file is the same input.
func (m Migration) key() string {
	var digests []string
	for _, in := range m.Inputs {
		for _, c := range in.contents() {
			digests = append(digests, c.SHA256)
		}
	}
	return m.hash(digests, m.Options)
}

// options2025 are the options that builds before 2026-11-25 hashed whether or
// not they were set, with their defaults.
var options2025 = map[string]string{"timezone": "", "hostname": "", "website": "", "ga-events": "default", "dedupe": "false"}

// oldKey is the key that builds before 2026-11-25 gave the same migration: of the
// bytes as stored, with all options of that time.
func (m Migration) oldKey() string {
	digests := make([]string, len(m.Inputs))
	for i, in := range m.Inputs {
		digests[i] = in.SHA256
	}
	options := maps.Clone(options2025)
	maps.Copy(options, m.Options)
	return m.hash(digests, options)
}

func (m Migration) hash(digests []string, options map[string]string) string {
	h := sha256.New()
	enc := json.NewEncoder(h)
	if len(options) == 0 {
		options = nil
	}
	// A string map encodes in the order of its keys.
	for _, part := range []any{m.Server, m.Site, m.Source, digests, options, m.Since, m.Until} {
		if err := enc.Encode(part); err != nil {
			panic(err) // strings and maps of strings always encode
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
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
		for _, c := range append(in.contents(), Content{in.SHA256, in.Joined}) {
			joined, seen := read[c.SHA256]
			read[c.SHA256] = c.Joined && (!seen || joined)
		}
	}
	for _, in := range m.Inputs {
		if in.Grows {
			continue // which time is whose, the events say
		}
		e := &OverlapError{Input: in.Name, Other: o, Begun: begun}
		same := false
		for _, c := range append(in.contents(), Content{in.SHA256, in.Joined}) {
			joined, seen := read[c.SHA256]
			if same = same || seen; seen && !(joined && c.Joined) {
				e.Reason = "this has been imported already, with other options or together with other inputs"
				return e
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
