package ga

import (
	"unsafe"

	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
)

func (r *row) setItems(v *record.Value) {
	if v.Kind == record.Text {
		parsed, ok := parseNested(v.Text)
		if !ok {
			return
		}
		v = parsed
	}
	if len(v.Elements()) > 0 {
		r.items = v
	}
}

// isItemNumber reports whether a member of items is a number in the schema; in
// BigQuery's JSON some of them are text.
func isItemNumber(name string) bool {
	switch name {
	case "price_in_usd", "price", "quantity", "item_revenue_in_usd", "item_revenue", "item_refund_in_usd", "item_refund":
		return true
	}
	return false
}

// itemsProperty adds the products of an event, without members that say
// nothing. The property is valid until r is used again.
func (r *row) itemsProperty(ps []pipeline.Property) []pipeline.Property {
	l := list{b: r.products[:0]}
	elements := r.items.Elements()
	for i := range elements {
		l.open()
		for k := range elements[i].Kids {
			field := &elements[i].Kids[k]
			if field.Key != "item_params" {
				l.member(field.Key, clean(field.Text), isItemNumber(field.Key))
				continue
			}
			for _, p := range field.Elements() {
				if value := p.Get("value"); value != nil {
					text, isNumber := paramValue(value)
					l.member(p.Get("key").String(), text, isNumber)
				}
			}
		}
		l.close()
	}
	if r.products = l.b; len(l.b) == 0 {
		return ps
	}
	r.products = append(l.b, ']')
	return append(ps, pipeline.Property{Key: "items", Value: unsafe.String(unsafe.SliceData(r.products), len(r.products)), Literal: true})
}
