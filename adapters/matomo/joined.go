package matomo

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/spill"
	"hopper/pipeline"
)

// visitColumns are those of log_visit that are looked up, in the order of visit's
// fields.
var visitColumns = []string{
	"idsite", "idvisitor", "user_id", "visit_first_action_time", "visit_entry_idaction_url", "visit_entry_idaction_name",
	"referer_type", "referer_name", "referer_keyword", "referer_url", "location_browser_lang", "location_country", "location_region", "location_city",
	"config_browser_name", "config_browser_version", "config_os", "config_os_version", "config_device_type", "config_resolution",
	"campaign_source", "campaign_medium", "campaign_name", "campaign_content", "campaign_keyword",
}

// visit is what log_visit says.
type visit struct {
	site, visitor, user, first, entryURL, entryName                string
	refType, refName, refKeyword, refURL                           string
	language, country, region, city                                string
	browser, browserVersion, os, osVersion, device, screen         string
	campaignSource, campaignMedium, campaignName, content, keyword string

	attributes []pipeline.Property // custom dimensions and variables
}

func (v *visit) fields() []*string {
	return []*string{
		&v.site, &v.visitor, &v.user, &v.first, &v.entryURL, &v.entryName,
		&v.refType, &v.refName, &v.refKeyword, &v.refURL, &v.language, &v.country, &v.region, &v.city,
		&v.browser, &v.browserVersion, &v.os, &v.osVersion, &v.device, &v.screen,
		&v.campaignSource, &v.campaignMedium, &v.campaignName, &v.content, &v.keyword,
	}
}

// key sorts by the number that an identifier is.
func key(id string) ([]byte, bool) {
	n, err := strconv.ParseUint(id, 10, 64)
	return binary.BigEndian.AppendUint64(nil, n), err == nil
}

// packed joins cells, each after its length.
func packed(b []byte, cells []string) []byte {
	for _, cell := range cells {
		b = append(binary.AppendUvarint(b, uint64(len(cell))), cell...)
	}
	return b
}

// unpack sets fields to what packed has joined, and returns what follows.
func unpack(b []byte, fields []*string) []byte {
	all := string(b)
	for _, field := range fields {
		size, n := binary.Uvarint(b)
		end := n + int(size)
		*field = all[n:end]
		b, all = b[end:], all[end:]
	}
	return b
}

// indexed sorts the rows of tables by an identifier, with their cells in columns.
func indexed(ctx context.Context, tables []*rows.Table, opt adapters.Options, id string, columns []string, each func(row *rows.Row, at []int, cells []string)) (*spill.Index, error) {
	sorter := &spill.Sorter{Dir: opt.TempDir}
	defer sorter.Close()
	for _, t := range tables {
		at := make([]int, len(columns))
		for i, column := range columns {
			at[i] = t.Column(column)
		}
		look := *t
		look.Only(append([]int{t.Column(id)}, at...)...)
		cells := make([]string, len(columns))
		err := look.Each(ctx, func(row *rows.Row) error {
			if row.Err != nil {
				return &input.Error{Input: t.Input.Name, Row: row.Number, Err: row.Err, Hint: "export the table again"}
			}
			k, ok := key(row.Cells[t.Column(id)])
			if !ok {
				return input.Errorf(t.Input.Name, "has %q for %s in row %d, and a number was expected", row.Cells[t.Column(id)], id, row.Number)
			}
			for i, column := range at {
				cells[i] = row.Cell(column)
			}
			each(row, at, cells)
			return sorter.Add(k, packed(nil, cells))
		})
		if err != nil {
			return nil, err
		}
	}
	ix, err := spill.NewIndex(ctx, sorter)
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("sorting %s on disk: %w", tables[0].Input.Name, err)
	}
	return ix, err
}

// indexVisits sorts the visits, with more columns behind those of their fields, and
// counts them by site.
func indexVisits(ctx context.Context, tables []*rows.Table, opt adapters.Options, s *sites, more []string) (*spill.Index, error) {
	return indexed(ctx, tables, opt, "idvisit", slices.Concat(visitColumns, more), func(row *rows.Row, at []int, cells []string) {
		whole := false
		if cells[1], whole = visitorOf(cells[1], row.Raw, at[1]); !whole {
			s.destroyed++
		}
		s.count(cells[0])
	})
}

func indexNames(ctx context.Context, tables []*rows.Table, opt adapters.Options) (*spill.Index, error) {
	return indexed(ctx, tables, opt, "idaction", []string{"name", "type", "url_prefix"}, func(*rows.Row, []int, []string) {})
}

// visitorOf returns the 16 hexadecimal digits of an idvisitor, which exports write as
// digits or as its 8 bytes. Where these are no text, they stand in the row as it was
// read. It reports whether they are there.
func visitorOf(cell, raw string, column int) (id string, whole bool) {
	digits := strings.ToLower(strings.TrimPrefix(cell, "0x"))
	if _, err := hex.DecodeString(digits); err == nil && len(digits) == 16 {
		return digits, true
	}
	if strings.Contains(cell, "\uFFFD") {
		cell = rawCell(raw, column)
	}
	if len(cell) != 8 {
		return "", false
	}
	return hex.EncodeToString([]byte(cell)), true
}

