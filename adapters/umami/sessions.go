package umami

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
	"hopper/adapters/input/spill"
)

// sessions is the session table, sorted by its ids, for the join with the events. It is
// on disk but for words and what was looked up last. Any number of goroutines may use it.
type sessions struct {
	index *spill.Index
	words words
}

// A session is what the session table says of a visitor.
type session struct {
	browser, os, device, screen, language string
	country, region, city, hostname       string
	user                                  string // empty where nobody is identified
}

// common are the fields whose values many sessions share.
func (s *session) common() [9]*string {
	return [...]*string{&s.browser, &s.os, &s.device, &s.screen, &s.language, &s.country, &s.region, &s.city, &s.hostname}
}

// readSessions sorts session tables.
func readSessions(ctx context.Context, tables []*rows.Table, dir string, rejects *rejects) (*sessions, error) {
	s := new(sessions)
	sorter := &spill.Sorter{Dir: dir}
	defer sorter.Close()
	for _, t := range tables {
		if err := s.load(ctx, t, sorter, rejects); err != nil {
			return nil, err
		}
	}
	s.words.numbers = nil
	var err error
	if s.index, err = spill.NewIndex(ctx, sorter); err != nil {
		return nil, sorting(ctx, tables[0], err)
	}
	return s, nil
}

// load adds a session table to sorter.
func (s *sessions) load(ctx context.Context, t *rows.Table, sorter *spill.Sorter, rejects *rejects) error {
	at := t.Column
	var (
		key    = at("session_id")
		user   = at("distinct_id")
		common = [...]int{at("browser"), at("os"), at("device"), at("screen"), at("language"), at("country"), at("region", "subdivision1"), at("city"), at("hostname")}
		record []byte
	)
	look := *t
	look.Only(append(common[:], key, user)...)
	return each(ctx, &look, rejects, func(row *rows.Row) error {
		id := row.Cells[key]
		if id == "" {
			rejects.add(t, row, "a session without session_id")
			return nil
		}
		record = record[:0]
		for _, column := range common {
			record = s.words.append(record, row.Cell(column))
		}
		u := adapters.IDOf(id)
		if err := sorter.Add(u[:], append(record, row.Cell(user)...)); err != nil {
			return input.Errorf(t.Input.Name, "sorting on disk: %w", err)
		}
		return nil
	})
}

// find sets found to the session with that id, and reports whether there is one. Of a
// session in two dumps, the one that was read last is the newer.
func (s *sessions) find(u adapters.ID, found *session) (known bool, err error) {
	err = s.index.Lookup(u[:], func(record []byte) {
		known = true
		for _, field := range found.common() {
			*field, record = s.words.parse(record)
		}
		found.user = string(record)
	})
	return known, err
}

// recent are the sessions that were looked up for a chunk: the events of a visit stand
// close together.
type recent [512]struct {
	asked, known bool
	id           adapters.ID
	session      session
}

// recall is find, but for a session that was looked up before. It returns nil where
// there is none with that id.
func (s *sessions) recall(r *recent, u adapters.ID) (*session, error) {
	m := &r[binary.LittleEndian.Uint16(u[14:])%uint16(len(r))]
	if !m.asked || m.id != u {
		known, err := s.find(u, &m.session)
		if err != nil {
			return nil, err
		}
		m.asked, m.known, m.id = true, known, u
	}
	if !m.known {
		return nil, nil
	}
	return &m.session, nil
}

// words are texts that many records share, each by its number. There are few of them
// and they are short, so that memory does not depend on the input: any other text
// stands in the record itself.
type words struct {
	texts   []string
	numbers map[string]uint64
}

const (
	maxWords    = 1 << 16
	maxWordSize = 64
)

// append appends a text to a record.
func (w *words) append(record []byte, text string) []byte {
	n, known := w.numbers[text]
	switch {
	case known:
	case len(w.texts) == maxWords || len(text) > maxWordSize:
		record = binary.AppendUvarint(append(record, 0), uint64(len(text)))
		return append(record, text...)
	default:
		if w.numbers == nil {
			w.numbers = map[string]uint64{}
		}
		text = strings.Clone(text)
		w.texts = append(w.texts, text)
		n = uint64(len(w.texts)) // 0 stands before a text of the record's own
		w.numbers[text] = n
	}
	return binary.AppendUvarint(record, n)
}

// parse returns the text that a record begins with, and the rest of the record.
func (w *words) parse(record []byte) (text string, rest []byte) {
	n, size := binary.Uvarint(record)
	record = record[size:]
	if n > 0 {
		return w.texts[n-1], record
	}
	n, size = binary.Uvarint(record)
	end := size + int(n)
	return string(record[size:end]), record[end:]
}

// sorting says of an error which table was being sorted, unless ctx has ended.
func sorting(ctx context.Context, t *rows.Table, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("sorting %s on disk: %w", t.Input.Name, err)
}

// cells are a row's, of which an absent column's are empty.
type cells []string

func (c cells) at(i int) string {
	if uint(i) < uint(len(c)) {
		return c[i]
	}
	return ""
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
