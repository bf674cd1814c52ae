package hopper

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"

	"hopper/adapters/input"
	"hopper/sinks/rybbit/ledger"
)

// migration identifies what is being moved. Options that change neither which
// events there are nor what they hold stay out of it, and so does what is not
// set: a new option breaks no migration that is under way. Sums are the kinds of
// digests by which ledgers know inputs that these could be.
func (e *Export) migration(ctx context.Context, sums ledger.Sums) (ledger.Migration, error) {
	var identity *input.Identity
	err := e.during("checking", e.inputs.BytesIdentified, func() (err error) {
		identity, err = e.identify(ctx, sums)
		return err
	})
	if err != nil {
		return ledger.Migration{}, err
	}
	m := ledger.Migration{Source: e.adapter.Name(), Sums: e.match.Sums, Since: e.options.Since, Until: e.options.Until, Options: maps.Clone(e.options.Chosen)}
	for _, option := range e.adapter.Options() {
		if name := m.Options[option.Name]; option.Placeholder == "FILE" && name != "" {
			// What is in the file counts, wherever it lies.
			content, err := os.ReadFile(name)
			if err != nil {
				return ledger.Migration{}, &OptionError{option.Name, err}
			}
			m.Options[option.Name] = fmt.Sprintf("%x", sha256.Sum256(content))
		}
	}
	for name, value := range map[string]string{"timezone": e.options.Timezone, "hostname": e.options.Hostname} {
		if value != "" {
			m.Options[name] = value
		}
	}
	if m.Options == nil {
		m.Options = map[string]string{}
	}
	identifyPrivacy(m.Options, &e.options.Privacy)
	joined, growing, contents := e.joined(), e.inputs.Growing(), identity.Contents
	m.Inputs = make([]ledger.InputID, 0, len(identity.Stored))
	for _, p := range identity.Stored {
		id := ledger.InputID{Name: p.Name, Size: p.Size, Digest: digestOf(p), Joined: joined(p.Name), Grows: growing[p.Name]}
		for len(contents) > 0 && isUnder(contents[0].Name, p.Name) {
			id.Contents = append(id.Contents, ledger.Content{Digest: digestOf(contents[0]), Joined: joined(contents[0].Name)})
			contents = contents[1:]
		}
		m.Inputs = append(m.Inputs, id)
	}
	m.Units = make([]ledger.Unit, 0, len(e.match.Units))
	err = e.eachUnit(ctx, sums, func(one unit, at int) {
		if at == len(m.Units) {
			m.Units = append(m.Units, one.recorded())
		}
	})
	return m, err
}

func digestOf(f input.Fingerprint) ledger.Digest {
	return ledger.Digest{XXH3: f.XXH3, SHA256: f.SHA256}
}

// knownBy returns by which kinds of digests the ledgers of a state directory know what
// could be these inputs, for a site of a server; empty stands for any.
func (e *Export) knownBy(state, server, site string) (ledger.Sums, error) {
	return ledger.SumsOf(state, server, site, e.inputs.PlainSizes())
}

// identify returns what identifies the inputs, which are read through once for it,
// unless they have been summed up. Sums are the kinds of digests that are needed beside
// the one that new ledgers hold.
func (e *Export) identify(ctx context.Context, sums ledger.Sums) (*input.Identity, error) {
	if e.identity != nil && sums.Within(e.sums) {
		return e.identity, nil
	}
	identity, err := e.identifyParts(ctx, sums)
	if err == nil {
		e.identity, e.sums = identity, sums
		e.sums.XXH3 = sums.XXH3 || len(e.digests) == 0 // what no manifest knows has it in any case
	}
	return identity, err
}

// joined returns what reports whether nothing of what a name stands for, an
// input or an archive of inputs, holds events.
func (e *Export) joined() func(name string) bool {
	if len(e.match.Joined) == 0 {
		return func(string) bool { return false }
	}
	events := make(map[string]bool)
	for _, name := range others(e.inputs.Files, e.match.Joined) {
		for ; !events[name] && name != ""; name = above(name) {
			events[name] = true
		}
	}
	return func(name string) bool { return !events[name] }
}
