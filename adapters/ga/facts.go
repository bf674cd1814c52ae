package ga

import (
	"context"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// tell yields what the rows of event-level exports say, for
// [recount.Compare]. It shares with the translation what the inputs are and
// how containers are read; the rest it looks up by name. Reports have no rows
// of events.
func tell(ctx context.Context, inputs []*input.Input, opt adapters.Options, yield func(*recount.Fact) error) error {
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
	for _, r := range all {
		if err := tellInput(ctx, r, opt.Location(), yield); err != nil {
			return err
		}
	}
	return nil
}

func tellInput(ctx context.Context, r recognized, loc *time.Location, yield func(*recount.Fact) error) error {
	if r.tables != nil {
		for _, t := range r.tables {
			if err := tellTable(ctx, t, loc, yield); err != nil {
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
		var stopped error
		err = chunk.Read(func(rec *record.Record) {
			if stopped != nil {
				return
			}
			f := &recount.Fact{Origin: pipeline.Origin{Input: r.in.Name, Row: rec.Row}}
			switch {
			case rec.Err != nil:
				stopped = yield(f)
			case r.shape == universal:
				stopped = tellSession(f, rec.Root, yield)
			default:
				named := facts{}
				named.record("", rec.Root)
				named.tell(f, loc)
				stopped = yield(f)
			}
		})
		if err = errors.Join(err, stopped); err != nil {
			return err
		}
	}
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

// momentOf reads a count of seconds, milli- or microseconds, or a date and
// time; 0 is none.
func momentOf(s string, loc *time.Location) pipeline.Micros {
	if n, err := strconv.ParseInt(strings.TrimSuffix(s, ".0"), 10, 64); err == nil {
		switch digits := len(strconv.FormatInt(n, 10)); {
		case n <= 0 || digits > 17:
			return 0
		case digits > 14:
			return pipeline.Micros(n)
		case digits > 11:
			return pipeline.Micros(n * 1e3)
		default:
			return pipeline.Micros(n * 1e6)
		}
	}
	if utc, found := strings.CutSuffix(s, " UTC"); found {
		s, loc = utc, time.UTC
	}
	s = strings.Replace(s, "T", " ", 1)
	for _, layout := range []string{time.DateTime, time.DateTime + "Z07:00", time.DateTime + "Z07"} {
		if t, err := time.ParseInLocation(layout, s, loc); err == nil {
			return pipeline.MicrosOf(t)
		}
	}
	return 0
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
