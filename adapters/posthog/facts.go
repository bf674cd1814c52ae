package posthog

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/spill"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// tell yields what the rows say, for [recount.Compare]. It reads properties as
// encoding/json does, finds who is who by walking from name to name, and shares with
// the translation rows, the forms of times, and which site was chosen.
func tell(ctx context.Context, tables, persons []*rows.Table, chosen site, opt adapters.Options, yield func(*recount.Fact) error) (err error) {
	who, err := meetAll(ctx, tables, persons, opt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, who.Close()) }()
	times := &adapters.Times{Zone: opt.Location()}
	for _, t := range tables {
		err := t.Each(ctx, func(row *rows.Row) error {
			f := &recount.Fact{Origin: pipeline.Origin{Input: t.Input.Name, Row: row.Number}}
			if row.Err == nil {
				told := toldOf(t, row)
				f.At, _ = times.Parse(told.text("timestamp"))
				if err := tellRow(f, told, who, chosen); err != nil {
					return err
				}
			}
			return yield(f)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// told is a row's cells and properties, by name.
type told struct{ cells, properties map[string]any }

func toldOf(t *rows.Table, row *rows.Row) told {
	d := told{map[string]any{}, map[string]any{}}
	for i, name := range t.Header {
		value := row.Cells[i]
		if value == "" {
			continue
		}
		d.cells[strings.ToLower(name)] = value
		if key, found := strings.CutPrefix(name, "properties."); found || strings.HasPrefix(key, "$") {
			d.properties[key] = value
		}
	}
	if text, _ := d.cells["properties"].(string); text != "" {
		var inner map[string]any
		if json.Unmarshal([]byte(text), &inner) == nil {
			maps.Copy(d.properties, inner)
		}
	}
	return d
}

func (d told) text(name string) string {
	places := []map[string]any{d.cells, d.properties}
	if strings.HasPrefix(name, "$") {
		slices.Reverse(places) // a column of the name repeats the property
	}
	for _, from := range places {
		switch v := from[name].(type) {
		case string:
			if v != "<masked>" && v != "null" {
				return v
			}
		case bool:
			if v {
				return "true"
			}
		}
	}
	return ""
}

func (d told) list(of map[string]any, name, member string) (all []string) {
	v := of[name]
	if text, is := v.(string); is {
		v = nil
		_ = json.Unmarshal([]byte(text), &v) // what is no JSON has no list
	}
	if object, is := v.(map[string]any); is {
		v = object[member]
	}
	items, _ := v.([]any)
	for _, item := range items {
		if s, is := item.(string); is {
			all = append(all, s)
		}
	}
	return all
}

func (d told) person() string {
	for _, name := range []string{"person_id", "person.id"} {
		if id := d.text(name); id != "" && strings.Trim(id, "0-") != "" {
			return strings.ToLower(id)
		}
	}
	return ""
}

func (d told) distinct() string {
	for _, name := range []string{"distinct_id", "person.distinct_id"} {
		if id := d.text(name); id != "" {
			return id
		}
	}
	if ids := d.list(d.cells, "person", "distinct_ids"); len(ids) > 0 {
		return ids[0]
	}
	return ""
}

func tellRow(f *recount.Fact, d told, who *spill.Index, chosen site) error {
	event, distinct, person := d.text("event"), d.distinct(), d.person()
	f.Session = d.text("$session_id")
	f.Visitor = "person " + person
	if person == "" {
		f.Visitor = "id " + distinct
	}
	name := adapters.IDOf(f.Visitor)
	err := who.Lookup(name[:], func(first []byte) { f.Visitor = "first " + string(first) })
	if distinct == cookieless {
		f.Visitor = ""
	}
	if u, err := url.Parse(d.text("$current_url")); err == nil && u.Host != "" {
		f.Host, f.Page = u.Host, "/"+strings.TrimPrefix(u.EscapedPath(), "/")
	} else if f.Host = d.text("$host"); f.Host != "" {
		f.Page = "/" + strings.TrimPrefix(d.text("$pathname"), "/")
	}
	f.Paused = f.Session == "" && f.Host != ""
	switch {
	case event == "$pageview" && f.Host != "":
	case event == "$web_vitals":
		f.Kind = pipeline.Vitals
	case event == "$exception":
		f.Kind = pipeline.Error
	case event == "$autocapture" && (d.text("$external_click_url") != "" || d.text("$event_type") == "click"):
		f.Kind = pipeline.Outbound // where its link leads elsewhere
	case strings.HasPrefix(event, "$"):
		f.Fate = recount.LeftOut
	default:
		f.Kind, f.Name = pipeline.Custom, event
	}
	if team := d.text("team_id"); chosen.team != "" && team != "" && team != chosen.team {
		f.Fate = recount.LeftOut
	}
	plain := func(host string) string { return strings.TrimPrefix(strings.ToLower(host), "www.") }
	if chosen.host != "" && f.Host != "" && plain(f.Host) != plain(chosen.host) {
		f.Fate = recount.LeftOut
	}
	f.Browser, f.OS, f.Device = d.text("$browser"), d.text("$os"), d.text("$device_type")
	f.Referrer = recount.None
	if u, err := url.Parse(d.text("$referrer")); err == nil && u.Host != "" && plain(u.Host) != plain(f.Host) {
		f.Referrer = u.Scheme + "://" + u.Host
	}
	return err
}

// A meeting finds which names are one user's. What is said of a name is sorted by it.
type meeting struct {
	dir         string
	said, pairs spill.Sorter
	groups      adapters.GroupFinder
}

// meetAll returns, for each name that is one user's with others, the first of them all.
func meetAll(ctx context.Context, tables, persons []*rows.Table, opt adapters.Options) (*spill.Index, error) {
	m := &meeting{dir: opt.TempDir, said: spill.Sorter{Dir: opt.TempDir, Limit: mergerLimit}, pairs: spill.Sorter{Dir: opt.TempDir, Limit: mergerLimit}, groups: adapters.GroupFinder{Dir: opt.TempDir}}
	defer m.said.Close()
	defer m.pairs.Close()
	defer m.groups.Close()
	for _, t := range slices.Concat(tables, persons) {
		newest := slices.Contains(persons, t)
		err := t.Each(ctx, func(row *rows.Row) error {
			if row.Err != nil {
				return nil
			}
			return m.hear(toldOf(t, row), newest)
		})
		if err != nil {
			return nil, err
		}
	}
	if err := errors.Join(m.meetNamed(ctx), m.said.Close(), m.meetPersons(ctx), m.pairs.Close()); err != nil {
		return nil, err
	}
	first := spill.Sorter{Dir: m.dir, Limit: mergerLimit}
	defer first.Close()
	err := m.groups.Find(ctx, func(name, least adapters.ID) error { return first.Add(name[:], []byte(hex.EncodeToString(least[:]))) })
	if err != nil {
		return nil, err
	}
	return spill.NewIndex(ctx, &first)
}

// What is said of a name, behind it in a key.
const (
	loggedIn  = "a" // it is a user's
	becameOne = "b" // it was told to be the name that follows
	isDevice  = "c" // the name that follows was logged in on it
)

func (m *meeting) say(name, what, other string) error {
	return m.said.Add([]byte(strconv.Quote(name)+"\x00"+what+"\x00"+other), nil)
}

// hear takes what a row says.
func (m *meeting) hear(d told, newest bool) (err error) {
	distinct := d.distinct()
	if distinct == "" || d.text("is_deleted") == "true" || d.text("is_deleted") == "1" {
		return nil
	}
	switch event := d.text("event"); {
	case event == "$identify":
		anonymous := strings.Trim(d.text("$anon_distinct_id"), `"`)
		if isName(anonymous) && isName(distinct) && anonymous != distinct {
			err = errors.Join(m.say(distinct, loggedIn, ""), m.say(anonymous, becameOne, distinct))
		}
	case event == "$create_alias" || event == "$merge_dangerously":
		if alias := strings.Trim(d.text("alias"), `"`); isName(alias) && isName(distinct) {
			err = m.meet(alias, distinct)
		}
	}
	if device := d.text("$device_id"); device != "" && d.text("$is_identified") == "true" && isName(device) && isName(distinct) {
		err = errors.Join(err, m.say(distinct, loggedIn, ""), m.say(device, isDevice, distinct))
	}
	for _, known := range d.list(d.cells, "person", "distinct_ids") {
		if isName(known) && isName(distinct) && known != distinct {
			err = errors.Join(err, m.meet(known, distinct))
		}
	}
	version := "v"
	if newest {
		version = "w" + pad(d.text("person_distinct_id_version")+d.text("version"))
	}
	return errors.Join(err, m.pairs.Add([]byte(strconv.Quote(distinct)+"\x00"+version+"\x00"+d.person()), nil))
}

// meet makes two distinct ids one user's, and notes that both have met somebody.
func (m *meeting) meet(a, b string) error {
	err := m.groups.Add(adapters.IDOf("id "+a), adapters.IDOf("id "+b))
	for _, name := range []string{a, b} {
		err = errors.Join(err, m.pairs.Add([]byte(strconv.Quote(name)+"\x00\x00"), nil))
	}
	return err
}

// meetNamed has those meet who were told to be one, and devices their only users.
func (m *meeting) meetNamed(ctx context.Context) error {
	var name, user string
	loggedInBefore, users := false, 0
	end := func() (err error) {
		if users == 1 && user != name {
			err = m.meet(name, user)
		}
		user, users, loggedInBefore = "", 0, false
		return err
	}
	err := m.said.Each(ctx, func(key, _ []byte) error {
		of, what, other, err := apart(key)
		if of != name {
			err = errors.Join(err, end())
			name = of
		}
		switch {
		case what == loggedIn:
			loggedInBefore = true
		case what == becameOne && !loggedInBefore:
			err = errors.Join(err, m.meet(name, other))
		case what == isDevice && (users == 0 || user != other):
			user = other
			users++
		}
		return err
	})
	return errors.Join(err, end())
}

// apart returns the parts of a key.
func apart(key []byte) (name, what, other string, err error) {
	parts := strings.SplitN(string(key), "\x00", 3)
	name, err = strconv.Unquote(parts[0])
	return name, parts[1], parts[2], err
}

// pad makes a number sort as text.
func pad(digits string) string { return strings.Repeat("0", max(0, 20-len(digits))) + digits }

// isName reports whether an id is one person's and no mistake of a script.
func isName(id string) bool {
	switch strings.ToLower(id) {
	case "", "anonymous", "guest", "distinctid", "distinct_id", "id", "not_authenticated", "email", "undefined", "true", "false", "nan", "none", "null", "0", "[object object]", "$posthog_cookieless":
		return false
	}
	return true
}

// meetPersons has each distinct id meet its persons, where it has several or has met
// somebody. Of a table of persons the newest counts, which comes last.
func (m *meeting) meetPersons(ctx context.Context) error {
	var id, first, table string
	has, met := false, false // a person, which may be none; somebody else
	meet := func(person string) error {
		if id == cookieless || person == "" {
			return nil
		}
		return m.groups.Add(adapters.IDOf("id "+id), adapters.IDOf("person "+person))
	}
	see := func(person string) (err error) {
		if has && person != first && !met {
			met, err = true, meet(first)
		}
		if !has {
			first, has = person, true
		}
		if met {
			err = errors.Join(err, meet(person))
		}
		return err
	}
	end := func() (err error) {
		if table != "" {
			err = see(table)
		}
		first, table, has, met = "", "", false, false
		return err
	}
	err := m.pairs.Each(ctx, func(key, _ []byte) error {
		of, version, person, err := apart(key)
		if of != id {
			err = errors.Join(err, end())
			id = of
		}
		switch {
		case version == "":
			met = true
		case version == "v":
			err = errors.Join(err, see(person))
		default:
			table = person
		}
		return err
	})
	return errors.Join(err, end())
}