// rawCell returns the bytes of a column in a row of an INSERT command.
func rawCell(row string, column int) string {
	var b []byte
	at, quoted := 0, false
	for i := 0; i < len(row); i++ {
		switch c := row[i]; {
		case quoted && c == '\\' && i+1 < len(row):
			i++
			if at == column {
				b = append(b, unescaped(row[i]))
			}
		case c == '\'' && quoted && i+1 < len(row) && row[i+1] == '\'':
			i++
			if at == column {
				b = append(b, '\'')
			}
		case c == '\'':
			quoted = !quoted
		case !quoted && c == ',':
			if at == column {
				return string(b)
			}
			at++
		case quoted && at == column:
			b = append(b, c)
		}
	}
	return string(b)
}

func unescaped(c byte) byte {
	switch c {
	case '0':
		return 0
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'Z':
		return 26
	}
	return c
}

// idOf returns the ID of an identifier, which is a number: so they stand in order
// mostly before they are sorted.
func idOf(id string) (u adapters.ID) {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return adapters.IDOf(id)
	}
	binary.BigEndian.PutUint64(u[:], n)
	return u
}

// findRepeats reads actions and conversions through for those that stand twice.
func findRepeats(ctx context.Context, src *source, opt adapters.Options) (*adapters.Repeats, error) {
	finder := adapters.RepeatFinder{Dir: opt.TempDir}
	defer finder.Close()
	for ordinal, t := range src.loop.List {
		action := t.Column("idlink_va")
		columns, identity := []int{action}, func(row *rows.Row) adapters.ID { return idOf(row.Cells[action]) }
		if ordinal >= len(src.tables) {
			c := src.more[ordinal-len(src.tables)]
			columns, identity = []int{c.visit, c.goal, c.buster, c.order}, func(row *rows.Row) adapters.ID { return adapters.IDOf(c.identity(row)) }
		}
		look := *t
		look.Only(columns...)
		err := look.Each(ctx, func(row *rows.Row) error {
			if row.Err != nil {
				return nil
			}
			if ordinal < len(src.tables) && row.Cells[action] == "" {
				return nil
			}
			return finder.Add(ordinal, adapters.Identified{ID: identity(row), Row: row.Number})
		})
		if err != nil {
			return nil, err
		}
	}
	return finder.Find(ctx)
}

// maxNames is how many names of goals, and of dimensions, are kept.
const maxNames = 100_000

// readNames returns the names that tables have, by what the rows are told apart by.
func readNames[K comparable](ctx context.Context, tables []*rows.Table, keyOf func(cell func(column string) string) K) (map[K]string, error) {
	names := map[K]string{}
	for _, t := range tables {
		err := t.Each(ctx, func(row *rows.Row) error {
			if row.Err == nil && len(names) < maxNames {
				cell := func(column string) string { return strings.Clone(row.Cells[t.Column(column)]) }
				names[keyOf(cell)] = html.UnescapeString(cell("name"))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return names, nil
}

// maxSites is how many sites are told apart.
const maxSites = 10_000

// sites are those of a database.
type sites struct {
	known     map[string]site
	visits    map[string]int64
	destroyed int64 // visits whose idvisitor cannot be read
}

type site struct{ name, address string }

func readSites(ctx context.Context, tables []*rows.Table) (*sites, error) {
	s := &sites{known: map[string]site{}, visits: map[string]int64{}}
	for _, t := range tables {
		id, name, address := t.Column("idsite"), t.Column("name"), t.Column("main_url")
		err := t.Each(ctx, func(row *rows.Row) error {
			if row.Err == nil && len(s.known) < maxSites {
				s.known[strings.Clone(row.Cells[id])] = site{strings.Clone(row.Cell(name)), strings.Clone(row.Cell(address))}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *sites) count(id string) {
	if _, known := s.visits[id]; known || len(s.visits) < maxSites {
		s.visits[strings.Clone(id)]++
	}
}

func (s *sites) host(id string) string {
	if u, err := url.Parse(s.known[id].address); err == nil {
		return u.Host
	}
	return ""
}

// is reports whether a site is what --website asks for.
func (s *sites) is(id, asked string) bool {
	known := s.known[id]
	return asked == id || strings.EqualFold(asked, known.name) || asked == known.address || adapters.SameHost(asked, s.host(id))
}

// only returns the id of the one known site that is asked for, or "".
func (s *sites) only(asked string) (only string) {
	if asked == "" {
		return ""
	}
	for id := range s.known {
		switch {
		case !s.is(id, asked):
		case only != "":
			return ""
		default:
			only = id
		}
	}
	return only
}

// choose returns the id of the site to read.
func (s *sites) choose(in, asked string) (string, error) {
	var meant []string
	for id := range s.visits {
		if asked == "" || s.is(id, asked) {
			meant = append(meant, id)
		}
	}
	all := adapters.ListSites(s.visits, "visits", func(id string) string {
		return strings.TrimSpace(id + " " + s.known[id].name + " " + s.known[id].address)
	})
	switch {
	case len(meant) == 1:
		return meant[0], nil
	case len(s.visits) == 0 && s.only(asked) != "":
		return "", input.Errorf(in, "holds no visits of the website %q", asked)
	case len(s.visits) == 0:
		return "", input.Errorf(in, "holds no visits; Matomo may have purged its raw data, of which only reports are left that hold no events")
	case len(meant) > 1:
		return "", input.Errorf(in, "holds the visits of several websites: %s. Choose one with --website, by its id, name or address, and import each into its own site", all)
	}
	return "", input.Errorf(in, "holds no visits of a website with the id, name or address %q; there are: %s", asked, all)
}
