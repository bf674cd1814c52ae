package simpleanalytics

import (
	"net/url"
	"slices"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input/rows"
	"hopper/pipeline"
)

// known are the columns of all versions of the export.
var known = []string{
	"added_date", "added_iso", "added_unix", "browser_name", "browser_version", "country_code", "datapoint", "device_type", "document_referrer",
	"duration_seconds", "hostname", "hostname_original", "is_robot", "is_unique", "lang_language", "lang_region", "os_name", "os_version", "path",
	"path_and_query", "query", "referrer_hostname", "referrer_path", "screen_height", "screen_width", "scrolled_percentage", "session_id", "user_agent",
	"utm_campaign", "utm_content", "utm_medium", "utm_source", "utm_term", "uuid", "viewport_height", "viewport_width",
	"url", "referrer_raw", "referrer", "source", "device_width_pixels", "device_width", // of 2020
}

// notCarried are columns of which Rybbit shows nothing.
var notCarried = []string{"duration_seconds", "scrolled_percentage", "viewport_width", "viewport_height"}

// isMetadata reports whether a column holds values that the site attached itself.
func isMetadata(column string) bool { return strings.HasPrefix(column, "metadata.") }

// table is a table of data points with its columns' positions; -1 is absent.
type table struct {
	*rows.Table
	times adapters.Times

	iso, unix, datapoint, unique, robot                 int
	uuid, session, hostname, original                   int
	path, pathAndQuery, query, url                      int
	referrer, referrerHost, referrerPath, referrerRaw   int
	browser, browserVersion, os, osVersion, device      int
	agent, width, height, language, langRegion, country int
	utm                                                 [len(adapters.UTMNames)]int
	metadata                                            []metadatum
}

// metadatum is a column of metadata.
type metadatum struct {
	column    int
	key, kind string
}

func newTable(t *rows.Table, opt adapters.Options) *table {
	at := t.Column
	d := &table{
		Table: t, times: adapters.Times{Zone: opt.Location()},
		iso: at("added_iso"), unix: at("added_unix"), datapoint: at("datapoint"), unique: at("is_unique"), robot: at("is_robot"),
		uuid: at("uuid"), session: at("session_id"), hostname: at("hostname"), original: at("hostname_original"),
		path: at("path"), pathAndQuery: at("path_and_query"), query: at("query"), url: at("url"),
		referrer: at("document_referrer", "referrer"), referrerHost: at("referrer_hostname"), referrerPath: at("referrer_path"), referrerRaw: at("referrer_raw"),
		browser: at("browser_name"), browserVersion: at("browser_version"), os: at("os_name"), osVersion: at("os_version"), device: at("device_type"),
		agent: at("user_agent"), width: at("screen_width"), height: at("screen_height"),
		language: at("lang_language"), langRegion: at("lang_region"), country: at("country_code"),
	}
	for i, name := range adapters.UTMNames {
		d.utm[i] = at(name)
	}
	for i, name := range t.Columns {
		if !isMetadata(name) {
			continue
		}
		// The header keeps the case of the site's own keys.
		key := strings.TrimSpace(t.Header[i])[len("metadata."):]
		kind := ""
		if end := strings.LastIndexByte(key, '_'); end > 0 {
			switch suffix := key[end+1:]; suffix {
			case "text", "int", "bool", "date":
				key, kind = key[:end], suffix
			}
		}
		d.metadata = append(d.metadata, metadatum{i, key, kind})
	}
	// So that properties do not depend on the order of columns.
	slices.SortStableFunc(d.metadata, func(a, b metadatum) int { return strings.Compare(a.key, b.key) })
	return d
}

// point is what a row says, where it is a data point.
type point struct {
	at          pipeline.Micros
	name        string // empty is a page view
	unique, own bool   // own says that the referrer is a page of the site
	robot       bool
	host        string
	path, query string
	// referrer is an address without a scheme, or with one.
	referrer string
	refPath  string
}

