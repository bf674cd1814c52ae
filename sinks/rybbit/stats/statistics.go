package stats

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"strings"

	"hopper/pipeline/recount"
)

// everything is a limit of rows that no site reaches.
const everything = "1000000"

// mostNames is of how many custom events the properties are asked for, which
// takes a request each.
const mostNames = 20

// byStatistics asks for what the dashboard shows.
func (s *showing) byStatistics(ctx context.Context) error {
	if err := s.timeSeries(ctx); err != nil {
		return err
	}
	if err := s.pages(ctx); err != nil {
		return err
	}
	var unsent []string
	layout := recount.Dashboard(nil)
	for i, field := range recount.DashboardFields {
		table := recount.DashboardDimensions + i
		if !s.sums.Has(recount.Sent, table) {
			unsent = append(unsent, layout.Tables[table].Name)
			continue
		}
		if err := s.metric(ctx, field, table, false); err != nil {
			return err
		}
	}
	if len(unsent) > 0 {
		s.Notes = append(s.Notes, "Nothing was sent of "+strings.Join(unsent, ", ")+", for which the server was not asked.")
	}
	var names struct{ Data []named }
	err := s.get(ctx, "ask for custom events", []string{"events", "names"}, s.span(), &names)
	if err == nil {
		err = s.showNames(names.Data)
	}
	if err != nil {
		return err
	}
	var channels struct{ Data struct{ Data []channel } }
	if err := s.get(ctx, "ask for the channels", []string{"metric"}, s.of("channel"), &channels); err != nil {
		return err
	}
	s.noteChannels(channels.Data.Data)
	return s.details(ctx, names.Data)
}

// pages asks for pages, entry and exit pages, and titles.
func (s *showing) pages(ctx context.Context) error {
	if err := s.metric(ctx, "pathname", recount.DashboardPages, true); err != nil {
		return err
	}
	if err := s.metric(ctx, "entry_page", recount.DashboardEntries, false); err != nil {
		return err
	}
	if err := s.metric(ctx, "exit_page", recount.DashboardExits, false); err != nil {
		return err
	}
	return s.titles(ctx)
}

type named struct {
	EventName text
	Count     number
}

// showNames counts custom events.
func (s *showing) showNames(names []named) error {
	for _, n := range names {
		if err := s.show(recount.AllDays, recount.DashboardNames, 0, recount.DashboardRow(string(n.EventName)), int64(n.Count)); err != nil {
			return err
		}
	}
	s.tell(recount.DashboardNames, 0)
	return nil
}

// span are the days, as all routes take them.
func (s *showing) span() url.Values {
	return url.Values{"start_date": {s.first.String()}, "end_date": {s.last.String()}, "time_zone": {s.zone()}}
}

// of asks for all rows by a parameter.
func (s *showing) of(parameter string) url.Values {
	query := s.span()
	query.Set("parameter", parameter)
	query.Set("limit", everything)
	return query
}

func (s *showing) timeSeries(ctx context.Context) error {
	query := s.span()
	query.Set("bucket", "day")
	var answer struct {
		Data []struct {
			Time                       string
			Sessions, Users, Pageviews number
			BounceRate                 number `json:"bounce_rate"`
			SessionDuration            number `json:"session_duration"`
		}
	}
	if err := s.get(ctx, "ask for the days", []string{"overview", "time-series"}, query, &answer); err != nil {
		return err
	}
	for _, r := range answer.Data {
		day, err := s.day(r.Time)
		if err == nil {
			err = s.showDay(day, map[int]number{
				recount.DaySessions: r.Sessions, recount.DayUsers: r.Users, recount.DayPageviews: r.Pageviews,
				recount.DayBounces: number(math.Round(float64(r.BounceRate * r.Sessions / 100))),
				recount.DaySeconds: number(math.Round(float64(r.SessionDuration * r.Sessions))),
			})
		}
		if err != nil {
			return err
		}
	}
	s.tellDays()
	return nil
}

