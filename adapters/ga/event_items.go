package ga

import (
	"unsafe"

	"hopper/adapters/input/rows/record"
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
		r.items, r.itemsText = v, ""
	}
}

// scanItems is setItems and [row.writeItems] for a list that is not put together.
func (r *row) scanItems(s *record.Scanner, l *layout) (ok bool) {
	start := s.Mark()
	if isPlain, ok := r.scanProducts(s, l); isPlain || !ok {
		return ok
	}
	s.Back(start)
	v, ok := s.Value()
	if ok {
		r.setItems(v)
	}
	return ok
}

// scanProducts reads a list of objects. What holds parameters or is no object is not
// plain.
func (r *row) scanProducts(s *record.Scanner, l *layout) (isPlain, ok bool) {
	if !s.Open('[') {
		return false, true
	}
	products := list{b: r.products[:0]}
	for first := true; ; first = false {
		more, ok := s.Next(']', first)
		if !ok {
			return false, false
		}
		if !more {
			break
		}
		if !s.Open('{') {
			return false, true
		}
		products.open()
		if isPlain, ok := products.scan(s, l); !isPlain {
			return false, ok
		}
		products.close()
	}
	if len(products.b) > 0 {
		r.items = nil
	}
	r.setProducts(&products)
	return true, true
}

// scan reads the members of an object and writes those that say something.
func (l *list) scan(s *record.Scanner, names *layout) (isPlain, ok bool) {
	var p *place
	for {
		if p, ok = names.scanName(s, p); p == nil {
			return ok, ok
		}
		switch c := s.Peek(); {
		case p.key == "item_params":
			if !s.Past("[]") {
				return false, true
			}
		case c == '{' || c == '[':
			if !s.Skip() {
				return false, false
			}
		default:
			w, ok := s.Scalar()
			if !ok {
				return false, false
			}
			l.member(p.key, clean(w.Text), isItemNumber(p.key))
		}
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

// setProducts keeps products that were written to the space of r, if there are any.
// Their text is valid until r is used again.
func (r *row) setProducts(l *list) {
	if r.products = l.b; len(l.b) > 0 {
		r.products = append(l.b, ']')
		r.itemsText = unsafe.String(unsafe.SliceData(r.products), len(r.products))
	}
}

// writeItems writes the products of an event that were not written while they were
// read, without members that say nothing.
func (r *row) writeItems() {
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
	r.setProducts(&l)
}
