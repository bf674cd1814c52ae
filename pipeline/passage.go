package pipeline

import (
	"hash/maphash"
	"strings"
)

// A Passage is a piece of an input that facts are read from. The zero Passage is none.
type Passage struct {
	// Text is read the same way in all passages with the same By.
	Text string
	By   *Reading
}

// A Reading stands, by its address, for a way to read passages, such as a table's.
type Reading struct{ _ bool }

// passages are memos by what their facts were read from, so that one look at a text
// finds what takes a look at each fact else. They are for one worker.
type passages struct {
	seed maphash.Seed
	all  [1 << 12]remembered
}

// remembered is the passage, of those with its hash, that was kept last.
type remembered struct {
	Passage
	memo *memo
}

func newPassages() *passages { return &passages{seed: maphash.MakeSeed()} }

// at returns where a passage has its place.
func (p *passages) at(from Passage) *remembered {
	return &p.all[maphash.String(p.seed, from.Text)%uint64(len(p.all))]
}

// recall returns the memo of a passage, nil where it has none.
func (p *passages) recall(from Passage) *memo {
	if from.Text == "" {
		return nil
	}
	if at := p.at(from); at.Passage == from {
		return at.memo
	}
	return nil
}

// keep remembers the memo of a passage, unless there are repairs to count.
func (p *passages) keep(from Passage, m *memo) {
	if from.Text == "" || len(m.repairs) > 0 {
		return
	}
	*p.at(from) = remembered{Passage{strings.Clone(from.Text), from.By}, m} // without the chunk
}
