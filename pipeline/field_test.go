package pipeline

import (
	"reflect"
	"slices"
	"testing"
)

// TestFieldsAreComplete holds the table of fields against the event: a field
// has a name and a weight, and each text of an event is one field's.
func TestFieldsAreComplete(t *testing.T) {
	var ev Event
	described := map[*string]Field{}
	for f := range Field(Fields) {
		d := &descriptions[f]
		if d.name == "" || d.weight == 0 || d.has == nil && d.text == nil {
			t.Errorf("field %d is described as %+v", f, d)
		}
		if s := f.Text(&ev); s != nil {
			if other, twice := described[s]; twice {
				t.Errorf("%v and %v are the same text", f, other)
			}
			described[s] = f
		}
	}
	v := reflect.ValueOf(&ev).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		s, isText := v.Field(i).Addr().Interface().(*string)
		if _, known := described[s]; isText && !known && name != "Raw" {
			t.Errorf("no field is Event.%s", name)
		}
		if isText {
			*s = "\xff"
			if ev.isValidText() != (name == "Raw") {
				t.Errorf("isValidText passes over Event.%s", name)
			}
			*s = ""
		}
	}
}

// TestLimitsAreComplete holds the table of fields against the limits.
func TestLimitsAreComplete(t *testing.T) {
	var l Limits
	v := reflect.ValueOf(&l).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		v.Field(i).SetInt(1)
		limited := slices.ContainsFunc(limited, func(d description) bool { return d.limit(&l) == 1 })
		if !limited && name != "URL" && name != "Properties" {
			t.Errorf("no field has the limit %s", name)
		}
		v.Field(i).SetInt(0)
	}
}
