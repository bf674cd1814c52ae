package ga

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/rows/record"
)

// shape is what an input is.
type shape int

const (
	unknown       shape = iota
	empty               // nothing at all
	bigQuery            // GA4's schema, nested
	flattened           // one row an event, or a parameter
	universal           // ga_sessions
	sessionsAlone       // of Universal Analytics, without hits
	usersTable          // GA4's tables of users, without events
	report              // aggregates
)

var shapeNames = map[shape]string{
	bigQuery:  "GA4 BigQuery export",
	flattened: "GA4 events flattened by a query",
	universal: "Universal Analytics BigQuery export",
	report:    "Google Analytics report",
}

// recognized is an input and what it is.
type recognized struct {
	in     *input.Input
	shape  shape
	fields []string
	tables []*flatTable
	// rooted is the table whose rows are read as records, where these are
	// wrapped or Universal Analytics' in another form than BigQuery's.
	rooted *rows.Table
}

// detect recognizes an input, and reports whether it is Google Analytics' in one
// of the shapes that Open reads or explains.
func detect(ctx context.Context, in *input.Input) (recognized, bool) {
	r, err := recognize(ctx, in)
	if err != nil { // of a container that nobody else reads, so that Open can say what is wrong
		return r, in.Format() == input.Parquet || in.Format() == input.Avro
	}
	return r, r.shape != unknown && r.shape != empty && (r.shape != flattened || unmistakable(r.fields))
}

// unmistakable reports whether a table's columns are not only an event's, which
// other products have too, but named as Google names them.
func unmistakable(fields []string) bool {
	return slices.ContainsFunc(fields, func(name string) bool {
		switch name = columnOf(name); name {
		case "event_timestamp", "user_pseudo_id", "ga_session_id", "page_location", "event_bundle_sequence_id":
			return true
		}
		return strings.HasPrefix(name, "event_params") || strings.HasPrefix(name, "device_web_info")
	})
}

// recognize finds out what an input is.
func recognize(ctx context.Context, in *input.Input) (recognized, error) {
	r := recognized{in: in}
	switch in.Format() {
	case input.Empty:
		r.shape = empty
		return r, nil
	case input.JSON, input.Avro, input.Parquet, input.Arrow:
		if head := in.TextHead(); in.Format() == input.JSON && (isAPI(head) || isPythonAnswer(string(head))) {
			r.shape = report // one answer of an API, or several in a list or a batch
			return r, nil
		}
		var err error
		if r.fields, err = record.Fields(ctx, in); err != nil {
			return r, err
		}
		if r.shape = shapeOfFields(r.fields); r.shape == unknown && isHeader(r.fields) {
			r.shape = report
		}
		return r, r.root(ctx)
	case input.Text:
		if isReport(in.TextHead()) {
			r.shape = report
			return r, nil
		}
		tables, err := rows.Find(ctx, in)
		if err != nil {
			return r, err
		}
		for _, t := range tables {
			if f := newFlatTable(t); f != nil {
				r.shape = flattened
				r.tables = append(r.tables, f)
				r.fields = append(r.fields, t.Header...)
			}
		}
		if r.shape == unknown && len(tables) > 0 {
			r.fields = tables[0].Header
			r.shape = shapeOfFields(r.fields)
			return r, r.root(ctx)
		}
	}
	return r, nil
}

// root decides whether the rows are to be read as records of a table.
func (r *recognized) root(ctx context.Context) error {
	switch {
	case r.shape == universal && (r.in.Format() == input.Text || !hasUniversalNames(r.fields)):
		tables, err := rows.Find(ctx, r.in)
		if err != nil {
			return err
		}
		r.rooted = tables[0]
	case r.shape == unknown && mayEnvelop(topLevel(r.fields)):
		e, err := findEnvelope(ctx, r.in)
		if e == nil || err != nil {
			return err
		}
		r.shape, r.fields = e.shape, e.fields
		if e.shape != report {
			r.rooted = e.table
		}
	}
	return nil
}

// topLevel returns the names of fields that are no members of others.
func topLevel(fields []string) []string {
	return slices.DeleteFunc(slices.Clone(fields), func(name string) bool {
		i := strings.LastIndexByte(name, '.')
		return i > 0 && slices.Contains(fields, name[:i])
	})
}

func shapeOfFields(fields []string) shape {
	has := func(name string) bool {
		return slices.ContainsFunc(fields, func(field string) bool { return field == name || columnOf(field) == name })
	}
	switch {
	case has("event_name") && has("event_params"), has("event_name") && has("event_timestamp") && has("device"):
		return bigQuery
	case hasUniversalNames(fields):
		return universal
	case has("pseudo_user_id") && has("user_info"), has("user_id") && has("user_info") && has("audiences"):
		return usersTable
	}
	if is, hits := isUniversal(fields); is && hits {
		return universal
	} else if is {
		return sessionsAlone
	}
	columns := make(map[string]bool, len(fields))
	for _, name := range fields {
		columns[columnOf(name)] = true
	}
	if eventColumns(func(name string) bool { return columns[name] }) {
		return flattened
	}
	return unknown
}

// found lists the fields that were found instead.
func found(fields []string) string {
	if len(fields) == 0 {
		return ""
	}
	if len(fields) > 12 {
		fields = append(slices.Clone(fields[:12]), "…")
	}
	return "; found " + strings.Join(fields, ", ")
}

// dayTable matches the names of GA4's tables, in files' names too; the last
// one in a path counts.
var dayTable = regexp.MustCompile(`.*events_(intraday_|fresh_)?(\d{8})`)

// withoutSuperseded leaves out tables that GA4 keeps of a day (intraday, fresh)
// until the day's own, final one is there, where that is an input too: they
// hold the same events.
func withoutSuperseded(all []recognized) (kept []recognized, superseded []string) {
	final := make(map[string]bool)
	for _, r := range all {
		if m := dayTable.FindStringSubmatch(r.in.Name); m != nil && m[1] == "" {
			final[m[2]] = true
		}
	}
	for _, r := range all {
		if m := dayTable.FindStringSubmatch(r.in.Name); m != nil && m[1] != "" && final[m[2]] {
			superseded = append(superseded, r.in.Name)
			continue
		}
		kept = append(kept, r)
	}
	return kept, superseded
}

// describe says what the inputs are, for people.
func describe(all []recognized) (name, schema string) {
	var names, schemas []string
	for _, r := range all {
		n := shapeNames[r.shape]
		s := fmt.Sprintf("%s, %d fields", r.in.Format(), len(r.fields))
		switch r.shape {
		case bigQuery:
			s += ", " + ageOf(r.fields)
		case flattened:
			s = fmt.Sprintf("%d columns", len(r.fields))
			for _, t := range r.tables {
				if t.params != nil {
					s += ", one row a parameter"
				}
			}
		}
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
		if !slices.Contains(schemas, s) {
			schemas = append(schemas, s)
		}
	}
	return strings.Join(names, " and "), strings.Join(schemas, "; ")
}

// ageOf tells a schema's age by the fields that were added over the years.
func ageOf(fields []string) string {
	for _, f := range [...]struct{ field, age string }{
		{"session_traffic_source_last_click", "2024 or newer"},
		{"batch_event_index", "2024 or newer"},
		{"is_active_user", "2023 or newer"},
		{"collected_traffic_source", "2023 or newer"},
	} {
		if slices.Contains(fields, f.field) {
			return "schema of " + f.age
		}
	}
	return "schema of before 2023, or empty fields left out"
}
