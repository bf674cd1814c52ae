// Command hopper-beam translates a large export on Apache Beam: in shares, one a
// worker at a time, into one folder of parts and manifests, as hopper translate
// --shard does on one machine after the other. What it writes is imported as one:
//
//	hopper-beam --input gs://bucket/export/ --output gs://bucket/parts/ --shards 240
//	hopper import --from events gs://bucket/parts/
//
// Without --runner it runs in this process, on Beam's prism. --runner dataflow,
// flink, spark and so on, with their own flags, run it on those.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/gcs"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/local"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/s3"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/log"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/x/beamx"

	"hopper"
	"hopper/sinks/file"
)

func init() {
	register.DoFn3x1[context.Context, int, func(Counts), error](new(Translate))
	register.Emitter1[Counts]()
	register.Combiner1[Counts](new(addCounts))
	register.Function2x0(tell)
}

// Translate translates shares of an export. All workers must see its inputs by the
// same names.
type Translate struct {
	// Inputs are files, folders, globs or addresses, as hopper takes them.
	Inputs []string
	// Output is the folder or the prefix of all parts, in any of Beam's filesystems.
	Output string
	Shards int
	// PartBytes is about how large a part gets; 0 is one part a share.
	PartBytes int64
	// To, Format, Site, From and Timezone are as hopper translate takes them.
	To, Format, Site, From, Timezone string
}

// Counts are what shares come to.
type Counts struct{ Rows, Events, Rejected, Parts, Bytes int64 }

// ProcessElement translates the share of a number. One that is translated again,
// after a worker was lost, writes the same files again.
func (t *Translate) ProcessElement(ctx context.Context, shard int, emit func(Counts)) error {
	dir, err := os.MkdirTemp("", "hopper-beam-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	export, err := hopper.Open(ctx, t.Inputs, hopper.Options{From: t.From, Timezone: t.Timezone})
	if err != nil {
		return err
	}
	defer export.Close()
	result, err := export.Translate(ctx, hopper.Translation{
		To: t.To, Format: file.Format(t.Format), Site: t.Site, Out: dir, PartBytes: t.PartBytes, Shard: shard, Shards: t.Shards,
	})
	if err != nil {
		return fmt.Errorf("shard %d of %d: %w", shard, t.Shards, err)
	}
	if err := publish(ctx, dir, t.Output); err != nil {
		return fmt.Errorf("shard %d of %d: %w", shard, t.Shards, err)
	}
	emit(Counts{result.Rows, result.Events, result.Rejected, int64(result.Batches), result.Bytes})
	return nil
}

// publish copies the files of a share, its manifest last: import refuses a folder
// that lacks one, so that what was left half done is not taken for whole.
func publish(ctx context.Context, dir, output string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	fs, err := filesystem.New(ctx, output)
	if err != nil {
		return err
	}
	defer fs.Close()
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return strings.Compare(b.Name(), a.Name()) }) // part-…, manifest-…
	for _, entry := range entries {
		if err := copyTo(ctx, fs, filepath.Join(dir, entry.Name()), strings.TrimSuffix(output, "/")+"/"+entry.Name()); err != nil {
			return err
		}
	}
	return nil
}

func copyTo(ctx context.Context, fs filesystem.Interface, from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := fs.OpenWrite(ctx, to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return fmt.Errorf("%s: %w", to, err)
	}
	return out.Close()
}

type addCounts struct{}

// MergeAccumulators adds up two.
func (*addCounts) MergeAccumulators(a, b Counts) Counts {
	return Counts{a.Rows + b.Rows, a.Events + b.Events, a.Rejected + b.Rejected, a.Parts + b.Parts, a.Bytes + b.Bytes}
}

func tell(ctx context.Context, c Counts) {
	log.Infof(ctx, "done: %d rows, %d events, %d rejected, %d bytes in %d parts", c.Rows, c.Events, c.Rejected, c.Bytes, c.Parts)
}

// Pipeline adds the translation to a pipeline and returns what it comes to.
func Pipeline(s beam.Scope, t *Translate) beam.PCollection {
	shards := make([]int, t.Shards)
	for i := range shards {
		shards[i] = i
	}
	apart := beam.Reshuffle(s, beam.CreateList(s, shards)) // so that each share can go to another worker
	return beam.Combine(s, new(addCounts), beam.ParDo(s, t, apart))
}

func main() {
	t := new(Translate)
	input := flag.String("input", "", "the export: files, folders, globs or addresses, separated by commas")
	flag.StringVar(&t.Output, "output", "", "the folder or prefix of the parts")
	flag.IntVar(&t.Shards, "shards", 24, "in how many shares to translate")
	flag.Int64Var(&t.PartBytes, "part-bytes", 0, "begin another part after so many bytes; 0 is one part a share")
	flag.StringVar(&t.To, "to", "events", "what to write: events or a wire format")
	flag.StringVar(&t.Format, "format", "parquet", "ndjson, csv, parquet or arrow")
	flag.StringVar(&t.Site, "site", "", "the site that the events are for")
	flag.StringVar(&t.From, "from", "auto", "the source of the export")
	flag.StringVar(&t.Timezone, "timezone", "", "the zone of days and times without one")
	flag.Parse()
	beam.Init()
	ctx := context.Background()
	if *input == "" || t.Output == "" || t.Shards < 1 {
		log.Exit(ctx, "--input, --output and at least one share are needed")
	}
	t.Inputs = strings.Split(*input, ",")
	p, s := beam.NewPipelineWithRoot()
	beam.ParDo0(s, tell, Pipeline(s, t))
	if err := beamx.Run(ctx, p); err != nil {
		log.Exitf(ctx, "%v", err)
	}
}
