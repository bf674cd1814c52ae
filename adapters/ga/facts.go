package ga

import (
	"context"
	"errors"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// tellInputs hands on what the rows of event-level exports say, for
// [recount.Compare]. It shares with the translation what the inputs are and
// how containers are read; the rest it looks up by name. Reports have no rows
// of events.
func tellInputs(ctx context.Context, inputs []*input.Input, opt adapters.Options, piece func(recount.Piece) error) error {
	var all []recognized
	for _, in := range inputs {
		r, err := recognize(ctx, in)
		if err != nil {
			return err
		}
		switch r.shape {
		case bigQuery, flattened, universal:
			all = append(all, r)
		}
	}
	all, _ = withoutSuperseded(all)
	order, err := dateOrder(ctx, all, opt)
	if err != nil {
		return err
	}
	for _, r := range all {
		if err := tellInput(ctx, r, clock{opt.Location(), order}, piece); err != nil {
			return err
		}
	}
	return nil
}

func tellInput(ctx context.Context, r recognized, loc clock, piece func(recount.Piece) error) error {
	if r.rooted != nil {
		g := recount.Gatherer{Piece: piece}
		if err := tellRooted(ctx, r, loc, g.Add); err != nil {
			return err
		}
		return g.End()
	}
	if r.tables != nil {
		for _, t := range r.tables {
			if err := tellTable(ctx, t, loc, piece); err != nil {
				return err
			}
		}
		return nil
	}
	wanted := func(path string) bool {
		top, _, _ := strings.Cut(path, ".")
		switch top {
		case "event_name", "event_timestamp", "user_pseudo_id", "device", "geo", "app_info", "event_params", "event_dimensions":
			return true
		}
		return r.shape != bigQuery
	}
	records, err := record.Open(ctx, r.in, wanted)
	if err != nil {
		return err
	}
	defer records.Close()
	for {
		chunk, err := records.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = piece(func(yield func(*recount.Fact)) error {
			var named namedFacts
			return chunk.Read(func(rec *record.Record) {
				f := recount.Fact{Origin: pipeline.Origin{Input: r.in.Name, Row: rec.Row}}
				switch {
				case rec.Err != nil:
					yield(&f)
				case r.shape == universal:
					tellSession(&f, rec.Root, yield)
				default:
					named.of(rec.Root).tell(&f, loc)
					yield(&f)
				}
			})
		})
		if err != nil {
			return err
		}
	}
}

// tellRooted tells the rows of a table as records, those of other messages of a
// connector as rows without anything.
func tellRooted(ctx context.Context, r recognized, loc clock, yield func(*recount.Fact) error) error {
	session, number := "", ""
	var named namedFacts
	return r.rooted.Each(ctx, func(row *rows.Row) error {
		f := &recount.Fact{Origin: pipeline.Origin{Input: r.in.Name, Row: row.Number}}
		if row.Err != nil {
			return yield(f)
		}
		root, _ := unwrapped(rooted(r.rooted, row))
		if root == nil {
			return yield(f)
		}
		if r.shape != universal {
			named.of(root).tell(f, loc)
			return yield(f)
		}
		root, flat := universalRecord(root)
		if flat {
			own, hit := "", root.Get("hits").Elements()[0].Get("hitNumber").String()
			for _, name := range []string{"fullVisitorId", "clientId", "visitId", "visitStartTime"} {
				own += root.Get(name).String() + separator
			}
			if hit != "" && own == session && hit == number {
				return yield(f) // a further row of the hit
			}
			session, number = own, hit
		}
		var err error
		tellSession(f, root, func(hit *recount.Fact) { err = errors.Join(err, yield(hit)) })
		return err
	})
}

func toldText(s string) string {
	s = strings.TrimSpace(s)
	switch {
	case s == "", s == "null", s == "not set", s == "not available in demo dataset",
		s[0] == '(' && s[len(s)-1] == ')', s[0] == '<' && s[len(s)-1] == '>':
		return ""
	}
	return s
}

// address matches what a link can lead to.
var address = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://[^/ \t\r\n][^ \t\r\n]*$`)

// A clock is how times without a zone, and dates such as 5/1/2024, are read.
type clock struct {
	zone  *time.Location
	order adapters.DateOrder
}

// momentOf reads a count of seconds and their fractions, a spreadsheet's serial
// number of a day, or a date and time; 0 is none. The date is the event's, which
// decides where nothing else does what stands first in a date.
func momentOf(s, date string, c clock) pipeline.Micros {
	s = strings.TrimSpace(s)
	number := s
	if strings.Count(s, ",") == 1 && strings.IndexByte(s, ',') == 5 {
		number = strings.Replace(s, ",", ".", 1)
	}
	number = strings.ReplaceAll(number, ",", "")
	if whole, err := strconv.ParseInt(strings.TrimSuffix(number, ".0"), 10, 64); err == nil && len(number) > 8 {
		return ofUnit(float64(whole), func(unit int64) int64 { return whole / unit }, func(unit int64) int64 { return whole * unit })
	}
	if f, err := strconv.ParseFloat(number, 64); err == nil {
		const day, epoch = 86400, 25569 // 1970 as a serial number
		if f < 1e6 && f > epoch {
			unit := 1000.0 // of a second
			if _, digits, _ := strings.Cut(number, "."); len(digits) < 8 {
				unit = 1
			}
			at := time.UnixMicro(int64(math.Round((f-epoch)*day*unit) / unit * 1e6)).UTC()
			return pipeline.MicrosOf(time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), c.zone))
		}
		return ofUnit(f, func(unit int64) int64 { return int64(f / float64(unit)) }, func(unit int64) int64 { return int64(math.Round(f * float64(unit))) })
	}
	loc := c.zone
	if utc, found := strings.CutSuffix(s, " UTC"); found {
		s, loc = utc, time.UTC
	}
	for _, layout := range []string{time.DateTime, "2006-01-02T15:04:05", time.DateTime + "Z07:00", time.RFC3339, time.DateTime + "Z07"} {
		if t, err := time.ParseInLocation(layout, s, loc); err == nil {
			return pipeline.MicrosOf(t)
		}
	}
	day, _ := time.Parse("20060102", strings.ReplaceAll(date, "-", ""))
	for _, order := range [...]struct {
		order  adapters.DateOrder
		layout string
	}{{adapters.MonthFirst, "1/2/2006"}, {adapters.DayFirst, "2/1/2006"}} {
		for _, clock := range [...]string{" 15:04:05", " 15:04", " 3:04:05 PM", " 3:04 PM"} {
			t, err := time.ParseInLocation(order.layout+clock, strings.ReplaceAll(s, ".", "/"), loc)
			if err == nil && (c.order == order.order || c.order == adapters.AnyOrder && t.Sub(day).Abs() < 48*time.Hour) {
				return pipeline.MicrosOf(t)
			}
		}
	}
	return 0
}

// ofUnit returns the microseconds of a count of seconds, milli-, micro- or
// nanoseconds, which one is told by its size.
func ofUnit(f float64, divided, times func(unit int64) int64) pipeline.Micros {
	switch {
	case f <= 0 || f >= 1e19:
		return 0
	case f >= 1e17:
		return pipeline.Micros(divided(1e3))
	case f >= 1e14:
		return pipeline.Micros(divided(1))
	case f >= 1e11:
		return pipeline.Micros(times(1e3))
	}
	return pipeline.Micros(times(1e6))
}

// addressOf returns the host and the path of a page's address.
func addressOf(u string) (host, path string) {
	if i := strings.IndexAny(u, "?#"); i >= 0 {
		u = u[:i]
	}
	rest, found := strings.CutPrefix(u, "//")
	if !found {
		_, rest, found = strings.Cut(u, "://")
	}
	if first, _, _ := strings.Cut(u, "/"); !found && strings.Contains(first, ".") {
		rest, found = u, true // an address without its scheme
	}
	if !found {
		return "", u
	}
	host, path, _ = strings.Cut(rest, "/")
	return host, "/" + path
}
