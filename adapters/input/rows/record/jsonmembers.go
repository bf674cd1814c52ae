package record

import "strings"

// members are the names that records have at one path, which are mostly the same
// in the same order, and which of them are wanted. They are for one goroutine.
type members struct {
	path  string
	all   *remembered
	known map[string]*member
	first *member // that probably comes first
}

// remembered is what the members of all paths have in common.
type remembered struct {
	wanted func(path string) bool
	count  int
}

// maxMembers bounds how many names are remembered: names can be data.
const maxMembers = 10_000

type member struct {
	name    string
	skipped bool
	within  *members
	next    *member // that probably follows
}

func newMembers(wanted func(path string) bool) *members {
	return &members{all: &remembered{wanted: wanted}}
}

// after returns the member that probably follows another, or is the first where
// that is nil, or nil. It may be called on nil.
func (m *members) after(before *member) *member {
	switch {
	case m == nil:
		return nil
	case before == nil:
		return m.first
	}
	return before.next
}

// find returns the member of a name that stands behind another.
func (m *members) find(before *member, name string) *member {
	is := m.known[name]
	if is == nil {
		is = &member{name: strings.Clone(name), within: &members{path: join(m.path, name), all: m.all}}
		is.skipped = !m.all.wanted(is.within.path)
		if m.all.count >= maxMembers {
			return is
		}
		m.all.count++
		if m.known == nil {
			m.known = make(map[string]*member)
		}
		m.known[is.name] = is
	}
	if run(name) < len(name) {
		return is // it stands escaped in the text, and cannot be compared there
	}
	if before == nil {
		m.first = is
	} else {
		before.next = is
	}
	return is
}
