package plausible

import (
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"hopper/adapters/input"
)

// doubt says why the tables cannot be one site's days, or returns nil.
func (d *days) doubt() error {
	if why := spaced(slices.Sorted(maps.Keys(d.dates))); why != "" {
		return input.Errorf(d.tables[0].Input.Name, "%s, so that its rows do not count days, as it seems, and all of their visits would come on one", why).
			Advise("export a row for each day")
	}
	return d.doubtSites()
}

// spaced says how the days of an export stand apart where they are the first of
// weeks or months.
func spaced(days []string) string {
	months, weeks := len(days) >= 3, len(days) >= 5
	var previous time.Time
	for i, day := range days {
		at, _ := time.Parse(time.DateOnly, day) // was parsed before
		months = months && at.Day() == 1
		weeks = weeks && (i == 0 || at.Sub(previous)%(7*24*time.Hour) == 0)
		previous = at
	}
	switch {
	case months:
		return "has no day but the first of months"
	case weeks:
		return "has one day a week"
	}
	return ""
}

// doubtSites compares the hosts of the exports, which are other ones where they
// are of other sites.
func (d *days) doubtSites() error {
	var first *sumsTable
	known := map[string]bool{}
	for _, s := range d.tables {
		if s.kind != pagesTable || len(s.hosts) == 0 {
			continue
		}
		own := domainsOf(s.hosts)
		if first == nil {
			first, known = s, own
			continue
		}
		if exportOf(s.Input) != exportOf(first.Input) && !slices.ContainsFunc(slices.Collect(maps.Keys(own)), func(domain string) bool { return known[domain] }) {
			return input.Errorf(exportOf(s.Input), "has pages of %s, and %s pages of %s, so that they are exports of two sites, as it seems",
				nameHosts(s.hosts), exportOf(first.Input), nameHosts(first.hosts)).Advise("import each into its own site")
		}
		maps.Copy(known, own)
	}
	return nil
}

// domainsOf returns the hosts without their subdomains: of shop.example.co.uk
// that is example.co.uk.
func domainsOf(hosts map[string]bool) map[string]bool {
	domains := map[string]bool{}
	for host := range hosts {
		host = strings.ToLower(host)
		domain, err := publicsuffix.EffectiveTLDPlusOne(host)
		if err != nil { // localhost, an address, or what is registered as a whole
			domain = host
		}
		domains[domain] = true
	}
	return domains
}

func nameHosts(hosts map[string]bool) string {
	names := slices.Sorted(maps.Keys(hosts))
	if len(names) > 3 {
		return strings.Join(names[:3], ", ") + " and others"
	}
	return strings.Join(names, ", ")
}
