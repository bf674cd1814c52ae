package stats

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"hopper/pipeline/recount"
)

// channel is how many sessions came by one.
type channel struct {
	Value text
	Count number
}

// mostChannels is how many channels a note names.
const mostChannels = 8

// noteChannels says what the server makes of where sessions came from, which no
// export has and so nothing can be compared with.
func (s *showing) noteChannels(channels []channel) {
	var named []string
	for _, c := range channels {
		if c.Value == "Direct" || c.Value == "Internal" || c.Value == "" {
			continue
		}
		if len(named) == mostChannels {
			named = append(named, "and others")
			break
		}
		named = append(named, fmt.Sprintf("%s %d", c.Value, int64(c.Count)))
	}
	if len(named) > 0 {
		s.Notes = append(s.Notes, "Channels are made by the server, of referrers and UTM values, by rules of its own, and so there is nothing to compare them with. It shows these sessions beside direct ones: "+
			strings.Join(named, ", ")+".")
	}
}

// explainImports says how many events the server itself did not keep of the imports.
// A key that may not see the list, and an import that has left it, explain nothing.
func (s *showing) explainImports(ctx context.Context) {
	if len(s.Imports) == 0 {
		return
	}
	var list struct {
		Data []struct {
			ID      string `json:"importId"`
			Skipped number `json:"skippedEvents"`
			Invalid number `json:"invalidEvents"`
		}
	}
	if err := s.get(ctx, "list imports", []string{"imports"}, nil, &list); err != nil {
		return
	}
	var skipped, invalid int64
	for _, i := range list.Data {
		if slices.Contains(s.Imports, i.ID) {
			skipped, invalid = skipped+int64(i.Skipped), invalid+int64(i.Invalid)
		}
	}
	if skipped > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("The server skipped %s of these imports: they lie before the days that its plan keeps, in the future, or beyond the month's quota.", events(skipped)))
	}
	if invalid > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("The server found %s of these imports invalid and dropped them: a value of them breaks one of its limits.", events(invalid)))
	}
}

func events(n int64) string {
	if n == 1 {
		return "1 event"
	}
	return fmt.Sprintf("%d events", n)
}

// Explain adds to a comparison what can be the reason of differences between its
// days, as far as their pattern says.
func Explain(c *recount.Comparison, zone string) {
	d := daysOf(c)
	note := func(format string, args ...any) { c.Notes = append(c.Notes, fmt.Sprintf(format, args...)) }
	if d.differ == 0 {
		return
	}
	switch {
	case d.sent == d.shown:
		note("The server shows as many pageviews as were sent, and on other days: its days are those of %s. An import with another --timezone, or a server that shifts times by a zone of its own, looks so.", zone)
	case d.doubled == d.all:
		note("The server shows twice what was sent on each of %d days: the export is there twice. hopper imports shows its imports, and hopper imports delete removes one.", d.all)
	case d.missing > 0 && d.missing == d.differ:
		note("The server shows nothing on %d of %d days, %s to %s, and all on the others: days before those that its plan keeps look so, or an import that was deleted.", d.missing, d.all, d.firstMissing, d.lastMissing)
	case d.more == d.differ:
		note("The server shows more than was sent on %d of %d days, %s to %s: a tracker that ran beside, another import of these days, or events stored twice look so.", d.more, d.all, d.firstMore, d.lastMore)
	}
}

// pattern is how the days' pageviews differ.
type pattern struct {
	sent, shown                                    int64
	all, differ, missing, more, doubled            int
	firstMissing, lastMissing, firstMore, lastMore string
}

func daysOf(c *recount.Comparison) (p pattern) {
	for _, day := range c.Days {
		i := slices.IndexFunc(day.Lines, func(l recount.Line) bool { return l.Table == "days" && l.Measure == "pageviews" && l.Shown != nil })
		if i < 0 {
			continue
		}
		sent, shown := day.Lines[i].Sent, *day.Lines[i].Shown
		p.sent, p.shown, p.all = p.sent+sent, p.shown+shown, p.all+1
		if sent == shown {
			continue
		}
		p.differ++
		if shown == 2*sent {
			p.doubled++
		}
		switch {
		case shown == 0:
			p.missing++
			p.lastMissing = day.Date
			if p.missing == 1 {
				p.firstMissing = day.Date
			}
		case shown > sent:
			p.more++
			p.lastMore = day.Date
			if p.more == 1 {
				p.firstMore = day.Date
			}
		}
	}
	return p
}
