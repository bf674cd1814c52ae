package events

import (
	"context"
	"strings"
	"time"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// tell yields what the rows of the tables say, for [recount.Compare]. It looks
// cells up by name and shares nothing with the translation but rows and the
// forms of times.
func tell(ctx context.Context, inputs []*input.Input, opt adapters.Options, yield func(*recount.Fact) error) error {
	for _, in := range inputs {
		found, err := rows.Find(ctx, in)
		if err != nil {
			return err
		}
		for _, t := range found {
			if err := tellTable(ctx, t, opt.Location(), yield); err != nil {
				return err
			}
		}
	}
	return nil
}

func tellTable(ctx context.Context, t *rows.Table, loc *time.Location, yield func(*recount.Fact) error) error {
	kinds := map[string]pipeline.Kind{
		"custom_event": pipeline.Custom, "outbound": pipeline.Outbound, "performance": pipeline.Vitals, "error": pipeline.Error,
	}
	return t.Each(ctx, func(row *rows.Row) error {
		f := &recount.Fact{Origin: pipeline.Origin{Input: t.Input.Name, Row: row.Number}}
		if row.Err != nil {
			return yield(f)
		}
		cell := func(column string) string {
			if i := t.Column(column); i >= 0 {
				return row.Cells[i]
			}
			return ""
		}
		f.At, _ = (&adapters.Times{Zone: loc}).Parse(cell("time"))
		f.Visitor, f.Session = cell("visitor"), cell("session")
		f.Host, f.Page = cell("hostname"), cell("path")
		f.Browser, f.OS, f.Device, f.Country = cell("browser"), cell("system"), cell("device"), cell("country")
		if f.Referrer = cell("referrer"); f.Referrer == "" {
			f.Referrer = recount.None
		}
		kind := strings.ToLower(cell("kind"))
		if f.Name = cell("name"); kind == "" && f.Name != "" {
			kind = "custom_event"
		}
		f.Kind = kinds[kind]
		return yield(f)
	})
}
