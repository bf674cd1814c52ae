// Package adaptertest is the suite that every adapter passes: what the rest of
// hopper counts on, whatever the product. An adapter's own tests say what
// becomes of its product's columns; nothing of what is here needs to be said
// again there.
package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// Golden compares a text with the file that holds what it should be, line by line,
// and writes the file anew first where update is set.
func Golden(t testing.TB, path, got string, update bool) {
	t.Helper()
	if update {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s differs (-want +got); run with -update if the change is meant:\n%s", path, diff)
	}
}

// Exports returns the paths of the exports in a folder of fixtures: all that is
// in it but programs, documents, and the folders "broken" and "gen".
func Exports(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, entry := range entries {
		switch name := entry.Name(); {
		case name == "broken" || name == "gen", strings.HasSuffix(name, ".go"), strings.HasSuffix(name, ".md"):
		default:
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	return paths
}

// Translate returns the events of what args name, among which "-" is stdin.
func Translate(t testing.TB, a adapters.Adapter, stdin string, opt adapters.Options, args ...string) ([]pipeline.Event, pipeline.Stats, error) {
	t.Helper()
	opt.TempDir = t.TempDir()
	ins, err := input.Open(t.Context(), args, strings.NewReader(stdin), opt.TempDir)
	if err != nil {
		return nil, pipeline.Stats{}, err
	}
	defer ins.Close()
	reading, err := a.Match(t.Context(), ins.Files).Open(t.Context(), opt)
	if err != nil {
		return nil, pipeline.Stats{}, err
	}
	events, stats, _, err := pipeline.Collect(t.Context(), reading.Source)
	return events, stats, errors.Join(err, reading.Source.Close())
}

// Run has the adapter pass the suite with each of the exports, which are its
// product's. Those that it refuses to open, with an [input.Error] that says what
// to do, pass with that.
func Run(t *testing.T, a adapters.Adapter, exports ...string) {
	t.Run("names", func(t *testing.T) { names(t, a) })
	for _, path := range exports {
		t.Run(filepath.Base(path), func(t *testing.T) {
			e := &export{adapter: a, path: path}
			if !e.usable(t) {
				return
			}
			t.Run("recognized", e.recognized)
			t.Run("same for any number of workers", e.workers)
			t.Run("resumed at any chunk", e.resumed)
			t.Run("the same after a look at its beginning", e.sampled)
			t.Run("verified", e.verified)
			t.Run("defaults change nothing", e.defaults)
			t.Run("interrupted", e.interrupted)
		})
	}
}

func names(t *testing.T, a adapters.Adapter) {
	if a.Name() == "" || a.Name() != strings.ToLower(a.Name()) || strings.ContainsAny(a.Name(), " /") || a.Title() == "" {
		t.Errorf("called %q and %q", a.Name(), a.Title())
	}
	for _, o := range a.Options() {
		if o.Name == "" || o.Help == "" || o.Values != nil && o.Placeholder == "" {
			t.Errorf("option %+v", o)
		}
	}
	if m := a.Match(context.Background(), nil); m.Fit != adapters.NoFit || m.Open == nil {
		t.Errorf("no inputs give %+v", m)
	}
}

// began is when the migrations of the suite began.
var began = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)

type export struct {
	adapter adapters.Adapter
	path    string
}

// opened is an export that is being read.
type opened struct {
	*adapters.Reading
	inputs  *input.Inputs
	match   adapters.Match
	tempDir string
}

func (e *export) open(t *testing.T, opt adapters.Options) (*opened, error) {
	t.Helper()
	o := &opened{tempDir: t.TempDir()}
	opt.Now, opt.TempDir = began, o.tempDir
	var err error
	if o.inputs, err = input.Open(t.Context(), []string{e.path}, nil, o.tempDir); err != nil {
		t.Fatal(err)
	}
	o.match = e.adapter.Match(t.Context(), o.inputs.Files)
	if o.Reading, err = o.match.Open(t.Context(), opt); err != nil {
		o.inputs.Close()
		return nil, err
	}
	return o, nil
}

func (e *export) mustOpen(t *testing.T, opt adapters.Options) *opened {
	t.Helper()
	o, err := e.open(t, opt)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// close also checks that nothing is left behind.
func (o *opened) close(t *testing.T) {
	t.Helper()
	if err := o.Source.Close(); err != nil {
		t.Error(err)
	}
	if err := o.inputs.Close(); err != nil {
		t.Error(err)
	}
	left, err := os.ReadDir(o.tempDir)
	if err != nil || len(left) > 0 {
		t.Errorf("left in the folder for temporary files: %v, %v", left, err)
	}
}

func (e *export) usable(t *testing.T) bool {
	o, err := e.open(t, adapters.Options{})
	if err == nil {
		o.close(t)
		return true
	}
	if !strings.Contains(err.Error(), e.path) {
		t.Errorf("the error names no input: %v", err)
	}
	return false
}

func (e *export) recognized(t *testing.T) {
	o := e.mustOpen(t, adapters.Options{})
	defer o.close(t)
	m := o.match
	if m.Fit != adapters.Fits || m.Err != nil || len(m.Own) == 0 || len(m.Units) == 0 || o.Shape == "" || o.Schema == "" {
		t.Errorf("found %+v, shape %q, schema %q", m, o.Shape, o.Schema)
	}
	var inUnits []*input.Input
	for _, u := range m.Units {
		inUnits = append(inUnits, u.Inputs...)
		if u.Name == "" || len(u.Inputs) == 0 {
			t.Errorf("unit %+v", u)
		}
	}
	for _, in := range m.Own {
		if joined := slices.Contains(m.Joined, in); joined == slices.Contains(inUnits, in) {
			t.Errorf("%s: joined is %v, and so is being in a unit", in.Name, joined)
		}
	}
	for _, in := range append(inUnits, m.Joined...) {
		if !slices.Contains(m.Own, in) {
			t.Errorf("%s is none of the adapter's own", in.Name)
		}
	}
}

// chunk is what came of a chunk.
type chunk struct {
	before  pipeline.Mark
	records string
	rejects int
}

var everything = pipeline.Encode(func(dst []byte, ev *pipeline.Event) []byte { return fmt.Appendf(dst, "%+v\n", ev.Clone()) })

func (e *export) translate(t *testing.T, opt adapters.Options, jobs int, from pipeline.Mark) ([]chunk, pipeline.Stats) {
	t.Helper()
	o := e.mustOpen(t, opt)
	defer o.close(t)
	var chunks []chunk
	stats, err := pipeline.Translate(t.Context(), e.translation(jobs), o.Source, from, everything, appendTo(&chunks))
	if err != nil {
		t.Fatal(err)
	}
	return chunks, stats
}

func (e *export) translation(jobs int) *pipeline.Translation {
	return &pipeline.Translation{
		Normalizer: pipeline.Normalizer{Namespace: pipeline.SiteNamespace(e.adapter.Name(), "1"), Now: pipeline.MicrosOf(began)}, Jobs: jobs,
	}
}

func appendTo(chunks *[]chunk) func(context.Context, *pipeline.Collected[*pipeline.Records]) error {
	return func(_ context.Context, c *pipeline.Collected[*pipeline.Records]) error {
		*chunks = append(*chunks, chunk{pipeline.Mark{Chunk: c.Before.Chunk, Stats: c.Before.Stats.Clone()}, string(c.Value.Body), len(c.Rejects)})
		return nil
	}
}

// workers also checks that every row ends somewhere.
func (e *export) workers(t *testing.T) {
	one, stats := e.translate(t, adapters.Options{}, 1, pipeline.Mark{})
	eight, again := e.translate(t, adapters.Options{}, 8, pipeline.Mark{})
	if !reflect.DeepEqual(one, eight) || !reflect.DeepEqual(stats, again) {
		t.Errorf("eight workers give something else than one:\n%+v\n%+v", stats, again)
	}
	var rejects int
	for _, c := range one {
		rejects += c.rejects
	}
	if int64(rejects) != stats.Rejected.Total() {
		t.Errorf("%d rejects are handed out, %d counted", rejects, stats.Rejected.Total())
	}
	if stats.Rows == 0 || stats.Events+stats.Rejected.Total()+stats.Omitted.Total() == 0 {
		t.Errorf("nothing came of %+v", stats)
	}
}

func (e *export) resumed(t *testing.T) {
	whole, stats := e.translate(t, adapters.Options{}, 2, pipeline.Mark{})
	for i := range whole {
		rest, again := e.translate(t, adapters.Options{}, 2, whole[i].before)
		if !reflect.DeepEqual(rest, whole[i:]) || !reflect.DeepEqual(again, stats) {
			t.Errorf("from chunk %d on, something else comes out", i)
		}
	}
}

// sampled decodes the first chunks twice.
func (e *export) sampled(t *testing.T) {
	whole, stats := e.translate(t, adapters.Options{}, 2, pipeline.Mark{})
	o := e.mustOpen(t, adapters.Options{})
	defer o.close(t)
	var first, all []chunk
	sample := pipeline.Sample{Events: int(stats.Events+1) / 2, Bytes: math.MaxInt}
	_, source, err := pipeline.TranslateSample(t.Context(), e.translation(2), o.Source, sample, everything, appendTo(&first))
	if err != nil {
		t.Fatal(err)
	}
	again, err := pipeline.Translate(t.Context(), e.translation(2), source, pipeline.Mark{}, everything, appendTo(&all))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(first, whole[:len(first)]) || !reflect.DeepEqual(all, whole) || !reflect.DeepEqual(again, stats) {
		t.Errorf("after %d chunks, something else comes out:\n%+v\n%+v", len(first), stats, again)
	}
}

// verified has what is sent agree with what the export itself says.
func (e *export) verified(t *testing.T) {
	o := e.mustOpen(t, adapters.Options{})
	defer o.close(t)
	if o.Verify == nil {
		t.Skip("this export cannot be verified")
	}
	translation := pipeline.Translation{Normalizer: pipeline.Normalizer{Now: pipeline.MicrosOf(began)}, Jobs: 2}
	c, err := o.Verify(t.Context(), translation, func(int64) {})
	if err != nil {
		t.Fatal(err)
	}
	if !c.Holds() || len(c.Guarantees) == 0 {
		t.Errorf("of %d guarantees do not hold: %+v", len(c.Guarantees), slices.DeleteFunc(slices.Clone(c.Guarantees), func(g recount.Guarantee) bool { return g.Holds }))
	}
}

// defaults checks that choosing an option's default is the same as not choosing.
func (e *export) defaults(t *testing.T) {
	chosen := map[string]string{}
	for _, o := range e.adapter.Options() {
		chosen[o.Name] = o.Default()
	}
	plain, _ := e.translate(t, adapters.Options{}, 2, pipeline.Mark{})
	if same, _ := e.translate(t, adapters.Options{Chosen: chosen}, 2, pipeline.Mark{}); !reflect.DeepEqual(same, plain) {
		t.Errorf("%v changes what comes out", chosen)
	}
}

// interrupted ends the context before the export is read.
func (e *export) interrupted(t *testing.T) {
	o := e.mustOpen(t, adapters.Options{})
	defer o.close(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := pipeline.Count(ctx, new(pipeline.Translation), o.Source); err == nil {
		t.Error("an interrupted reading ends well")
	}
}
