package umami

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/rows/record"
	"hopper/adapters/input/spill"
	"hopper/pipeline"
)

// Umami's data_type.
const (
	dataString  = "1"
	dataNumber  = "2"
	dataBoolean = "3"
	dataDate    = "4"
	dataArray   = "5"
)

// loadData adds the properties in an event_data or session_data table to
// sorter, under the id of the event or session that owner names.
func loadData(ctx context.Context, t *rows.Table, owner int, times *adapters.Times, sorter *spill.Sorter, rejects *rejects) error {
	var (
		key    = t.Column("data_key", "event_key")
		words  = t.Column("string_value", "event_string_value")
		number = t.Column("number_value", "event_numeric_value", "numeric_value")
		date   = t.Column("date_value", "event_date_value")
		kind   = t.Column("data_type", "event_data_type")
		object = t.Column("event_data")
		record []byte
	)
	return each(ctx, t, rejects, func(row *rows.Row) error {
		get := cells(row.Cells)
		var properties []pipeline.Property
		switch {
		case get.at(owner) == "":
			rejects.add(t, row, "a property without "+t.Columns[owner])
			return nil
		case key >= 0 && get.at(key) == "":
			rejects.add(t, row, "a property without "+t.Columns[key])
			return nil
		case key >= 0:
			p := property(get.at(kind), get.at(words), get.at(number), get.at(date), times)
			p.Key = get.at(key)
			properties = append(properties, p)
		default:
			var ok bool
			if properties, ok = objectProperties(get.at(object)); !ok {
				rejects.add(t, row, "event_data is no JSON object")
				return nil
			}
		}
		u := adapters.IDOf(get.at(owner))
		for _, p := range properties {
			record = appendProperty(record[:0], p)
			if err := sorter.Add(u[:], record); err != nil {
				return input.Errorf(t.Input.Name, "sorting on disk: %w", err)
			}
		}
		return nil
	})
}

// property returns the value that Umami's columns for it hold. Where the type
// is missing, the column that is not empty decides.
func property(kind, text, number, date string, times *adapters.Times) pipeline.Property {
	if kind == "" {
		switch {
		case number != "":
			kind = dataNumber
		case date != "":
			kind = dataDate
		}
	}
	literal := func(s string) pipeline.Property { return pipeline.Property{Value: s, Literal: true} }
	plain := func(s string) pipeline.Property { return pipeline.Property{Value: s} }
	switch kind {
	case dataNumber:
		if number == "" {
			number = text
		}
		if number = trimZeros(number); isNumber(number) {
			return literal(number)
		}
		return plain(number)
	case dataBoolean:
		switch strings.ToLower(text) {
		case "true", "t", "1":
			return literal("true")
		case "false", "f", "0":
			return literal("false")
		}
		if text == "" && number != "" {
			return property(dataBoolean, trimZeros(number), "", "", times)
		}
	case dataDate:
		if date == "" {
			date = text
		}
		if t, ok := times.Parse(date); ok {
			date = t.Time().Format(time.RFC3339Nano)
		}
		return plain(date)
	case dataArray:
		if strings.HasPrefix(text, "[") && json.Valid([]byte(text)) {
			return literal(text)
		}
	}
	return plain(text)
}

// trimZeros takes off what a decimal column adds: "19.9900" is 19.99.
func trimZeros(s string) string {
	if strings.Contains(s, ".") && !strings.ContainsAny(s, "eE") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// isNumber reports whether s is a number in JSON.
func isNumber(s string) bool {
	return s != "" && (s[0] == '-' || '0' <= s[0] && s[0] <= '9') && json.Valid([]byte(s))
}

// objectProperties takes apart what version 1.39 kept of an event in one column.
func objectProperties(object string) ([]pipeline.Property, bool) {
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(object), &fields) != nil || fields == nil {
		return nil, false
	}
	properties := make([]pipeline.Property, 0, len(fields))
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		p := pipeline.Property{Key: key, Value: string(fields[key]), Literal: true}
		var text string
		if json.Unmarshal(fields[key], &text) == nil && p.Value[0] == '"' {
			p.Value, p.Literal = text, false
		}
		properties = append(properties, p)
	}
	return properties, true
}

// nestedProperties takes apart what a row has of its event in one column: an object
// of the properties, or the rows of event_data as ORMs nest them.
func nestedProperties(v *record.Value, times *adapters.Times) ([]pipeline.Property, bool) {
	switch v.Kind {
	case record.Object:
		return objectProperties(string(v.AppendJSON(nil)))
	case record.List:
	default:
		return nil, false
	}
	properties := make([]pipeline.Property, 0, len(v.Kids))
	for i := range v.Kids {
		fields := map[string]string{}
		for j := range v.Kids[i].Kids {
			kid := &v.Kids[i].Kids[j]
			fields[rows.Name(kid.Key)] = kid.String()
		}
		if fields["data_key"] == "" {
			return nil, false
		}
		p := property(fields["data_type"], fields["string_value"], fields["number_value"], fields["date_value"], times)
		p.Key = fields["data_key"]
		properties = append(properties, p)
	}
	return properties, true
}

func appendProperty(b []byte, p pipeline.Property) []byte {
	literal := byte(0)
	if p.Literal {
		literal = 1
	}
	b = append(b, literal)
	b = binary.AppendUvarint(b, uint64(len(p.Key)))
	b = append(b, p.Key...)
	return append(b, p.Value...)
}

func parseProperty(b []byte) pipeline.Property {
	size, n := binary.Uvarint(b[1:])
	b, literal := b[1+n:], b[0] == 1
	return pipeline.Property{Key: string(b[:size]), Value: string(b[size:]), Literal: literal}
}

// lookup appends the properties of u to ps. Of a key that comes twice, the
// later value counts. A nil index has none.
func lookup(ix *spill.Index, u adapters.ID, ps []pipeline.Property) ([]pipeline.Property, error) {
	if ix == nil {
		return ps, nil
	}
	own := len(ps)
	err := ix.Lookup(u[:], func(value []byte) {
		p := parseProperty(value)
		if i := slices.IndexFunc(ps[own:], func(q pipeline.Property) bool { return q.Key == p.Key }); i >= 0 {
			ps[own+i] = p
			return
		}
		ps = append(ps, p)
	})
	return ps, err
}
