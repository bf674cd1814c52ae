package pipeline

import (
	"fmt"
	"strconv"
	"strings"
)

// TableVersion is the version of the table that [Columns] describes. It grows
// when a column changes its meaning; a new column does not change it.
const TableVersion = 2

// ColumnType says what a column of the common model's table holds.
type ColumnType uint8

const (
	TextColumn    ColumnType = iota
	TimeColumn               // microseconds, UTC; as text 2024-05-01T08:20:00.123456Z
	IntegerColumn            // whole numbers
	NumberColumn             // floating point
	FlagColumn               // true or false
	ObjectColumn             // names and values: a JSON object as text, a map of texts where the container has maps
)

// A Column is one column of the common model's table: how events look as rows.
// An empty text is an unknown value in each.
type Column struct {
	Name string
	Type ColumnType
	// Append appends ev's value as text, and nothing where it is unknown.
	Append func(dst []byte, ev *Event) []byte
	// Set reads the value from text that is not empty. It is nil for time and
	// objects, which are read by whoever knows the container.
	Set func(ev *Event, text string) error
	// Object returns where ev has the names and values of an ObjectColumn; nil for others.
	Object func(ev *Event) *[]Property
}

// JSONKeys is the name of the column that stands beside an ObjectColumn that is a
// map: it lists the keys whose values are JSON (see [Property]), and not text.
func (c *Column) JSONKeys() string { return "json_" + c.Name }

// Columns returns the columns of the common model's table, in order. The table
// is what hopper translate writes and --from events reads: one row an event.
func Columns() []Column {
	columns := []Column{
		{Name: "time", Type: TimeColumn, Append: func(dst []byte, ev *Event) []byte {
			return ev.Time.Time().AppendFormat(dst, "2006-01-02T15:04:05.000000Z07:00")
		}},
		{Name: "kind", Append: func(dst []byte, ev *Event) []byte { return append(dst, ev.Kind.String()...) }, Set: setKind},
	}
	for f := range Field(Fields) {
		if f.Text(new(Event)) != nil {
			columns = append(columns, textColumn(f))
		}
		switch f {
		case FieldScreen:
			columns = append(columns,
				integerColumn("screen_width", func(ev *Event) *int { return &ev.ScreenWidth }),
				integerColumn("screen_height", func(ev *Event) *int { return &ev.ScreenHeight }))
		case FieldCoordinates:
			columns = append(columns,
				measureColumn("latitude", func(ev *Event) *Measure { return &ev.Latitude }),
				measureColumn("longitude", func(ev *Event) *Measure { return &ev.Longitude }))
		}
	}
	return append(columns,
		Column{Name: "client_apart", Type: FlagColumn, Append: appendApart, Set: setApart},
		measureColumn("lcp", func(ev *Event) *Measure { return &ev.Vitals.LCP }),
		measureColumn("inp", func(ev *Event) *Measure { return &ev.Vitals.INP }),
		measureColumn("fcp", func(ev *Event) *Measure { return &ev.Vitals.FCP }),
		measureColumn("ttfb", func(ev *Event) *Measure { return &ev.Vitals.TTFB }),
		measureColumn("cls", func(ev *Event) *Measure { return &ev.Vitals.CLS }),
		objectColumn("properties", func(ev *Event) *[]Property { return &ev.Properties }),
		objectColumn("user_properties", func(ev *Event) *[]Property { return &ev.UserProperties }),
	)
}

func objectColumn(name string, at func(*Event) *[]Property) Column {
	return Column{
		Name: name, Type: ObjectColumn, Object: at,
		Append: func(dst []byte, ev *Event) []byte { return AppendObject(dst, *at(ev)) },
	}
}

func textColumn(f Field) Column {
	return Column{
		Name:   strings.ReplaceAll(f.String(), " ", "_"),
		Append: func(dst []byte, ev *Event) []byte { return append(dst, *f.Text(ev)...) },
		Set: func(ev *Event, text string) error {
			*f.Text(ev) = text
			return nil
		},
	}
}

func integerColumn(name string, at func(*Event) *int) Column {
	return Column{
		Name: name, Type: IntegerColumn,
		Append: func(dst []byte, ev *Event) []byte {
			if n := *at(ev); n != 0 {
				dst = strconv.AppendInt(dst, int64(n), 10)
			}
			return dst
		},
		Set: func(ev *Event, text string) error {
			n, err := strconv.ParseFloat(text, 64)
			if err != nil || n != float64(int32(n)) {
				return fmt.Errorf("%q is no whole number", text)
			}
			*at(ev) = int(n)
			return nil
		},
	}
}

func measureColumn(name string, at func(*Event) *Measure) Column {
	return Column{
		Name: name, Type: NumberColumn,
		Append: func(dst []byte, ev *Event) []byte {
			if m := at(ev); m.Known {
				dst = strconv.AppendFloat(dst, m.Value, 'g', -1, 64)
			}
			return dst
		},
		Set: func(ev *Event, text string) error {
			n, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return fmt.Errorf("%q is no number", text)
			}
			*at(ev) = Known(n)
			return nil
		},
	}
}

func setKind(ev *Event, text string) error {
	for k, name := range kindNames {
		if strings.EqualFold(name, text) {
			ev.Kind = Kind(k)
			return nil
		}
	}
	return fmt.Errorf("%q is no kind of event; there are %s", text, strings.Join(kindNames[:], ", "))
}

func appendApart(dst []byte, ev *Event) []byte {
	if ev.ClientApart {
		dst = append(dst, "true"...)
	}
	return dst
}

func setApart(ev *Event, text string) (err error) {
	if ev.ClientApart, err = strconv.ParseBool(text); err != nil {
		return fmt.Errorf("%q is neither true nor false", text)
	}
	return nil
}

// AppendObject appends properties as a JSON object, in their order, and nothing
// where there are none.
func AppendObject(dst []byte, ps []Property) []byte {
	if len(ps) == 0 {
		return dst
	}
	for i := range ps {
		sep := byte(',')
		if i == 0 {
			sep = '{'
		}
		dst = append(AppendQuoted(append(dst, sep), ps[i].Key), ':')
		if ps[i].Literal {
			dst = append(dst, ps[i].Value...)
		} else {
			dst = AppendQuoted(dst, ps[i].Value)
		}
	}
	return append(dst, '}')
}

// AppendQuoted appends s as a JSON string. What is no UTF-8 becomes U+FFFD.
func AppendQuoted(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ' || r == 0x7F:
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			dst = append(dst, string(r)...)
		}
	}
	return append(dst, '"')
}
