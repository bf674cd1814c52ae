package ga

import (
	"slices"
	"sync"

	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
)

// columnar translates chunks whose values lie by column: what would become of a
// column in a record is decided once, and then done for all rows.
type columnar struct {
	ga4      *ga4
	index    int // of the input
	property string
	flat     map[string]setter

	plan  func() columnPlan
	space sync.Pool // of *[rowsAtOnce]row
}

// A columnStep sets what a column says of each row.
type columnStep func(part *record.Part, rows []row) error

// A columnPlan is what is done with all columns.
type columnPlan struct {
	steps []columnStep
	// keepsUTF8 says that rows hold what stands in the columns, but for properties:
	// nothing is parsed.
	keepsUTF8 bool
	// keepsNames says that no column behind the event's name says it anew.
	keepsNames bool
}

func newColumnar(g *ga4, index int, property string, fields []string) *columnar {
	return &columnar{ga4: g, index: index, property: property, flat: settersByName(fields)}
}

// rowsAtOnce is how many rows are filled column by column, few enough to stay in a
// processor's cache meanwhile.
const rowsAtOnce = 128

// decode returns what translates c. Where its columns do not fit together, read
// says in which record.
func (p *columnar) decode(c record.Columns, input string, read func(out sink, seen *seen) func(*record.Record)) decode {
	if p.plan == nil {
		schema := c.Schema()
		p.plan = sync.OnceValue(func() columnPlan { return p.steps(schema) })
	}
	return func(out sink, seen *seen) error {
		space, ok := p.space.Get().(*[rowsAtOnce]row)
		if !ok {
			space = new([rowsAtOnce]row)
		}
		defer p.space.Put(space)
		seen.release = c.Release
		plan := p.plan()
		valid := plan.keepsUTF8 && c.ValidUTF8()
		// Which site an event is of can stand in its parameters.
		brief := plan.keepsNames && !p.ga4.allEvents && p.ga4.website == "" && p.ga4.sites == nil
		var ev pipeline.Event
		return c.Parts(rowsAtOnce, func(part *record.Part) error {
			first, end := part.Span()
			rows := space[:end-first]
			for i := range rows {
				rows[i].reset()
				rows[i].at = pipeline.Origin{Input: input, Row: first + int64(i)}
				rows[i].input, rows[i].property, rows[i].validUTF8 = p.index, p.property, valid
				rows[i].isBrief = brief
			}
			for _, step := range plan.steps {
				if step(part, rows) != nil {
					return part.Read(read(out, seen))
				}
			}
			for i := range rows {
				out.Rows(1)
				p.ga4.emit(&rows[i], &ev, out, seen)
			}
			return nil
		})
	}
}

func (p *columnar) steps(schema []*record.Column) columnPlan {
	plan := columnPlan{keepsUTF8: true, keepsNames: true}
	named := false
	root := &layout{flat: p.flat}
	for _, c := range schema {
		at := root.place(c.Name)
		one, ok := stepsOf(c, at)
		if !ok {
			one = []columnStep{func(part *record.Part, rows []row) error {
				at := root.place(c.Name) // which remembers, and so is for one goroutine
				return part.Values(c, func(i int, v *record.Value) { rows[i].field(at, v) })
			}}
		}
		isLeaf := ok && !isNoLeaf(c)
		if isLeaf && (eventFields[at.path].set == nil || at.path == "event_name" && named) {
			plan.keepsNames = false
		}
		named = named || at.path == "event_name"
		if !ok && at.column != "items" || isLeaf && eventFields[at.path].set == nil {
			plan.keepsUTF8 = false
		}
		plan.steps = append(plan.steps, one...)
	}
	return plan
}

// stepsOf returns what is to be done with a column of the schema as [row.field]
// would, and false where that depends on the values.
func stepsOf(c *record.Column, at *place) (steps []columnStep, ok bool) {
	switch {
	case at.column == "event_params":
		return paramSteps(c, paramOf, (*row).setParam)
	case at.column == "user_properties":
		return paramSteps(c, userPropertyOf, (*row).setUserProperty)
	case at.column == "items":
		return itemSteps(c)
	case at.isParams():
		return nil, false
	case c.Element != nil:
		return nil, !c.IsMap // a list says nothing
	case c.Kids != nil:
		if at.skipped {
			return nil, true
		}
		return groupSteps(c, at.members)
	case at.isGroup:
		return nil, false
	}
	return []columnStep{leafStep(c, at)}, true
}

