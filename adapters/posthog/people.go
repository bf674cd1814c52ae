package posthog

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/spill"
)

// rank says which of the names of one user is the one to keep: that of the person
// that PostHog keeps.
type rank uint8

const (
	anonymous rank = iota
	identifiedUser
	personOfEvent
	personOfUser
	personOfTable
)

// title is a name of a user.
type title struct {
	text string
	rank rank
}

func (t title) better(o title) bool { return t.rank > o.rank || t.rank == o.rank && t.text < o.text }

// people says which distinct ids and persons are one user. It holds those alone
// that are one with another.
type people struct {
	parent map[adapters.ID]adapters.ID
	titles map[adapters.ID]title // of roots
}

func (p *people) root(id adapters.ID) adapters.ID {
	for p.parent[id] != id {
		p.parent[id] = p.parent[p.parent[id]]
		id = p.parent[id]
	}
	return id
}

// add makes a name known, and returns its root.
func (p *people) add(t title) adapters.ID {
	id := adapters.IDOf(t.text)
	if _, known := p.parent[id]; !known {
		p.parent[id] = id
	}
	root := p.root(id)
	if old, known := p.titles[root]; !known || t.better(old) {
		t.text = strings.Clone(t.text)
		p.titles[root] = t
	}
	return root
}

func (p *people) join(a, b title) { p.unite(p.add(a), p.add(b)) }

// unite makes two known names one user's.
func (p *people) unite(a, b adapters.ID) {
	from, to := p.root(a), p.root(b)
	if from == to {
		return
	}
	p.parent[from] = to
	if t, named := p.titles[from]; named && t.better(p.titles[to]) {
		p.titles[to] = t
	}
	delete(p.titles, from)
}

// settle ends joining, so that names can be asked for by several goroutines.
func (p *people) settle() {
	for id := range p.parent {
		p.parent[id] = p.root(id)
	}
}

// visitor returns whose an event is.
func (p *people) visitor(person, distinct string) string {
	if distinct == cookieless {
		return "" // anybody's
	}
	name := person
	if name == "" {
		name = distinct
	}
	if root, merged := p.parent[adapters.IDOf(name)]; merged {
		return p.titles[root].text
	}
	return name
}

// link says that two distinct ids are one user's.
type link struct {
	from, to string
	// identify says that PostHog did not merge where from was a user already.
	identify bool
}

// impossible are ids that PostHog merges with none, in lower case: they are what
// mistakes of a site's code make.
var impossible = map[string]bool{
	"": true, "anonymous": true, "guest": true, "distinctid": true, "distinct_id": true, "id": true, "not_authenticated": true, "email": true, "undefined": true,
	"true": true, "false": true, "nan": true, "none": true, "null": true, "0": true, "[object object]": true, cookieless: true,
}

// links returns what an event says of who is who.
func (e *entry) links() []link {
	var all []link
	add := func(from string, identify bool) {
		from = strings.Trim(from, `"`)
		if from != e.distinct && !impossible[strings.ToLower(from)] && !impossible[strings.ToLower(e.distinct)] {
			all = append(all, link{strings.Clone(from), strings.Clone(e.distinct), identify})
		}
	}
	switch e.event {
	case "$identify":
		add(e.get("$anon_distinct_id"), true)
	case "$create_alias", "$merge_dangerously":
		add(e.get("alias"), false)
	}
	for _, id := range e.knownAs() {
		add(id.String(), false)
	}
	return all
}

// pair says whose a distinct id was: of an event, or in a table of persons.
type pair struct {
	distinct, person string
	version          uint64 // 0 of an event
}

// key sorts by distinct id, and then persons by version.
func (p *pair) key() []byte {
	id, person := adapters.IDOf(p.distinct), adapters.ID{}
	if p.person != "" {
		person = adapters.IDOf(p.person)
	}
	key := binary.BigEndian.AppendUint64(append([]byte(nil), id[:]...), p.version)
	return append(key, person[:]...)
}

// merger finds who is who.
type merger struct {
	people  people
	links   []link
	users   map[adapters.ID]bool            // distinct ids that a user was given
	devices map[adapters.ID]map[string]bool // the users seen with a device, at most 2
	pairs   spill.Sorter
}

