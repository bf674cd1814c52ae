package hopper

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
)

// candidate is an adapter and what it found in the inputs.
type candidate struct {
	adapter adapters.Adapter
	match   adapters.Match
}

// recognize finds the adapter that the inputs fit.
func (e *Export) recognize(ctx context.Context) error {
	all := make([]candidate, 0, 3)
	for _, a := range Sources() {
		all = append(all, candidate{a, a.Match(ctx, e.inputs.Files)})
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	chosen, err := e.choose(ctx, all)
	if err != nil {
		return err
	}
	e.adapter, e.match = chosen.adapter, chosen.match
	if err := e.eachGives(); err != nil {
		return err
	}
	e.warnOfIdle()
	return e.checkParts(ctx)
}

// choose returns the adapter that is asked for, or the only one that fits.
func (e *Export) choose(ctx context.Context, all []candidate) (candidate, error) {
	fit := slices.DeleteFunc(slices.Clone(all), func(c candidate) bool { return c.match.Fit != adapters.Fits })
	if from := e.options.From; from != "" && from != "auto" {
		named := all[slices.IndexFunc(all, func(c candidate) bool { return c.adapter.Name() == from })]
		if named.match.Fit == adapters.NoFit && len(fit) > 0 {
			return named, optionErrorf("from", "%s: an export of %s; leave out --from %s", strings.Join(fewOf(e.inputs.StoredNames()), ", "), fit[0].adapter.Title(), from)
		}
		return named, nil
	}
	if len(fit) == 0 {
		return candidate{}, e.nearest(ctx, all)
	}
	for _, other := range fit[1:] {
		if theirs := others(other.match.Own, fit[0].match.Own); len(theirs) > 0 {
			ours := others(fit[0].match.Own, other.match.Own)
			if len(ours) == 0 { // the other knows all that the first does, and more
				return other, nil
			}
			return candidate{}, fmt.Errorf("the inputs hold exports of two products, %s (%s) and %s (%s): import each by itself, or choose one with --from",
				fit[0].adapter.Title(), strings.Join(fewOf(ours), ", "), other.adapter.Title(), strings.Join(fewOf(theirs), ", "))
		}
	}
	return fit[0], nil
}

// others returns the names of the inputs of one list that another lacks.
func others(list, lacks []*input.Input) []string {
	known := make(map[*input.Input]bool, len(lacks)) // a directory can hold a million
	for _, in := range lacks {
		known[in] = true
	}
	var names []string
	for _, in := range list {
		if !known[in] {
			names = append(names, in.Name)
		}
	}
	return names
}

// nearest returns the reason of the adapter that came nearest.
func (e *Export) nearest(ctx context.Context, all []candidate) error {
	for _, c := range all {
		if c.match.Fit == adapters.Near && c.match.Err != nil {
			return c.match.Err
		}
	}
	in := e.inputs.Files[0]
	if isPage(in) {
		return input.Errorf(in.Name, "is a web page (HTML) and no export").Advise("log in, or use the address of the export itself, and download it again")
	}
	found := string(in.Format())
	tables, err := rows.Find(ctx, in)
	if err != nil {
		return err // it says what is there instead, and what to do
	}
	if in.Format() == input.Empty || len(tables) > 0 && len(tables[0].Columns) == 0 {
		if len(tables) > 0 {
			if err := firstWrong(ctx, tables[0]); err != nil {
				return err
			}
		}
		return input.Errorf(in.Name, "holds no row").Advise("export or download it again")
	}
	if len(tables) > 0 {
		found = "a table with the columns " + strings.Join(tables[0].Columns[:min(len(tables[0].Columns), 12)], ", ")
	}
	return fmt.Errorf("%s: not recognized as an export of %s; the first holds %s. If it is one, name it with --from and read what is missing",
		strings.Join(fewOf(e.Inputs()), ", "), strings.Join(SourceNames(), ", "), found)
}

// firstWrong says why a table's first row cannot be read, or returns nil.
func firstWrong(ctx context.Context, t *rows.Table) error {
	sample, err := t.Sample(ctx)
	if err != nil {
		return err
	}
	for row := range sample.Rows() {
		if row.Err == nil {
			break
		}
		return (&input.Error{Input: t.Input.Name, Row: row.Number, Err: row.Err}).Advise("export or download it again")
	}
	return sample.Err()
}

// eachGives refuses an argument that gives nothing: who names an input wants it
// imported. What is found in a directory or archive may be passed over.
func (e *Export) eachGives() error {
	if e.match.Fit != adapters.Fits || len(e.match.Own) == 0 {
		return nil // opening says what is missing
	}
	for _, arg := range e.args {
		arg = input.Printable(arg)
		if !slices.ContainsFunc(e.match.Own, func(in *input.Input) bool { return isUnder(in.Name, arg) }) {
			return input.Errorf(arg, "holds nothing that is read as an export of %s; leave it out, or export it again", e.adapter.Title())
		}
	}
	return nil
}

// isUnder reports whether an argument names an input, or what holds it.
func isUnder(name, arg string) bool {
	if arg == "-" {
		return true // there is one standard input, and its name is not "-"
	}
	if !strings.Contains(arg, "://") {
		if name, arg = filepath.Clean(name), filepath.Clean(arg); arg == "." {
			return filepath.IsLocal(name)
		}
	}
	for {
		if name == arg || strings.HasPrefix(name, strings.TrimRight(arg, "/")+"/") {
			return true
		}
		if matched, err := filepath.Match(arg, name); matched && err == nil {
			return true
		}
		parent := filepath.Dir(name)
		if parent == name || parent == "." {
			return false
		}
		name = parent
	}
}

// PassedOver returns the names of what was found in directories and archives
// and is not read: hidden files, empty ones, and what is not the source's.
func (e *Export) PassedOver() []string {
	var names []string
	told := make(map[string]bool)
	for _, p := range e.inputs.PassedOver {
		names, told[p.Name] = append(names, p.Name), true
	}
	for _, name := range others(e.inputs.Files, e.match.Own) {
		if !told[name] {
			names = append(names, name)
		}
	}
	return names
}

// warnOfIdle says which options do nothing for this source.
func (e *Export) warnOfIdle() {
	for name := range e.options.Chosen {
		if !slices.ContainsFunc(e.adapter.Options(), func(o adapters.Option) bool { return o.Name == name }) {
			e.options.Log.Warn(fmt.Sprintf("--%s has no effect on exports of %s; it is for %s",
				name, e.adapter.Title(), strings.Join(offering(name), " and ")), "event", "option_without_effect", slog.Group("", "option", name))
		}
	}
}

// isPage reports whether a server has answered with a page instead of an export.
func isPage(in *input.Input) bool {
	head := strings.ToLower(strings.TrimSpace(string(in.TextHead()[:min(len(in.TextHead()), 512)])))
	return strings.HasPrefix(head, "<!doctype html") || strings.HasPrefix(head, "<html")
}