// placed matches a city with its region before it, or without a region.
var placed = regexp.MustCompile(`^(?:[A-Z]{2}-[0-9A-Z]{1,3}|)-`)

// metric asks for a table by a parameter. That of pages has events, too.
func (s *showing) metric(ctx context.Context, parameter string, table int, events bool) error {
	var answer struct {
		Data struct {
			Data []struct {
				Value            text
				Count, Pageviews number
			}
		}
	}
	if err := s.get(ctx, "ask for the "+parameter+"s", []string{"metric"}, s.of(parameter), &answer); err != nil {
		return err
	}
	for _, r := range answer.Data.Data {
		value := string(r.Value)
		if parameter == "city" {
			value = placed.ReplaceAllString(value, "")
		}
		if value == "" {
			continue // no city
		}
		row := s.row(table, value)
		if err := s.show(recount.AllDays, table, recount.PageSessions, row, int64(r.Count)); err != nil {
			return err
		}
		if events {
			if err := s.show(recount.AllDays, table, recount.PageEvents, row, int64(r.Pageviews)); err != nil {
				return err
			}
		}
	}
	s.tell(table, recount.PageSessions)
	if events {
		s.tell(table, recount.PageEvents)
	}
	return nil
}

// titles asks for the pageviews of each title.
func (s *showing) titles(ctx context.Context) error {
	query := s.span()
	query.Set("limit", everything)
	query.Set("page", "1")
	var answer struct {
		Data struct {
			Data []struct {
				Value     text
				Pageviews number
			}
			TotalCount number
		}
	}
	if err := s.get(ctx, "ask for the titles", []string{"page-titles"}, query, &answer); err != nil {
		return err
	}
	if n := len(answer.Data.Data); n < int(answer.Data.TotalCount) {
		s.Notes = append(s.Notes, fmt.Sprintf("The server shows %d of %d titles, and they are not compared.", n, int(answer.Data.TotalCount)))
		return nil
	}
	for _, r := range answer.Data.Data {
		if err := s.show(recount.AllDays, recount.DashboardTitles, 0, s.row(recount.DashboardTitles, string(r.Value)), int64(r.Pageviews)); err != nil {
			return err
		}
	}
	s.tell(recount.DashboardTitles, 0)
	return nil
}

// details asks for outbound links and for the properties of custom events.
func (s *showing) details(ctx context.Context, names []named) error {
	var links struct {
		Data []struct {
			URL   text
			Count number
		}
	}
	if err := s.get(ctx, "ask for outbound links", []string{"events", "outbound"}, s.span(), &links); err != nil {
		return err
	}
	for _, l := range links.Data {
		if err := s.show(recount.AllDays, recount.DashboardLinks, 0, recount.DashboardRow(string(l.URL)), int64(l.Count)); err != nil {
			return err
		}
	}
	s.tell(recount.DashboardLinks, 0)
	if len(names) > mostNames {
		s.Notes = append(s.Notes, fmt.Sprintf("The properties of %d custom events would take a request each, and are not compared.", len(names)))
		return nil
	}
	for _, n := range names {
		if err := s.properties(ctx, string(n.EventName)); err != nil {
			return err
		}
	}
	s.tell(recount.DashboardProperties, 0)
	return nil
}

func (s *showing) properties(ctx context.Context, name string) error {
	query := s.span()
	query.Set("event_name", name)
	var answer struct {
		Data []struct {
			PropertyKey, PropertyValue text
			Count                      number
		}
	}
	if err := s.get(ctx, "ask for properties", []string{"events", "properties"}, query, &answer); err != nil {
		return err
	}
	for _, p := range answer.Data {
		row := recount.DashboardRow(name, string(p.PropertyKey), string(p.PropertyValue))
		if err := s.show(recount.AllDays, recount.DashboardProperties, 0, row, int64(p.Count)); err != nil {
			return err
		}
	}
	return nil
}
