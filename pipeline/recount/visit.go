package recount

import (
	"maps"
	"slices"

	"hopper/pipeline"
)

// visit is what the dashboard knows of a session.
type visit struct {
	hits, views int
	first, last pipeline.Micros
	visitor     [idSize]byte
	entry, exit word
	// entryTied and exitTied say that another page has the same time.
	entryAt, exitAt     pipeline.Micros
	entryTied, exitTied bool
	rows                []word
	pages               []word            // the session's, while these are few
	known               map[word]struct{} // else
}

// fewPages are looked through faster than looked up.
const fewPages = 16

func (v *visit) reset() { *v = visit{rows: v.rows[:0], pages: v.pages[:0]} }

// copy makes v the same visit as o, of which it keeps nothing.
func (v *visit) copy(o *visit) {
	rows, pages := append(v.rows[:0], o.rows...), append(v.pages[:0], o.pages...)
	*v = *o
	v.rows, v.pages, v.known = rows, pages, maps.Clone(o.known)
}

// add adds the next hit in time.
func (v *visit) add(r *record, firstOfTies bool) {
	if v.hits == 0 {
		v.first, v.entry, v.exit, v.visitor = r.at, untold, untold, r.visitor
		v.rows = append(v.rows[:0], r.rows...)
	}
	for i, w := range r.rows {
		if v.rows[i] == untold {
			v.rows[i] = w
		}
	}
	v.hits++
	v.last = r.at
	if r.kind == pipeline.Pageview {
		v.views++
	}
	if r.page == untold {
		return
	}
	if v.entry == untold {
		v.entry, v.entryAt = r.page, r.at
	}
	v.entryTied = v.entryTied || r.at == v.entryAt && r.page != v.entry
	switch {
	case v.exit == untold || r.at > v.exitAt:
		v.exit, v.exitAt, v.exitTied = r.page, r.at, false
	case r.page != v.exit:
		v.exitTied = true
		if !firstOfTies {
			v.exit = r.page
		}
	}
}

// addPage notes a page and reports whether it is new to the session.
func (v *visit) addPage(page word) bool {
	if page == untold {
		return false
	}
	if v.known == nil && len(v.pages) < fewPages {
		if slices.Contains(v.pages, page) {
			return false
		}
		v.pages = append(v.pages, page)
		return true
	}
	if v.known == nil {
		v.known = map[word]struct{}{}
		for _, p := range v.pages {
			v.known[p] = struct{}{}
		}
	}
	_, known := v.known[page]
	v.known[page] = struct{}{}
	return !known
}

// bounces is 1 of a session with one pageview.
func (v *visit) bounces() int64 { return Bounced(v.views) }

// seconds is how long the session lasted.
func (v *visit) seconds() int64 { return Lasted(v.first, v.last) }

// Bounced is 1 where a session with so many pageviews is a bounce, and else 0.
func Bounced(pageviews int) int64 {
	if pageviews == 1 {
		return 1
	}
	return 0
}

// Lasted is how many seconds a session lasts, from its first to its last event.
func Lasted(first, last pipeline.Micros) int64 { return int64((last - first) / 1e6) }
