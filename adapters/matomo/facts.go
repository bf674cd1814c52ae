package matomo

import (
	"context"
	"encoding/json"
	"errors"
	"html"
	"net/url"
	"strings"
	"time"

	"hopper/adapters"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/spill"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// tell yields what the rows of the actions say, for [recount.Compare]. It joins by
// cells of text, by name, and shares with the translation rows, and which site was
// chosen.
func tell(ctx context.Context, found *tables, site string, opt adapters.Options, yield func(*recount.Fact) error) (err error) {
	names, err := byText(ctx, found.names, opt, "idaction")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, names.Close()) }()
	visits, err := byText(ctx, found.visits, opt, "idvisit")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, visits.Close()) }()
	for _, t := range found.actions {
		err := t.Each(ctx, func(row *rows.Row) error {
			f := &recount.Fact{Origin: pipeline.Origin{Input: t.Input.Name, Row: row.Number}}
			if row.Err == nil {
				if err := tellRow(f, cellsOf(t, row), site, names, visits); err != nil {
					return err
				}
			}
			return yield(f)
		})
		if err != nil {
			return err
		}
	}
	return tellConversions(ctx, found, site, visits, yield)
}

// tellConversions yields what the rows of conversions say.
func tellConversions(ctx context.Context, found *tables, site string, visits *spill.Index, yield func(*recount.Fact) error) error {
	goals := map[string]string{"0": "Order"}
	for _, t := range found.goals {
		err := t.Each(ctx, func(row *rows.Row) error {
			if cells := cellsOf(t, row); row.Err == nil && cells["idsite"] == site && len(goals) < maxNames {
				goals[strings.Clone(cells["idgoal"])] = html.UnescapeString(strings.Clone(cells["name"]))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, t := range found.conversions {
		err := t.Each(ctx, func(row *rows.Row) error {
			f := &recount.Fact{Origin: pipeline.Origin{Input: origin(t), Row: row.Number}, Kind: pipeline.Custom}
			if row.Err != nil {
				return yield(f)
			}
			cells := cellsOf(t, row)
			err := tellRow(f, map[string]string{"idvisit": cells["idvisit"], "server_time": cells["server_time"]}, site, nil, visits)
			f.Kind, f.Page, f.Name = pipeline.Custom, "", goals[cells["idgoal"]]
			if f.Name == "" {
				f.Name = "Goal " + cells["idgoal"]
			}
			if cells["idgoal"] == "-1" || cells["idsite"] != "" && cells["idsite"] != site {
				f.Fate = recount.LeftOut
			}
			return errors.Join(err, yield(f))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// cellsOf returns a row's cells by the columns' names, without those that point to nothing.
func cellsOf(t *rows.Table, row *rows.Row) map[string]string {
	cells := map[string]string{}
	for i, column := range t.Columns {
		if value := row.Cells[i]; value != "" && !(value == "0" && strings.HasPrefix(column, "idaction")) {
			cells[column] = value
		}
	}
	return cells
}

func byText(ctx context.Context, tables []*rows.Table, opt adapters.Options, id string) (*spill.Index, error) {
	s := &spill.Sorter{Dir: opt.TempDir}
	defer s.Close()
	for _, t := range tables {
		err := t.Each(ctx, func(row *rows.Row) error {
			if row.Err != nil {
				return nil
			}
			cells := cellsOf(t, row)
			value, err := json.Marshal(cells)
			if err != nil {
				return err
			}
			return s.Add([]byte(cells[id]), value)
		})
		if err != nil {
			return nil, err
		}
	}
	return spill.NewIndex(ctx, s)
}

func tellRow(f *recount.Fact, action map[string]string, site string, names, visits *spill.Index) (err error) {
	look := func(ix *spill.Index, id string) (cells map[string]string) {
		if id != "" && err == nil {
			err = ix.Lookup([]byte(id), func(value []byte) { err = errors.Join(err, json.Unmarshal(value, &cells)) })
		}
		return cells
	}
	visit := look(visits, action["idvisit"])
	if at, bad := time.Parse(time.DateTime, action["server_time"]); bad == nil {
		f.At = pipeline.MicrosOf(at)
	}
	f.Session, f.Visitor, f.Country = action["idvisit"], visit["idvisitor"], visit["location_country"]
	if strings.ContainsRune(f.Visitor, '\uFFFD') {
		f.Visitor = "" // bytes that are no text
	}
	if len(f.Country) != 2 || strings.Contains(" xx a1 a2 eu ap ti ", " "+f.Country+" ") {
		f.Country = recount.None
	}
	page, name := look(names, action["idaction_url"]), look(names, action["idaction_name"])
	kind := page["type"]
	if kind == "" {
		kind = name["type"]
	}
	f.Fate = recount.Counts
	switch {
	case action["idsite"] != "" && action["idsite"] != site, action["idaction_content_name"] != "", action["idaction_content_piece"] != "":
		f.Fate = recount.LeftOut
	case action["idaction_event_category"] != "":
		f.Kind, f.Name = pipeline.Custom, html.UnescapeString(look(names, action["idaction_event_category"])["name"])
	case kind == "8":
		f.Kind, f.Name = pipeline.Custom, "Site Search"
	case kind == "2" || kind == "3":
		f.Kind = pipeline.Outbound
	default:
		f.Page = "/(not set)"
		if text := html.UnescapeString(page["name"]); text != "" {
			f.Page = pathOf(map[string]string{"0": "http://", "1": "http://www.", "2": "https://", "3": "https://www."}[page["url_prefix"]] + text)
		}
	}
	if f.Fate == recount.Counts {
		f.Fate = recount.Unsaid // it may be a repeat
	}
	return err
}

// pathOf returns the path of an address.
func pathOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return "/" + strings.TrimPrefix(u.EscapedPath(), "/")
	}
	_, rest, _ := strings.Cut(address, "://")
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	_, path, _ := strings.Cut(rest, "/")
	return "/" + path
}
