package posthog

import (
	"context"
	"encoding/binary"
	"errors"
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

// people says which distinct ids and persons are one user, from disk. Any number of
// goroutines may use it.
type people struct {
	index  *spill.Index // of known, by the id of the name
	merged int64        // names that are one user's with others
}

// What is known of a name, as flags before the title.
const (
	isUser   = 1 << iota // a site gave it to a user who logged in
	isMerged             // the title is its user's
)

// known is what there is to know of a name.
type known struct {
	title        string
	user, merged bool
}

func (p *people) find(name string) (k known, err error) {
	id := adapters.IDOf(name)
	err = p.index.Lookup(id[:], func(value []byte) {
		k = known{string(value[1:]), value[0]&isUser != 0, value[0]&isMerged != 0}
	})
	return k, err
}

// Close removes what is on disk.
func (p *people) Close() error {
	if p == nil {
		return nil
	}
	return p.index.Close()
}

// acquainted are people of whom it remembers those that were asked for, as a chunk
// does: the events of a user stand close together. It is for one goroutine.
type acquainted struct {
	*people
	names map[string]known
}

func (p *people) acquaint() acquainted { return acquainted{p, map[string]known{}} }

func (a acquainted) find(name string) (known, error) {
	if k, met := a.names[name]; met {
		return k, nil
	}
	k, err := a.people.find(name)
	a.names[strings.Clone(name)] = k
	return k, err
}

// visitor returns whose an event is.
func (a acquainted) visitor(person, distinct string) (string, error) {
	if distinct == cookieless {
		return "", nil // anybody's
	}
	name := person
	if name == "" {
		name = distinct
	}
	k, err := a.find(name)
	if k.merged {
		return k.title, err
	}
	return name, err
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

// The kinds of what is said of an id, which is sorted by id and then in this order.
const (
	saidUser   = iota // it is a user's
	saidLink          // in merger.said: a link from it, by where it leads
	saidDevice        // in merger.said: it is the device of a user
	saidLinked        // in merger.pairs: it is linked with another; its text, unless it is a device
	saidPair          // in merger.pairs: a pair, by version and person
)

// mergerLimit is how much memory a sorter of a merger takes. Two are filled while the
// events are read, and two are in use at a time then, beside those of groups.
const mergerLimit = 32 << 20

// merger finds who is who.
type merger struct {
	dir string
	// said is what events say of ids by themselves, and pairs of distinct ids and
	// their persons.
	said, pairs *spill.Sorter
	groups      adapters.GroupFinder
	titles      *spill.Sorter
}

func newMerger(dir string) *merger {
	m := &merger{dir: dir, groups: adapters.GroupFinder{Dir: dir}}
	m.said, m.pairs, m.titles = m.sorter(), m.sorter(), m.sorter()
	return m
}

func (m *merger) sorter() *spill.Sorter { return &spill.Sorter{Dir: m.dir, Limit: mergerLimit} }

// Close gives up all memory and disk space.
func (m *merger) Close() error {
	return errors.Join(m.said.Close(), m.pairs.Close(), m.groups.Close(), m.titles.Close())
}

// about returns the key of what is said of an id.
func about(id adapters.ID, kind byte, then ...byte) []byte {
	return append(append(id[:], kind), then...)
}

// addPair notes whose a distinct id was.
func (m *merger) addPair(p pair) error {
	then := binary.BigEndian.AppendUint64(nil, p.version)
	if p.person != "" {
		person := adapters.IDOf(p.person)
		then = append(then, person[:]...)
	}
	return m.pairs.Add(about(adapters.IDOf(p.distinct), saidPair, then...), pack(p.person, p.distinct))
}

// addUser notes that an id is a user's.
func (m *merger) addUser(distinct string) error {
	return m.said.Add(about(adapters.IDOf(distinct), saidUser), nil)
}

// addLink notes what an event says of who is who.
func (m *merger) addLink(l link) error {
	to, identify := adapters.IDOf(l.to), ""
	if l.identify {
		identify = "i"
	}
	return m.said.Add(about(adapters.IDOf(l.from), saidLink, to[:]...), pack(identify, l.from, l.to))
}

// addDevice notes that a user was seen with a device.
func (m *merger) addDevice(device, user string) error {
	if device == "" || impossible[strings.ToLower(user)] || impossible[strings.ToLower(device)] {
		return nil
	}
	id := adapters.IDOf(user)
	return m.said.Add(about(adapters.IDOf(device), saidDevice, id[:]...), pack(user))
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
	l := linker{merger: m}
	err := m.said.Each(ctx, l.take)
	if err = errors.Join(err, l.endDevice(), m.said.Close()); err != nil {
		return nil, err
	}
	g := gatherer{merger: m}
	err = m.pairs.Each(ctx, g.take)
	if err = errors.Join(err, g.end(), m.pairs.Close()); err != nil {
		return nil, err
	}
	return m.name(ctx)
}

// link makes two ids one user's. A text is empty where it names nobody.
func (m *merger) link(a, b adapters.ID, textA, textB string) error {
	return errors.Join(m.groups.Add(a, b), m.pairs.Add(about(a, saidLinked), []byte(textA)), m.pairs.Add(about(b, saidLinked), []byte(textB)))
}

// linker goes through what is said of one id after the other.
type linker struct {
	*merger
	id   adapters.ID
	some bool

	isUser bool // id is a user's
	// Whom id is the device of, if anybody's, and of how many.
	owner   string
	ownerID adapters.ID
	owners  int
}

func (l *linker) take(key, value []byte) error {
	id := adapters.ID(key)
	if !l.some || id != l.id {
		if err := l.endDevice(); err != nil {
			return err
		}
		*l = linker{merger: l.merger, id: id, some: true}
	}
	switch then := key[len(id)+1:]; key[len(id)] {
	case saidUser:
		if l.isUser {
			return nil
		}
		l.isUser = true
		return l.pairs.Add(about(id, saidUser), nil)
	case saidLink:
		var identify, from, to string
		if unpack(value, &identify, &from, &to); identify != "" && l.isUser {
			return nil // PostHog does not merge a user into another
		}
		return l.link(id, adapters.ID(then), from, to)
	case saidDevice:
		if user := adapters.ID(then); l.owners == 0 || user != l.ownerID {
			l.ownerID = user
			l.owners++
			unpack(value, &l.owner)
		}
	}
	return nil
}

// endDevice links a device of one user alone with that user.
func (l *linker) endDevice() error {
	if l.owners != 1 {
		return nil
	}
	return l.link(l.id, l.ownerID, "", l.owner)
}

// gatherer goes through the persons of one distinct id after the other.
type gatherer struct {
	*merger
	id   adapters.ID
	some bool

	isUser, isLinked bool
	titled           bool // its own title is noted
	last, table      pair // the one before, and the newest of a table of persons
	met              int  // how many there were
}

func (g *gatherer) take(key, value []byte) error {
	id := adapters.ID(key)
	if !g.some || id != g.id {
		if err := g.end(); err != nil {
			return err
		}
		*g = gatherer{merger: g.merger, id: id, some: true}
	}
	switch then := key[len(id)+1:]; key[len(id)] {
	case saidUser:
		g.isUser = true
		return g.titles.Add(about(id, ofUser), nil)
	case saidLinked:
		g.isLinked = true
		return g.entitle(string(value))
	default:
		p := pair{version: binary.BigEndian.Uint64(then)}
		if unpack(value, &p.person, &p.distinct); p.distinct == "" || p.distinct == cookieless {
			return nil
		}
		if p.version > 0 {
			g.table = p // the newest comes last, and counts alone
			return nil
		}
		return g.meet(p)
	}
}

// meet takes the next person of the distinct id; equal ones follow each other. The
// first waits until there is another, unless the id is linked anyway.
func (g *gatherer) meet(p pair) error {
	if g.met > 0 && p.person == g.last.person && p.version == g.last.version {
		return nil
	}
	before := g.last
	several := g.met > 0 && p.person != before.person
	g.last = p
	g.met++
	switch {
	case g.isLinked:
		return g.join(p)
	case several:
		g.isLinked = true
		return errors.Join(g.join(before), g.join(p))
	}
	return nil
}

// end takes the person that the table of persons has.
func (g *gatherer) end() error {
	if g.table.version == 0 {
		return nil
	}
	return g.meet(g.table)
}

// join makes a distinct id and a person one user's.
func (g *gatherer) join(p pair) error {
	if p.person == "" {
		return nil
	}
	rank := personOfEvent
	switch {
	case p.version > 0:
		rank = personOfTable
	case g.isUser:
		rank = personOfUser
	}
	person := adapters.IDOf(p.person)
	return errors.Join(g.groups.Add(person, g.id), g.entitle(p.distinct), g.addTitle(person, title{p.person, rank}))
}

// entitle notes the distinct id itself as a name of its user.
func (g *gatherer) entitle(distinct string) error {
	if distinct == "" || g.titled {
		return nil
	}
	g.titled = true
	if g.isUser {
		return g.addTitle(g.id, title{distinct, identifiedUser})
	}
	return g.addTitle(g.id, title{distinct, anonymous})
}

// The kinds of what merger.titles holds of an id, and later of a group, in order.
const (
	ofGroup  = iota // the least id of its group
	ofTitle         // a title, the best first
	ofUser          // it is a user's
	ofMember        // of a group: a member
)

// addTitle notes a name of whoever an id belongs to.
func (m *merger) addTitle(id adapters.ID, t title) error {
	return m.titles.Add(about(id, ofTitle, append([]byte{byte(personOfTable - t.rank)}, t.text...)...), nil)
}

// name finds for each id which title is the best of its group.
func (m *merger) name(ctx context.Context) (*people, error) {
	err := m.groups.Find(ctx, func(member, least adapters.ID) error {
		return m.titles.Add(about(member, ofGroup), least[:])
	})
	if err != nil {
		return nil, err
	}
	byGroup, byID := m.sorter(), m.sorter()
	defer byGroup.Close()
	defer byID.Close()
	p := &people{}
	if p.merged, err = m.gather(ctx, byGroup, byID); err != nil {
		return nil, err
	}
	var group adapters.ID
	best := []byte{0} // flags and title
	titled := false
	err = byGroup.Each(ctx, func(key, value []byte) error {
		if id := adapters.ID(key); id != group {
			group, best, titled = id, append(best[:0], 0), false
		}
		then := key[len(group)+1:]
		if key[len(group)] == ofMember {
			best[0] = value[0] | isMerged
			return byID.Add(then, best)
		}
		if !titled {
			best, titled = append(best, then[1:]...), true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	p.index, err = spill.NewIndex(ctx, byID)
	return p, err
}

// gather adds the titles and members of each group to byGroup, and to byID those who
// are a user but in no group. It returns how many members there are.
func (m *merger) gather(ctx context.Context, byGroup, byID *spill.Sorter) (members int64, err error) {
	var id, group adapters.ID
	var flags byte
	some, grouped := false, false
	end := func() error {
		switch {
		case grouped:
			members++
			return byGroup.Add(about(group, ofMember, id[:]...), []byte{flags})
		case flags != 0:
			return byID.Add(id[:], []byte{flags})
		}
		return nil
	}
	err = m.titles.Each(ctx, func(key, value []byte) error {
		if next := adapters.ID(key); !some || next != id {
			if err := end(); err != nil {
				return err
			}
			id, flags, some, grouped = next, 0, true, false
		}
		switch key[len(id)] {
		case ofGroup:
			group, grouped = adapters.ID(value), true
		case ofTitle:
			return byGroup.Add(about(group, ofTitle, key[len(id)+1:]...), nil)
		case ofUser:
			flags = isUser
		}
		return nil
	})
	return members, errors.Join(err, end(), m.titles.Close())
}
