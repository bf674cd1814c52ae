package posthog

import (
	"context"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/spill"
	"hopper/pipeline"
)

// maxHosts is of how many hosts events are counted.
const maxHosts = 10_000

// surveyed is what is known once the events have been read through.
type surveyed struct {
	teams, hosts                    map[string]int64
	sessionless, cookieless, merged int64
}

// look is what is known of a chunk's rows.
type look struct {
	events       []adapters.Identified
	pairs        []pair
	links        []link
	devices      [][2]string
	teams, hosts map[string]int64
	sessionless  int64
	cookieless   int64
}

// lookAt makes of a chunk what there is to know.
func (t *table) lookAt(c *rows.Chunk) (*look, error) {
	l := &look{teams: map[string]int64{}, hosts: map[string]int64{}}
	pairs, devices, links := map[pair]bool{}, map[[2]string]bool{}, map[link]bool{}
	for row := range c.Rows() {
		if row.Err != nil {
			continue
		}
		e, reject := t.read(row)
		if reject != "" {
			continue
		}
		l.events = append(l.events, adapters.Identified{ID: adapters.IDOf(e.identity()), Row: row.Number})
		if p := (pair{e.distinct, e.person, 0}); e.distinct != "" && !pairs[p] {
			pairs[p] = true
			l.pairs = append(l.pairs, p)
		}
		for _, link := range e.links() {
			if !links[link] {
				links[link] = true
				l.links = append(l.links, link)
			}
		}
		if d := [2]string{e.device, e.distinct}; e.identified && e.device != "" && !devices[d] {
			devices[d] = true
			l.devices = append(l.devices, d)
		}
		if e.team != "" {
			l.teams[e.team]++
		}
		if e.omit != "" {
			continue
		}
		if host := strings.TrimPrefix(strings.ToLower(e.host), "www."); host != "" {
			l.hosts[host]++
		}
		if e.session == "" {
			l.sessionless++
		}
		if e.distinct == cookieless {
			l.cookieless++
		}
	}
	return l, nil
}

// survey reads all through, and finds repeats and who is who.
func (s *source) survey(ctx context.Context, persons []*rows.Table) (*surveyed, error) {
	finder := adapters.RepeatFinder{Dir: s.opt.TempDir}
	defer finder.Close()
	m := newMerger(s.opt.TempDir)
	defer m.Close()
	found := &surveyed{teams: map[string]int64{}, hosts: map[string]int64{}}
	for ordinal, t := range s.tables {
		if err := t.Input.Spool(ctx); err != nil {
			return nil, err
		}
		err := rows.Look(ctx, t.Table, t.lookAt, func(l *look) error {
			if err := finder.Add(ordinal, l.events...); err != nil {
				return err
			}
			found.take(l)
			return m.take(l)
		})
		if err != nil {
			return nil, err
		}
	}
	for _, t := range persons {
		if err := errors.Join(t.Input.Spool(ctx), m.readPersons(ctx, t)); err != nil {
			return nil, err
		}
	}
	var err error
	if s.people, err = m.find(ctx); err != nil {
		return nil, s.sorting(err)
	}
	found.merged = s.people.merged
	if s.repeats, err = finder.Find(ctx); err != nil {
		return nil, s.sorting(err)
	}
	return found, nil
}

func (s *surveyed) take(l *look) {
	for team, n := range l.teams {
		s.teams[strings.Clone(team)] += n
	}
	for host, n := range l.hosts {
		if _, known := s.hosts[host]; known || len(s.hosts) < maxHosts {
			s.hosts[strings.Clone(host)] += n
		}
	}
	s.sessionless += l.sessionless
	s.cookieless += l.cookieless
}

func (m *merger) take(l *look) error {
	for i := range l.pairs {
		if err := m.addPair(l.pairs[i]); err != nil {
			return err
		}
	}
	for _, link := range l.links {
		if err := m.addLink(link); err != nil {
			return err
		}
		if link.identify {
			if err := m.addUser(link.to); err != nil {
				return err
			}
		}
	}
	for _, d := range l.devices {
		if err := errors.Join(m.addUser(d[1]), m.addDevice(d[0], d[1])); err != nil {
			return err
		}
	}
	return nil
}

