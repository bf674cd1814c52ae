package matomo

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"hopper/adapters/input/rows"
	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
	"hopper/pipeline/recount"
)

// tellLog yields what the rows of the visits log say, one fact an action. It takes
// rows apart by names, apart from the translation. Actions that Rybbit has no word
// for get no time, and so count as left out.
func tellLog(ctx context.Context, tables []*rows.Table, conversions bool, yield func(*recount.Fact) error) error {
	for _, t := range tables {
		err := t.Each(ctx, func(row *rows.Row) error {
			f := recount.Fact{Origin: pipeline.Origin{Input: t.Input.Name, Row: row.Number}}
			if row.Err != nil {
				return yield(&f)
			}
			cells, actions := loggedCells(t, row)
			f.Session, f.Visitor, f.Country = cells["id_visit"], cells["visitor_id"], cells["country_code"]
			if f.Session == "" {
				f.Session = f.Visitor + " " + cells["first_action_timestamp"]
			}
			if len(f.Country) != 2 || strings.Contains(" xx a1 a2 eu ap ti ", " "+f.Country+" ") {
				f.Country = recount.None
			}
			if len(actions) == 0 {
				return yield(&f)
			}
			for _, a := range actions {
				one := f
				tellAction(&one, a, conversions)
				if err := yield(&one); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// tellAction sets what an action says.
func tellAction(f *recount.Fact, a map[string]string, conversions bool) {
	switch a["type"] {
	case "action":
		f.Page = "/(not set)"
		if a["url"] != "" {
			f.Page = pathOf(a["url"])
		}
	case "event":
		f.Kind, f.Name = pipeline.Custom, a["event_category"]
	case "search":
		f.Kind, f.Name = pipeline.Custom, "Site Search"
	case "outlink", "download":
		f.Kind = pipeline.Outbound
	case "goal", "ecommerceOrder":
		if !conversions {
			return
		}
		if f.Kind, f.Name = pipeline.Custom, a["goal_name"]; a["type"] == "ecommerceOrder" {
			f.Name = "Order"
		} else if f.Name == "" {
			f.Name = "Goal " + a["goal_id"]
		}
	default:
		return
	}
	if seconds, err := strconv.ParseInt(a["timestamp"], 10, 64); err == nil {
		f.At = pipeline.Micros(seconds * 1e6)
	}
}

// loggedCells returns a visit's cells by their columns' names, and its actions' alike.
func loggedCells(t *rows.Table, row *rows.Row) (cells map[string]string, actions []map[string]string) {
	cells = map[string]string{}
	flat := map[int]map[string]string{}
	for i, column := range t.Columns {
		value := row.Cells[i]
		if value == "" {
			continue
		}
		if rest, found := strings.CutPrefix(column, "action_details_"); found {
			number, field, _ := strings.Cut(rest, "_")
			n, err := strconv.Atoi(number)
			if err != nil {
				continue
			}
			if flat[n] == nil {
				flat[n] = map[string]string{}
			}
			for _, sign := range []string{"=", "+", "-", "@"} {
				if strings.HasPrefix(value, "'"+sign) {
					value = value[1:]
				}
			}
			flat[n][field] = value
			continue
		}
		cells[column] = value
	}
	for _, n := range slices.Sorted(maps.Keys(flat)) {
		actions = append(actions, flat[n])
	}
	if i := t.Column("action_details"); i >= 0 {
		list := row.Value(i)
		if list != nil && (list.Kind == record.List || list.Kind == record.Object) {
			for k := range list.Kids {
				one := map[string]string{}
				for j := range list.Kids[k].Kids {
					kid := &list.Kids[k].Kids[j]
					one[rows.Name(kid.Key)] = kid.String()
				}
				actions = append(actions, one)
			}
		}
	}
	return cells, actions
}
