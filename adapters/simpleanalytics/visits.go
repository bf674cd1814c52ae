package simpleanalytics

import (
	"context"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"time"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/spill"
	"hopper/pipeline"
)

// maxHosts is of how many hosts data points are counted.
const maxHosts = 10_000

// surveyed is what is known once the data points have been read through.
type surveyed struct {
	hosts   map[string]int64
	repeats *repeats
}

// repeats are the rows that repeat an earlier one.
type repeats struct{ *adapters.Repeats }

func (r *repeats) close() error {
	if r.Repeats == nil {
		return nil
	}
	return r.Repeats.Close()
}

func survey(ctx context.Context, tables []*table, opt adapters.Options) (*surveyed, error) {
	finder := adapters.RepeatFinder{Dir: opt.TempDir}
	defer finder.Close()
	s := &surveyed{hosts: map[string]int64{}}
	for ordinal, t := range tables {
		if err := t.Input.Spool(ctx); err != nil {
			return nil, err
		}
		err := t.points(ctx, func(row *rows.Row, p *point) error {
			host := strings.TrimPrefix(strings.ToLower(p.host), "www.")
			if _, known := s.hosts[host]; host != "" && (known || len(s.hosts) < maxHosts) {
				s.hosts[strings.Clone(host)]++
			}
			return finder.Add(ordinal, adapters.Identified{ID: adapters.IDOf(t.identity(row, p)), Row: row.Number})
		})
		if err != nil {
			return nil, err
		}
	}
	found, err := finder.Find(ctx)
	s.repeats = &repeats{found}
	return s, err
}

// points reads the rows through that are data points of people.
func (t *table) points(ctx context.Context, do func(*rows.Row, *point) error) error {
	return t.Each(ctx, func(row *rows.Row) error {
		if row.Err != nil {
			return nil
		}
		p, ok := t.read(row)
		if !ok || p.robot {
			return nil
		}
		return do(row, &p)
	})
}

// visits says of each row whose visit it belongs to.
type visits struct {
	adapters.ByRow
	found, before, overMidnight int64
}

// load is a row while visits are looked for. The fields of fixed size are what
// goes to disk.
type load struct {
	At    pipeline.Micros
	Table uint32
	Row   int64
	// Group stands for the document in the browser.
	Group adapters.ID
	Page  bool
	// Last says that the group has no row after this one.
	Last bool
	// Path is the page, Lead how the group's first page was come to.
	Path uint64
	Lead lead
}

// lead decides where a document belongs.
type lead struct {
	Page, Unique, Own bool
	Look, From        uint64
}

func (l *load) append(b []byte) []byte {
	b, _ = binary.Append(b, binary.BigEndian, l) // which fails for no value of fixed size
	return b
}

func short(s string) uint64 {
	id := adapters.IDOf(s)
	return binary.BigEndian.Uint64(id[:])
}

// findVisits reads the data points through, sorts them by document and then by
// time, and follows the visits.
func findVisits(ctx context.Context, s *source, found *repeats) (_ *visits, err error) {
	defer func() { err = errors.Join(err, found.close()) }()
	byGroup := spill.Sorter{Dir: s.opt.TempDir}
	defer byGroup.Close()
	for ordinal, t := range s.tables {
		err := t.points(ctx, func(row *rows.Row, p *point) error {
			repeated := false
			err := error(nil)
			if found.Repeats != nil {
				var taken []int64
				taken, err = found.Take(ctx, ordinal, row.Number+1)
				repeated = len(taken) > 0
			}
			if err != nil || repeated || !s.asked(p) {
				return err
			}
			group := adapters.IDOf("session\x00" + row.Cell(t.session))
			if row.Cell(t.session) == "" {
				group = adapters.IDOf(t.identity(row, p))
			}
			l := load{
				At: p.at, Table: uint32(ordinal), Row: row.Number, Group: group, Page: p.name == "", Path: short(p.path),
				Lead: lead{p.name == "", p.unique, p.own, short(t.look(row)), short(p.refPath)},
			}
			return byGroup.Add(l.key(group[:]), l.append(nil))
		})
		if err != nil {
			return nil, err
		}
	}
	byTime := spill.Sorter{Dir: s.opt.TempDir}
	defer byTime.Close()
	if err := leadGroups(ctx, &byGroup, &byTime); err != nil {
		return nil, sorting(s, err)
	}
	f := &follower{visits: &visits{ByRow: adapters.ByRow{Dir: s.opt.TempDir}}, zone: s.opt.Location(), groups: map[adapters.ID]*visit{}, looks: map[uint64][]*visit{}}
	err = byTime.Each(ctx, func(_, value []byte) error {
		var l load
		if _, err := binary.Decode(value, binary.BigEndian, &l); err != nil {
			return err
		}
		return f.follow(&l)
	})
	if err == nil {
		err = f.visits.Sort(ctx)
	}
	if err != nil {
		return nil, errors.Join(sorting(s, err), f.visits.Close())
	}
	return f.visits, nil
}

