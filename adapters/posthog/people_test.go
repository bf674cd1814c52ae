package posthog_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/posthog"
	"hopper/pipeline/recount"
)

// said is what a row of a drawn export says.
type said struct {
	event, distinct, person, device, other string
	identified                             bool
}

func (s *said) row(clock string) string {
	p := page("s", fmt.Sprintf(`,"$device_id":"%s","$is_identified":%t`, s.device, s.identified))
	switch s.event {
	case "$identify":
		p = `{"$anon_distinct_id":"` + s.other + `"}`
	case "$create_alias":
		p = `{"alias":"` + s.other + `"}`
	}
	return row(clock, s.event, s.distinct, s.person, p)
}

// circle is who knows whom, all in memory.
type circle struct {
	near  map[string]map[string]bool
	ranks map[string]int // of names; what has none names nobody
}

func (c *circle) meet(a, b string) {
	for _, way := range [][2]string{{a, b}, {b, a}} {
		if c.near[way[0]] == nil {
			c.near[way[0]] = map[string]bool{}
		}
		c.near[way[0]][way[1]] = true
	}
}

func (c *circle) name(name string, rank int) { c.ranks[name] = max(c.ranks[name], rank) }

// best returns the name that is kept of those who are one with name.
func (c *circle) best(name string) string {
	if c.near[name] == nil {
		return name
	}
	met := []string{name}
	for i := 0; i < len(met); i++ {
		for next := range c.near[met[i]] {
			if !slices.Contains(met, next) {
				met = append(met, next)
			}
		}
	}
	return slices.MaxFunc(met, func(a, b string) int {
		if c.ranks[a] != c.ranks[b] {
			return c.ranks[a] - c.ranks[b]
		}
		return strings.Compare(b, a)
	})
}

// circleOf says who is who by the rules, one after the other.
func circleOf(all []said) *circle {
	c := &circle{map[string]map[string]bool{}, map[string]int{}}
	rank := map[string]int{}
	owners, persons := map[string]map[string]bool{}, map[string]map[string]bool{}
	add := func(to map[string]map[string]bool, key, value string) {
		if to[key] == nil {
			to[key] = map[string]bool{}
		}
		to[key][value] = true
	}
	for _, s := range all {
		add(persons, s.distinct, s.person)
		if s.event == "$identify" && s.other != s.distinct {
			rank[s.distinct] = 1
		}
		if s.event == "$pageview" && s.identified && s.device != "" {
			rank[s.distinct] = 1
			add(owners, s.device, s.distinct)
		}
	}
	named := func(id string) { c.name(id, 1+rank[id]) }
	for _, s := range all {
		if s.other != s.distinct && (s.event == "$create_alias" || s.event == "$identify" && rank[s.other] == 0) {
			c.meet(s.other, s.distinct)
			named(s.other)
			named(s.distinct)
		}
	}
	for device, of := range owners {
		for user := range of {
			if len(of) == 1 {
				c.meet(device, user)
				named(user)
			}
		}
	}
	for distinct, of := range persons {
		if len(of) == 1 && c.near[distinct] == nil {
			continue
		}
		for person := range of {
			if person != "" {
				defer func() { // a person makes no other distinct id known
					c.meet(person, distinct)
					named(distinct)
					c.name(person, 3+rank[distinct])
				}()
			}
		}
	}
	return c
}

// TestPeopleAsByWalking draws exports and holds whose each event is to what the rules
// say, applied in memory.
func TestPeopleAsByWalking(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		pool := rapid.IntRange(2, 40).Draw(rt, "names")
		alias := rapid.Float64Range(0, 0.5).Draw(rt, "aliases")
		of := func(kind string) string { return fmt.Sprint(kind, r.IntN(pool)) }
		var all []said
		for range rapid.IntRange(1, 60).Draw(rt, "rows") {
			s := said{event: "$pageview", distinct: of("id"), person: of("person"), other: of("id")}
			if r.IntN(5) == 0 {
				s.person = ""
			}
			if r.IntN(3) == 0 {
				s.device, s.identified = of([]string{"device", "id"}[r.IntN(2)]), r.IntN(2) == 0
			}
			if r.Float64() < alias {
				s.event = []string{"$identify", "$create_alias"}[r.IntN(2)]
			}
			all = append(all, s)
		}
		peopleAsByWalking(t, rt.Fatalf, all)
	})
}

// TestIdentifiedAsItself has a script identify an id as itself, which says nothing: the
// id is no user's by that, so that it can become another.
func TestIdentifiedAsItself(t *testing.T) {
	peopleAsByWalking(t, t.Fatalf, []said{
		{event: "$identify", distinct: "a", other: "a"},
		{event: "$identify", distinct: "b", other: "a"},
		{event: "$pageview", distinct: "a"},
		{event: "$pageview", distinct: "b"},
	})
}

// peopleAsByWalking holds whose each page view is, of the translation and of the reader
// for verify, to what the rules say.
func peopleAsByWalking(t *testing.T, fatalf func(string, ...any), all []said) {
	var text strings.Builder
	text.WriteString(header)
	for i := range all {
		text.WriteString(all[i].row(fmt.Sprintf("10:%02d:00", i)))
	}
	events, _, err := translate(t, text.String(), adapters.Options{}, "-")
	if err != nil {
		fatalf("%v", err)
	}
	c, facts := circleOf(all), factsOf(t, text.String())
	told, wanted := map[string]string{}, map[string]string{}
	for i, s := range all {
		if s.event != "$pageview" {
			continue
		}
		want := s.person
		if want == "" {
			want = s.distinct
		}
		if want = c.best(want); len(events) == 0 || events[0].Visitor != want {
			fatalf("%+v: %+v, want %s in\n%s", s, events, want, text.String())
		}
		events = events[1:]
		if visitor := facts[i].Visitor; told[visitor] == "" && wanted[want] == "" {
			told[visitor], wanted[want] = want, visitor
		} else if told[visitor] != want || wanted[want] != visitor {
			fatalf("%+v: told to be %s, who is %s, want %s in\n%s", s, visitor, told[visitor], want, text.String())
		}
	}
}

// factsOf returns what the reader for verify says of each row.
func factsOf(t *testing.T, text string) (facts []recount.Fact) {
	t.Helper()
	ins, err := input.Open(t.Context(), []string{"-"}, strings.NewReader(text), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer ins.Close()
	opt := adapters.Options{TempDir: t.TempDir()}
	reading, err := posthog.Adapter{}.Match(t.Context(), ins.Files).Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Source.Close()
	err = reading.Facts(t.Context(), func(pieces recount.Pieces) error {
		return pieces(func(piece recount.Piece) error {
			return piece(func(f *recount.Fact) { facts = append(facts, *f) })
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return facts
}
