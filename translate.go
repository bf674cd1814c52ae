package hopper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"hopper/pipeline"
	"hopper/sinks/file"
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
	// other and a manifest; empty is Stdout.
	Out    string
	Stdout io.Writer
	// PartBytes is about how large a part of a directory gets; 0 is one part.
	PartBytes int64
	// Rejects is the file for rejected rows; empty is none.
	Rejects string
	// Version is that of the program, for the record.
	Version string
}

// Manifest stands beside the parts of a translation and says what they are.
type Manifest struct {
	Table   int               `json:"table"`
	Version string            `json:"hopper"`
	Source  string            `json:"source"`
	To      string            `json:"to"`
	Format  file.Format       `json:"format"`
	Site    string            `json:"site,omitempty"`
	Since   string            `json:"since,omitempty"`
	Until   string            `json:"until,omitempty"`
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

// ManifestName is what the manifest is called in a directory of parts.
const ManifestName = "manifest.json"

// Translate writes the export's events to files, and uploads nothing. No file
// gets its name before it is complete.
func (e *Export) Translate(ctx context.Context, to Translation) (*Result, error) {
	r := &importRun{Export: e, Import: Import{Rejects: to.Rejects}, began: time.Now(), log: e.options.Log, result: e.newResult()}
	return r.finish(r.translateTo(ctx, &to))
}

func (r *importRun) translateTo(ctx context.Context, to *Translation) (err error) {
	if to.Format == "" {
		to.Format = file.NDJSON
	}
	if to.To == "" {
		to.To = "events"
	}
	job := &file.Job{Format: to.Format, PartBytes: to.PartBytes, Create: to.create, Came: r.came}
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
	if stats.Events == 0 {
		return &NothingError{Inputs: r.result.Inputs, Stats: stats}
	}
	if !to.isDirectory() {
		return nil
	}
	return r.writeManifest(ctx, to, stats, parts)
}

func (to *Translation) isDirectory() bool {
	info, err := os.Stat(to.Out)
	return to.Out != "" && err == nil && info.IsDir()
}

// create begins a part.
func (to *Translation) create(n int) (string, file.Output, error) {
	switch {
	case to.Out == "":
		return "-", file.Stream(to.Stdout), nil
	case to.isDirectory():
		name := fmt.Sprintf("part-%05d.%s", n, to.Format)
		out, err := file.Create(filepath.Join(to.Out, name))
		return name, out, err
	}
	out, err := file.Create(to.Out)
	return filepath.Base(to.Out), out, err
}

func (r *importRun) writeManifest(ctx context.Context, to *Translation, stats pipeline.Stats, parts []file.Part) error {
	m := Manifest{
		Table: pipeline.TableVersion, Version: to.Version, Source: r.Source(), To: to.To, Format: to.Format, Site: to.Site,
		Since: r.options.Since, Until: r.options.Until, Options: r.options.Chosen, Stats: stats, Parts: parts,
	}
	identity, err := r.inputs.Identify(ctx)
	if err != nil {
		return err
	}
	for _, c := range identity.Contents {
		m.Inputs = append(m.Inputs, ManifestInput{c.Name, c.Size, c.SHA256})
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	out, err := file.Create(filepath.Join(to.Out, ManifestName))
	if err != nil {
		return err
	}
	if _, err := out.Write(append(text, '\n')); err != nil {
		return errors.Join(err, out.Abandon())
	}
	return out.Commit()
}
