package reconstruct

import (
	"cmp"
	"slices"
)

// placeEvents gives each custom event a visit: the events of one kind to as
// many visitors as the day has, visits that need an event first, bounces
// only where there is nothing else. It returns the kinds per visit.
func (b *builder) placeEvents() [][]int32 {
	out := make([][]int32, b.visits())
	if b.numEvents == 0 {
		return out
	}
	// One visit a visitor, so that different places are different visitors.
	hosts := make([]int32, 0, b.engaged())
	seen := make([]bool, b.persons)
	host := func(v int, always bool) {
		if always || !seen[b.visitor[v]] {
			seen[b.visitor[v]] = true
			hosts = append(hosts, int32(v))
		}
	}
	for v := b.bounces + b.paged; v < b.visits(); v++ {
		host(v, true)
	}
	needy := len(hosts)
	for v := b.bounces; v < b.bounces+b.paged; v++ {
		host(v, false)
	}
	if b.engaged() == 0 {
		for v := range b.bounces {
			host(v, false)
		}
	}
	shuffle(b.rng, hosts[needy:])
	next := 0
	for kind, e := range b.customs {
		n := e.count
		if n == 0 {
			continue
		}
		w := min(e.persons, n, len(hosts))
		if w == 0 {
			w = min(n, len(hosts))
		}
		for k := range n {
			v := hosts[(next+k%w)%len(hosts)]
			out[v] = append(out[v], int32(kind))
		}
		next = (next + w) % len(hosts)
	}
	// A visit without pageviews needs an event: from one that has several.
	donor := int32(0)
	for _, v := range hosts[:needy] {
		for len(out[v]) == 0 {
			least := 0
			if int(donor) >= b.bounces+b.paged {
				least = 1
			}
			if k := len(out[donor]); k > least {
				out[v] = append(out[v], out[donor][k-1])
				out[donor] = out[donor][:k-1]
			} else {
				donor++
			}
		}
	}
	return out
}

// carrier is a hit that can carry properties.
type carrier struct {
	hit     *Hit
	visitor int
}

// placeProperties attaches each property's values to as many events as the
// day has: custom events first, of the kind that has as many events as the
// property where there is one, then pageviews.
func (b *builder) placeProperties(visits []Visit) {
	if len(b.properties) == 0 {
		return
	}
	kinds := make([][]carrier, len(b.customs)+1) // the last for pageviews
	for i := range visits {
		for j := range visits[i].Hits {
			h := &visits[i].Hits[j]
			k := int(h.Event)
			if k < 0 {
				k = len(kinds) - 1
			}
			kinds[k] = append(kinds[k], carrier{h, visits[i].Visitor})
		}
	}
	byName := map[string][]int32{}
	var names []string
	for i, p := range b.properties {
		name := b.day.Properties[p.index].Name
		if _, ok := byName[name]; !ok {
			names = append(names, name)
		}
		byName[name] = append(byName[name], int32(i))
	}
	for _, name := range names {
		values := byName[name]
		need := 0
		for _, v := range values {
			need += b.properties[v].count
		}
		b.placeProperty(values, pickCarriers(kinds, need))
	}
}

// pickCarriers returns need hits, or as many as there are.
func pickCarriers(kinds [][]carrier, need int) []carrier {
	order := make([]int, len(kinds)-1)
	for i := range order {
		order[i] = i
	}
	// Kinds with enough events before those without, the least excess first.
	rank := func(k int) int {
		if n := len(kinds[k]); n >= need {
			return n - need
		}
		return 2*MaxHits - len(kinds[k])
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(rank(i), rank(j)) })
	all := 0
	for _, c := range kinds {
		all += len(c)
	}
	out := make([]carrier, 0, min(need, all))
	for _, k := range append(order, len(kinds)-1) {
		out = append(out, kinds[k][:min(need-len(out), len(kinds[k]))]...)
		if len(out) == need {
			break
		}
	}
	return out
}

// placeProperty spreads the values over the carriers, each over as many
// visitors as it has.
func (b *builder) placeProperty(values []int32, carriers []carrier) {
	slices.SortStableFunc(carriers, func(a, b carrier) int { return cmp.Compare(a.visitor, b.visitor) })
	var runs [][]carrier
	for i, c := range carriers {
		if i == 0 || c.visitor != carriers[i-1].visitor {
			runs = append(runs, carriers[i:i:len(carriers)])
		}
		last := len(runs) - 1
		runs[last] = runs[last][:len(runs[last])+1]
	}
	slices.SortStableFunc(runs, func(a, b []carrier) int { return len(b) - len(a) })
	rate := func(v int32) float64 {
		return float64(b.properties[v].count) / float64(max(1, b.properties[v].persons))
	}
	values = slices.Clone(values)
	slices.SortStableFunc(values, func(a, b int32) int { return cmp.Compare(rate(b), rate(a)) })
	next := 0
	for _, v := range values {
		need, people := b.properties[v].count, b.properties[v].persons
		if people == 0 {
			people = need
		}
		for empty := 0; need > 0 && empty < len(runs); next++ {
			run := &runs[next%len(runs)]
			k := min((need+people-1)/people, len(*run), need)
			if k == 0 {
				empty++
				continue
			}
			empty = 0
			for _, c := range (*run)[:k] {
				c.hit.Properties = append(c.hit.Properties, v)
			}
			*run = (*run)[k:]
			need -= k
			people = max(1, people-1)
		}
	}
}