func sorting(s *source, err error) error {
	return &input.Error{Input: s.tables[0].Input.Name, Err: err, Hint: "the data points are sorted on disk: look whether the folder for temporary files has room"}
}

// key sorts by what is before, and then by time and place.
func (l *load) key(before []byte) []byte {
	key := binary.BigEndian.AppendUint64(append([]byte(nil), before...), uint64(l.At)^1<<63)
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(key, l.Table), uint64(l.Row))
}

// maxWaiting is how many events of a document wait for its first page view.
const maxWaiting = 1000

// leadGroups gives each row how the first page view of its document was come to,
// which events can precede.
func leadGroups(ctx context.Context, byGroup, byTime *spill.Sorter) error {
	var waiting []load // rows of one document, the last of which may be its last
	led := false
	flush := func(keep int) error {
		for i := range waiting[:len(waiting)-keep] {
			if err := byTime.Add(waiting[i].key(nil), waiting[i].append(nil)); err != nil {
				return err
			}
		}
		waiting = append(waiting[:0], waiting[len(waiting)-keep:]...)
		return nil
	}
	err := byGroup.Each(ctx, func(_, value []byte) error {
		var l load
		if _, err := binary.Decode(value, binary.BigEndian, &l); err != nil {
			return err
		}
		if n := len(waiting); n > 0 && waiting[n-1].Group != l.Group {
			waiting[n-1].Last = true
			if err := flush(0); err != nil {
				return err
			}
		}
		switch n := len(waiting); {
		case n == 0:
			led = l.Page
		case led || !l.Page:
			l.Lead = waiting[0].Lead
		default:
			led = true
			for i := range waiting {
				waiting[i].Lead = l.Lead
			}
		}
		waiting = append(waiting, l)
		if led || len(waiting) > maxWaiting {
			return flush(1)
		}
		return nil
	})
	if err != nil || len(waiting) == 0 {
		return err
	}
	waiting[len(waiting)-1].Last = true
	return flush(0)
}

// visit is one that may go on.
type visit struct {
	id, user adapters.ID
	last     pipeline.Micros
	path     uint64
	day      string
	crossed  bool
}

// follower follows visits in the order of time. It holds those that may go on, and
// the visitors of a day.
type follower struct {
	*visits
	zone   *time.Location
	groups map[adapters.ID]*visit
	looks  map[uint64][]*visit // the newest last
	day    string
	users  map[uint64]adapters.ID // by look, of the day
	rows   int
}

// follow says whose visit a row belongs to.
func (f *follower) follow(l *load) error {
	if day := l.At.Time().In(f.zone).Format(time.DateOnly); day != f.day {
		f.day, f.users = day, map[uint64]adapters.ID{}
	}
	if f.rows++; f.rows%100_000 == 0 {
		for look := range f.looks {
			f.prune(look, l.At)
		}
	}
	v := f.groups[l.Group]
	if v == nil {
		if v = f.continued(l); v == nil {
			v = f.begin(l)
		}
		f.groups[l.Group] = v
	}
	if l.Last {
		delete(f.groups, l.Group)
	}
	f.touch(l, v)
	return f.Add(int(l.Table), l.Row, append(v.id[:], v.user[:]...))
}

// touch makes v the newest visit of its look.
func (f *follower) touch(l *load, v *visit) {
	if v.last = l.At; l.Page {
		v.path = l.Path
	}
	if v.day != f.day && !v.crossed {
		v.crossed = true
		f.overMidnight++
	}
	same := f.looks[l.Lead.Look]
	for i := range same {
		if same[i] == v {
			same = append(same[:i], same[i+1:]...)
			break
		}
	}
	f.looks[l.Lead.Look] = append(same, v)
}

// prune forgets the visits that are over.
func (f *follower) prune(look uint64, now pipeline.Micros) {
	same := f.looks[look]
	for len(same) > 0 && now-same[0].last >= adapters.VisitGap {
		same = same[1:]
	}
	if len(same) == 0 {
		delete(f.looks, look)
		return
	}
	f.looks[look] = same
}

// continued returns the visit that a document continues, or nil.
func (f *follower) continued(l *load) *visit {
	from := l.Lead.From
	switch {
	case !l.Lead.Page:
		from = l.Path // an event happened on the page that was viewed last
	case l.Lead.Unique, !l.Lead.Own:
		return nil
	}
	f.prune(l.Lead.Look, l.At)
	same := f.looks[l.Lead.Look]
	for i := len(same) - 1; i >= 0; i-- {
		if same[i].path == from {
			return same[i]
		}
	}
	if len(same) > 0 {
		return same[len(same)-1]
	}
	return nil
}

func (f *follower) begin(l *load) *visit {
	id := adapters.IDOf("visit\x00" + string(l.Group[:]) + strconv.FormatInt(int64(l.At), 10))
	v := &visit{id: id, user: id, day: f.day}
	f.found++
	if !l.Lead.Unique {
		f.before++
		if user, known := f.users[l.Lead.Look]; known {
			v.user = user
		}
	}
	f.users[l.Lead.Look] = v.user
	return v
}