func newMerger(dir string) *merger {
	return &merger{
		people: people{map[adapters.ID]adapters.ID{}, map[adapters.ID]title{}},
		users:  map[adapters.ID]bool{}, devices: map[adapters.ID]map[string]bool{}, pairs: spill.Sorter{Dir: dir},
	}
}

// addPair notes whose a distinct id was.
func (m *merger) addPair(p pair) error {
	return m.pairs.Add(p.key(), pack(p.person, p.distinct))
}

// addDevice notes that a user was seen with a device.
func (m *merger) addDevice(device, user string) {
	if device == "" || impossible[strings.ToLower(user)] || impossible[strings.ToLower(device)] {
		return
	}
	id := adapters.IDOf(device)
	if m.devices[id] == nil {
		m.devices[id] = map[string]bool{}
	}
	if len(m.devices[id]) < 2 {
		m.devices[id][strings.Clone(user)] = true
	}
}

// readPersons takes a table of persons.
func (m *merger) readPersons(ctx context.Context, t *rows.Table) error {
	distinct, person, deleted := t.Column("distinct_id"), t.Column("person_id"), t.Column("is_deleted")
	version := t.Column("person_distinct_id_version", "version")
	return t.Each(ctx, func(row *rows.Row) error {
		if row.Err != nil || row.Cells[distinct] == "" || row.Cells[person] == "" || row.Cell(deleted) == "true" || row.Cell(deleted) == "1" {
			return nil
		}
		var n uint64
		for _, digit := range adapters.Integer(row.Cell(version)) {
			n = n*10 + uint64(digit-'0')
		}
		return m.addPair(pair{row.Cells[distinct], row.Cells[person], n + 1})
	})
}

// find ends adding and returns who is who.
func (m *merger) find(ctx context.Context) (*people, error) {
	rankOf := func(distinct string) rank {
		if m.users[adapters.IDOf(distinct)] {
			return identifiedUser
		}
		return anonymous
	}
	for _, l := range m.links {
		if !l.identify || rankOf(l.from) == anonymous {
			m.people.join(title{l.from, rankOf(l.from)}, title{l.to, rankOf(l.to)})
		}
	}
	for device, users := range m.devices {
		for user := range users {
			if len(users) > 1 {
				continue
			}
			if _, known := m.people.parent[device]; !known {
				m.people.parent[device] = device
			}
			m.people.unite(device, m.people.add(title{user, identifiedUser}))
		}
	}
	sorted, err := m.pairs.Sort()
	if err != nil {
		return nil, err
	}
	var id adapters.ID
	var group []pair
	for {
		key, value, err := sorted.Next(ctx)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if err != nil || !bytes.Equal(key[:16], id[:]) {
			m.mergeGroup(group, rankOf)
			group = group[:0]
		}
		if err != nil {
			break
		}
		id = adapters.ID(key[:16])
		p := pair{version: binary.BigEndian.Uint64(key[16:])}
		unpack(value, &p.person, &p.distinct)
		if n := len(group); n > 0 && p.version > 0 && group[n-1].version > 0 {
			group = group[:n-1] // the table's newest alone
		}
		if n := len(group); n == 0 || group[n-1] != p {
			group = append(group, p)
		}
	}
	m.people.settle()
	return &m.people, nil
}

// mergeGroup takes all persons of one distinct id.
func (m *merger) mergeGroup(group []pair, rankOf func(string) rank) {
	if len(group) == 0 || group[0].distinct == cookieless {
		return
	}
	distinct := group[0].distinct
	_, merged := m.people.parent[adapters.IDOf(distinct)]
	several := slices.ContainsFunc(group, func(p pair) bool { return p.person != group[0].person })
	if distinct == "" || !several && !merged {
		return
	}
	for _, p := range group {
		if p.person == "" {
			continue
		}
		rank := personOfEvent
		switch {
		case p.version > 0:
			rank = personOfTable
		case rankOf(distinct) == identifiedUser:
			rank = personOfUser
		}
		m.people.join(title{p.person, rank}, title{distinct, rankOf(distinct)})
	}
}
