package ga

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"hopper/adapters/input/spill"
)

// maxTexts is how much memory the titles of pages take, and their hosts, in bytes.
const maxTexts = 8 << 20

// pageTexts say something of pages: of each what was said first. Those that came first
// are in memory, the others on disk.
type pageTexts struct {
	limit int
	held  map[string]string
	size  int // of held
	later spill.Sorter
	found *spill.Index // of later, what was said first
}

func newPageTexts(dir string) *pageTexts {
	return &pageTexts{limit: maxTexts, held: make(map[string]string), later: spill.Sorter{Dir: dir, Limit: maxTexts}}
}

// add takes what is said of a page; empty is nothing.
func (p *pageTexts) add(page, text string) error {
	if text == "" || p.held[page] != "" {
		return nil
	}
	if p.size < p.limit {
		p.held[strings.Clone(page)] = strings.Clone(text) // not to keep the row
		p.size += len(page) + len(text) + 64
		return nil
	}
	return p.later.Add([]byte(page), []byte(text))
}

// sort ends adding.
func (p *pageTexts) sort(ctx context.Context) (err error) {
	if p.later.Len() == 0 {
		return nil
	}
	var last []byte
	firsts := spill.Sorter{Dir: p.later.Dir, Limit: p.later.Limit}
	err = p.later.Each(ctx, func(page, text []byte) error {
		if last != nil && bytes.Equal(page, last) {
			return nil
		}
		last = append(last[:0], page...)
		return firsts.Add(page, text)
	})
	if err = errors.Join(err, p.later.Close()); err != nil {
		return errors.Join(err, firsts.Close())
	}
	p.found, err = spill.NewIndex(ctx, &firsts)
	return err
}

// of returns what was said first of a page. Any number of goroutines may call it once
// all is added.
func (p *pageTexts) of(page string) (text string, err error) {
	if text = p.held[page]; text == "" && p.found != nil {
		err = p.found.Lookup([]byte(page), func(found []byte) { text = string(found) })
	}
	return text, err
}

func (p *pageTexts) close() error {
	err := p.later.Close()
	if p.found != nil {
		err = errors.Join(err, p.found.Close())
	}
	return err
}
