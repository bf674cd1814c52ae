package rybbit

import (
	"testing"
	"time"
)

// TestSizer plays what a server answers, one batch of the size that is allowed
// after the other, and looks at the sizes that follow.
func TestSizer(t *testing.T) {
	const mib = 1 << 20
	quick, good, slow := 100*time.Millisecond, 2*time.Second, 5*time.Second
	type answer struct {
		took   time.Duration // 0 is a refusal
		size   int           // of the batch; 0 is as large as allowed
		blamed bool
		limit  int // afterwards
	}
	took := func(d time.Duration, limit int) answer { return answer{took: d, limit: limit} }
	refused := func(blamed bool, limit int) answer { return answer{blamed: blamed, limit: limit} }
	for _, tt := range []struct {
		name    string
		begin   func() sizer
		answers []answer
	}{
		{"quick answers let it grow to the most", func() sizer { return newSizer(10*mib, 0) },
			[]answer{took(quick, 8*mib), took(quick, 10*mib), took(quick, 10*mib)}},
		{"good answers keep it", func() sizer { return newSizer(10*mib, 0) }, []answer{took(good, 4*mib), took(good, 4*mib)}},
		{"slow answers shrink it to what takes two and a half seconds", func() sizer { return newSizer(10*mib, 0) },
			[]answer{took(slow, 2*mib), took(good, 2*mib)}},
		{"but never below a quarter of a MiB", func() sizer { return newSizer(10*mib, 512<<10) },
			[]answer{took(time.Minute, slowestBytes), took(time.Minute, slowestBytes)}},
		{"a batch that is not full says nothing of the limit", func() sizer { return newSizer(10*mib, 0) },
			[]answer{{took: quick, size: mib, limit: 4 * mib}}},
		{"a size that was never taken is blamed at once, for ever longer", func() sizer { return newSizer(10*mib, 0) },
			[]answer{refused(true, 2*mib), took(quick, 2*mib), took(quick, 2*mib)}},
		{"a size that was taken is blamed at the third refusal", func() sizer { return newSizer(4*mib, 0) },
			[]answer{took(quick, 4*mib), refused(false, 4*mib), refused(false, 4*mib), refused(true, 2*mib)}},
		{"refusals that are not in a row blame nothing", func() sizer { return newSizer(4*mib, 0) },
			[]answer{took(quick, 4*mib), refused(false, 4*mib), refused(false, 4*mib), took(quick, 4*mib), refused(false, 4*mib)}},
		{"what is known to be taken is not given up with more", func() sizer { return newSizer(10*mib, 0) },
			[]answer{took(quick, 8*mib), refused(true, 4*mib)}},
		{"what was refused is tried again after some full batches", func() sizer { return newSizer(8*mib, 0) },
			[]answer{
				took(quick, 8*mib), refused(true, 4*mib),
				took(quick, 4*mib), took(quick, 4*mib), took(quick, 4*mib), took(quick, 4*mib),
				took(quick, 4*mib), took(quick, 4*mib), took(quick, 4*mib), took(quick, 8*mib),
			}},
		{"where requests are scarce only refusals count", func() sizer { s := newSizer(10*mib, 0); s.scarcity(45 * mib); return s },
			[]answer{took(slow, 8*mib), took(slow, 16*mib), took(slow, 32*mib), took(slow, 45*mib), refused(true, 32*mib)}},
		{"it begins where the last run ended", func() sizer { return newSizer(10*mib, mib) }, []answer{took(good, mib)}},
		{"a slow format begins small", func() sizer { s := newSizer(10*mib, 0); s.guess(0.8 * mib); return s },
			[]answer{took(good, 2*mib), took(quick, 4*mib)}},
		{"a guess is no reason to begin with more", func() sizer { s := newSizer(10*mib, 0); s.guess(8 * mib); return s }, []answer{took(good, 4*mib)}},
		{"what is known is better than a guess", func() sizer { s := newSizer(10*mib, 3*mib); s.guess(0.1 * mib); return s }, []answer{took(good, 3*mib)}},
		{"the smallest holds an ordinary event", func() sizer { return newSizer(1500, 0) },
			[]answer{refused(true, smallestLimit), refused(true, smallestLimit)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.begin()
			for i, a := range tt.answers {
				size, blamed := a.size, false
				if size == 0 {
					size = s.limit
				}
				if a.took > 0 {
					s.stored(size, a.took)
				} else {
					blamed = s.blames(size)
				}
				if s.limit != a.limit || blamed != a.blamed {
					t.Fatalf("after answer %d to %d bytes the limit is %d, blamed %v; want %d, %v", i+1, size, s.limit, blamed, a.limit, a.blamed)
				}
			}
		})
	}
}
