package ga

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/pipeline"
)

const omitSite = "event of another property, stream or host than --website chooses"

// dataset matches what BigQuery calls the tables of a property, in files' names
// too.
var dataset = regexp.MustCompile(`analytics_(\d{3,})`)

// propertyOf returns the property that an input's name tells, "" where it tells
// none.
func propertyOf(in *input.Input) string {
	if found := dataset.FindStringSubmatch(in.Name); found != nil {
		return found[1]
	}
	return ""
}

// A site is a property, a stream and a host that events are of.
type site struct{ property, stream, host string }

func (r *row) site() site {
	s := site{r.property, r.stream, r.hostname}
	if host, _, _ := splitURL(r.location); host != "" {
		s.host = host
	}
	return s
}

// is reports whether a site is the one that is asked for, by its property,
// stream or host.
func (s site) is(asked string) bool {
	return isProperty(s.property, asked) || s.stream == asked || s.host != "" && strings.EqualFold(strings.TrimPrefix(s.host, "www."), strings.TrimPrefix(asked, "www."))
}

// siteCount counts the events of sites.
type siteCount map[site]int

// maxSites bounds how many sites are counted: anybody can send a property
// events of any host.
const maxSites = 10_000

func (c siteCount) add(s site) {
	if _, known := c[s]; known || len(c) < maxSites {
		c[s]++
	}
}

// by returns the events by what of returns of their sites, without the empty.
func (c siteCount) by(of func(s site) string) map[string]int {
	counts := make(map[string]int)
	for s, n := range c {
		if name := of(s); name != "" {
			counts[name] += n
		}
	}
	return counts
}

// names lists properties with the host of most of their events, or streams and
// hosts.
func (c siteCount) list() map[string]int {
	properties := c.by(func(s site) string { return s.property })
	if len(properties) == 0 {
		streams := c.by(func(s site) string { return s.stream })
		maps.Copy(streams, c.by(func(s site) string { return s.host }))
		return streams
	}
	named := make(map[string]int)
	for property, n := range properties {
		hosts := make(map[string]int)
		for s, n := range c {
			if s.property == property && s.host != "" {
				hosts[s.host] += n
			}
		}
		if host := adapters.Commonest(hosts); host != "" {
			property += " of " + host
		}
		named[property] = n
	}
	return named
}

// chooseSite says why the events cannot be imported as one site, or that none
// are of the one that is asked for. The inputs are read for that where they can
// be of several properties, or one is asked for.
func chooseSite(ctx context.Context, all []recognized, opt adapters.Options) error {
	asked := opt.Get(adapters.Website)
	names, columns := make(map[string]bool), false
	for _, r := range all {
		names[propertyOf(r.in)] = true
		columns = columns || slices.ContainsFunc(r.fields, func(name string) bool { return isPropertyColumn(columnOf(name)) })
	}
	if asked == "" && !columns && len(names) < 2 {
		return nil
	}
	for _, r := range all {
		if err := r.in.Spool(ctx); err != nil {
			return err
		}
	}
	opt.Chosen = maps.Clone(opt.Chosen)
	delete(opt.Chosen, adapters.Website.Name)
	delete(opt.Chosen, Dedupe.Name)
	counts := make(siteCount)
	src, err := eventSource(ctx, all, opt, counts)
	if err != nil {
		return err
	}
	defer src.Close()
	for {
		decode, err := src.chunk(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := decode(nobody{}, newSeen(src.seen)); err != nil {
			return err
		}
	}
	if asked != "" {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(counts)), func(s site) bool { return s.is(asked) }) {
			return propertiesError(all[0].in.Name, "events", counts.list(), asked)
		}
		return nil
	}
	if len(counts.by(func(s site) string { return s.property })) > 1 {
		return propertiesError(all[0].in.Name, "events", counts.list(), "")
	}
	return nil
}

// isPropertyColumn reports whether a flat column tells whose an event is.
func isPropertyColumn(column string) bool {
	return column == "property_id" || column == "property" || column == "property_name"
}

// firstEvents is a sink that looks at the first events.
type firstEvents struct {
	nobody
	views, pageless int
}

func (f *firstEvents) Event(ev *pipeline.Event) {
	if ev.Kind == pipeline.Pageview {
		f.views++
	}
}

func (f *firstEvents) Reject(_ pipeline.Origin, reason, _ string) {
	if reason == rejectNoPage {
		f.pageless++
	}
}

// probe looks at the first events: it says of which hosts and streams they are,
// and doubts page views that all lack their page.
func probe(ctx context.Context, src *source, opt adapters.Options, reading *adapters.Reading) error {
	counts, first := make(siteCount), new(firstEvents)
	decode, err := src.first(ctx)
	if err == nil {
		src.ga4.sites = counts
		err = decode(first, newSeen(src.seen))
		src.ga4.sites = nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if first.views == 0 && first.pageless > 0 {
		reading.Doubt = &ImplausibleError{
			Inputs: []string{src.inputs[src.next-1].name},
			What:   fmt.Sprintf("none of the first %d page views says its page", first.pageless),
			Do: "export page_location (a parameter, in event_params) as a column, or event_params as JSON: TO_JSON_STRING(event_params) in BigQuery, to_json(event_params) in Spark, " +
				"json_format(CAST(event_params AS JSON)) in Athena",
		}
	}
	if opt.Get(adapters.Website) == "" {
		reading.Notes = append(reading.Notes, sitesNote(counts)...)
	}
	return nil
}

// sitesNote says of which hosts and streams events are.
func sitesNote(counts siteCount) []string {
	streams, hosts := counts.by(func(s site) string { return s.stream }), counts.by(func(s site) string { return s.host })
	if len(streams) < 2 && len(hosts) < 2 {
		return nil
	}
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return []string{fmt.Sprintf("The first %d events are of hosts %s and streams %s, which are imported as one site, as they are one property. Choose one with --%s.",
		sum, most(hosts), most(streams), adapters.Website.Name)}
}

// most lists the names with the most events, and how many these are.
func most(counts map[string]int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if n := counts[b] - counts[a]; n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	const shown = 5
	var list []string
	for i, name := range names {
		if i == shown {
			list = append(list, "…")
			break
		}
		list = append(list, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return strings.Join(list, ", ")
}
