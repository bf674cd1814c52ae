package simpleanalytics

import (
	"context"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/pipeline"
)

// Why a row is no event, or not as it was.
const (
	RejectTime  = "added_iso and added_unix are no times"
	OmitRobot   = "a robot's"
	OmitRepeat  = "a repeat of a data point with the same uuid, time, name and page"
	OmitWebsite = "a data point of another website; --website chooses"
	RepairEmail = "an e-mail address left out of an event's name"
)

// source yields the data points of all tables.
type source struct {
	opt     adapters.Options
	website string // only data points of this host; empty for all
	tables  []*table
	visits  *visits
	loop    adapters.Tables
}

// asked reports whether a data point is of the chosen website.
func (s *source) asked(p *point) bool {
	return s.website == "" || p.host == "" || adapters.SameHost(s.website, p.host)
}

// Next returns the next chunk, see [pipeline.Source].
func (s *source) Next(ctx context.Context) (pipeline.Chunk, error) {
	at, taken, err := s.loop.Next(ctx)
	if err != nil {
		return nil, err
	}
	c := &chunk{source: s, table: s.tables[at], rows: taken}
	err = s.visits.Take(ctx, at, taken.EndRow, func(row int64, value []byte) {
		c.belongs = append(c.belongs, belonging{row, hex.EncodeToString(value[:16]), hex.EncodeToString(value[16:])})
	})
	if err != nil {
		return nil, input.Errorf(c.table.Input.Name, "reading what was sorted on disk: %w", err)
	}
	return c, nil
}

// Close releases temporary files.
func (s *source) Close() error { return errors.Join(s.loop.Close(), s.visits.Close()) }

// belonging says whose visit a row is of.
type belonging struct {
	row         int64
	visit, user string
}

type chunk struct {
	source  *source
	table   *table
	rows    *rows.Chunk
	belongs []belonging // in order; repeats have none
}

// Decode makes an event of each row, see [pipeline.Chunk].
func (c *chunk) Decode(out *pipeline.Emitter) error {
	t := c.table
	for row := range c.rows.Rows() {
		out.Rows(1)
		at := pipeline.Origin{Input: t.Input.Name, Row: row.Number}
		if row.Replaced {
			out.Repair(at, pipeline.RepairUTF8)
		}
		if row.Err != nil {
			out.Reject(at, row.Err.Error(), row.Text())
			continue
		}
		p, ok := t.read(row)
		belongs := len(c.belongs) > 0 && c.belongs[0].row == row.Number
		switch {
		case !ok:
			out.Reject(at, RejectTime, row.Text())
		case p.robot:
			out.Omit(at, OmitRobot)
		case !c.source.asked(&p):
			out.Omit(at, OmitWebsite)
		case !belongs:
			out.Omit(at, OmitRepeat)
		default:
			ev := t.event(row, &p)
			ev.Origin, ev.Session, ev.Visitor = at, c.belongs[0].visit, c.belongs[0].user
			if isEmail(ev.Name) {
				ev.Name = "email"
				out.Repair(at, RepairEmail)
			}
			out.Event(ev)
		}
		if belongs {
			c.belongs = c.belongs[1:]
		}
	}
	return c.rows.Err()
}

// event returns what a row says.
func (t *table) event(row *rows.Row, p *point) *pipeline.Event {
	ev := &pipeline.Event{
		Time: p.at, Name: p.name, Hostname: p.host, Path: p.path, Query: p.query,
		Browser: row.Cell(t.browser), BrowserVersion: row.Cell(t.browserVersion), OS: row.Cell(t.os), OSVersion: row.Cell(t.osVersion),
		Device: row.Cell(t.device), Country: row.Cell(t.country), Language: row.Cell(t.language), Raw: row.Raw,
	}
	if p.name != "" {
		ev.Kind = pipeline.Custom
	}
	if !p.own {
		ev.Referrer = p.referrer
	}
	if region := row.Cell(t.langRegion); region != "" && ev.Language != "" {
		ev.Language += "-" + strings.ToUpper(region)
	}
	ev.ScreenWidth, _ = strconv.Atoi(adapters.Integer(row.Cell(t.width)))
	ev.ScreenHeight, _ = strconv.Atoi(adapters.Integer(row.Cell(t.height)))
	ev.Properties = t.properties(row)
	return ev
}

// properties returns what the site attached. A text that looks like a number is
// there as a number too, which is the one that is kept.
func (t *table) properties(row *rows.Row) []pipeline.Property {
	var ps []pipeline.Property
	for _, m := range t.metadata {
		value := row.Cells[m.column]
		if value == "" || m.key == "email" && m.kind == "text" {
			continue
		}
		p := pipeline.Property{Key: m.key, Value: value, Literal: m.kind == "int" && isNumber(value) || m.kind == "bool" && (value == "true" || value == "false")}
		if i := indexOf(ps, m.key); i < 0 {
			ps = append(ps, p)
		} else if p.Literal {
			ps[i] = p
		}
	}
	return ps
}

func indexOf(ps []pipeline.Property, key string) int {
	for i := range ps {
		if ps[i].Key == key {
			return i
		}
	}
	return -1
}

// isNumber reports whether s is an integer that JSON can hold as it stands.
func isNumber(s string) bool {
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && strconv.FormatInt(n, 10) == s
}

// isEmail recognizes the name that Simple Analytics itself gives a click on an
// e-mail link: email_hello_example_com.
func isEmail(name string) bool {
	address, found := strings.CutPrefix(name, "email_")
	if !found || strings.Count(address, "_") < 2 {
		return false
	}
	_, managed := publicsuffix.PublicSuffix(strings.ReplaceAll(address, "_", "."))
	return managed
}
