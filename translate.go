package hopper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"hopper/pipeline"
	"hopper/sinks/file"
	"hopper/sinks/rybbit/ledger"
	"hopper/sinks/rybbit/wire"
)

// Translation says what an export is translated to, and where it goes.
type Translation struct {
	// To is "events" (or empty), the table of the common model, or the platform
	// of a wire format.
	To string
	// Format is the container; empty is NDJSON.
	Format file.Format
	// Site is the site that the events are for: it enters the identifiers that
	// hopper makes. An import of the translation gives the same identifiers as
	// one of the export where it is the same.
	Site string
	// Out is a file to write, or a directory, which gets one part after the
	// other and a manifest; empty is Stdout. It can be an address in a bucket,
	// where one that ends in a slash is a directory.
	Out    string
	Stdout io.Writer
	// PartBytes is about how large a part of a directory gets; 0 is one part.
	PartBytes int64
	// Shards, if set, translates one of so many shares of the export's units:
	// that of the number Shard, from 0 on. Out must be a directory, which all
	// share. What is imported is the same as without.
	Shard, Shards int
	// Rejects is the file for rejected rows; empty is none.
	Rejects string
	// Version is that of the program, for the record.
	Version string
}

// Manifest stands beside the parts of a translation and says what they are.
type Manifest struct {
	Table   int         `json:"table"`
	Version string      `json:"hopper"`
	Source  string      `json:"source"`
	To      string      `json:"to"`
	Format  file.Format `json:"format"`
	Site    string      `json:"site,omitempty"`
	Since   string      `json:"since,omitempty"`
	Until   string      `json:"until,omitempty"`
	// Shard is which of Shards shares of an export this is the manifest of.
	Shard   int               `json:"shard,omitempty"`
	Shards  int               `json:"shards,omitempty"`
	Options map[string]string `json:"options,omitempty"`
	Inputs  []ManifestInput   `json:"inputs"`
	Stats   pipeline.Stats    `json:"stats"`
	Parts   []file.Part       `json:"parts"`
}

// ManifestInput identifies an input by its contents.
type ManifestInput struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Translate writes the export's events to files, and uploads nothing. No file
// gets its name before it is complete.
func (e *Export) Translate(ctx context.Context, to Translation) (*Result, error) {
	r := &importRun{Export: e, Import: Import{Rejects: to.Rejects}, began: time.Now(), log: e.options.Log, result: e.newResult()}
	if to.Shards > 0 {
		return r.finish(r.translateShard(ctx, &to))
	}
	return r.finish(r.translateTo(ctx, &to))
}

func (r *importRun) translateTo(ctx context.Context, to *Translation) (err error) {
	if to.Format == "" {
		to.Format = file.NDJSON
	}
	if to.To == "" {
		to.To = "events"
	}
	job := &file.Job{Format: to.Format, PartBytes: to.PartBytes, Came: r.came, Create: func(n int) (string, file.Output, error) {
		return r.createPart(ctx, to, n)
	}}
	translation := pipeline.Translation{Normalizer: r.normalizer(to.Site, r.began), Jobs: r.options.Jobs}
	if to.To != "events" {
		format, err := wire.For(to.To)
		if err != nil {
			return &OptionError{"to", err}
		}
		job.Wire, translation.Target = format.Append, wire.Target(format)
	}
	rejected := &rejects{path: r.Rejects}
	defer func() { err = errors.Join(err, rejected.close()) }()
	if rejected.path != "" {
		job.Rejected = rejected.add
	}
	in := &reader{export: r.Export, now: r.began}
	src, err := in.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	stats, parts, err := job.Write(ctx, &translation, src)
	if err != nil {
		return err
	}
	r.result.Rows, r.result.Events, r.result.Wire, r.result.Status = stats.Rows, stats.Events, to.To, Complete
	r.result.Rejected, r.result.Rejects = stats.Rejected.Total(), stats.Rejected.Counts()
	r.result.Omitted, r.result.Repaired = stats.Omitted.Counts(), stats.Repaired.Counts()
	r.result.Earliest, r.result.Latest = span(&stats)
	r.result.Batches = len(parts)
	for _, p := range parts {
		r.result.Bytes += p.Bytes
	}
	in.remark()
	if stats.Events == 0 && to.Shards == 0 {
		return &NothingError{Inputs: r.result.Inputs, Stats: stats}
	}
	if !to.isDirectory() {
		return nil
	}
	return r.writeManifest(ctx, to, stats, parts)
}

