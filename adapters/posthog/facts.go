package posthog

import (
	"context"
	"encoding/json"
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
func tell(ctx context.Context, tables, persons []*rows.Table, chosen site, opt adapters.Options, yield func(*recount.Fact) error) error {
	who, err := acquaint(ctx, tables, persons, opt)
	if err != nil {
		return err
	}
	times := &adapters.Times{Zone: opt.Location()}
	for _, t := range tables {
		err := t.Each(ctx, func(row *rows.Row) error {
			f := &recount.Fact{Origin: pipeline.Origin{Input: t.Input.Name, Row: row.Number}}
			if row.Err == nil {
				told := toldOf(t, row)
				f.At, _ = times.Parse(told.text("timestamp"))
				tellRow(f, told, who, chosen)
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

func tellRow(f *recount.Fact, d told, who map[string]string, chosen site) {
	event, distinct, person := d.text("event"), d.distinct(), d.person()
	f.Session = d.text("$session_id")
	f.Visitor = "person " + person
	if person == "" {
		f.Visitor = "id " + distinct
	}
	if first, known := who[f.Visitor]; known {
		f.Visitor = first
	}
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
}

// acquaint returns for each name that is one user's with others the first of them
// all. Pairs of names are sorted on disk; those that know others are held.
func acquaint(ctx context.Context, tables, persons []*rows.Table, opt adapters.Options) (map[string]string, error) {
	pairs := spill.Sorter{Dir: opt.TempDir}
	defer pairs.Close()
	edges := map[string]map[string]bool{}
	meet := func(a, b string) {
		for _, way := range [][2]string{{a, b}, {b, a}} {
			if edges[way[0]] == nil {
				edges[way[0]] = map[string]bool{}
			}
			edges[way[0]][way[1]] = true
		}
	}
	var identified [][2]string
	users, onDevice := map[string]bool{}, map[string]map[string]bool{}
	for _, t := range slices.Concat(tables, persons) {
		newest := slices.Contains(persons, t)
		err := t.Each(ctx, func(row *rows.Row) error {
			if row.Err != nil {
				return nil
			}
			d := toldOf(t, row)
			distinct, person := d.distinct(), d.person()
			if distinct == "" || d.text("is_deleted") == "true" || d.text("is_deleted") == "1" {
				return nil
			}
			switch event := d.text("event"); {
			case event == "$identify":
				users[distinct] = true
				identified = append(identified, [2]string{strings.Trim(d.text("$anon_distinct_id"), `"`), distinct})
			case event == "$create_alias" || event == "$merge_dangerously":
				if alias := strings.Trim(d.text("alias"), `"`); isName(alias) && isName(distinct) {
					meet("id "+alias, "id "+distinct)
				}
			}
			if device := d.text("$device_id"); device != "" && d.text("$is_identified") == "true" && isName(device) && isName(distinct) {
				users[distinct] = true
				if onDevice[device] == nil {
					onDevice[device] = map[string]bool{}
				}
				onDevice[device][distinct] = true
			}
			for _, known := range d.list(d.cells, "person", "distinct_ids") {
				if isName(known) && isName(distinct) && known != distinct {
					meet("id "+known, "id "+distinct)
				}
			}
			version := ""
			if newest {
				version = "v" + pad(d.text("person_distinct_id_version")+d.text("version"))
			}
			return pairs.Add([]byte(strconv.Quote(distinct)+"\x00"+version+"\x00"+person), nil)
		})
		if err != nil {
			return nil, err
		}
	}
	for _, pair := range identified {
		if isName(pair[0]) && isName(pair[1]) && pair[0] != pair[1] && !users[pair[0]] {
			meet("id "+pair[0], "id "+pair[1])
		}
	}
	for device, of := range onDevice {
		for user := range of {
			if len(of) == 1 && user != device {
				meet("id "+device, "id "+user)
			}
		}
	}
	if err := meetPersons(ctx, &pairs, edges, meet); err != nil {
		return nil, err
	}
	return walk(edges), nil
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

// meetPersons has each distinct id meet its persons, where it has several or knows others.
func meetPersons(ctx context.Context, pairs *spill.Sorter, edges map[string]map[string]bool, meet func(a, b string)) error {
	var id, table string
	of := map[string]bool{}
	end := func() {
		if table != "" {
			of[table] = true
		}
		if _, known := edges["id "+id]; id != cookieless && (known || len(of) > 1) {
			for person := range of {
				if person != "" {
					meet("id "+id, "person "+person)
				}
			}
		}
		table = ""
		clear(of)
	}
	err := pairs.Each(ctx, func(key, _ []byte) error {
		parts := strings.SplitN(string(key), "\x00", 3)
		distinct, err := strconv.Unquote(parts[0])
		if err != nil {
			return err
		}
		if distinct != id {
			end()
			id = distinct
		}
		if parts[1] == "" {
			of[parts[2]] = true
		} else {
			table = parts[2]
		}
		return nil
	})
	end()
	return err
}

// walk returns the first name of those that can be reached from each.
func walk(edges map[string]map[string]bool) map[string]string {
	first := map[string]string{}
	for _, start := range slices.Sorted(maps.Keys(edges)) {
		if _, met := first[start]; met {
			continue
		}
		first[start] = start
		for next := []string{start}; len(next) > 0; next = next[1:] {
			for name := range edges[next[0]] {
				if _, met := first[name]; !met {
					first[name] = start
					next = append(next, name)
				}
			}
		}
	}
	return first
}
