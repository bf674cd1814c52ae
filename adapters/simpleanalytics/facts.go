package simpleanalytics

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"hopper/adapters"
	"hopper/adapters/input/rows"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// tell yields what the rows say, for [recount.Compare]. It looks cells up by name
// and shares nothing with the translation but rows and the forms of times. Rows
// know no visits; each unique page view is a visitor of its own, and whose any
// other row is they do not say.
func tell(ctx context.Context, tables []*rows.Table, opt adapters.Options, yield func(*recount.Fact) error) error {
	for _, t := range tables {
		err := t.Each(ctx, func(row *rows.Row) error {
			f := &recount.Fact{Origin: pipeline.Origin{Input: t.Input.Name, Row: row.Number}}
			if row.Err == nil {
				tellRow(f, func(columns ...string) string {
					for _, column := range columns {
						if i := t.Column(column); i >= 0 && row.Cells[i] != "" {
							return row.Cells[i]
						}
					}
					return ""
				}, opt.Location())
			}
			return yield(f)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func tellRow(f *recount.Fact, cell func(...string) string, zone *time.Location) {
	f.At = timeOf(cell("added_iso"), cell("added_unix"), zone)
	f.Host, f.Page = cell("hostname"), cell("path", "path_and_query")
	if u, err := url.Parse(cell("url")); err == nil && f.Page == "" && u.Host != "" {
		f.Page = "/" + strings.TrimPrefix(u.EscapedPath(), "/")
	}
	f.Browser, f.OS, f.Device, f.Country = cell("browser_name"), cell("os_name"), cell("device_type"), cell("country_code")
	if name := cell("datapoint"); name != "" && name != "pageview" {
		f.Kind, f.Name = pipeline.Custom, name
		if parts := strings.Split(name, "_"); len(parts) > 3 && parts[0] == "email" {
			if _, managed := publicsuffix.PublicSuffix(strings.Join(parts[1:], ".")); managed {
				f.Name = "email" // the address in it is left out
			}
		}
	} else if cell("is_unique") == "true" {
		f.Visitor = fmt.Sprint("row ", f.Origin)
	}
	if f.Fate = recount.Unsaid; strings.ToLower(cell("is_robot")) == "true" {
		f.Fate = recount.LeftOut
	}
	f.Referrer = recount.None
	for _, text := range []string{cell("document_referrer", "referrer"), cell("referrer_hostname"), cell("referrer_raw")} {
		if !strings.Contains(text, "://") {
			text = "https://" + text
		}
		u, err := url.Parse(text)
		if err != nil || !strings.Contains(strings.Trim(u.Hostname(), "."), ".") {
			continue
		}
		plain := func(host string) string { return strings.TrimPrefix(strings.ToLower(host), "www.") }
		if host := plain(u.Host); host != plain(cell("hostname")) && host != plain(cell("hostname_original")) {
			f.Referrer = "https://" + u.Host
		}
		return
	}
}

// timeOf reads the times that Simple Analytics writes, and leaves others to the
// parser that all sources share; 0 is none.
func timeOf(iso, unix string, zone *time.Location) pipeline.Micros {
	if t, err := time.Parse("2006-01-02T15:04:05.999Z", iso); err == nil {
		return pipeline.MicrosOf(t)
	}
	times := &adapters.Times{Zone: zone}
	for _, text := range []string{unix, iso} {
		if at, ok := times.Parse(text); ok {
			return at
		}
	}
	return 0
}
