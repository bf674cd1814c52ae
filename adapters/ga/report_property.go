package ga

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"hopper/adapters"
	"hopper/adapters/input"
)

const omitProperty = "of another property than --website chooses"

// A propertyReader finds the property's name in the comment lines that a report
// begins with: the last line between two rules.
type propertyReader struct {
	inside bool
	last   string
	name   string
}

func (p *propertyReader) read(comment string) {
	if comment == "" || strings.Trim(comment, "-") != "" {
		p.last = comment
		return
	}
	if _, name, found := strings.Cut(p.last, ": "); p.inside && found {
		p.name = strings.TrimSpace(name)
	}
	p.inside, p.last = !p.inside, ""
}

// prepareReports returns the tables of reports, ready to be read row by row. They are
// looked at on all processors, once all are written down. Of several errors it returns
// that of the first input.
func prepareReports(ctx context.Context, store *rowStore, inputs []*input.Input, order adapters.DateOrder) ([]*reportTable, error) {
	var tables []*reportTable
	var unread error // of an input, which those before are looked at for
	for _, in := range inputs {
		read, err := readReportTables(ctx, store, in)
		if err != nil {
			unread = err
			break
		}
		tables = append(tables, read...)
	}
	failed := make([]error, len(tables))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, t := range tables {
		group.Go(func() error {
			t.dateOrder = order
			failed[i] = t.prepare(ctx)
			return nil
		})
	}
	group.Wait()
	for _, err := range append(failed, unread) {
		if err != nil {
			return nil, err
		}
	}
	return tables, nil
}

// readReportsOf reads the tables of all inputs, but for those of properties that
// are not chosen.
func readReportsOf(ctx context.Context, store *rowStore, inputs []*input.Input, opt adapters.Options) ([]*reportTable, error) {
	tables, err := prepareReports(ctx, store, inputs, adapters.OrderOf(opt))
	if err != nil {
		return nil, err
	}
	inHeads, inColumns := make(map[string]int), make(map[string]int)
	for _, t := range tables {
		if t.property != "" {
			inHeads[t.property] += t.rows.n
		}
		if !t.has(byProperty) {
			continue
		}
		for _, row := range t.all() {
			if name := t.text(row, byProperty); name != "" {
				inColumns[name]++
			}
		}
	}
	asked := opt.Get(adapters.Website)
	if asked == "" {
		for _, found := range []map[string]int{inHeads, inColumns} {
			if len(found) > 1 {
				return nil, propertiesError(inputs[0].Name, "rows", found, "")
			}
		}
		return tables, nil
	}
	all := make(map[string]int)
	maps.Copy(all, inHeads)
	maps.Copy(all, inColumns)
	if !slices.ContainsFunc(slices.Collect(maps.Keys(all)), func(name string) bool { return isProperty(name, asked) }) {
		return nil, propertiesError(inputs[0].Name, "rows", all, asked)
	}
	return chosen(tables, asked), nil
}

// chosen leaves out what is said to be of another property than is asked for.
func chosen(tables []*reportTable, asked string) []*reportTable {
	for _, t := range tables {
		for _, row := range t.all() {
			name := t.text(row, byProperty)
			other := t.property != "" && !isProperty(t.property, asked) && name == "" || name != "" && !isProperty(name, asked)
			if other && row.stays() {
				row.omit = omitProperty
			}
		}
	}
	return tables
}

// isProperty reports whether a property's name, or its id with or without
// Google's prefix, is the one that is asked for.
func isProperty(name, asked string) bool {
	return strings.EqualFold(strings.TrimPrefix(name, "properties/"), strings.TrimPrefix(strings.TrimSpace(asked), "properties/"))
}

// propertiesError lists properties with what is counted of each: none is the one
// that is asked for, or several are there and none is asked for.
func propertiesError(in, what string, counts map[string]int, asked string) error {
	var list []string
	for name, n := range counts {
		list = append(list, fmt.Sprintf("%s (%d %s)", name, n, what))
	}
	slices.Sort(list)
	const most = 20
	list = adapters.Few(list, most)
	if asked != "" {
		if list == nil {
			return input.Errorf(in, "does not say of which property it is, so that --%s %s chooses nothing; leave the option out", adapters.Website.Name, asked)
		}
		return input.Errorf(in, "has nothing of --%s %s; it has %s", adapters.Website.Name, asked, strings.Join(list, ", "))
	}
	return input.Errorf(in, "has several properties of Google Analytics: %s; choose one with --%s, and import each into a site of its own", strings.Join(list, ", "), adapters.Website.Name)
}
