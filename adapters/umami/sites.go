package umami

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
)

// site is a row of the table website.
type site struct{ id, name, domain string }

// loadSites reads a table website.
func (f *tables) loadSites(ctx context.Context, t *rows.Table) error {
	id, name, domain := t.Column("website_id"), t.Column("name"), t.Column("domain")
	return each(ctx, t, nil, func(row *rows.Row) error {
		get := cells(row.Cells)
		if len(f.named) < maxSites && get.at(id) != "" {
			f.named = append(f.named, site{strings.ToLower(strings.Clone(get.at(id))), strings.Clone(get.at(name)), strings.Clone(get.at(domain))})
		}
		return nil
	})
}

// selectWebsite has databases leave out what is of other websites than the one that
// is asked for, where that can be known before the events are read.
func (f *tables) selectWebsite(asked string) {
	var meant []string
	for _, s := range f.named {
		if s.is(asked) {
			meant = append(meant, s.id)
		}
	}
	if uuid.Validate(asked) == nil && len(f.named) == 0 {
		meant = []string{strings.ToLower(asked)}
	}
	if len(meant) != 1 {
		return
	}
	tables := slices.Concat(f.sessions, f.eventData, f.sessionData)
	for _, e := range f.events {
		tables = append(tables, e.Table)
	}
	for _, t := range tables {
		t.Input.Select("website_id", meant[0])
	}
}

// is reports whether a site is what --website asks for.
func (s site) is(asked string) bool {
	return asked != "" && (strings.EqualFold(asked, s.id) || strings.EqualFold(asked, s.name) || s.domain != "" && adapters.SameHost(asked, s.domain))
}

// website returns the id of the website whose events to read, empty for all: a
// dump of a self-hosted Umami holds those of all its websites.
func (f *tables) website(asked string) (string, error) {
	in := f.events[0].Input.Name
	switch {
	case asked == "" && len(f.sites) > 1:
		return "", input.Errorf(in, "holds the events of several websites: %s. Choose one with --website, by its id, name or domain, and import each into its own site", f.listSites())
	case asked == "":
		for id := range f.sites {
			return id, nil
		}
		return "", nil
	case !slices.ContainsFunc(f.events, func(e *eventTable) bool { return e.websiteID >= 0 }):
		return "", input.Errorf(in, "has no column website_id to choose the website %s by", asked)
	}
	var meant []string
	for id := range f.sites {
		if f.siteOf(id).is(asked) {
			meant = append(meant, id)
		}
	}
	if len(meant) == 0 {
		meant = slices.Sorted(maps.Keys(f.hosted)) // without a table of names, the pages tell the domain
	}
	switch {
	case len(meant) == 1:
		return meant[0], nil
	case len(meant) > 1:
		return "", input.Errorf(in, "holds several websites that are called %q: %s. Choose one by its id", asked, f.listSites())
	case f.moreSites && len(asked) == 36:
		return strings.ToLower(asked), nil
	case len(f.sites) == 0:
		return "", input.Errorf(in, "holds no events of the website %q", asked)
	}
	return "", input.Errorf(in, "holds no events of a website with the id, name or domain %q; there are: %s", asked, f.listSites())
}

func (f *tables) siteOf(id string) site {
	if i := slices.IndexFunc(f.named, func(s site) bool { return s.id == id }); i >= 0 {
		return f.named[i]
	}
	return site{id: id}
}

// listSites names the websites, those with the most events first.
func (f *tables) listSites() string {
	return adapters.ListSites(f.sites, "events", func(id string) string {
		s := f.siteOf(id)
		if s.name != "" {
			id += fmt.Sprintf(" %q", s.name)
		}
		return strings.TrimSpace(id + " " + s.domain)
	})
}
