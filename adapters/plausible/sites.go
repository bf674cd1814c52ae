package plausible

import (
	"context"
	"maps"
	"slices"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
)

// OmitSite is why rows of other sites are left out.
const OmitSite = "of another site than --website chooses"

// isSites recognizes the table sites of Plausible's own database, which has the
// domains of the sites.
func isSites(t *rows.Table) bool {
	return t.Column("id") >= 0 && t.Column("domain") >= 0 && t.Column("timezone") >= 0 && t.Column("pathname") < 0
}

// siteColumn returns the column that says whose site a row is, or -1.
func siteColumn(t *rows.Table) int { return t.Column("site_id", "domain") }

// sites are the sites of which there are rows, by their ids, or by their
// domains where the export of old versions has these alone.
type sites struct {
	byID    map[string]*site
	domains map[string]string // by id, from the table sites
	what    string            // that is counted
}

type site struct {
	rows  int64
	hosts map[string]int64
}

// add counts a row.
func (s *sites) add(id, host string) {
	one := s.byID[id]
	if one == nil {
		if s.byID == nil {
			s.byID = map[string]*site{}
		}
		one = &site{hosts: map[string]int64{}}
		s.byID[strings.Clone(id)] = one
	}
	one.rows++
	const most = 1000 // anybody can send a site events of any host
	if _, known := one.hosts[host]; host != "" && (known || len(one.hosts) < most) {
		if known {
			one.hosts[host]++
		} else {
			one.hosts[strings.Clone(host)] = 1
		}
	}
}

// name returns a site's domain, or the host of most of its rows.
func (s *sites) name(id string) string {
	if domain := s.domains[id]; domain != "" {
		return domain
	}
	return adapters.Commonest(s.byID[id].hosts)
}

// choose returns the id of the site that is asked for, or of the only one;
// empty is all rows.
func (s *sites) choose(asked, in string) (string, error) {
	ids := slices.Collect(maps.Keys(s.byID))
	if asked == "" {
		if len(ids) < 2 {
			return "", nil
		}
		return "", input.Errorf(in, "holds several sites: %s", s.list(ids)).
			Advise("choose one with --website, by its id or name, and import each into its own site")
	}
	if len(ids) == 0 && len(s.domains) > 0 {
		return "", input.Errorf(in, "holds no events of the site %q", asked)
	}
	if len(ids) == 0 {
		return "", input.Errorf(in, "has no column site_id or domain to choose the site %s by", asked).Advise("leave --website out")
	}
	var found []string
	for _, id := range ids {
		if id == asked || strings.EqualFold(s.name(id), asked) {
			found = append(found, id)
		}
	}
	switch len(found) {
	case 0:
		return "", input.Errorf(in, "holds no site %q, but %s", asked, s.list(ids)).Advise("choose one with --website, by its id or name")
	case 1:
		return found[0], nil
	}
	return "", input.Errorf(in, "holds several sites %q: %s", asked, s.list(found)).Advise("choose one with --website by its id")
}

// selectSite has a database leave out what is of other sites than the one that is
// asked for, where the table sites says which that is.
func (f *tables) selectSite(s *sites, asked string) {
	var found []string
	for id, domain := range s.domains {
		if id == asked || strings.EqualFold(domain, asked) {
			found = append(found, id)
		}
	}
	if len(found) != 1 {
		return
	}
	for _, e := range f.events {
		e.Input.Select("site_id", found[0])
	}
}

func (s *sites) list(ids []string) string {
	rows := map[string]int64{}
	for _, id := range ids {
		rows[id] = s.byID[id].rows
	}
	return adapters.ListSites(rows, s.what, func(id string) string {
		if name := s.name(id); name != id {
			return strings.TrimSpace(id + " " + name)
		}
		return id
	})
}

// readSites returns the domains of the sites by their ids.
func readSites(ctx context.Context, tables []*rows.Table) (map[string]string, error) {
	domains := map[string]string{}
	for _, t := range tables {
		id, domain := t.Column("id"), t.Column("domain")
		err := t.Each(ctx, func(row *rows.Row) error {
			if row.Err == nil {
				domains[adapters.Integer(strings.Clone(row.Cells[id]))] = strings.Clone(row.Cells[domain])
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return domains, nil
}