func (to *Translation) isDirectory() bool {
	if to.isAddress() {
		return strings.HasSuffix(to.Out, "/")
	}
	info, err := os.Stat(to.Out)
	return to.Out != "" && err == nil && info.IsDir()
}

func (to *Translation) isAddress() bool { return strings.Contains(to.Out, "://") }

// shard is a part of the names of what one of several shares writes.
func (to *Translation) shard() string {
	if to.Shards == 0 {
		return ""
	}
	return fmt.Sprintf("-%05d-of-%05d", to.Shard, to.Shards)
}

// createPart begins a part.
func (r *importRun) createPart(ctx context.Context, to *Translation, n int) (string, file.Output, error) {
	switch {
	case to.Out == "":
		return "-", file.Stream(to.Stdout), nil
	case to.isDirectory():
		name := fmt.Sprintf("part%s-%05d.%s", to.shard(), n, to.Format)
		out, err := r.create(ctx, to, name)
		return name, out, err
	}
	out, err := r.create(ctx, to, "")
	return path.Base(filepath.ToSlash(to.Out)), out, err
}

// create begins a file of a directory or, without a name, Out itself.
func (r *importRun) create(ctx context.Context, to *Translation, name string) (file.Output, error) {
	if !to.isAddress() {
		return file.Create(filepath.Join(to.Out, name))
	}
	put, err := r.putter(to.Out)
	if err != nil {
		return nil, err
	}
	return file.Upload(r.options.TempDir, func(content io.ReadSeeker, size int64) error { return put.Put(ctx, to.Out+name, content, size) })
}

func (r *importRun) writeManifest(ctx context.Context, to *Translation, stats pipeline.Stats, parts []file.Part) error {
	m := Manifest{
		Table: pipeline.TableVersion, Version: to.Version, Source: r.Source(), To: to.To, Format: to.Format, Site: to.Site,
		Since: r.options.Since, Until: r.options.Until, Shard: to.Shard, Shards: to.Shards, Options: r.options.Chosen, Parts: parts,
	}
	portable := r.portable()
	m.Stats = portableStats(stats, portable)
	identity, err := r.identify(ctx, ledger.Sums{SHA256: true})
	if err != nil {
		return err
	}
	for _, c := range identity.Contents {
		m.Inputs = append(m.Inputs, ManifestInput{portable(c.Name), c.Size, c.SHA256})
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	out, err := r.create(ctx, to, "manifest"+to.shard()+".json")
	if err != nil {
		return err
	}
	if _, err := out.Write(append(text, '\n')); err != nil {
		return errors.Join(err, out.Abandon())
	}
	return out.Commit()
}

// portable returns what a manifest calls an input: a local file as seen from the
// directory that holds all that was given, since a translation is read elsewhere.
func (e *Export) portable() func(name string) string {
	base := ""
	for _, arg := range e.args {
		at, err := filepath.Abs(arg)
		if strings.Contains(arg, "://") || arg == "-" || err != nil {
			continue
		}
		if glob := strings.IndexAny(at, "*?["); glob >= 0 {
			at = at[:glob] + "."
		}
		at = filepath.Dir(at)
		if base == "" {
			base = at
		}
		for !isUnder(filepath.ToSlash(at), filepath.ToSlash(base)) && base != filepath.Dir(base) {
			base = filepath.Dir(base)
		}
	}
	return func(name string) string {
		at, err := filepath.Abs(name)
		if base == "" || strings.Contains(name, "://") || err != nil {
			return name
		}
		seen, err := filepath.Rel(base, at)
		if seen = filepath.ToSlash(seen); err != nil || strings.HasPrefix(seen, "../") {
			return name
		}
		return seen
	}
}

// portableStats returns stats that call inputs by other names.
func portableStats(stats pipeline.Stats, portable func(string) string) pipeline.Stats {
	for _, tally := range []*pipeline.Tally{&stats.Repaired, &stats.Rejected, &stats.Omitted} {
		*tally = maps.Clone(*tally)
		for kind, o := range *tally {
			o.Input = portable(o.Input)
			(*tally)[kind] = o
		}
	}
	return stats
}
