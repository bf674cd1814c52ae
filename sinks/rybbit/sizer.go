package rybbit

import "time"

// sizer decides how large batches are.
//
// A large batch gains nothing, since a server stores as many events a second in
// small ones, but it can exhaust the server's memory and keeps the site's own
// visitors waiting. So batches begin small and grow only while answers come
// within seconds. Where requests are scarce, they grow as far as the server
// takes them.
//
// A size is suspected of being too large only when the server has never taken
// it, or has refused it several times in a row: a server that restarts cuts
// connections too, and proxies answer 413 for a moment.
type sizer struct {
	limit int // bytes of a body
	most  int // it never grows beyond this
	taken int // the largest body that the server took
	// strikes counts the suspicious ends in a row, full the full batches taken
	// since the limit changed, patience how many of these must come before it grows
	// into what was refused.
	strikes, full, patience int
	refused                 int // the smallest size that was refused lately; 0 is none
	scarce                  bool
	known                   bool // limit is more than a guess
}

const (
	// beginBytes is the first batch's size on a server that nothing is known of.
	beginBytes = 4 << 20
	// slowestBytes is the size below which a slow answer does not shrink a batch.
	slowestBytes = 256 << 10
	// A batch is as large as makes an answer take this long.
	quickAnswer, slowAnswer, goodAnswer = 1500 * time.Millisecond, 3 * time.Second, 2500 * time.Millisecond
	// tooManyStrikes is how often a size that was taken must be refused in a row.
	tooManyStrikes = 3
	// smallestLimit leaves room for an ordinary event.
	smallestLimit = 1 << 10
)

func newSizer(most, remembered int) sizer {
	limit := min(beginBytes, most)
	if remembered > 0 {
		limit = min(most, remembered)
	}
	return sizer{limit: limit, most: most, patience: 4, known: remembered > 0}
}

// guess takes how many bytes of the events at hand servers store in a second, by
// experience, for this server's pace until it is known.
func (s *sizer) guess(perSecond float64) {
	if s.known || s.scarce || perSecond <= 0 {
		return
	}
	s.known = true
	s.limit = min(s.limit, max(slowestBytes, int(perSecond*goodAnswer.Seconds())))
}

// stored notes a batch that the server took.
func (s *sizer) stored(size int, took time.Duration) {
	s.taken, s.strikes, s.known = max(s.taken, size), 0, true
	if size < s.limit/4*3 {
		return
	}
	s.full++
	switch next := min(2*s.limit, s.most); {
	case took > slowAnswer && s.limit > slowestBytes && !s.scarce:
		s.set(max(slowestBytes, int(float64(s.limit)*goodAnswer.Seconds()/took.Seconds())))
	case took > quickAnswer && !s.scarce, next <= s.limit:
	case s.refused == 0 || next < s.refused:
		s.set(next)
	case s.full >= s.patience:
		s.refused = 0
		s.set(next)
	}
}

func (s *sizer) set(limit int) { s.limit, s.full = limit, 0 }

// blames reports whether a refusal of a body of size bytes, or a connection that
// broke under it, is to be blamed on its size, and then makes the next one
// smaller. It returns false for sizes that the server has taken, until it has
// refused them several times in a row.
func (s *sizer) blames(size int) bool {
	if s.strikes++; size <= s.taken && s.strikes < tooManyStrikes {
		return false
	}
	half := size / 2
	if size > s.taken {
		half = max(half, min(s.taken, size*3/4))
	} else {
		s.taken = half // the server has changed
	}
	if s.refused == 0 || size < s.refused {
		s.refused = size
	}
	s.patience *= 2
	s.strikes = 0
	s.set(max(half, smallestLimit))
	return true
}

// scarcity lets batches grow up to most bytes, since requests are few.
func (s *sizer) scarcity(most int) { s.scarce, s.most = true, max(s.most, most) }