func (s *source) sorting(err error) error {
	return &input.Error{Input: s.tables[0].Input.Name, Err: err, Hint: "the events are sorted on disk: look whether the folder for temporary files has room"}
}

// seen is an event while visits are looked for.
type seen struct {
	key, value []byte
}

// Where the parts of a seen's value are: table and row, and what was sent.
const (
	fromServer = iota
	fromPage
	withSession
)

// findVisits finds the visits of events without a session, person by person.
func (s *source) findVisits(ctx context.Context) (_ *adapters.ByRow, err error) {
	byPerson := spill.Sorter{Dir: s.opt.TempDir}
	defer byPerson.Close()
	for ordinal, t := range s.tables {
		err := rows.Look(ctx, t.Table, func(c *rows.Chunk) (all []seen, _ error) {
			people := s.people.acquaint()
			for row := range c.Rows() {
				if row.Err != nil {
					continue
				}
				if e, reject := t.read(row); reject == "" && e.omit == "" && s.asked(&e) {
					visitor, err := people.visitor(e.person, e.distinct)
					if err != nil {
						return nil, err
					}
					all = append(all, see(&e, visitor, ordinal))
				}
			}
			return all, nil
		}, func(all []seen) error {
			for i := range all {
				if err := byPerson.Add(all[i].key, all[i].value); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	visits := &adapters.ByRow{Dir: s.opt.TempDir}
	f := follower{visits: visits}
	if err := errors.Join(byPerson.Each(ctx, f.follow), visits.Sort(ctx)); err != nil {
		return nil, errors.Join(s.sorting(err), visits.Close())
	}
	return visits, nil
}

// see returns what is sorted of an event: by person and time, then place.
func see(e *entry, visitor string, table int) seen {
	person := adapters.IDOf(visitor)
	place := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(nil, uint32(table)), uint64(e.row.Number))
	key := append(binary.BigEndian.AppendUint64(person[:], uint64(e.at)^1<<63), place...)
	switch {
	case e.session != "":
		return seen{key, append(append(place, withSession), visit{session: e.session, host: e.host, path: e.path}.text()...)}
	case e.server:
		return seen{key, append(place, fromServer)}
	}
	return seen{key, append(append(place, fromPage), visit{session: visitor, host: e.host, path: e.path}.text()...)}
}

// follower goes through the events of one person after the other, in the order of time.
type follower struct {
	visits *adapters.ByRow
	person string

	// current is the visit that the person had an event of last, at that time.
	current visit
	last    pipeline.Micros
	// own is the visit of the pages without a session, and when it had an event last.
	own     string
	lastOwn pipeline.Micros
}

func (f *follower) follow(key, value []byte) error {
	at := pipeline.Micros(binary.BigEndian.Uint64(key[16:]) ^ 1<<63)
	if person := string(key[:16]); person != f.person {
		*f = follower{visits: f.visits, person: person}
	}
	table, row := int(binary.BigEndian.Uint32(value)), int64(binary.BigEndian.Uint64(value[4:]))
	if value[12] == fromServer {
		if f.current.session == "" || at-f.last >= adapters.VisitGap {
			return f.visits.Add(table, row, nil)
		}
		return f.visits.Add(table, row, f.current.text()) // which goes on no longer for it
	}
	said := visitOf(value[13:])
	if value[12] == fromPage {
		if f.own == "" || at-f.lastOwn >= adapters.VisitGap {
			f.own = said.session + "@" + strconv.FormatInt(int64(at), 10)
		}
		said.session, f.lastOwn = f.own, at
	}
	if said.host == "" && said.session == f.current.session {
		said.host, said.path = f.current.host, f.current.path
	}
	f.current, f.last = said, at
	if value[12] == fromPage {
		return f.visits.Add(table, row, said.text())
	}
	return nil
}
