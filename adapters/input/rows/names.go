package rows

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"hopper/adapters/input"
)

// Name brings a column's name to the form that adapters look for: "Created
// At", "createdAt" and "CREATED_AT" are "created_at". Dots stay.
func Name(name string) string {
	name = strings.TrimSpace(name)
	if isPlain(name) {
		return name
	}
	runes := []rune(name)
	var b strings.Builder
	for i, r := range runes {
		switch {
		case r == ' ' || r == '-' || r == '/' || r == '\u00a0':
			if i > 0 && !strings.HasSuffix(b.String(), "_") {
				b.WriteByte('_')
			}
			continue
		case i > 0 && beginsWord(runes, i):
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// isPlain reports whether a name has the form already.
func isPlain(name string) bool {
	for i := range len(name) {
		if c := name[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' || c == ' ' || c == '-' || c == '/' {
			return false
		}
	}
	return true
}

// beginsWord reports whether a capital at i begins a word: after a small
// letter or a digit (createdAt), or before a small letter at the end of an
// abbreviation (URLPath), except for its plural (IDs).
func beginsWord(name []rune, i int) bool {
	if !unicode.IsUpper(name[i]) {
		return false
	}
	if unicode.IsLower(name[i-1]) || unicode.IsDigit(name[i-1]) {
		return true
	}
	if !unicode.IsUpper(name[i-1]) || i+1 == len(name) || !unicode.IsLower(name[i+1]) {
		return false
	}
	plural := name[i+1] == 's' && (i+2 == len(name) || !unicode.IsLetter(name[i+2]))
	return !plural
}

// unquoted takes the quotes of SQL off a column's name.
func unquoted(name string) string {
	if n := len(name); n > 2 && (name[0] == '`' && name[n-1] == '`' || name[0] == '\'' && name[n-1] == '\'' || name[0] == '[' && name[n-1] == ']') {
		return name[1 : n-1]
	}
	return name
}

// commonTable returns the name of a table that stands before each of several columns,
// with its dot, or nothing.
func commonTable(header []string) string {
	if len(header) < 3 {
		return ""
	}
	name, _, _ := strings.Cut(strings.TrimSpace(header[0]), ".")
	for _, column := range header {
		column, found := strings.CutPrefix(column, name+".")
		if !found || column == "" {
			return ""
		}
	}
	return name + "."
}

// Unqualify takes what stands before the last dot off columns of these names, as
// joins by hand and nested records have it: e.url_path, public.website_event.url_path,
// session.browser. A column that has the name by itself keeps it alone.
func (t *Table) Unqualify(names ...string) {
	var plain []string // nil where all are
	for i, name := range t.Columns {
		last := name[strings.LastIndexByte(name, '.')+1:]
		if last != name && slices.Contains(names, last) && !slices.Contains(t.Columns, last) {
			if plain == nil {
				plain = slices.Clone(t.Columns)
			}
			plain[i] = last
		}
	}
	if plain != nil {
		t.reform().Columns = t.Input.Share(plain)
	}
}

// Column returns the index of the first of names that is a column, or -1. Of
// several columns of that name it is the first; see [Table.Twice].
func (t *Table) Column(names ...string) int {
	for _, name := range names {
		if i := slices.Index(t.Columns, name); i >= 0 {
			return i
		}
	}
	for _, name := range names { // both of a join's columns can be renamed
		if all := t.Positions(name); len(all) > 1 {
			return all[0]
		}
	}
	return -1
}

// Positions returns the indexes of all columns of that name, also of those
// that a tool renamed since there were several: created_at_1, created_at.1,
// created_at:1, created_at_x and created_at_y.
func (t *Table) Positions(name string) []int {
	if name == "" {
		return nil
	}
	var all []int
	for i, column := range t.Columns {
		suffix, found := strings.CutPrefix(column, name)
		if found && (suffix == "" || isTwin(suffix)) {
			all = append(all, i)
		}
	}
	return all
}

// isTwin reports whether tools append suffix to a name that occurs twice.
func isTwin(suffix string) bool {
	switch suffix {
	case "_x", "_y", "_left", "_right":
		return true
	}
	if !strings.ContainsRune("_.:", rune(suffix[0])) {
		return false
	}
	number := suffix[1:]
	return len(number) > 0 && len(number) <= 2 && strings.Trim(number, "0123456789") == ""
}

// Twice returns an error that names the columns where one of names is the
// name of several, which Resolve has not told apart. Adapters call it with the
// names that they read.
func (t *Table) Twice(names ...string) error {
	for _, name := range names {
		all := t.Positions(name)
		if len(all) < 2 {
			continue
		}
		found := make([]string, len(all))
		for i, at := range all {
			found[i] = fmt.Sprintf("%q (column %d)", t.Header[at], at+1)
		}
		return &input.Error{Input: t.Input.Name, Row: 1, Field: name, Err: fmt.Errorf(
			"stands in the header more than once, as %s, and it is not known which is meant; export one of them, or give the others another name", strings.Join(found, " and "))}
	}
	return nil
}

// Resolve makes the column at index the only one of that name. The others
// keep their cells and lose their names.
func (t *Table) Resolve(name string, index int) {
	columns := slices.Clone(t.Columns)
	for _, i := range t.Positions(name) {
		columns[i] = ""
	}
	columns[index] = name
	t.reform().Columns = columns
}

// late are members of JSON records that none at the beginning had. The input
// remembers them, so that they are columns where its tables are found again.
type late struct {
	in    *input.Input
	mu    sync.Mutex
	names map[string]int64
}

func (l *late) add(names map[string]int64) {
	if len(names) == 0 {
		return
	}
	l.in.Learn(slices.Collect(maps.Keys(names))...)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.names == nil {
		l.names = make(map[string]int64)
	}
	for name, n := range names {
		l.names[name] += n
	}
}

// Late returns the names, as written, of members that came up in rows of JSON
// read so far and that none of the first rows had, so that they are no
// columns and were not read.
func (t *Table) Late() []string {
	if t.late == nil {
		return nil
	}
	t.late.mu.Lock()
	defer t.late.mu.Unlock()
	return slices.Sorted(maps.Keys(t.late.names))
}
