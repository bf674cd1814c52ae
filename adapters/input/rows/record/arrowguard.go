package record

import (
	flatbuffers "github.com/google/flatbuffers/go"
)

// The library reserves memory by the lengths of lists in a message's
// description. soundArrow looks at them before: a list is no longer than the
// description.
func soundArrow(meta []byte) (sound bool) {
	defer func() {
		if recover() != nil { // an offset beyond the description
			sound = false
		}
	}()
	if len(meta) < 8 {
		return false
	}
	left := len(meta)
	c := arrowChecker{len(meta), &left}
	message := flatTable(meta, flatbuffers.GetUOffsetT(meta))
	header, found := below(message, 8)
	if !found {
		return false
	}
	const (
		schema          = 1
		dictionaryBatch = 2
		recordBatch     = 3
	)
	switch message.GetByteSlot(6, 0) {
	case schema:
		return c.list(header, 10, 8) && c.tables(header, 8, nil) && c.tables(header, 6, c.field)
	case dictionaryBatch:
		data, found := below(header, 6)
		return found && c.batch(data)
	case recordBatch:
		return c.batch(header)
	}
	return true
}

// flatTable returns the table at an offset.
func flatTable(b []byte, at flatbuffers.UOffsetT) *flatbuffers.Table {
	return &flatbuffers.Table{Bytes: b, Pos: at}
}

// below returns the table that a table's field is.
func below(t *flatbuffers.Table, field flatbuffers.VOffsetT) (*flatbuffers.Table, bool) {
	at := flatbuffers.UOffsetT(t.Offset(field))
	if at == 0 {
		return nil, false
	}
	return flatTable(t.Bytes, t.Indirect(t.Pos+at)), true
}

// An arrowChecker checks the lists of a description of that size.
type arrowChecker struct {
	size int
	left *int // how many columns there can still be: they may refer to each other
}

// list reports whether a field's list, of elements of that size, can be as
// long as it claims.
func (c arrowChecker) list(t *flatbuffers.Table, field flatbuffers.VOffsetT, element int) bool {
	at := flatbuffers.UOffsetT(t.Offset(field))
	return at == 0 || uint64(t.VectorLen(at))*uint64(element) <= uint64(c.size)
}

// tables is list for tables, each of which is checked.
func (c arrowChecker) tables(t *flatbuffers.Table, field flatbuffers.VOffsetT, each func(t *flatbuffers.Table, depth int) bool) bool {
	return c.nested(t, field, 0, each)
}

func (c arrowChecker) nested(t *flatbuffers.Table, field flatbuffers.VOffsetT, depth int, each func(t *flatbuffers.Table, depth int) bool) bool {
	if !c.list(t, field, 4) || depth > maxDepth {
		return false
	}
	at := flatbuffers.UOffsetT(t.Offset(field))
	if at == 0 || each == nil {
		return true
	}
	start := t.Vector(at)
	for i := range t.VectorLen(at) {
		if !each(flatTable(t.Bytes, t.Indirect(start+flatbuffers.UOffsetT(4*i))), depth) {
			return false
		}
	}
	return true
}

// field checks a column's children, its metadata and, of a union, its types.
func (c arrowChecker) field(t *flatbuffers.Table, depth int) bool {
	if *c.left--; *c.left < 0 {
		return false
	}
	const union = 14
	if of, found := below(t, 10); found && t.GetByteSlot(8, 0) == union && !c.list(of, 6, 4) {
		return false
	}
	return c.list(t, 16, 4) && c.nested(t, 14, depth+1, c.field)
}

// batch checks a record batch's nodes, buffers and counts.
func (c arrowChecker) batch(t *flatbuffers.Table) bool {
	return c.list(t, 6, 16) && c.list(t, 8, 16) && c.list(t, 12, 8)
}
