// Package events reads the table of the common model ([pipeline.Columns]),
// which hopper translate writes: one row an event, in any container that package
// rows reads. It is hopper's plug-in interface: whoever can write that table can
// import anything.
//
// # The table
//
// Columns are found by name, in any order, and any may be missing but these:
// time, and one of visitor and session. What is empty or absent is unknown.
//
//   - time: when it happened, to the microsecond, in any form that
//     [adapters.Times] reads; what has no zone is in --timezone, or UTC.
//   - kind: pageview, custom_event, outbound, performance or error. A row
//     without one is a custom event where it has a name, else a pageview.
//   - name: of a custom event, or an error's type.
//   - visitor, session: who came and in which visit. What is no UUID becomes one.
//   - properties, user_properties: a JSON object as text, or a map or a nested
//     value of the container. In Parquet and Arrow, hopper writes maps of texts.
//   - json_properties, json_user_properties: the keys of such a map whose values
//     are JSON, as the number 12.5, and not text. Without it, all are text.
//
// The others hold what their names say. The table's version is
// [pipeline.TableVersion]; a column that is not known is named in a note.
package events

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// Adapter is the [adapters.Adapter] for the table of events. Its zero value is
// ready.
type Adapter struct{}

// Name is "events".
func (Adapter) Name() string { return "events" }

// Title is "hopper's table of events".
func (Adapter) Title() string { return "hopper's table of events" }

// Options are none.
func (Adapter) Options() []adapters.Option { return nil }

// Match looks for tables with the columns of the common model.
func (Adapter) Match(ctx context.Context, inputs []*input.Input) adapters.Match {
	inputs = slices.DeleteFunc(slices.Clone(inputs), IsManifest)
	m := adapters.Match{Open: func(ctx context.Context, opt adapters.Options) (*adapters.Reading, error) {
		return open(ctx, inputs, opt)
	}}
	for _, in := range inputs {
		if !rows.IsTable(in) {
			continue
		}
		found, err := rows.Find(ctx, in)
		if err == nil && len(found) == 1 && isEvents(found[0]) {
			m.Own = append(m.Own, in)
		}
	}
	if len(m.Own) > 0 {
		m.Fit, m.Units = adapters.Fits, adapters.EachAlone(m.Own)
	}
	return m
}

// manifest matches the names of files that say what a translation's parts are.
var manifest = regexp.MustCompile(`^manifest(-\d{5}-of-\d{5})?\.json$`)

// IsManifest reports whether an input is called as what stands beside the parts of
// a translation.
func IsManifest(in *input.Input) bool { return manifest.MatchString(in.Base) }

// isEvents reports whether a table's columns are the common model's: a time, who
// came, what happened, and none that the model does not have.
func isEvents(t *rows.Table) bool {
	known := 0
	for _, name := range t.Columns {
		if isColumn(name) {
			known++
		}
	}
	return t.Column("time") >= 0 && (t.Column("visitor") >= 0 || t.Column("session") >= 0) &&
		(t.Column("kind") >= 0 || t.Column("path") >= 0 || t.Column("name") >= 0) && known*2 > len(t.Columns)
}

var (
	columns = pipeline.Columns()
	names   = namesOf(columns)
)

func namesOf(columns []pipeline.Column) []string {
	var names []string
	for _, c := range columns {
		if names = append(names, c.Name); c.Object != nil {
			names = append(names, c.JSONKeys())
		}
	}
	return names
}

func open(ctx context.Context, inputs []*input.Input, opt adapters.Options) (*adapters.Reading, error) {
	src := &source{times: adapters.Times{Zone: opt.Location()}}
	var notes []string
	for _, in := range inputs {
		if in.Format() == input.JSON { // records at the beginning may lack some
			in.Learn(names...)
		}
		found, err := rows.Find(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, t := range found {
			if !isEvents(t) {
				return nil, input.Errorf(in.Name, "is not the table of events that was expected: it needs the columns time, visitor or session, and kind, path or name, and has %s",
					strings.Join(t.Columns[:min(len(t.Columns), 12)], ", "))
			}
			if unknown := unknownOf(t); len(unknown) > 0 {
				notes = append(notes, fmt.Sprintf("%s: not read, since the table of events has no such columns: %s.", in.Name, strings.Join(unknown, ", ")))
			}
			src.List = append(src.List, t)
		}
	}
	if len(src.List) == 0 {
		return nil, errors.New("the inputs hold no table of events")
	}
	facts := recount.InPieces(func(ctx context.Context, yield func(*recount.Fact) error) error { return tell(ctx, inputs, opt, yield) })
	return &adapters.Reading{
		Source: src, Shape: "hopper's table of events", Schema: fmt.Sprintf("version %d", pipeline.TableVersion),
		Notes: notes, Facts: facts, Verify: adapters.VerifyRows(src, opt, facts),
	}, nil
}

func isColumn(name string) bool { return slices.Contains(names, name) }

func unknownOf(t *rows.Table) []string {
	var unknown []string
	for _, name := range t.Columns {
		if !isColumn(name) {
			unknown = append(unknown, name)
		}
	}
	return unknown
}