// read takes a row apart, and reports whether it has a time.
func (t *table) read(row *rows.Row) (p point, ok bool) {
	if p.at, ok = t.time(row); !ok {
		return p, false
	}
	if p.name = row.Cell(t.datapoint); p.name == "pageview" {
		p.name = ""
	}
	p.robot = isTrue(row.Cell(t.robot)) || strings.Contains(row.Cell(t.agent), "SimpleAnalyticsBot")
	p.host = row.Cell(t.hostname)
	t.readPage(&p, row)
	t.readReferrer(&p, row)
	if t.unique >= 0 {
		p.unique = isTrue(row.Cells[t.unique]) && p.name == ""
	} else {
		p.unique = !p.own && p.name == ""
	}
	return p, true
}

// time returns a row's time. Where it has an offset or no zone at all, the seconds
// decide.
func (t *table) time(row *rows.Row) (pipeline.Micros, bool) {
	iso, unix := row.Cell(t.iso), row.Cell(t.unix)
	if !strings.HasSuffix(iso, "Z") && unix != "" {
		iso = unix
	}
	return t.times.Parse(iso)
}

func isTrue(s string) bool { return s == "true" || s == "1" || strings.EqualFold(s, "true") }

func (t *table) readPage(p *point, row *rows.Row) {
	p.path, p.query = row.Cell(t.path), row.Cell(t.query)
	if p.path == "" {
		p.path, p.query, _ = strings.Cut(row.Cell(t.pathAndQuery), "?")
	}
	if address := row.Cell(t.url); p.path == "" && address != "" {
		if u, err := url.Parse(address); err == nil {
			if p.path, p.query = u.EscapedPath(), u.RawQuery; p.path == "" {
				p.path = "/"
			}
			if p.host == "" {
				p.host = u.Host
			}
		}
	}
	for i, name := range adapters.UTMNames {
		p.query = adapters.AddParameter(p.query, name, row.Cell(t.utm[i]))
	}
}

// readReferrer finds the referrer, which stands with a scheme or without one.
func (t *table) readReferrer(p *point, row *rows.Row) {
	for _, text := range [...]string{row.Cell(t.referrer), row.Cell(t.referrerHost) + row.Cell(t.referrerPath), row.Cell(t.referrerRaw)} {
		scheme, rest, found := strings.Cut(text, "://")
		if !found {
			scheme, rest = "https", text
		}
		end := strings.IndexAny(rest, "/?#")
		if end < 0 {
			end = len(rest)
		}
		host := rest[:end]
		if !adapters.IsHost(host) && scheme != "android-app" {
			continue
		}
		for _, own := range [...]string{p.host, row.Cell(t.original)} {
			if own != "" && adapters.SameHost(host, own) {
				p.own = true
			}
		}
		p.referrer = scheme + "://" + rest
		if p.refPath, _, _ = strings.Cut(rest[end:], "?"); p.refPath == "" {
			p.refPath = "/"
		}
		return
	}
}

// identity is what is the same for the same data point alone. A uuid is not
// always one's own.
func (t *table) identity(row *rows.Row, p *point) string {
	parts := []string{row.Cell(t.uuid), p.at.Time().String(), p.name, p.host, p.path}
	if parts[0] == "" {
		for _, column := range [...]int{t.session, t.query, t.agent, t.width, t.height, t.country, t.language, t.referrer} {
			parts = append(parts, row.Cell(column))
		}
	}
	return strings.Join(parts, "\x00")
}

// look is what tells visitors apart who come at the same time.
func (t *table) look(row *rows.Row) string {
	agent := row.Cell(t.agent)
	if agent == "" {
		agent = strings.Join([]string{row.Cell(t.browser), row.Cell(t.browserVersion), row.Cell(t.os), row.Cell(t.osVersion), row.Cell(t.device)}, "\x01")
	}
	return strings.Join([]string{agent, row.Cell(t.width), row.Cell(t.height), row.Cell(t.country), row.Cell(t.language), row.Cell(t.langRegion)}, "\x00")
}