func leafStep(c *record.Column, at *place) columnStep {
	f, found := eventFields[at.path]
	if !found {
		f.set = at.set
	}
	return func(part *record.Part, rows []row) error {
		for _, cell := range part.Texts(c, f.of) {
			f.set(&rows[cell.Record], cell.Text)
		}
		return nil
	}
}

func groupSteps(c *record.Column, l *layout) (steps []columnStep, ok bool) {
	for _, kid := range c.Kids {
		at := l.place(kid.Name)
		switch {
		case kid.IsMap:
			return nil, false
		case kid.Element != nil:
		case kid.Kids != nil:
			within, ok := groupSteps(kid, at.members)
			if !ok {
				return nil, false
			}
			steps = append(steps, within...)
		case at.set != nil:
			steps = append(steps, leafStep(kid, at))
		}
	}
	return steps, true
}

func isNoLeaf(c *record.Column) bool { return c.Kids != nil || c.Element != nil }

// paramSteps reads the schema's repeated key and value.
func paramSteps(c *record.Column, of func(key string) paramUse, set func(r *row, p paramUse, key, text string, isNumber bool)) ([]columnStep, bool) {
	if c.Element == nil || c.IsMap || len(c.Element.Kids) != 2 {
		return nil, false
	}
	key, value := c.Element.Kids[0], c.Element.Kids[1]
	if key.Name != "key" || isNoLeaf(key) || value.Name != "value" || value.Kids == nil || slices.ContainsFunc(value.Kids, isNoLeaf) {
		return nil, false
	}
	var leaves []*record.Column
	var typed []bool
	for _, kid := range value.Kids {
		if !isBesideValue(kid.Name) {
			leaves, typed = append(leaves, kid), append(typed, isTyped(kid.Name))
		}
	}
	choose := func(key string) int {
		if key == "" {
			return int(unreadParam)
		}
		return int(of(key))
	}
	return []columnStep{func(part *record.Part, rows []row) error {
		return part.EachNamed(c, key, leaves, choose, func(e *record.Element) {
			r, use := &rows[e.Record], paramUse(e.Choice)
			if r.isBrief && r.automatic != "" && use != sessionParam {
				return
			}
			for k := range leaves {
				w := e.Value(k)
				if w == nil {
					continue
				}
				if text, isNumber := paramText(w.Kind, w.Text); text != "" {
					set(r, use, e.Name, text, isNumber || typed[k])
					return
				}
			}
			set(r, use, e.Name, "", false)
		})
	}}, true
}

// itemSteps reads the schema's repeated items, as [row.writeItems] writes them.
func itemSteps(c *record.Column) ([]columnStep, bool) {
	if c.Element == nil || c.IsMap || c.Element.Kids == nil {
		return nil, false
	}
	var leaves, params []*record.Column
	var numbers []bool // of leaves
	for _, kid := range c.Element.Kids {
		switch {
		case kid.Name == "item_params":
			params = append(params, kid)
		case !isNoLeaf(kid):
			leaves, numbers = append(leaves, kid), append(numbers, isItemNumber(kid.Name))
		}
	}
	if leaves == nil {
		return nil, false
	}
	isEmpty := func(part *record.Part) bool {
		return !slices.ContainsFunc(params, func(p *record.Column) bool { return !part.IsEmpty(p) })
	}
	return []columnStep{func(part *record.Part, rows []row) error {
		if !isEmpty(part) {
			return part.Values(c, func(i int, v *record.Value) { rows[i].setItems(v) })
		}
		var l list
		last := -1
		end := func() {
			if last >= 0 {
				rows[last].itemsText = l.String()
			}
		}
		err := part.EachElement(c, leaves, func(i int, words []*record.Word) {
			if i != last {
				end()
				l.b, last = l.b[:0], i
			}
			l.open()
			for k, w := range words {
				if w != nil {
					l.member(leaves[k].Name, clean(w.Text), numbers[k])
				}
			}
			l.close()
		})
		end()
		return err
	}}, true
}
