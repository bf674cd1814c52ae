package umami

import (
	"bytes"
	"context"
	"slices"
	"sort"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input/rows"
)

// client is what a session says of a visitor's browser.
type client struct{ browser, os, device, screen, language string }

// place is what it says of where the visitor is, and of the site.
type place struct{ country, region, city, hostname string }

// sessions is the session table in memory, for the join with the events. A
// session takes 28 bytes. Distinct clients, places and identified users take
// some 200 bytes each, once: 10 million sessions are about 300 MB.
type sessions struct {
	buckets [256][]session // by the id's first byte, each sorted by id
	clients interned[client]
	places  interned[place]
	users   interned[string] // the first is the empty one
}

type session struct {
	id                  adapters.ID
	client, place, user uint32
}

// interned gives equal values one number.
type interned[T comparable] struct {
	values  []T
	numbers map[T]uint32
}

func (in *interned[T]) number(v T, clone func(T) T) uint32 {
	n, known := in.numbers[v]
	if !known {
		v = clone(v)
		if in.numbers == nil {
			in.numbers = map[T]uint32{}
		}
		n = uint32(len(in.values))
		in.numbers[v] = n
		in.values = append(in.values, v)
	}
	return n
}

// load adds a session table.
func (s *sessions) load(ctx context.Context, t *rows.Table, rejects *rejects) error {
	at := func(names ...string) int { return t.Column(names...) }
	var (
		key                   = at("session_id")
		browser, os, device   = at("browser"), at("os"), at("device")
		screen, language      = at("screen"), at("language")
		country, region, city = at("country"), at("region", "subdivision1"), at("city")
		hostname, distinct    = at("hostname"), at("distinct_id")
		words                 interned[string]
	)
	word := func(w string) string { return words.values[words.number(w, strings.Clone)] }
	s.users.number("", strings.Clone)
	return each(ctx, t, rejects, func(row *rows.Row) error {
		get := cells(row.Cells)
		if get.at(key) == "" {
			rejects.add(t, row, "a session without session_id")
			return nil
		}
		u := adapters.IDOf(get.at(key))
		s.buckets[u[0]] = append(s.buckets[u[0]], session{
			id: u,
			client: s.clients.number(client{get.at(browser), get.at(os), get.at(device), get.at(screen), get.at(language)}, func(c client) client {
				return client{word(c.browser), word(c.os), word(c.device), word(c.screen), word(c.language)}
			}),
			place: s.places.number(place{get.at(country), get.at(region), get.at(city), get.at(hostname)}, func(p place) place {
				return place{word(p.country), word(p.region), word(p.city), word(p.hostname)}
			}),
			user: s.users.number(get.at(distinct), strings.Clone),
		})
		return nil
	})
}

// sort ends loading.
func (s *sessions) sort() {
	for _, bucket := range s.buckets {
		// Of a session in two dumps, the one that was read last is the newer.
		slices.SortStableFunc(bucket, func(a, b session) int { return bytes.Compare(a.id[:], b.id[:]) })
	}
	s.clients.numbers, s.places.numbers, s.users.numbers = nil, nil, nil
}

// find returns the session with that id.
func (s *sessions) find(u adapters.ID) (session, bool) {
	bucket := s.buckets[u[0]]
	after := sort.Search(len(bucket), func(i int) bool { return bytes.Compare(bucket[i].id[:], u[:]) > 0 })
	if after == 0 || bucket[after-1].id != u {
		return session{}, false
	}
	return bucket[after-1], true
}

// cells are a row's, of which an absent column's are empty.
type cells []string

func (c cells) at(i int) string {
	if i < 0 {
		return ""
	}
	return c[i]
}

// each reads a table through, row by row.
func each(ctx context.Context, t *rows.Table, rejects *rejects, do func(*rows.Row) error) error {
	return t.Each(ctx, func(row *rows.Row) error {
		if row.Err == nil {
			return do(row)
		}
		rejects.add(t, row, row.Err.Error())
		return rejects.tooMany()
	})
}
