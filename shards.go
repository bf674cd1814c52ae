package hopper

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"hopper/adapters"
	"hopper/adapters/events"
	"hopper/adapters/input"
	"hopper/pipeline"
	"hopper/sinks/file"
	"hopper/sinks/rybbit/ledger"
)

// Shards. Translation can be divided among machines where storing cannot: each
// translates a share of an export's units into one directory, and what they wrote
// is imported from there as one migration. Manifests say what belongs to it.

// translateShard translates one share of the units.
func (r *importRun) translateShard(ctx context.Context, to *Translation) error {
	switch {
	case to.Shard < 0 || to.Shard >= to.Shards:
		return optionErrorf("shard", "%d of %d: the shares are counted from 0 to %d", to.Shard, to.Shards, to.Shards-1)
	case r.match.Tied != "" && to.Shards > 1:
		return optionErrorf("shard", "the export cannot be translated in shares: %s", r.match.Tied)
	case !to.isDirectory():
		return optionErrorf("shard", "all shares are written to one existing directory as --output, or to an address that ends in a slash")
	}
	units := slices.Clone(r.match.Units)
	slices.SortFunc(units, func(a, b adapters.Unit) int { return cmp.Compare(a.Name, b.Name) })
	first, last := len(units)*to.Shard/to.Shards, len(units)*(to.Shard+1)/to.Shards
	mine := make([]unit, 0, last-first)
	for _, u := range units[first:last] {
		mine = append(mine, unit{Unit: u})
	}
	r.log.Info(fmt.Sprintf("shard %d of %d: %d of %d parts of the export", to.Shard, to.Shards, len(mine), len(units)), "event", "shard")
	if len(mine) > 0 {
		r.Export = r.part(ctx, mine)
		r.result.Inputs = r.Inputs()
		return r.translateTo(ctx, to)
	}
	r.result.Inputs, r.result.Status, r.result.Wire = []string{}, Complete, cmp.Or(to.To, "events")
	to.Format, to.To = cmp.Or(to.Format, file.NDJSON), r.result.Wire
	r.Export = &Export{options: r.options, args: r.args, adapter: r.adapter, identity: new(input.Identity), sums: ledger.Sums{SHA256: true}}
	return r.writeManifest(ctx, to, pipeline.Stats{}, []file.Part{})
}

// maxManifest bounds what is read of a manifest.
const maxManifest = 256 << 20

// parts are what the manifests of a directory say of it.
type parts struct {
	dir    string
	listed map[string]file.Part // by name
	shards map[int]bool
	of     int
}

// checkParts holds directories of parts to their manifests, and takes the parts'
// identity from there, so that they need not be read for it.
func (e *Export) checkParts(ctx context.Context) error {
	if e.adapter.Name() != "events" {
		return nil
	}
	dirs, err := e.manifests(ctx)
	if err != nil {
		return err
	}
	for _, in := range e.match.Own {
		p := dirs[above(in.Name)]
		if p == nil {
			continue
		}
		part, listed := p.listed[in.Name]
		switch {
		case !listed:
			return input.Errorf(in.Name, "is no part of the translation that the manifest beside it describes; an earlier one may have left it").Advise("delete it, or give the parts by name")
		case in.Size() >= 0 && in.Size() != part.Bytes:
			return input.Errorf(in.Name, "has %d bytes, and the manifest says %d", in.Size(), part.Bytes).Advise("translate again, or copy it again")
		}
		e.digests[in.Name] = part.SHA256
		delete(p.listed, in.Name)
	}
	for _, p := range dirs {
		if err := p.complete(); err != nil {
			return err
		}
	}
	return nil
}

// complete reports what a directory lacks.
func (p *parts) complete() error {
	for i := range p.of {
		if !p.shards[i] {
			return input.Errorf(p.dir, "lacks shard %d of %d of the translation", i, p.of).Advise("translate that shard, too: --shard %d/%d", i, p.of)
		}
	}
	for name, part := range p.listed {
		if part.Events > 0 {
			return input.Errorf(name, "is missing, and the manifest says that it holds %d events", part.Events).Advise("copy it, too, or translate again")
		}
	}
	return nil
}

// manifests reads the manifests among the inputs, by directory.
func (e *Export) manifests(ctx context.Context) (map[string]*parts, error) {
	dirs := make(map[string]*parts)
	e.digests = make(map[string]string)
	for _, in := range e.inputs.Files {
		if !events.IsManifest(in) {
			continue
		}
		m, err := readManifest(ctx, in)
		if err != nil || m.Table == 0 || m.To != "events" {
			continue // a file of somebody else's
		}
		dir := above(in.Name)
		p := dirs[dir]
		if p == nil {
			p = &parts{dir: dir, listed: map[string]file.Part{}, shards: map[int]bool{}, of: m.Shards}
			dirs[dir] = p
		}
		if p.of != m.Shards {
			return nil, input.Errorf(in.Name, "is of a translation in %d shards, and another manifest beside it of one in %d", m.Shards, p.of).Advise("give each translation a directory of its own")
		}
		p.shards[m.Shard] = true
		for _, part := range m.Parts {
			name := part.Name
			if dir != "" {
				name = dir + "/" + name
			}
			p.listed[name] = part
		}
	}
	return dirs, nil
}

func readManifest(ctx context.Context, in *input.Input) (m Manifest, err error) {
	r, err := in.Open(ctx)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	text, err := io.ReadAll(io.LimitReader(r, maxManifest))
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(text, &m)
}

// identifyParts returns the identity of the inputs. Manifests know some by their
// SHA-256, by which all are known then, unless a ledger knows something by the other
// sum: then what manifests know is read, too.
func (e *Export) identifyParts(ctx context.Context, sums ledger.Sums) (*input.Identity, error) {
	var unknown []*input.Input
	for _, in := range e.inputs.Files {
		if e.digests[in.Name] == "" {
			unknown = append(unknown, in)
		}
	}
	if listed := len(unknown) < len(e.inputs.Files); !listed || sums.XXH3 {
		return e.inputs.Identify(ctx, listed || sums.SHA256)
	}
	read, err := e.inputs.Only(unknown).Identify(ctx, true)
	if err != nil {
		return nil, err
	}
	for _, all := range [][]input.Fingerprint{read.Contents, read.Stored} {
		for i := range all {
			all[i].XXH3 = "" // or this migration would be none that is known by one of the sums
		}
	}
	all := new(input.Identity)
	for _, in := range e.inputs.Files {
		if digest := e.digests[in.Name]; digest != "" {
			known := input.Fingerprint{Name: in.Name, Size: in.Size(), SHA256: digest}
			all.Contents, all.Stored = append(all.Contents, known), append(all.Stored, known)
			continue
		}
		for len(read.Contents) > 0 && isUnder(in.Name, read.Contents[0].Name) {
			all.Contents, read.Contents = append(all.Contents, read.Contents[0]), read.Contents[1:]
		}
		for len(read.Stored) > 0 && isUnder(in.Name, read.Stored[0].Name) {
			all.Stored, read.Stored = append(all.Stored, read.Stored[0]), read.Stored[1:]
		}
	}
	return all, nil
}
